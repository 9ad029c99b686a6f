//! The network management session with a bank over one connection: sign-on, echo, sign-off.
//!
//! It owns no socket and no clock. Whoever does calls, in this order on each turn: [`Session::receive`]
//! with what was read, [`Session::handle_timeout`] when [`Session::next_timeout`] has passed,
//! [`Session::send`] for what is to go out, then drains [`Session::poll_event`] and writes
//! [`Session::output`].
//!
//! ```text
//!          connected                      0810, DE39 00
//!   OPEN ────────────► SIGNING_ON ──────────────────────────► SIGNED_ON ◄─┐ 0800/0810 echo
//!    │                     │                                   │  │  └────┘
//!    │  (no sign-on wanted)└─ refused, no answer ─┐  sign_off, │  └─ echo unanswered ─┐
//!    └──────────────────────────► SIGNED_ON       │  or the    ▼                     │
//!                                                 │  bank's  SIGNING_OFF             │
//!                                                 ▼            │ 0810 or no answer   ▼
//!                                               CLOSED ◄───────┴─────────────────────┘
//!                     a broken frame closes from every state
//! ```
//!
//! Architecture invariant: the session knows network management alone. Financial messages pass
//! through it unread but for their decoding; matching them is the window's work.

mod network;
mod settings;
#[cfg(test)]
mod tests;

pub use network::NetworkCode;
pub use settings::{SessionSettings, SignOnBy};

use super::codec::{DecodeError, EncodeError};
use super::mti::Class;
use super::stan::{Stan, Stans};
use super::{FrameError, Message, Mti};
use ::time::OffsetDateTime;
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How much may wait to be written before the session takes no more. The window bounds what Sampan
/// asks, and this what it answers: a bank that asks and never reads must not fill the memory.
pub const OUTPUT_BYTES_MAX: usize = 4 << 20;

/// DE39 of an approval.
const APPROVED: &[u8] = b"00";

/// The time, as the owner of the clock sees it.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// For timers.
    pub monotonic: Instant,
    /// For DE7.
    pub utc: OffsetDateTime,
}

/// Where a session stands; the diagram is in the [module's documentation](self).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum State {
    /// The connection is up, nothing has been said.
    Open,
    /// The sign-on is sent and unanswered, or the bank's own is awaited.
    SigningOn,
    /// Financial messages may be sent.
    SignedOn,
    /// The sign-off is sent or received; answers may still arrive, nothing more is sent.
    SigningOff,
    /// Over. A new connection needs a new session.
    Closed,
}

/// What happened, for the owner of the session.
pub enum Event {
    /// Financial messages may be sent from now on.
    SignedOn,
    /// The bank refused the sign-on; [`Event::Closed`] follows.
    SignOnRefused {
        /// DE39, or empty if there was none.
        response_code: Bytes,
    },
    /// A message that is no network management: an answer, or a request of the bank's own.
    Message {
        /// As decoded.
        message: Message,
        /// As received, without the frame header.
        raw: Bytes,
    },
    /// The bank asked something by 0800 and was answered.
    PeerRequest {
        /// What it asked, DE70; `None` if it was not told or not three digits.
        code: Option<NetworkCode>,
        /// DE39 of the answer; `None` for what wants no answer.
        response_code: Option<&'static str>,
    },
    /// Something that changes nothing, to be counted.
    Ignored(Ignored),
    /// The session is over: write what [`Session::output`] still holds, then close the connection.
    Closed(CloseReason),
}

/// A message shows itself masked, and its octets not at all: they are card data.
impl fmt::Debug for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SignedOn => f.write_str("SignedOn"),
            Self::SignOnRefused { response_code } => write!(f, "SignOnRefused({response_code:?})"),
            Self::Message { message, .. } => write!(f, "Message({message:?})"),
            Self::PeerRequest {
                code,
                response_code,
            } => write!(f, "PeerRequest({code:?}, {response_code:?})"),
            Self::Ignored(ignored) => write!(f, "Ignored({ignored:?})"),
            Self::Closed(reason) => write!(f, "Closed({reason:?})"),
        }
    }
}

/// What was received and changes nothing.
#[derive(Debug)]
pub enum Ignored {
    /// A sound frame around bytes that are no message.
    Undecodable(DecodeError),
    /// A network management answer to nothing that was asked, or to what was given up.
    UnexpectedAnswer {
        /// DE11 of it.
        stan: Option<Stan>,
    },
}

