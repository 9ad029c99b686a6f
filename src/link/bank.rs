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
use tracing::{debug, error, info, warn};

use super::{
    asked::{self, Answering, BankRequest, Duty, Requests},
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
        session::{
            CloseReason, Event, Ignored, MacFault, NetworkCode, Session, SessionError,
            SessionSettings, State,
        },
        stan::Stans,
    },
    metrics::BankLinkMetrics,
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
    requests: Arc<dyn Requests>,
    stans: Box<dyn Stans + Send>,
    session: Session,
    /// Counts connections, so that an answer meant for an earlier one is known.
    session_number: u64,
    bank_metrics: BankLinkMetrics,
    window: Window<Keyed<MatchKey>, Pending>,
    progress: Progress,
    ended: Option<Ended>,
    /// Why nothing more may reach the bank by this connection.
    cut: Option<Ended>,
    answers: Answers<Exchange>,
    late_messages: Vec<Message>,
    /// What the bank asked in this turn.
    asked: Vec<BankRequest>,
    /// Requests over this connection that are not answered yet.
    asked_open: u32,
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
        (late, requests): (Arc<dyn Late>, Arc<dyn Requests>),
        stans: Box<dyn Stans + Send>,
        bank_metrics: BankLinkMetrics,
    ) -> Self {
        let session_settings = Arc::new(settings.session.clone());
        Self {
            session: Session::new(Arc::clone(&session_settings)),
            session_settings,
            window: Window::new(settings.link.window),
            settings,
            shared,
            late,
            requests,
            stans,
            progress: Progress::default(),
            session_number: 0,
            bank_metrics,
            ended: None,
            cut: None,
            answers: Answers::new(),
            late_messages: Vec::new(),
            asked: Vec::new(),
            asked_open: 0,
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
            Event::PeerRequest { code, .. } => self.count_network_request(code),
            Event::KeyChanged { check_value } => {
                self.bank_metrics.keys_accepted.increment(1);
                info!(%link, %check_value, "a new session key is in use");
            }
            Event::KeyRefused(fault) => {
                self.bank_metrics.keys_refused.increment(1);
                self.shared.note_trouble(&fault.to_string(), 1);
                error!(%link, "refused a session key: {fault}");
            }
            Event::KeyDenied { response_code } => {
                self.bank_metrics.keys_denied.increment(1);
                let code = response_code.escape_ascii();
                self.ended = Some(Ended {
                    why: format!(
                        "the bank refused to give a session key with response code {code}; check \
                         [bank.key_exchange] in the configuration, or ask the bank"
                    ),
                    again: Again::Later,
                });
            }
            Event::Ignored(Ignored::Unauthenticated { mti, why }) => {
                let counter = match why {
                    MacFault::Missing => &self.bank_metrics.macs_missing,
                    MacFault::Wrong => &self.bank_metrics.macs_wrong,
                    MacFault::NoKey => &self.bank_metrics.macs_without_key,
                };
                counter.increment(1);
                error!(%link, %mti, "not believed: {why}");
                let what = format!("a {mti} was not believed: {why}");
                self.shared.note_trouble(&what, 1);
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

    fn count_network_request(&self, code: Option<NetworkCode>) {
        let (link, own) = (&self.shared.name, &self.session_settings);
        let metrics = &self.bank_metrics;
        debug!(%link, ?code, "answered a network management request");
        let counter = match code {
            code if code.is_none() => &metrics.other_network,
            code if code == own.cutover => {
                info!(%link, "the bank has begun a new business day");
                &metrics.cutovers
            }
            code if code == own.sign_on => &metrics.sign_ons,
            code if code == own.sign_off => &metrics.sign_offs,
            code if code == Some(own.echo) => &metrics.echoes,
            _ => &metrics.other_network,
        };
        counter.increment(1);
    }

    /// The bank asks something of its own accord.
    fn receive_request(&mut self, message: Message) {
        let (link, mti) = (Arc::clone(&self.shared.name), message.mti());
        let metrics = &self.bank_metrics;
        let counter = match mti.class {
            Class::Authorization => &metrics.authorizations,
            Class::Financial => &metrics.financials,
            Class::FileAction => &metrics.file_actions,
            Class::Reversal => &metrics.reversals,
            Class::Reconciliation => &metrics.reconciliations,
            Class::Administrative => &metrics.administratives,
            Class::FeeCollection => &metrics.fee_collections,
            Class::NetworkManagement => &metrics.other_network,
        };
        counter.increment(1);
        info!(%link, %mti, "the bank asks of its own accord");
        let answering: Arc<dyn Answering> = Arc::<Shared<BankJob>>::clone(&self.shared);
        let answer = Duty::of(&message, answering, self.session_number);
        self.asked_open += u32::from(answer.is_some());
        if self.asked_open > asked::OPEN_MAX {
            warn!(%link, %mti, "too many requests of the bank are unanswered; it is told so");
            return; // The duty answers as it is dropped.
        }
        self.asked.push(BankRequest {
            bank: Arc::clone(&self.settings.link.peer),
            link,
            message,
            answer,
        });
    }

    fn receive_message(&mut self, now: Instant, message: Message) {
        if !message.mti().is_response() {
            self.receive_request(message);
            return;
        }
        let link = &self.shared.name;
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
        self.session_number += 1;
        self.asked_open = 0;
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
        if let Err(error) = self.session.send(job.key.class(), &job.message) {
            let reason = match error {
                SessionError::NotSignedOn(_) | SessionError::NoKey => Reason::NoLink,
                SessionError::OutputFull => Reason::QueueFull,
                SessionError::Frame(_) | SessionError::Encode(_) => Reason::Invalid,
                SessionError::NoRoom => Reason::Internal,
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

    fn respond(&mut self, response: Response) {
        let Response::Answer { session, answer } = response else {
            return; // Verdicts of the inbox are for SMSCs only.
        };
        if session != self.session_number {
            // The connection that it came by is gone; the bank asks again.
            return;
        }
        self.asked_open = self.asked_open.saturating_sub(1);
        if let Err(error) = self.session.answer(&answer) {
            let (link, mti) = (&self.shared.name, answer.mti());
            warn!(%link, %mti, "an answer to the bank was not sent: {error}");
            let what = format!("a {mti} was not sent: {error}");
            self.shared.note_trouble(&what, 1);
        }
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
        self.session.disconnected();
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
        if !self.asked.is_empty() {
            self.requests.asked(std::mem::take(&mut self.asked));
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
        CloseReason::SignOnRefused
        | CloseReason::KeyDenied
        | CloseReason::NoKey
        | CloseReason::Unencodable(_)
        | CloseReason::Unframeable(_) => Again::Later,
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
        Again::Later if reason == CloseReason::NoKey => {
            format!("{reason}; check [bank.key_exchange] in the configuration, or ask the bank")
        }
        Again::Later => format!("{reason}; check sign_on and the dialect in the configuration"),
        Again::Soon | Again::After(_) => reason.to_string(),
    };
    Ended { why, again }
}

#[cfg(test)]
mod tests;
