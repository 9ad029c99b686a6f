//! One direction of one connection, as bytes and moments: what comes in is cut into frames, tampered
//! with as the plan says, and leaves when it is due. No sockets, no clock, no dice: all are passed in.

use std::{collections::VecDeque, time::Instant};

use bytes::{Bytes, BytesMut};

/// Octets of a frame's header: its length in ASCII digits, as both banks of the run have it.
const HEADER_OCTETS: usize = 4;
/// Octets held at most before the sender is read no further: some hundred messages.
const HELD_OCTETS_MAX: usize = 256 * 1024;

/// Which way a message goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Way {
    /// From the router.
    ToBank,
    /// To the router.
    FromBank,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// FIN: as a process that closes its socket.
    Closed,
    /// RST: as a firewall that has forgotten the connection.
    Reset,
}

/// What happens to the next frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tamper {
    /// Half of it passes, then the connection ends.
    CutInside(Ending),
    /// It passes twice.
    Duplicate,
    /// The top bit of the octet at this place, modulo its length, is flipped. No octet of an ASCII
    /// dialect has that bit, so whoever looks sees it: a change that leaves a sound message is a
    /// matter of MACs, not of framing and matching.
    Corrupt(u32),
    /// It passes octet by octet.
    Split,
}

/// What a lane wants done now.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Write this to the receiver.
    Write(Bytes),
    /// Nothing until then, or until something comes in.
    Wait(Option<Instant>),
    /// End the connection.
    Cut(Ending),
    /// The sender has ended and everything has passed.
    End,
}

enum Piece {
    Octets(Bytes),
    Cut(Ending),
}

/// See the head of the file.
#[derive(Default)]
pub(super) struct Lane {
    incoming: BytesMut,
    /// The framing was lost: everything passes as it comes.
    is_raw: bool,
    armed: VecDeque<Tamper>,
    due: VecDeque<(Instant, Piece)>,
    held_octets: usize,
    has_ended: bool,
}

impl Lane {
    /// Tampers with the next whole frame; several in their order, one frame each.
    pub(super) fn arm(&mut self, tamper: Tamper) {
        self.armed.push_back(tamper);
    }

    /// Takes what the sender wrote; it leaves not before `due`.
    pub(super) fn take(&mut self, octets: &[u8], due: Instant) {
        self.incoming.extend_from_slice(octets);
        while let Some(frame) = self.next_frame() {
            match self.armed.pop_front().filter(|_| !self.is_raw) {
                Some(tamper) => self.tamper(tamper, frame, due),
                None => self.pass(frame, due),
            }
        }
    }

    /// The sender has ended; half a frame passes as it is.
    pub(super) fn end(&mut self, due: Instant) {
        let rest = self.incoming.split().freeze();
        if !rest.is_empty() {
            self.pass(rest, due);
        }
        self.has_ended = true;
    }

    /// What is to be done now. Nothing leaves while the way is stalled.
    pub(super) fn next(&mut self, now: Instant, is_stalled: bool) -> Step {
        if is_stalled {
            return Step::Wait(None);
        }
        match self.due.front() {
            None if self.has_ended => Step::End,
            None => Step::Wait(None),
            Some((due, _)) if *due > now => Step::Wait(Some(*due)),
            Some(_) => match self.due.pop_front() {
                Some((_, Piece::Octets(octets))) => {
                    self.held_octets -= octets.len();
                    Step::Write(octets)
                }
                Some((_, Piece::Cut(ending))) => Step::Cut(ending),
                None => Step::Wait(None),
            },
        }
    }

    /// Whether the sender may be read.
    pub(super) fn reads(&self) -> bool {
        !self.has_ended && self.held_octets < HELD_OCTETS_MAX
    }

    fn next_frame(&mut self) -> Option<Bytes> {
        if self.is_raw {
            return Some(self.incoming.split().freeze()).filter(|octets| !octets.is_empty());
        }
        let header = self.incoming.first_chunk::<HEADER_OCTETS>()?;
        let Some(length) = length_of(header) else {
            self.is_raw = true;
            return self.next_frame();
        };
        let whole = HEADER_OCTETS + length;
        (self.incoming.len() >= whole).then(|| self.incoming.split_to(whole).freeze())
    }

    fn tamper(&mut self, tamper: Tamper, frame: Bytes, due: Instant) {
        match tamper {
            Tamper::CutInside(ending) => {
                self.pass(frame.slice(..frame.len() / 2), due);
                self.due.push_back((due, Piece::Cut(ending)));
            }
            Tamper::Duplicate => {
                self.pass(frame.clone(), due);
                self.pass(frame, due);
            }
            Tamper::Corrupt(place) => {
                let mut octets = BytesMut::from(&frame[..]);
                let place = place as usize % octets.len().max(1);
                if let Some(octet) = octets.get_mut(place) {
                    *octet ^= 0x80;
                }
                self.pass(octets.freeze(), due);
            }
            Tamper::Split => {
                for place in 0..frame.len() {
                    self.pass(frame.slice(place..=place), due);
                }
            }
        }
    }

