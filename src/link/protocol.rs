//! What a driver needs of a protocol. There are exactly two: [`super::smsc`] and [`super::bank`].
//!
//! An implementor joins the protocol's session and the window of requests in flight. It does no
//! I/O: bytes, jobs and the time are handed to it, and it fills an output buffer.

use std::time::{Duration, Instant};

use bytes::{Buf as _, BytesMut};

use super::{lanes::Queued, shared::Response};
use crate::outcome::Reason;

/// One connection's protocol, driven by [`super::driver`].
///
/// For each connection: `connected` or `accepted`, then any of the others in any order, then `disconnected`.
pub(super) trait Protocol: Send + 'static {
    /// What a caller wants done.
    type Job: Queued + Send + 'static;

    /// Bytes can flow; writes the bind or the sign-on.
    fn connected(&mut self, now: Instant);
    /// The same for a connection that the peer has opened; what it has said already is received next.
    fn accepted(&mut self, now: Instant) {
        self.connected(now);
    }
    /// Takes whole frames from the input, a bounded number; true if there may be more.
    fn receive(&mut self, now: Instant, input: &mut BytesMut) -> bool;
    /// Writes the request and registers it. Only called while there is room.
    fn submit(&mut self, now: Instant, job: Self::Job);
    /// Answers a job of which no byte left.
    fn refuse(&mut self, job: Self::Job, reason: Reason);
    /// When the job must have been dispatched.
    fn deadline(job: &Self::Job) -> Instant;
    /// Answers a request of the peer.
    fn respond(&mut self, now: Instant, response: Response);
    /// How many jobs it can take now.
    fn room(&self) -> u32;
    /// Takes leave for up to `wanted` requests, no more than there is room for; what is not used is
    /// given back. Without a rate, all of them may go.
    fn grant(&mut self, _now: Instant, wanted: u32) -> u32 {
        wanted
    }
    /// Gives back what was granted and not used.
    fn give_back(&mut self, _unused: u32) {}
    /// When to ask again, if the last grant was less than was wanted.
    fn grant_again_at(&self) -> Option<Instant> {
        None
    }
    /// Requests whose answer is awaited.
    fn in_flight(&self) -> u32;
    /// What is to be written; the driver takes it from the front.
    fn output(&mut self) -> &mut BytesMut;
    /// What is new in the output is about to be written.
    fn before_write(&mut self) {}
    /// That many octets left the front of the output.
    fn wrote(&mut self, octets: usize) {
        self.output().advance(octets);
    }
    /// Everything that left the output has left the stream, too.
    fn flushed(&mut self) {}
    /// Takes what is still to be written, to be written at the end or to be lost with the stream.
    fn last_words(&mut self) -> BytesMut {
        self.output().split()
    }
    /// When [`Protocol::handle_timeout`] must be called at the latest.
    fn next_timeout(&self) -> Option<Instant>;
    /// Does what is due.
    fn handle_timeout(&mut self, now: Instant);
    /// Says goodbye to the peer: unbind, sign-off.
    fn say_goodbye(&mut self, now: Instant);
    /// Tells the requests that wait or are unanswered how they end, because Sampan stops without
    /// waiting any longer; what the peer is still owed stays.
    fn give_up(&mut self) {}
    /// How far the connection is.
    fn phase(&self) -> Phase;
    /// The connection is gone: everything in flight gets its outcome.
    fn disconnected(&mut self, now: Instant);
    /// Hands over what was gathered during a turn.
    fn flush(&mut self, now: Instant);
}

/// How far a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Phase {
    /// Bind or sign-on is not answered yet.
    Opening,
    /// Takes requests.
    Up,
    /// Takes no more requests; answers may still come.
    Closing,
    /// Over; the driver closes the socket once the output is written.
    Closed(Ended),
    /// Over, and nothing that is still on this side may reach the peer: the driver resets the socket.
    Cut(Ended),
}

/// Why a connection ended, in words for a person, and when the next try makes sense.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// What happened, whose fault it was, what to do.
    pub(super) why: String,
    /// When to try again.
    pub(super) again: Again,
}

/// When to connect again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Again {
    /// After the growing pause.
    Soon,
    /// After the long pause: the peer refused our credentials.
    Later,
    /// After this pause, which the peer needs to forget our old session.
    After(Duration),
}
