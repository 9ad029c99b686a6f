//! The state machine of one SMPP session, of either side, without sockets and without a clock.
//!
//! The one that drives it calls, in this order: [`Session::receive`] with what was read,
//! [`Session::handle_timeout`] when [`Session::next_timeout`] has come, then
//! [`Session::poll_event`] until there is none, its own requests and responses, and then writes
//! what [`Session::output`] holds. It stops reading while the output is longer than it likes: each
//! PDU read adds one header at the most.
//!
//! The session answers by itself what needs no thought: enquire_link, unbind, what it does not
//! know or cannot read. It matches the responses to its own bind, enquire_link and unbind. It does
//! not hold the window: all other responses are handed up with their numbers, late and unknown
//! ones too.
//!
//! Architecture Invariant: one frame in makes two events and one PDU out at the most.

mod event;
mod receive;
mod settings;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::fmt;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use thiserror::Error;

use super::command::CommandId;
use super::pdu::{BindKind, Encode, EnquireLink, Request, Response, Unbind};
use super::status::CommandStatus;

pub use event::{BindRefusal, CloseReason, Event, Fault, Oddity};
pub use settings::{
    Account, Admission, INTERFACE_VERSION_3_4, SessionLimits, SessionSettings, SmscSettings,
};

/// The state of a session (SMPP 3.4 2.2).
///
/// ```text
///               bind answered                 unbind of either side
///            ┌─────────────────► BOUND_TX  ─────────┐
///   OPEN ────┼─────────────────► BOUND_RX  ─────────┼────► UNBINDING
///     │      └─────────────────► BOUND_TRX ─────────┘          │
///     │                              │                         │ unbind_resp,
///     │ bind refused, bind timeout,  │ bad length,             │ grace over,
///     │ bad length                   │ silent for two periods  │ bad length
///     ▼                              ▼                         ▼
///   CLOSED ◄──────────────────────────────────────────────── CLOSED
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum State {
    /// Connected or about to be, not bound.
    Open,
    /// Bound as transmitter.
    BoundTx,
    /// Bound as receiver.
    BoundRx,
    /// Bound as transceiver.
    BoundTrx,
    /// One side has unbound: no new requests, responses are still matched.
    Unbinding,
    /// Over.
    Closed,
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Open => "OPEN",
            Self::BoundTx => "BOUND_TX",
            Self::BoundRx => "BOUND_RX",
            Self::BoundTrx => "BOUND_TRX",
            Self::Unbinding => "UNBINDING",
            Self::Closed => "CLOSED",
        })
    }
}

/// A state with what only it needs.
#[derive(Debug, Clone, Copy)]
enum Phase {
    /// Not connected.
    Idle,
    /// An ESME that waits for the SMSC's outbind.
    AwaitingOutbind { deadline: Instant },
    /// An SMSC that waits for a bind.
    AwaitingBind { deadline: Instant },
    /// An ESME that has sent its bind.
    AwaitingBindResponse {
        sequence: Sequence,
        deadline: Instant,
    },
    /// Messages may flow.
    Bound { kind: BindKind, liveness: Liveness },
    /// We have unbound and wait for the response.
    Unbinding {
        kind: BindKind,
        sequence: Sequence,
        deadline: Instant,
    },
    /// The peer has unbound; what is in flight may still be answered.
    PeerUnbinding { kind: BindKind, deadline: Instant },
    /// Over.
    Closed,
}

/// When the peer was last heard, and whether it has been asked since.
#[derive(Debug, Clone, Copy)]
struct Liveness {
    heard_at: Instant,
    asked_at: Option<Instant>,
}

impl Liveness {
    fn heard(now: Instant) -> Self {
        Self {
            heard_at: now,
            asked_at: None,
        }
    }

    /// When to ask, or when to give up. A clock that jumps over both still asks first.
    fn deadline(&self, period: Duration) -> Instant {
        self.asked_at.unwrap_or(self.heard_at) + period
    }
}

/// A sequence number of our own: 1 to 0x7FFFFFFF (SMPP 3.4 5.1.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sequence(u32);

impl Sequence {
    /// The first of a session.
    pub const FIRST: Self = Self(1);
    /// The last before the numbers begin again.
    pub const LAST: Self = Self(0x7FFF_FFFF);

    /// A number that a request may carry; none for 0 and those above 0x7FFFFFFF.
    pub fn new(number: u32) -> Option<Self> {
        let number = Self(number);
        (Self::FIRST..=Self::LAST)
            .contains(&number)
            .then_some(number)
    }

    /// The number for the wire.
    pub fn get(self) -> u32 {
        self.0
    }

    /// The number after this one; after the last comes the first.
    pub fn next(self) -> Self {
        if self == Self::LAST {
            Self::FIRST
        } else {
            Self(self.0 + 1)
        }
    }
}

