//! What of a connection's octets has been shown to those who listen.
//!
//! The session consumes what it reads and only appends to what it writes, so frames are cut out of
//! copies, and only while somebody listens: the session knows nothing of it.

use std::{sync::Arc, time::SystemTime};

use bytes::BytesMut;

use crate::{
    smpp::codec::take_frame,
    tap::{Passed, Tap},
};

/// Frames of a link are bounded by its session; what it took is not judged again.
const ANY_LENGTH: usize = u32::MAX as usize;

/// The eye on one link.
pub(super) struct Tapped {
    link: Arc<str>,
    connection: u64,
    /// Octets at the front of the output that were looked at; always whole frames and the rest of
    /// one that is being written.
    seen: usize,
}

impl Tapped {
    pub(super) fn new(link: &Arc<str>) -> Self {
        Self {
            link: Arc::clone(link),
            connection: 0,
            seen: 0,
        }
    }

    /// A new connection, whose output is empty.
    pub(super) fn connected(&mut self, connection: u64) {
        self.connection = connection;
        self.seen = 0;
    }

    /// The input before the session takes frames from it, if anybody wants to know.
    pub(super) fn before(&self, tap: &Tap, input: &BytesMut) -> Option<BytesMut> {
        tap.is_listened_to().then(|| input.clone())
    }

    /// Tells what the session took: what `before` holds and `left` does not.
    pub(super) fn received(&self, tap: &Tap, before: Option<BytesMut>, left: usize) {
        if let Some(mut before) = before {
            before.truncate(before.len().saturating_sub(left));
            self.tell(tap, false, before);
        }
    }

    /// Tells what was appended to the output since the last time; called before it is written.
    pub(super) fn sent(&mut self, tap: &Tap, output: &BytesMut) {
        if tap.is_listened_to()
            && let Some(new) = output.get(self.seen..)
            && !new.is_empty()
        {
            self.tell(tap, true, BytesMut::from(new));
        }
        self.seen = output.len();
    }

    /// Octets left the front of the output.
    pub(super) fn wrote(&mut self, octets: usize) {
        self.seen = self.seen.saturating_sub(octets);
    }

    fn tell(&self, tap: &Tap, outgoing: bool, mut octets: BytesMut) {
        let at = SystemTime::now();
        let mut passed = Vec::new();
        while let Ok(Some(frame)) = take_frame(&mut octets, ANY_LENGTH) {
            passed.push(Passed {
                at,
                link: Arc::clone(&self.link),
                connection: self.connection,
                outgoing,
                frame,
            });
        }
        if !passed.is_empty() {
            tap.publish(&passed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        smpp::{
            CommandStatus,
            pdu::{Encode, EnquireLink},
        },
        tap::Listener,
    };

    fn append(out: &mut BytesMut, sequence: u32) {
        EnquireLink.encode(sequence, CommandStatus::ESME_ROK, out);
    }

    async fn heard(listener: &Listener) -> Vec<(u32, bool)> {
        let (passed, missed) = listener.next(usize::MAX).await;
        assert_eq!(missed, 0);
        let told = passed.iter();
        told.map(|passed| (passed.frame.header.sequence_number, passed.outgoing))
            .collect()
    }

    #[tokio::test]
    async fn each_frame_is_told_once_whatever_part_of_it_is_written_when() {
        let (tap, listener) = (Tap::default(), Listener::new(""));
        let (mut tapped, mut output) = (Tapped::new(&"one/1".into()), BytesMut::new());
        tapped.connected(1);
        // Before anybody listens, and half written when somebody begins to.
        append(&mut output, 1);
        tapped.sent(&tap, &output);
        tap.attach(&listener);
        drop(output.split_to(7));
        tapped.wrote(7);
        append(&mut output, 2);
        tapped.sent(&tap, &output);
        tapped.sent(&tap, &output);
        append(&mut output, 3);
        tapped.sent(&tap, &output);
        assert_eq!(heard(&listener).await, [(2, true), (3, true)]);
    }

    #[tokio::test]
    async fn of_what_was_read_only_what_the_session_took_is_told() {
        let (tap, listener) = (Tap::default(), Listener::new(""));
        let tapped = Tapped::new(&"one/1".into());
        let mut input = BytesMut::new();
        assert!(tapped.before(&tap, &input).is_none());
        tap.attach(&listener);
        append(&mut input, 1);
        append(&mut input, 2);
        append(&mut input, 3);
        let before = tapped.before(&tap, &input);
        drop(input.split_to(32));
        tapped.received(&tap, before, input.len());
        assert_eq!(heard(&listener).await, [(1, false), (2, false)]);
    }
}
