//! Where an operator listens to a link: PDUs as they pass, for those who asked, and for nobody at
//! no cost.
//!
//! ```text
//!   link's task ──publish──► Tap (one per link) ──► Listener (one per trace) ──next──► rpc
//! ```
//!
//! A [`Tap`] belongs to a link; a [`Listener`] is attached to the taps of all links that it follows
//! and keeps what it wants until it is fetched. It never makes a link wait: what does not fit is
//! missed and counted. Nothing here describes or masks; the frames hold texts, so they must not be
//! shown as they are.

use std::{
    collections::{HashSet, VecDeque},
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    time::SystemTime,
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::smpp::{Frame, Pdu, parties};

/// PDUs that a listener holds until they are fetched: a tenth of a second of a busy SMSC.
pub const WAITING_PDUS_MAX: usize = 8_192;

/// Octets that they may have together, so that long messages do not make them large.
pub const WAITING_OCTETS_MAX: usize = 4 << 20;

/// Requests of the number that is followed whose answers are awaited: as many as a few full
/// windows. Of more, the oldest answers are not recognised.
const AWAITED_MAX: usize = 4_096;

/// A PDU that passed.
#[derive(Clone)]
pub struct Passed {
    /// When it was read or written.
    pub at: SystemTime,
    /// Such as `viettel/2`.
    pub link: Arc<str>,
    /// Which connection of the link, counted from 1.
    pub connection: u64,
    /// From Sampan to the SMSC.
    pub outgoing: bool,
    /// The PDU, unmasked.
    pub frame: Frame,
}

/// The frame hides its body itself.
impl fmt::Debug for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (link, frame) = (&self.link, &self.frame);
        write!(f, "Passed({link}, outgoing {}, {frame:?})", self.outgoing)
    }
}

/// One link's side.
#[derive(Default)]
pub struct Tap {
    is_listened_to: AtomicBool,
    listeners: Mutex<Vec<Weak<Listener>>>,
}

impl Tap {
    /// Whether anybody listens: one relaxed load, the only cost while nobody does.
    #[inline]
    pub fn is_listened_to(&self) -> bool {
        self.is_listened_to.load(Relaxed)
    }

    /// Lets a listener have what passes from now on, until it is dropped.
    pub fn attach(&self, listener: &Arc<Listener>) {
        let mut listeners = lock(&self.listeners);
        // A link that is down publishes nothing, which is when those that are gone would be noticed.
        listeners.retain(|listener| listener.strong_count() > 0);
        listeners.push(Arc::downgrade(listener));
        self.is_listened_to.store(true, Relaxed);
    }

    /// Tells the listeners what passed, in its order.
    pub fn publish(&self, passed: &[Passed]) {
        let mut listeners = lock(&self.listeners);
        listeners.retain(|listener| match listener.upgrade() {
            Some(listener) => {
                listener.hear(passed);
                true
            }
            None => false,
        });
        if listeners.is_empty() {
            self.is_listened_to.store(false, Relaxed);
        }
    }
}

/// What one trace has heard and not fetched.
pub struct Listener {
    /// Digits without `+`; empty means everybody's.
    number: Vec<u8>,
    heard: Mutex<Heard>,
    arrived: Notify,
}

#[derive(Default)]
struct Heard {
    waiting: VecDeque<Passed>,
    octets: usize,
    missed: u64,
    awaited: Awaited,
}

impl Listener {
    /// One that hears the PDUs with that number and their answers; with an empty one, everything.
    pub fn new(number: &str) -> Arc<Self> {
        Arc::new(Self {
            number: number.trim_start_matches('+').into(),
            heard: Mutex::default(),
            arrived: Notify::new(),
        })
    }

    /// Waits for PDUs; gives at most `max` of them, and how many were missed before.
    /// Safe to cancel. Only one may wait at a time.
    pub async fn next(&self, max: usize) -> (Vec<Passed>, u64) {
        loop {
            let (passed, missed) = self.take(max);
            if !passed.is_empty() || missed > 0 {
                return (passed, missed);
            }
            self.arrived.notified().await;
        }
    }