/// Why a session ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CloseReason {
    /// The bank refused the sign-on.
    #[error("the bank refused the sign-on")]
    SignOnRefused,
    /// The bank did not answer the sign-on in time.
    #[error("the bank did not answer the sign-on in time")]
    SignOnTimeout,
    /// The bank signs on, and did not in time.
    #[error("the bank did not sign on in time")]
    NoSignOn,
    /// The bank did not answer an echo, nor send anything else, in time.
    #[error("the bank answered neither an echo nor anything else in time")]
    EchoTimeout,
    /// Sampan signed off, and the bank acknowledged it or none was wanted.
    #[error("signed off")]
    SignedOff,
    /// Sampan signed off, and the bank did not answer in time.
    #[error("signed off, and the bank did not answer in time")]
    SignOffTimeout,
    /// The bank signed off, and the time for its last answers is over.
    #[error("the bank signed off")]
    PeerSignedOff,
    /// What came is no frame of this protocol.
    #[error("the bank sent a broken frame: {0}")]
    BrokenFrame(FrameError),
    /// The bank asks and does not read the answers.
    #[error("the bank does not read, {OUTPUT_BYTES_MAX} bytes wait to be written")]
    OutputFull,
    /// The dialect cannot write a network management message: the configuration is at fault.
    #[error("the dialect cannot write a network management message: {0}")]
    Unencodable(EncodeError),
    /// A network management message is longer than the configured frame: the configuration is at fault.
    #[error("a network management message does not fit: {0}")]
    Unframeable(FrameError),
}

/// Why a message was not taken for sending. Nothing of it was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// The session is not signed on.
    #[error("the session is {0:?}, messages are sent only when signed on")]
    NotSignedOn(State),
    /// The bank does not read: [`OUTPUT_BYTES_MAX`] wait to be written already.
    #[error("the bank does not read, {OUTPUT_BYTES_MAX} bytes wait to be written")]
    OutputFull,
    /// The message does not fit a frame.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

/// What a call of [`Session::receive`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Received {
    /// How many frames were taken.
    pub frames: usize,
    /// Whether the limit was reached, so that another whole frame may be waiting.
    pub more: bool,
}

/// The network management session; see the [module's documentation](self).
pub struct Session {
    settings: Arc<SessionSettings>,
    phase: Phase,
    /// When the last frame was received.
    heard: Option<Instant>,
    /// DE11 of the last echo, as long as it is unanswered: late answers to it are no surprise.
    echo_stan: Option<Stan>,
    output: BytesMut,
    /// Grows by at most a few events per frame, and so is bounded by the caller's `frames_max`.
    events: VecDeque<Event>,
    /// Where messages are encoded before they are framed, kept for its memory.
    scratch: BytesMut,
}

/// The state alone: the buffers hold card data.
impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Session({:?})", self.state())
    }
}

/// What is being waited for.
#[derive(Clone, Copy, Debug)]
enum Phase {
    Open,
    SigningOn(Question),
    AwaitingSignOn { deadline: Instant },
    SignedOn { echo_deadline: Option<Instant> },
    SigningOff(Question),
    PeerSigningOff { deadline: Instant },
    Closed,
}

/// An 0800 that waits for its 0810.
#[derive(Clone, Copy, Debug)]
struct Question {
    stan: Stan,
    deadline: Instant,
}

impl Session {
    /// A session over a connection that is not up yet.
    pub fn new(settings: Arc<SessionSettings>) -> Self {
        Self {
            settings,
            phase: Phase::Open,
            heard: None,
            echo_stan: None,
            output: BytesMut::new(),
            events: VecDeque::new(),
            scratch: BytesMut::new(),
        }
    }

    /// Where the session stands.
    pub fn state(&self) -> State {
        match self.phase {
            Phase::Open => State::Open,
            Phase::SigningOn(_) | Phase::AwaitingSignOn { .. } => State::SigningOn,
            Phase::SignedOn { .. } => State::SignedOn,
            Phase::SigningOff(_) | Phase::PeerSigningOff { .. } => State::SigningOff,
            Phase::Closed => State::Closed,
        }
    }

