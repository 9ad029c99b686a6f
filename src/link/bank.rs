//! The ISO 8583 side of a link: joins the network management session and the window of exchanges
//! in flight, which is keyed by MTI class and STAN.
//!
//! It carries messages that are encoded already and knows nothing of payments: an answer goes to
//! whoever asked, and one that nobody waits for any more to the bank's desk.

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use bytes::{Buf as _, Bytes, BytesMut};
use tracing::{debug, info, warn};

use super::{
    lanes::{Lane, Queued},
    progress::{Progress, Sent, Span},
    protocol::{Again, Ended, Phase, Protocol},
    settings::BankSettings,
    shared::{Response, Shared},
};
use crate::{
    clock,
    iso8583::{
        MatchKey, Message,
        mti::Class,
        session::{CloseReason, Event, Session, SessionError, SessionSettings, State},
        stan::Stans,
    },
    outbox::{Answers, Outcome, Reply},
    outcome::Reason,
    window::{Keyed, Refused, Window},
};

/// Whole frames that one turn takes; see the SMPP side.
const FRAMES_MAX: usize = 1024;

/// A message for a bank.
pub struct BankJob {
    /// What its answer is found by.
    pub key: MatchKey,
    /// Encoded, without the frame header. Card data: never shown.
    pub message: Bytes,
    /// What has not been dispatched by then is not sent.
    pub deadline: Instant,
    /// Who is told.
    pub reply: Reply<Exchange>,
}

/// No payment goes before another.
impl Queued for BankJob {
    fn lane(&self) -> Lane {
        Lane::ONLY
    }
}

/// How the exchange of one message ended.
#[derive(Debug)]
pub enum Exchange {
    /// No byte left.
    NotSent(Reason),
    /// The bank answered.
    Answered(Message),
    /// Bytes left, and no answer came in time.
    TimedOut,
    /// Bytes left, and the connection was lost before the answer.
    Lost,
    /// Bytes left, and Sampan stops without waiting any longer.
    GivenUp,
}

impl Outcome for Exchange {
    fn abandoned() -> Self {
        // The cautious reading: its bytes may have left.
        Self::Lost
    }
}

/// Who gets answers that nobody waits for any more.
pub trait Late: Send + Sync {
    /// Answers of one turn.
    fn late(&self, messages: Vec<Message>);
}

/// An exchange in flight.
struct Pending {
    reply: Reply<Exchange>,
    sent_at: Instant,
    /// Where its octets stand among those of the connection.
    span: Span,
}

/// One connection to a bank.
pub(super) struct BankLink {
    settings: Arc<BankSettings>,
    session_settings: Arc<SessionSettings>,
    shared: Arc<Shared<BankJob>>,
    late: Arc<dyn Late>,
    stans: Box<dyn Stans + Send>,
    session: Session,
    window: Window<Keyed<MatchKey>, Pending>,
    progress: Progress,
    ended: Option<Ended>,
    /// Why nothing more may reach the bank by this connection.
    cut: Option<Ended>,
    answers: Answers<Exchange>,
    late_messages: Vec<Message>,
    turn: Turn,
}

/// Counts of one turn, added to the metrics at its end.
#[derive(Default)]
struct Turn {
    submitted: u64,
    answered: u64,
}

impl BankLink {
    pub(super) fn new(
        settings: Arc<BankSettings>,
        shared: Arc<Shared<BankJob>>,
        late: Arc<dyn Late>,
        stans: Box<dyn Stans + Send>,
    ) -> Self {
        let session_settings = Arc::new(settings.session.clone());
        Self {
            session: Session::new(Arc::clone(&session_settings)),
            session_settings,
            window: Window::new(settings.link.window),
            settings,
            shared,
            late,
            stans,
            progress: Progress::default(),
            ended: None,
            cut: None,
            answers: Answers::new(),
            late_messages: Vec::new(),
            turn: Turn::default(),
        }
    }