    fn take(&self, max: usize) -> (Vec<Passed>, u64) {
        let mut heard = lock(&self.heard);
        let count = heard.waiting.len().min(max);
        let passed: Vec<Passed> = heard.waiting.drain(..count).collect();
        heard.octets -= passed.iter().map(octets).sum::<usize>();
        (passed, std::mem::take(&mut heard.missed))
    }

    fn hear(&self, passed: &[Passed]) {
        let mut heard = lock(&self.heard);
        let heard = &mut *heard;
        let mut is_new = false;
        for passed in passed {
            if !self.number.is_empty() && !heard.awaited.concerns(passed, &self.number) {
                continue;
            }
            is_new = true;
            let length = octets(passed);
            if heard.waiting.len() >= WAITING_PDUS_MAX || heard.octets + length > WAITING_OCTETS_MAX
            {
                heard.missed += 1;
                continue;
            }
            heard.octets += length;
            // A copy of its own: a slice would keep the link's whole read buffer alive.
            let body = Bytes::copy_from_slice(&passed.frame.body);
            heard.waiting.push_back(Passed {
                frame: Frame {
                    body,
                    ..passed.frame
                },
                ..passed.clone()
            });
        }
        if is_new {
            self.arrived.notify_one();
        }
    }
}

fn octets(passed: &Passed) -> usize {
    passed.frame.body.len()
}

/// Which answers belong to requests of the number that is followed.
#[derive(Default)]
struct Awaited {
    requests: HashSet<Request>,
    /// The same in their order, with those that are answered meanwhile.
    order: VecDeque<Request>,
}

/// A request as its answer names it.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Request {
    link: Arc<str>,
    connection: u64,
    outgoing: bool,
    sequence: u32,
}