    fn pass(&mut self, octets: Bytes, due: Instant) {
        self.held_octets += octets.len();
        self.due.push_back((due, Piece::Octets(octets)));
    }
}

fn length_of(header: &[u8; HEADER_OCTETS]) -> Option<usize> {
    header.iter().try_fold(0, |length, digit| {
        let digit = char::from(*digit).to_digit(10)?;
        Some(length * 10 + digit as usize)
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const ONE: &[u8] = b"00050200a";
    const TWO: &[u8] = b"00050200b";

    fn drain(lane: &mut Lane, now: Instant) -> (Vec<Bytes>, Step) {
        let mut written = Vec::new();
        loop {
            match lane.next(now, false) {
                Step::Write(octets) => written.push(octets),
                other => return (written, other),
            }
        }
    }

    #[test]
    fn frames_pass_whole_and_in_order_however_they_come() {
        let (now, mut lane) = (Instant::now(), Lane::default());
        for octet in [ONE, TWO].concat() {
            lane.take(&[octet], now);
        }
        let (written, step) = drain(&mut lane, now);
        assert_eq!(written, [ONE, TWO]);
        assert_eq!(step, Step::Wait(None));
    }

    #[test]
    fn one_tamper_strikes_one_frame() {
        let (now, mut lane) = (Instant::now(), Lane::default());
        lane.arm(Tamper::Duplicate);
        lane.take(&[ONE, TWO].concat(), now);
        assert_eq!(drain(&mut lane, now).0, [ONE, ONE, TWO]);
    }

    #[test]
    fn a_cut_inside_a_frame_lets_half_of_it_pass() {
        let (now, mut lane) = (Instant::now(), Lane::default());
        lane.arm(Tamper::CutInside(Ending::Reset));
        lane.take(ONE, now);
        assert_eq!(
            drain(&mut lane, now),
            (vec![Bytes::from_static(b"0005")], Step::Cut(Ending::Reset))
        );
    }

    #[test]
    fn a_corrupted_octet_is_never_one_that_the_dialect_has() {
        for place in 0..20 {
            let (now, mut lane) = (Instant::now(), Lane::default());
            lane.arm(Tamper::Corrupt(place));
            lane.take(ONE, now);
            let (written, _) = drain(&mut lane, now);
            let changed: Vec<_> = written[0]
                .iter()
                .filter(|octet| !octet.is_ascii())
                .collect();
            assert_eq!((changed.len(), written[0].len()), (1, ONE.len()));
        }
    }

    #[test]
    fn a_split_frame_passes_octet_by_octet() {
        let (now, mut lane) = (Instant::now(), Lane::default());
        lane.arm(Tamper::Split);
        lane.take(ONE, now);
        let (written, _) = drain(&mut lane, now);
        assert_eq!(written.len(), ONE.len());
        assert_eq!(written.concat(), ONE);
    }

    #[test]
    fn nothing_leaves_before_it_is_due_or_while_the_way_is_stalled() {
        let (now, mut lane) = (Instant::now(), Lane::default());
        let later = now + Duration::from_millis(50);
        lane.take(ONE, later);
        assert_eq!(lane.next(now, false), Step::Wait(Some(later)));
        assert_eq!(lane.next(later, true), Step::Wait(None));
        assert_eq!(
            lane.next(later, false),
            Step::Write(Bytes::from_static(ONE))
        );
    }

    #[test]
    fn what_was_sent_before_the_end_still_arrives() {
        let (now, mut lane) = (Instant::now(), Lane::default());
        lane.take(ONE, now);
        lane.take(b"0005", now);
        lane.end(now);
        let (written, step) = drain(&mut lane, now);
        assert_eq!(written.concat(), [ONE, b"0005"].concat());
        assert_eq!(step, Step::End);
        assert!(!lane.reads());
    }

    #[test]
    fn octets_that_are_no_frames_pass_as_they_come() {
        let (now, mut lane) = (Instant::now(), Lane::default());
        lane.arm(Tamper::Duplicate);
        lane.take(b"GET / HTTP/1.1", now);
        assert_eq!(drain(&mut lane, now).0.concat(), b"GET / HTTP/1.1");
    }

    #[test]
    fn a_sender_is_not_read_beyond_what_a_lane_may_hold() {
        let (now, mut lane) = (Instant::now(), Lane::default());
        let frame = [b"9999".to_vec(), vec![b'x'; 9_999]].concat();
        while lane.reads() {
            lane.take(&frame, now);
        }
        assert!(lane.held_octets < HELD_OCTETS_MAX + frame.len());
        drain(&mut lane, now);
        assert!(lane.reads());
    }
}
