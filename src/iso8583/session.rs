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
//! Where session keys are exchanged, SIGNING_ON lasts until there is one.
//!
//! Architecture invariant: the session knows network management alone. Financial messages pass
//! through it unread but for their decoding and their MAC; matching them is the window's work.
//!
//! Architecture invariant: a message whose MAC is wrong, or missing where it is required, is as if it
//! had not come.

mod exchange;
mod mac;
mod network;
mod settings;
#[cfg(test)]
mod tests;

pub use mac::MacFault;
pub use network::NetworkCode;
pub use settings::{SessionSettings, SignOnBy};

use super::codec::{DecodeError, EncodeError};
use super::frame::{Frame, Tpdu};
use super::mti::Class;
use super::security::keyring::Share;
use super::security::{CheckValue, KeyFault};
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
        /// What came before it, where the dialect has it; [`Session::answer`] wants it.
        tpdu: Option<Tpdu>,
    },
    /// The bank asked something by 0800 and was answered.
    PeerRequest {
        /// What it asked, DE70; `None` if it was not told or not three digits.
        code: Option<NetworkCode>,
        /// DE39 of the answer; `None` for what wants no answer.
        response_code: Option<&'static str>,
    },
    /// The bank gave a session key, and it is used from now on.
    KeyChanged {
        /// What the bank's operator can compare it by.
        check_value: CheckValue,
    },
    /// The bank gave a session key that cannot be used; the one before, if any, stays.
    KeyRefused(KeyFault),
    /// The bank refused to give a session key; [`Event::Closed`] follows.
    KeyDenied {
        /// DE39, or empty if there was none.
        response_code: Bytes,
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
            Self::KeyChanged { check_value } => write!(f, "KeyChanged({check_value})"),
            Self::KeyRefused(fault) => write!(f, "KeyRefused({fault:?})"),
            Self::KeyDenied { response_code } => write!(f, "KeyDenied({response_code:?})"),
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
    /// A message that may not be the bank's.
    Unauthenticated {
        /// What it says that it is.
        mti: Mti,
        /// What is wrong with its MAC.
        why: MacFault,
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
    /// The bank refused to give a session key.
    #[error("the bank refused to give a session key")]
    KeyDenied,
    /// The bank gave no session key in time, or none that can be used.
    #[error("the bank gave no session key that can be used")]
    NoKey,
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
    /// The dialect cannot write the message.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// The message carries a MAC, and there is no key to make it with.
    #[error("there is no session key yet to make the MAC with")]
    NoKey,
    /// The message carries a MAC and was encoded without room for it: a fault of Sampan.
    #[error("the message has no room for its MAC")]
    NoRoom,
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
    /// What this session has claimed of the bank's keys, where they are exchanged.
    share: Option<Share>,
    /// DE11 of the question for a key, as long as it is unanswered.
    key_stan: Option<Stan>,
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
    /// The bank signs on, and has not yet.
    AwaitingSignOn {
        deadline: Instant,
    },
    /// Signed on, and without a session key.
    AwaitingKey {
        deadline: Instant,
        /// When to look whether another link has got it, or to ask for it.
        look_at: Instant,
    },
    SignedOn {
        echo_deadline: Option<Instant>,
    },
    SigningOff(Question),
    PeerSigningOff {
        deadline: Instant,
    },
    Closed,
}

/// An 0800 that waits for its 0810.
#[derive(Clone, Copy, Debug)]
struct Question {
    stan: Stan,
    deadline: Instant,
}

/// Whether a message of the session's own begins an exchange or answers.
#[derive(Clone, Copy)]
enum Reply {
    Begins,
    /// What came with this TPDU.
    To(Option<Tpdu>),
}

impl Session {
    /// A session over a connection that is not up yet.
    pub fn new(settings: Arc<SessionSettings>) -> Self {
        Self {
            share: exchange::share(&settings),
            settings,
            phase: Phase::Open,
            heard: None,
            key_stan: None,
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
            Phase::SigningOn(_) | Phase::AwaitingSignOn { .. } | Phase::AwaitingKey { .. } => {
                State::SigningOn
            }
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
            Phase::AwaitingKey { look_at, .. } => Some(look_at),
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
        self.forget_unused_key();
        match (self.settings.sign_on, self.settings.sign_on_by) {
            (None, _) => self.signed_on(now.monotonic),
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
                | Phase::AwaitingKey { .. }
                | Phase::SignedOn { .. },
                _,
            ) => self.close(CloseReason::SignedOff),
            (Phase::SigningOff(_) | Phase::PeerSigningOff { .. } | Phase::Closed, _) => {}
        }
    }

    /// Frames a message of that class for sending, as [`SessionSettings::encode`] has written it, and
    /// fills in its MAC.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing was written and the message may go another way.
    pub fn send(&mut self, class: Class, payload: &[u8]) -> Result<(), SessionError> {
        match self.phase {
            Phase::SignedOn { .. } => {
                let seal = self.seal_for(class)?;
                self.put(payload, seal, Reply::Begins)
            }
            _ => Err(SessionError::NotSignedOn(self.state())),
        }
    }

    /// Writes the answer to a message that [`Event::Message`] brought with this TPDU: also while signing
    /// on or off, as the bank may ask at any time.
    ///
    /// # Errors
    /// [`SessionError`]; then nothing was written.
    pub fn answer(&mut self, answer: &Message, received: Option<Tpdu>) -> Result<(), SessionError> {
        if matches!(self.phase, Phase::Open | Phase::Closed) {
            return Err(SessionError::NotSignedOn(self.state()));
        }
        let seal = self.seal_for(answer.mti().class)?;
        let mut payload = std::mem::take(&mut self.scratch);
        payload.clear();
        let encoded = self.settings.encode(answer, &mut payload);
        let written = match encoded {
            Ok(()) => self.put(&payload, seal, Reply::To(received)),
            Err(error) => Err(error.into()),
        };
        self.scratch = payload;
        written
    }

    /// The connection is gone, and with it what the session has claimed of the bank's keys.
    pub fn disconnected(&mut self) {
        if let Some(share) = &mut self.share {
            share.leave();
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
                Ok(Some(frame)) => {
                    received.frames += 1;
                    self.hear(now);
                    self.receive_frame(now, frame);
                }
            }
        }
        received
    }

    /// The time that [`Session::next_timeout`] gave has passed. Called too early it does nothing.
    pub fn handle_timeout(&mut self, now: Now, stans: &mut dyn Stans) {
        self.expire_keys(now.monotonic);
        if self.next_timeout().is_none_or(|due| due > now.monotonic) {
            return;
        }
        match self.phase {
            Phase::Open | Phase::Closed => {}
            Phase::SigningOn(_) => self.close(CloseReason::SignOnTimeout),
            Phase::AwaitingSignOn { .. } => self.close(CloseReason::NoSignOn),
            Phase::AwaitingKey { deadline, .. } => self.look_for_key(now, deadline, stans),
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

    fn receive_frame(&mut self, now: Now, Frame { tpdu, body: raw }: Frame) {
        if raw.is_empty() {
            return; // A keep-alive, which has done its work by being heard.
        }
        let decoded = self.settings.dialect.decode(raw.clone());
        if let Ok(message) = &decoded
            && let Err(why) = self.authenticate(now.monotonic, message, &raw)
        {
            let mti = message.mti();
            self.ignore(Ignored::Unauthenticated { mti, why });
            return;
        }
        match decoded {
            Ok(message) if message.mti().class == Class::NetworkManagement => {
                self.receive_network(now, &message, tpdu);
            }
            Ok(message) => self.events.push_back(Event::Message { message, raw, tpdu }),
            Err(error) => self.ignore(Ignored::Undecodable(error)),
        }
    }

    fn receive_network(&mut self, now: Now, message: &Message, tpdu: Option<Tpdu>) {
        if message.mti().is_response() {
            self.receive_answer(now, message);
        } else {
            self.receive_request(now, message, tpdu);
        }
    }

    fn receive_answer(&mut self, now: Now, message: &Message) {
        let stan = message.stan();
        match self.phase {
            Phase::SigningOn(question) if stan == Some(question.stan) => {
                self.receive_sign_on_answer(now.monotonic, message);
            }
            Phase::SigningOff(question) if stan == Some(question.stan) => {
                self.close(CloseReason::SignedOff);
            }
            _ if stan.is_some() && stan == self.key_stan => self.receive_key_answer(now, message),
            // Any answer to an echo proves life, whatever its DE39.
            _ if stan.is_some() && stan == self.echo_stan => self.echo_stan = None,
            _ => self.ignore(Ignored::UnexpectedAnswer { stan }),
        }
    }

    fn receive_sign_on_answer(&mut self, now: Instant, message: &Message) {
        let response_code = message.get(39).unwrap_or_default();
        if response_code == APPROVED {
            self.signed_on(now);
        } else {
            let response_code = Bytes::copy_from_slice(response_code);
            self.events
                .push_back(Event::SignOnRefused { response_code });
            self.close(CloseReason::SignOnRefused);
        }
    }

    fn receive_request(&mut self, now: Now, request: &Message, tpdu: Option<Tpdu>) {
        let code = request.get(70).and_then(NetworkCode::parse);
        if self.is_key_exchange(code) {
            self.receive_key_request(now, request, Reply::To(tpdu));
            return;
        }
        let response_code = self.settings.answer_to(code);
        let answer = network::answer(request, response_code);
        let answered = answer.is_some();
        if let Some(answer) = answer
            && !self.write(&answer, Reply::To(tpdu))
        {
            return;
        }
        self.events.push_back(Event::PeerRequest {
            code,
            response_code: answered.then_some(response_code),
        });
        let signs_on = code.is_some() && code == self.settings.sign_on;
        if signs_on && matches!(self.phase, Phase::AwaitingSignOn { .. }) {
            self.signed_on(now.monotonic);
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
        self.write(&request, Reply::Begins)
            .then_some(Question { stan, deadline })
    }

    /// Encodes and frames a message of the session's own. `false` if that failed and closed it.
    fn write(&mut self, message: &Message, reply: Reply) -> bool {
        let seal = self.seal_for_own(message);
        let mut payload = std::mem::take(&mut self.scratch);
        payload.clear();
        let encoded = match &seal {
            Some(_) => self.settings.encode(message, &mut payload),
            None => self.settings.dialect.encode(message, &mut payload),
        };
        let written = match encoded {
            Ok(()) => self.put(&payload, seal, reply),
            Err(error) => Err(error.into()),
        };
        self.scratch = payload;
        let reason = match written {
            Ok(()) => return true,
            Err(SessionError::Encode(error)) => CloseReason::Unencodable(error),
            Err(SessionError::Frame(error)) => CloseReason::Unframeable(error),
            Err(SessionError::NoKey | SessionError::NoRoom) => CloseReason::NoKey,
            Err(SessionError::OutputFull | SessionError::NotSignedOn(_)) => CloseReason::OutputFull,
        };
        self.close(reason);
        false
    }

    fn close(&mut self, reason: CloseReason) {
        self.phase = Phase::Closed;
        self.disconnected();
        self.events.push_back(Event::Closed(reason));
    }
}