    /// When [`Session::handle_timeout`] is to be called next, if nothing happens before.
    pub fn next_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::Open | Phase::Closed => None,
            Phase::SigningOn(question) | Phase::SigningOff(question) => Some(question.deadline),
            Phase::AwaitingSignOn { deadline } | Phase::PeerSigningOff { deadline } => {
                Some(deadline)
            }
            Phase::SignedOn {
                echo_deadline: Some(deadline),
            } => Some(deadline),
            Phase::SignedOn {
                echo_deadline: None,
            } => self.heard?.checked_add(self.settings.echo_period?),
        }
    }

    /// The next event, oldest first.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// What is to be written to the connection; take off what was written.
    pub fn output(&mut self) -> &mut BytesMut {
        &mut self.output
    }

    /// The connection is up: signs on, or waits for the bank to do so, or is signed on at once where
    /// the bank wants no sign-on.
    /// Has no effect on a session that was connected before.
    pub fn connected(&mut self, now: Now, stans: &mut dyn Stans) {
        if !matches!(self.phase, Phase::Open) {
            return;
        }
        self.heard = Some(now.monotonic);
        match (self.settings.sign_on, self.settings.sign_on_by) {
            (None, _) => self.signed_on(),
            (Some(_), SignOnBy::Bank) => {
                let deadline = now.monotonic + self.settings.sign_on_timeout;
                self.phase = Phase::AwaitingSignOn { deadline };
            }
            (Some(code), SignOnBy::Us) => {
                let timeout = self.settings.sign_on_timeout;
                if let Some(question) = self.ask(code, timeout, now, stans) {
                    self.phase = Phase::SigningOn(question);
                }
            }
        }
    }

    /// Signs off: nothing can be sent from now on, and answers are still received until the bank
    /// has acknowledged it or its time is over. Drain what is in flight before.
    pub fn sign_off(&mut self, now: Now, stans: &mut dyn Stans) {
        match (&self.phase, self.settings.sign_off) {
            (Phase::SignedOn { .. }, Some(code)) => {
                let timeout = self.settings.answer_timeout;
                if let Some(question) = self.ask(code, timeout, now, stans) {
                    self.phase = Phase::SigningOff(question);
                }
            }
            (
                Phase::Open
                | Phase::SigningOn(_)
                | Phase::AwaitingSignOn { .. }
                | Phase::SignedOn { .. },
                _,
            ) => self.close(CloseReason::SignedOff),
            (Phase::SigningOff(_) | Phase::PeerSigningOff { .. } | Phase::Closed, _) => {}
        }
    }

    /// Frames an encoded message for sending.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing was written and the message may go another way.
    pub fn send(&mut self, payload: &[u8]) -> Result<(), SessionError> {
        match self.phase {
            Phase::SignedOn { .. } if self.output.len() > OUTPUT_BYTES_MAX => {
                Err(SessionError::OutputFull)
            }
            Phase::SignedOn { .. } => {
                let framing = self.settings.framing;
                Ok(framing.put_frame(payload, &mut self.output)?)
            }
            _ => Err(SessionError::NotSignedOn(self.state())),
        }
    }

    /// Takes up to `frames_max` whole frames off `input`. After [`Event::Closed`] the rest of
    /// `input` means nothing.
    pub fn receive(&mut self, now: Now, input: &mut BytesMut, frames_max: usize) -> Received {
        let mut received = Received::default();
        while !matches!(self.phase, Phase::Closed) {
            if received.frames == frames_max {
                received.more = true;
                break;
            }
            match self.settings.framing.take_frame(input) {
                Ok(None) => break,
                Err(error) => self.close(CloseReason::BrokenFrame(error)),
                Ok(Some(raw)) => {
                    received.frames += 1;
                    self.hear(now);
                    self.receive_frame(now, raw);
                }
            }
        }
        received
    }

    /// The time that [`Session::next_timeout`] gave has passed. Called too early it does nothing.
    pub fn handle_timeout(&mut self, now: Now, stans: &mut dyn Stans) {
        if self.next_timeout().is_none_or(|due| due > now.monotonic) {
            return;
        }
        match self.phase {
            Phase::Open | Phase::Closed => {}
            Phase::SigningOn(_) => self.close(CloseReason::SignOnTimeout),
            Phase::AwaitingSignOn { .. } => self.close(CloseReason::NoSignOn),
            Phase::SigningOff(_) => self.close(CloseReason::SignOffTimeout),
            Phase::PeerSigningOff { .. } => self.close(CloseReason::PeerSignedOff),
            Phase::SignedOn {
                echo_deadline: Some(_),
            } => self.close(CloseReason::EchoTimeout),
            Phase::SignedOn {
                echo_deadline: None,
            } => self.send_echo(now, stans),
        }
    }

    fn send_echo(&mut self, now: Now, stans: &mut dyn Stans) {
        let timeout = self.settings.answer_timeout;
        if let Some(question) = self.ask(self.settings.echo, timeout, now, stans) {
            self.echo_stan = Some(question.stan);
            self.phase = Phase::SignedOn {
                echo_deadline: Some(question.deadline),
            };
        }
    }

    /// Whatever the bank sends proves that it lives, so an echo in flight has no deadline any more.
    fn hear(&mut self, now: Now) {
        self.heard = Some(now.monotonic);
        if let Phase::SignedOn { echo_deadline } = &mut self.phase {
            *echo_deadline = None;
        }
    }

    fn receive_frame(&mut self, now: Now, raw: Bytes) {
        if raw.is_empty() {
            return; // A keep-alive, which has done its work by being heard.
        }
        match self.settings.dialect.decode(raw.clone()) {
            Ok(message) if message.mti().class == Class::NetworkManagement => {
                self.receive_network(now, &message);
            }
            Ok(message) => self.events.push_back(Event::Message { message, raw }),
            Err(error) => self.ignore(Ignored::Undecodable(error)),
        }
    }

    fn receive_network(&mut self, now: Now, message: &Message) {
        if message.mti().is_response() {
            self.receive_answer(message);
        } else {
            self.receive_request(now, message);
        }
    }

    fn receive_answer(&mut self, message: &Message) {
        let stan = message.stan();
        match self.phase {
            Phase::SigningOn(question) if stan == Some(question.stan) => {
                self.receive_sign_on_answer(message);
            }
            Phase::SigningOff(question) if stan == Some(question.stan) => {
                self.close(CloseReason::SignedOff);
            }
            // Any answer to an echo proves life, whatever its DE39.
            _ if stan.is_some() && stan == self.echo_stan => self.echo_stan = None,
            _ => self.ignore(Ignored::UnexpectedAnswer { stan }),
        }
    }

    fn receive_sign_on_answer(&mut self, message: &Message) {
        let response_code = message.get(39).unwrap_or_default();
        if response_code == APPROVED {
            self.signed_on();
        } else {
            let response_code = Bytes::copy_from_slice(response_code);
            self.events
                .push_back(Event::SignOnRefused { response_code });
            self.close(CloseReason::SignOnRefused);
        }
    }

    fn receive_request(&mut self, now: Now, request: &Message) {
        let code = request.get(70).and_then(NetworkCode::parse);
        let response_code = self.settings.answer_to(code);
        let answer = network::answer(request, response_code);
        let answered = answer.is_some();
        if let Some(answer) = answer
            && !self.write(&answer)
        {
            return;
        }
        self.events.push_back(Event::PeerRequest {
            code,
            response_code: answered.then_some(response_code),
        });
        let signs_on = code.is_some() && code == self.settings.sign_on;
        if signs_on && matches!(self.phase, Phase::AwaitingSignOn { .. }) {
            self.signed_on();
        }
        let signs_off = code.is_some() && code == self.settings.sign_off;
        if signs_off && matches!(self.phase, Phase::SignedOn { .. }) {
            let deadline = now.monotonic + self.settings.answer_timeout;
            self.phase = Phase::PeerSigningOff { deadline };
        }
    }

    fn ignore(&mut self, ignored: Ignored) {
        self.events.push_back(Event::Ignored(ignored));
    }

    /// Sends an 0800. `None` if it could not be written, and then the session is closed.
    fn ask(
        &mut self,
        code: NetworkCode,
        timeout: Duration,
        now: Now,
        stans: &mut dyn Stans,
    ) -> Option<Question> {
        let stan = stans.next_stan();
        let request = network::request(&self.settings, code, stan, now.utc);
        let deadline = now.monotonic + timeout;
        self.write(&request).then_some(Question { stan, deadline })
    }

    /// Encodes and frames a message of the session's own. `false` if that failed and closed it.
    fn write(&mut self, message: &Message) -> bool {
        self.scratch.clear();
        let settings = &self.settings;
        let reason = match settings.dialect.encode(message, &mut self.scratch) {
            Err(error) => CloseReason::Unencodable(error),
            Ok(()) if self.output.len() > OUTPUT_BYTES_MAX => CloseReason::OutputFull,
            Ok(()) => match settings.framing.put_frame(&self.scratch, &mut self.output) {
                Err(error) => CloseReason::Unframeable(error),
                Ok(()) => return true,
            },
        };
        self.close(reason);
        false
    }

    fn signed_on(&mut self) {
        self.phase = Phase::SignedOn {
            echo_deadline: None,
        };
        self.events.push_back(Event::SignedOn);
    }

    fn close(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed;
        self.events.push_back(Event::Closed(reason));
    }
}