    fn handle_events(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            self.handle(now, event);
        }
    }

    fn handle(&mut self, now: Instant, event: Event) {
        let link = &self.shared.name;
        match event {
            Event::SignedOn => info!(%link, "signed on"),
            Event::SignOnRefused { response_code } => {
                // The bank's own code says more than the reason of the close that follows.
                let code = response_code.escape_ascii();
                self.ended = Some(Ended {
                    why: format!(
                        "the bank refused the sign-on with response code {code}; check sign_on \
                         in the configuration, or ask the bank"
                    ),
                    again: Again::Later,
                });
            }
            Event::Message { message, .. } => self.receive_message(now, message),
            Event::PeerRequest { code, .. } => {
                debug!(%link, ?code, "answered a network management request");
            }
            Event::Ignored(ignored) => {
                self.shared.metrics.protocol_errors.increment(1);
                warn!(%link, "contained: {ignored:?}");
                self.shared
                    .note_trouble(&format!("contained: {ignored:?}"), 1);
            }
            Event::Closed(reason) => {
                self.ended.get_or_insert_with(|| ended(reason));
            }
        }
    }

    fn receive_message(&mut self, now: Instant, message: Message) {
        let link = &self.shared.name;
        let mti = message.mti();
        if !mti.is_response() {
            // Requests of a bank other than network management are not served yet.
            self.shared.metrics.protocol_errors.increment(1);
            warn!(%link, %mti, "the bank asks for what is not served here");
            return;
        }
        let key = match MatchKey::of(&message) {
            Ok(key) => key,
            Err(error) => {
                self.shared.metrics.protocol_errors.increment(1);
                warn!(%link, "contained: {error}");
                self.shared.note_trouble(&format!("contained: {error}"), 1);
                return;
            }
        };
        let Some(pending) = self.window.take(key) else {
            self.shared.metrics.unmatched.increment(1);
            self.late_messages.push(message);
            return;
        };
        let seconds = (now - pending.sent_at).as_secs_f64();
        self.shared.metrics.response_seconds.record(seconds);
        self.turn.answered += 1;
        self.answers
            .push(pending.reply, Exchange::Answered(message));
    }

    fn expire(&mut self, now: Instant) {
        let mut expired = 0;
        while let Some((_, pending)) = self.window.take_expired(now) {
            if self.forsake(pending, Exchange::TimedOut) {
                expired += 1;
            }
        }
        if expired > 0 {
            self.shared.metrics.timeouts.increment(expired);
            self.shared.totals.timed_out.fetch_add(expired, Relaxed);
            self.shared.note_timeouts(expired);
        }
    }

    /// Tells an exchange whose answer is not waited for any more `end`, or that nothing of it was
    /// sent; true for `end`. Octets of it that are still on this side must not follow: its reversal
    /// may go by another link and reach the bank before them, which would then debit for good.
    fn forsake(&mut self, pending: Pending, end: Exchange) -> bool {
        let sent = self.progress.sent(pending.span);
        if sent != Sent::All {
            self.cut.get_or_insert_with(|| Ended {
                why: format!(
                    "the bank does not read: what was to be sent to it for {} ms is still here, and \
                     the connection is cut so that it does not come late; ask the bank",
                    self.settings.link.response_timeout.as_millis()
                ),
                again: Again::Soon,
            });
        }
        let is_sent = sent != Sent::Nothing;
        let end = match is_sent {
            true => end,
            false => Exchange::NotSent(Reason::NoLink),
        };
        self.answers.push(pending.reply, end);
        is_sent
    }
}

impl Protocol for BankLink {
    type Job = BankJob;

    fn connected(&mut self, now: Instant) {
        self.session = Session::new(Arc::clone(&self.session_settings));
        self.ended = None;
        self.cut = None;
        self.progress = Progress::default();
        self.session.connected(clock::at(now), &mut *self.stans);
        self.handle_events(now);
    }

    fn receive(&mut self, now: Instant, input: &mut BytesMut) -> bool {
        let received = self.session.receive(clock::at(now), input, FRAMES_MAX);
        self.handle_events(now);
        received.more
    }

    fn submit(&mut self, now: Instant, job: BankJob) {
        let start = self.session.output().len();
        let pending = Pending {
            reply: job.reply,
            sent_at: now,
            span: self.progress.span(start, start),
        };
        let deadline = now + self.settings.link.response_timeout;
        match self.window.insert(job.key, deadline, pending) {
            Ok(()) => {}
            // A busy key is never overwritten: the exchange in flight keeps it.
            Err(Refused::Full(pending) | Refused::Busy(pending)) => {
                let exchange = Exchange::NotSent(Reason::QueueFull);
                self.answers.push(pending.reply, exchange);
                return;
            }
        }
        if let Err(error) = self.session.send(&job.message) {
            let reason = match error {
                SessionError::NotSignedOn(_) => Reason::NoLink,
                SessionError::OutputFull => Reason::QueueFull,
                SessionError::Frame(_) => Reason::Invalid,
            };
            if let Some(pending) = self.window.take(job.key) {
                self.answers.push(pending.reply, Exchange::NotSent(reason));
            }
            return;
        }
        let span = self.progress.span(start, self.session.output().len());
        if let Some(pending) = self.window.get_mut(job.key) {
            pending.span = span;
        }
        self.turn.submitted += 1;
    }

    fn refuse(&mut self, job: BankJob, reason: Reason) {
        self.answers.push(job.reply, Exchange::NotSent(reason));
    }

    fn deadline(job: &BankJob) -> Instant {
        job.deadline
    }