/// A request that was not written. Nothing of it left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SessionError {
    /// The state or the side does not allow it.
    #[error("{command} cannot be sent in {state}: wait for a bind that allows it")]
    NotAllowed {
        /// The request.
        command: CommandId,
        /// The session's state.
        state: State,
    },
    /// The PDU would be longer than the link allows.
    #[error("{command} has {octets} octets, above the limit of {octets_max}: shorten the message")]
    TooLong {
        /// The request.
        command: CommandId,
        /// Octets of the whole PDU.
        octets: usize,
        /// The link's limit.
        octets_max: usize,
    },
}

/// What a call of [`Session::receive`] did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Received {
    /// Frames consumed.
    pub frames: usize,
    /// Whether whole frames may be left, so that the next turn should come without a read.
    pub more: bool,
}

#[derive(Debug)]
enum Side {
    Esme(SessionSettings),
    Smsc(SmscSettings),
}

/// Which end of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// The client of the SMSC.
    Esme,
    /// The message centre.
    Smsc,
}

/// One session. See the module's documentation for the order of calls.
pub struct Session {
    side: Side,
    limits: SessionLimits,
    phase: Phase,
    next_sequence: Sequence,
    /// The last enquire_link, so that its answer is told from one that answers nothing.
    enquire_link: Option<Sequence>,
    output: BytesMut,
    events: VecDeque<Event>,
}

/// The state alone: the buffers hold texts and passwords.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?}, {})", self.role(), self.state())
    }
}

impl Session {
    /// An ESME's session, to be started with [`connected`](Self::connected).
    pub fn esme(settings: SessionSettings) -> Self {
        let limits = settings.limits;
        Self::new(Side::Esme(settings), limits)
    }

    /// An SMSC's session, to be started with [`connected`](Self::connected).
    pub fn smsc(settings: SmscSettings) -> Self {
        let limits = settings.limits;
        Self::new(Side::Smsc(settings), limits)
    }

    fn new(side: Side, limits: SessionLimits) -> Self {
        Self {
            side,
            limits,
            phase: Phase::Idle,
            next_sequence: Sequence::FIRST,
            enquire_link: None,
            output: BytesMut::new(),
            events: VecDeque::new(),
        }
    }

    /// Which end this is.
    pub fn role(&self) -> Role {
        match self.side {
            Side::Esme(_) => Role::Esme,
            Side::Smsc(_) => Role::Smsc,
        }
    }