impl Awaited {
    /// Whether the PDU names the number or answers one that did.
    fn concerns(&mut self, passed: &Passed, number: &[u8]) -> bool {
        let header = passed.frame.header;
        let is_answer = header.command_id.is_response();
        let request = Request {
            link: Arc::clone(&passed.link),
            connection: passed.connection,
            outgoing: passed.outgoing != is_answer,
            sequence: header.sequence_number,
        };
        if is_answer {
            return self.requests.remove(&request);
        }
        let is_theirs = Pdu::decode(&passed.frame).is_ok_and(|pdu| parties::names(&pdu, number));
        if is_theirs && self.requests.insert(request.clone()) {
            self.order.push_back(request);
            if self.order.len() > AWAITED_MAX
                && let Some(oldest) = self.order.pop_front()
            {
                self.requests.remove(&oldest);
            }
        }
        is_theirs
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Every change under these locks leaves the value whole, so a panic elsewhere spoils nothing.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;
    use crate::smpp::{
        Address, CommandStatus, ShortMessage,
        codec::{FRAME_OCTETS_MAX, take_frame},
        pdu::{DeliverSm, DeliverSmResp, Encode, GenericNack, SubmitSm, SubmitSmResp},
    };

    const NUMBER: &str = "84901112233";

    fn passed(outgoing: bool, sequence: u32, pdu: &impl Encode) -> Passed {
        let mut out = BytesMut::new();
        pdu.encode(sequence, CommandStatus::ESME_ROK, &mut out);
        Passed {
            at: SystemTime::UNIX_EPOCH,
            link: "one/1".into(),
            connection: 1,
            outgoing,
            frame: take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap(),
        }
    }

    fn submit_to(number: &str) -> SubmitSm {
        SubmitSm {
            destination: Address::international(number).unwrap(),
            ..SubmitSm::default()
        }
    }

    fn sequences(listener: &Listener) -> Vec<u32> {
        let (passed, _) = listener.take(usize::MAX);
        passed
            .iter()
            .map(|passed| passed.frame.header.sequence_number)
            .collect()
    }

    #[test]
    fn a_tap_is_listened_to_only_while_a_listener_lives() {
        let tap = Tap::default();
        assert!(!tap.is_listened_to());
        let listener = Listener::new("");
        tap.attach(&listener);
        assert!(tap.is_listened_to());
        tap.publish(&[passed(true, 1, &submit_to(NUMBER))]);
        assert_eq!(sequences(&listener), [1]);
        drop(listener);
        tap.publish(&[passed(true, 2, &submit_to(NUMBER))]);
        assert!(!tap.is_listened_to());
    }

    #[test]
    fn traces_of_a_link_that_is_down_leave_nothing_behind() {
        let tap = Tap::default();
        for _ in 0..3 {
            tap.attach(&Listener::new(""));
        }
        assert_eq!(lock(&tap.listeners).len(), 1);
    }

    #[test]
    fn a_number_is_followed_with_the_answers_to_its_requests_and_with_no_others() {
        let tap = Tap::default();
        let listener = Listener::new("+84901112233");
        tap.attach(&listener);
        let deliver_sm = DeliverSm {
            source: Address::international(NUMBER).unwrap(),
            ..DeliverSm::default()
        };
        tap.publish(&[
            passed(true, 1, &submit_to(NUMBER)),
            passed(true, 2, &submit_to("84909999999")),
            // The SMSC's own numbers have nothing to do with ours.
            passed(false, 2, &deliver_sm),
            passed(false, 2, &SubmitSmResp::default()),
            passed(false, 1, &SubmitSmResp::default()),
            passed(true, 2, &DeliverSmResp::default()),
            passed(false, 1, &SubmitSmResp::default()),
            passed(true, 3, &submit_to(NUMBER)),
            passed(false, 3, &GenericNack),
        ]);
        let told: Vec<(u32, bool)> = listener
            .take(usize::MAX)
            .0
            .iter()
            .map(|passed| (passed.frame.header.sequence_number, passed.outgoing))
            .collect();
        let expected = [
            (1, true),
            (2, false),
            (1, false),
            (2, true),
            (3, true),
            (3, false),
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn an_answer_on_another_connection_belongs_to_nobody() {
        let listener = Listener::new(NUMBER);
        let answer = Passed {
            connection: 2,
            ..passed(false, 1, &SubmitSmResp::default())
        };
        listener.hear(&[passed(true, 1, &submit_to(NUMBER)), answer]);
        assert_eq!(sequences(&listener), [1]);
    }

    #[test]
    fn a_listener_that_does_not_fetch_misses_what_does_not_fit_and_is_told_how_many() {
        let listener = Listener::new("");
        let one = [passed(true, 1, &submit_to(NUMBER))];
        for _ in 0..WAITING_PDUS_MAX + 3 {
            listener.hear(&one);
        }
        let (told, missed) = listener.take(usize::MAX);
        assert_eq!((told.len(), missed), (WAITING_PDUS_MAX, 3));
        listener.hear(&one);
        let (told, missed) = listener.take(usize::MAX);
        assert_eq!((told.len(), missed), (1, 0));
    }

    #[test]
    fn a_listener_holds_bounded_octets_and_awaits_a_bounded_number_of_answers() {
        let listener = Listener::new(NUMBER);
        let long = SubmitSm {
            short_message: ShortMessage::new(vec![b'x'; 254]).unwrap(),
            tlvs: crate::smpp::Tlvs::EMPTY
                .with(crate::smpp::Tag::MESSAGE_PAYLOAD, &[b'x'; 60_000])
                .unwrap(),
            ..submit_to(NUMBER)
        };
        for sequence in 0..2 * AWAITED_MAX as u32 {
            listener.hear(&[passed(true, sequence, &long)]);
        }
        let heard = lock(&listener.heard);
        assert!(heard.octets <= WAITING_OCTETS_MAX);
        assert!(heard.missed > 0);
        assert_eq!(heard.awaited.requests.len(), AWAITED_MAX);
        assert_eq!(heard.awaited.order.len(), AWAITED_MAX);
    }

    #[test]
    fn what_waits_shows_no_text_in_debug_output() {
        let submit_sm = SubmitSm {
            short_message: ShortMessage::new("OTP 482913").unwrap(),
            ..submit_to(NUMBER)
        };
        let shown = format!("{:?}", passed(true, 1, &submit_sm));
        assert!(
            !shown.contains("482913") && !shown.contains(NUMBER),
            "{shown}"
        );
    }
}