    fn respond(&mut self, _response: Response) {
        // Verdicts of the inbox are for SMSCs only; a bank link never makes a responder.
    }

    fn room(&self) -> u32 {
        match self.phase() {
            Phase::Up => self.window.room(),
            Phase::Opening | Phase::Closing | Phase::Closed(_) | Phase::Cut(_) => 0,
        }
    }

    fn in_flight(&self) -> u32 {
        self.window.in_flight()
    }

    fn output(&mut self) -> &mut BytesMut {
        self.session.output()
    }

    fn wrote(&mut self, octets: usize) {
        self.session.output().advance(octets);
        self.progress.took(octets);
    }

    fn flushed(&mut self) {
        self.progress.flushed();
    }

    fn last_words(&mut self) -> BytesMut {
        let words = self.session.output().split();
        // How much of it the bank gets is never known.
        self.progress.took(words.len());
        words
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.session
            .next_timeout()
            .into_iter()
            .chain(self.window.next_deadline())
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.session
            .handle_timeout(clock::at(now), &mut *self.stans);
        self.handle_events(now);
        self.expire(now);
    }

    fn say_goodbye(&mut self, now: Instant) {
        self.session.sign_off(clock::at(now), &mut *self.stans);
        self.handle_events(now);
    }

    fn give_up(&mut self) {
        let is_request = |key: MatchKey| key.class() != Class::Reversal;
        let mut queued = Vec::new();
        self.shared
            .dequeue_if(&mut queued, |job| is_request(job.key));
        for job in queued {
            self.refuse(job, Reason::Stopping);
        }
        // Reversals stay where they are; what they get is room.
        let mut reversals = Vec::new();
        while let Some((key, pending)) = self.window.take_oldest() {
            match is_request(key) {
                true => {
                    self.forsake(pending, Exchange::GivenUp);
                }
                false => reversals.push((key, pending)),
            }
        }
        for (key, pending) in reversals {
            let deadline = pending.sent_at + self.settings.link.response_timeout;
            if let Err(Refused::Full(own) | Refused::Busy(own)) =
                self.window.insert(key, deadline, pending)
            {
                self.answers.push(own.reply, Exchange::TimedOut);
            }
        }
    }

    fn phase(&self) -> Phase {
        if let Some(cut) = &self.cut {
            return Phase::Cut(cut.clone());
        }
        match (&self.ended, self.session.state()) {
            (Some(ended), _) => Phase::Closed(ended.clone()),
            (None, State::Open | State::SigningOn | State::Closed) => Phase::Opening,
            (None, State::SignedOn) => Phase::Up,
            (None, State::SigningOff) => Phase::Closing,
        }
    }

    fn disconnected(&mut self, _now: Instant) {
        let mut lost = 0;
        while let Some((_, pending)) = self.window.take_oldest() {
            // What is still in the output is dropped with the connection.
            let exchange = match self.progress.sent(pending.span) {
                Sent::Nothing => Exchange::NotSent(Reason::NoLink),
                Sent::Part | Sent::All => {
                    lost += 1;
                    Exchange::Lost
                }
            };
            self.answers.push(pending.reply, exchange);
        }
        self.shared.metrics.lost.increment(lost);
    }

    fn flush(&mut self, _now: Instant) {
        self.answers.flush();
        if !self.late_messages.is_empty() {
            self.late.late(std::mem::take(&mut self.late_messages));
        }
        let turn = std::mem::take(&mut self.turn);
        if turn.submitted > 0 {
            self.shared.metrics.submitted.increment(turn.submitted);
            self.shared
                .totals
                .submitted
                .fetch_add(turn.submitted, Relaxed);
        }
        if turn.answered > 0 {
            self.shared.metrics.answered.increment(turn.answered);
            self.shared
                .totals
                .answered
                .fetch_add(turn.answered, Relaxed);
        }
    }
}

/// What a closed session means for the next try.
fn ended(reason: CloseReason) -> Ended {
    let again = match reason {
        CloseReason::SignOnRefused | CloseReason::Unencodable(_) | CloseReason::Unframeable(_) => {
            Again::Later
        }
        CloseReason::SignOnTimeout
        | CloseReason::NoSignOn
        | CloseReason::EchoTimeout
        | CloseReason::SignedOff
        | CloseReason::SignOffTimeout
        | CloseReason::PeerSignedOff
        | CloseReason::BrokenFrame(_)
        | CloseReason::OutputFull => Again::Soon,
    };
    let why = match again {
        Again::Later => format!("{reason}; check sign_on and the dialect in the configuration"),
        Again::Soon | Again::After(_) => reason.to_string(),
    };
    Ended { why, again }
}

#[cfg(test)]
mod tests;