    /// The state by the standard's name.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Idle
            | Phase::AwaitingOutbind { .. }
            | Phase::AwaitingBind { .. }
            | Phase::AwaitingBindResponse { .. } => State::Open,
            Phase::Bound {
                kind: BindKind::Transmitter,
                ..
            } => State::BoundTx,
            Phase::Bound {
                kind: BindKind::Receiver,
                ..
            } => State::BoundRx,
            Phase::Bound {
                kind: BindKind::Transceiver,
                ..
            } => State::BoundTrx,
            Phase::Unbinding { .. } | Phase::PeerUnbinding { .. } => State::Unbinding,
            Phase::Closed => State::Closed,
        }
    }

    /// The connection stands: an ESME writes its bind, an SMSC waits for one.
    pub fn connected(&mut self, now: Instant) {
        match self.side {
            Side::Esme(_) => self.send_bind(now),
            Side::Smsc(_) => {
                let deadline = now + self.limits.bind_timeout;
                self.phase = Phase::AwaitingBind { deadline };
            }
        }
    }

    /// The SMSC has connected to an ESME: its outbind is awaited and answered by a bind. On an
    /// SMSC's session this is [`connected`](Self::connected).
    pub fn connected_for_outbind(&mut self, now: Instant) {
        match self.side {
            Side::Smsc(_) => self.connected(now),
            Side::Esme(_) => {
                let deadline = now + self.limits.bind_timeout;
                self.phase = Phase::AwaitingOutbind { deadline };
            }
        }
    }

    fn send_bind(&mut self, now: Instant) {
        let sequence = self.take_sequence();
        if let Side::Esme(settings) = &self.side {
            settings
                .bind
                .encode(sequence.get(), CommandStatus::ESME_ROK, &mut self.output);
            let deadline = now + self.limits.bind_timeout;
            self.phase = Phase::AwaitingBindResponse { sequence, deadline };
        }
    }

    /// The next thing to act on. Drain it after each call that takes a time.
    #[inline]
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Octets to send; the driver takes them off. They are to be sent after
    /// [`Event::Closed`] as well, before the connection is closed.
    #[inline]
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// When [`handle_timeout`](Self::handle_timeout) has to be called. It moves with every PDU
    /// that is received, so a timer that fires early is to be set again.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Idle | Phase::Closed => None,
            Phase::AwaitingOutbind { deadline }
            | Phase::AwaitingBind { deadline }
            | Phase::AwaitingBindResponse { deadline, .. }
            | Phase::Unbinding { deadline, .. }
            | Phase::PeerUnbinding { deadline, .. } => Some(deadline),
            Phase::Bound { liveness, .. } => {
                Some(liveness.deadline(self.limits.enquire_link_period))
            }
        }
    }

    /// Does what is due at `now`; nothing when nothing is.
    pub fn handle_timeout(&mut self, now: Instant) {
        if self.next_timeout().is_none_or(|deadline| now < deadline) {
            return;
        }
        match self.phase {
            Phase::Idle | Phase::Closed => {}
            Phase::AwaitingOutbind { .. }
            | Phase::AwaitingBind { .. }
            | Phase::AwaitingBindResponse { .. } => {
                self.close(CloseReason::BindTimeout(self.limits.bind_timeout));
            }
            Phase::Unbinding { .. } => {
                self.close(CloseReason::UnbindUnanswered(self.limits.unbind_grace));
            }
            Phase::PeerUnbinding { .. } => self.close(CloseReason::PeerUnbound),
            Phase::Bound { liveness, kind } if liveness.asked_at.is_none() => {
                let liveness = Liveness {
                    asked_at: Some(now),
                    ..liveness
                };
                self.phase = Phase::Bound { kind, liveness };
                self.send_enquire_link();
            }
            Phase::Bound { liveness, .. } => {
                let silent = now.saturating_duration_since(liveness.heard_at);
                // Only our way to it may work: then the next bind is not refused as a second one.
                let sequence = self.take_sequence();
                Unbind.encode(sequence.get(), CommandStatus::ESME_ROK, &mut self.output);
                self.close(CloseReason::PeerSilent(silent));
            }
        }
    }

    fn send_enquire_link(&mut self) {
        let sequence = self.take_sequence();
        self.enquire_link = Some(sequence);
        EnquireLink.encode(sequence.get(), CommandStatus::ESME_ROK, &mut self.output);
    }

    /// A number for the next request: 1 to 0x7FFFFFFF, then 1 again. The caller's window takes
    /// another where this one is still in flight.
    #[inline]
    pub fn take_sequence(&mut self) -> Sequence {
        let sequence = self.next_sequence;
        self.next_sequence = sequence.next();
        sequence
    }

    /// Writes a request into the output.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing has been written.
    #[inline]
    pub fn request(
        &mut self,
        sequence: Sequence,
        request: &impl Request,
    ) -> Result<(), SessionError> {
        let command = request.command_id();
        let allowed = match self.phase {
            Phase::Bound { kind, .. } => permits(self.role(), kind, command),
            Phase::AwaitingBind { .. } => command == CommandId::OUTBIND,
            _ => false,
        };
        if !allowed {
            return Err(SessionError::NotAllowed {
                command,
                state: self.state(),
            });
        }
        let start = self.output.len();
        request.encode(sequence.get(), CommandStatus::ESME_ROK, &mut self.output);
        let octets = self.output.len() - start;
        let octets_max = self.limits.frame_octets_max;
        if octets > octets_max {
            self.output.truncate(start);
            return Err(SessionError::TooLong {
                command,
                octets,
                octets_max,
            });
        }
        Ok(())
    }

    /// Writes the response to the peer's request of this number, 0 and those above 0x7FFFFFFF
    /// included. A closed session writes nothing: the peer will send its request again.
    #[inline]
    pub fn respond(&mut self, sequence: u32, status: CommandStatus, response: &impl Response) {
        if !matches!(self.phase, Phase::Closed) {
            response.encode(sequence, status, &mut self.output);
        }
    }

    /// Ends the session in good order: no new requests, reading goes on until unbind_resp or until
    /// the grace is over. Before the bind is complete the session closes at once; after an unbind
    /// of either side this does nothing.
    pub fn unbind(&mut self, now: Instant) {
        match self.phase {
            Phase::Bound { kind, .. } => {
                let sequence = self.take_sequence();
                Unbind.encode(sequence.get(), CommandStatus::ESME_ROK, &mut self.output);
                let deadline = now + self.limits.unbind_grace;
                self.phase = Phase::Unbinding {
                    kind,
                    sequence,
                    deadline,
                };
            }
            Phase::Unbinding { .. } | Phase::PeerUnbinding { .. } | Phase::Closed => {}
            _ => self.close(CloseReason::Unbound),
        }
    }

    fn close(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed;
        self.events.push_back(Event::Closed(reason));
    }
}

/// Whether `sender` may send this request over a bind of this kind (SMPP 3.4 table 2-1).
fn permits(sender: Role, kind: BindKind, command: CommandId) -> bool {
    match (sender, command) {
        (
            Role::Esme,
            CommandId::SUBMIT_SM
            | CommandId::SUBMIT_MULTI
            | CommandId::DATA_SM
            | CommandId::QUERY_SM
            | CommandId::CANCEL_SM
            | CommandId::REPLACE_SM,
        ) => kind.transmits(),
        (
            Role::Smsc,
            CommandId::DELIVER_SM | CommandId::DATA_SM | CommandId::ALERT_NOTIFICATION,
        ) => kind.receives(),
        _ => false,
    }
}
