//! The ISO 8583 side of a link: joins the network management session and the window of exchanges
//! in flight, which is keyed by what the bank's answers are found by.
//!
//! It carries messages that are encoded already and knows nothing of payments: an answer goes to
//! whoever asked, and one that nobody waits for any more to the bank's desk. What goes over it is in
//! [`exchange`], what the bank says in `heard`.

mod exchange;
mod heard;
mod in_flight;
#[cfg(test)]
mod tests;

pub use exchange::{BankJob, Exchange, Late};

use std::{
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use bytes::{Buf as _, BytesMut};
use tracing::warn;

use self::{
    heard::Complaints,
    in_flight::{InFlight, Pending},
};
use super::{
    asked::{BankRequest, Origin, Requests},
    progress::{Progress, Sent},
    protocol::{Again, Ended, Phase, Protocol},
    settings::BankSettings,
    shared::{Response, Shared},
    siblings::Sibling,
};
use crate::{
    clock,
    iso8583::{
        MatchKey, Message,
        mti::Class,
        session::{Session, SessionError, SessionSettings, State},
        stan::Stans,
    },
    metrics::BankLinkMetrics,
    outbox::Answers,
    outcome::Reason,
    window::Refused,
};

/// Whole frames that one turn takes; see the SMPP side.
const FRAMES_MAX: usize = 1024;

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
    in_flight: InFlight,
    progress: Progress,
    ended: Option<Ended>,
    /// Why nothing more may reach the bank by this connection.
    cut: Option<Ended>,
    answers: Answers<Exchange>,
    late_answers: Vec<(MatchKey, Message)>,
    /// What the bank asked in this turn.
    asked: Vec<BankRequest>,
    /// Requests over this connection that are not answered yet.
    asked_open: u32,
    complaints: Complaints,
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
        (shared, sibling): (Arc<Shared<BankJob>>, Option<Sibling>),
        (late, requests): (Arc<dyn Late>, Arc<dyn Requests>),
        stans: Box<dyn Stans + Send>,
        bank_metrics: BankLinkMetrics,
    ) -> Self {
        let session_settings = Arc::new(settings.session.clone());
        Self {
            session: Session::new(Arc::clone(&session_settings)),
            session_settings,
            in_flight: InFlight::new(settings.link.window, sibling),
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
            late_answers: Vec::new(),
            asked: Vec::new(),
            asked_open: 0,
            complaints: Complaints::new(),
            turn: Turn::default(),
        }
    }

    /// Answers a request of the bank.
    fn answer(&mut self, origin: Origin, answer: &Message) {
        if origin.session != self.session_number {
            // The connection that it came by is gone; the bank asks again.
            return;
        }
        self.asked_open = self.asked_open.saturating_sub(1);
        if let Err(error) = self.session.answer(answer, origin.tpdu) {
            let (link, mti) = (&self.shared.name, answer.mti());
            warn!(%link, %mti, "an answer to the bank was not sent: {error}");
            let what = format!("a {mti} was not sent: {error}");
            self.shared.note_trouble(&what, 1);
        }
    }

    fn expire(&mut self, now: Instant) {
        let mut expired = 0;
        while let Some(pending) = self.in_flight.take_expired(now) {
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
        match self.in_flight.insert(job.key, deadline, pending) {
            Ok(()) => {}
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
            if let Some(pending) = self.in_flight.take(job.key) {
                self.answers.push(pending.reply, Exchange::NotSent(reason));
            }
            return;
        }
        let span = self.progress.span(start, self.session.output().len());
        if let Some(pending) = self.in_flight.get_mut(job.key) {
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

    fn respond(&mut self, now: Instant, response: Response) {
        match response {
            Response::Answer { origin, answer } => self.answer(origin, &answer),
            Response::HandedOver { key, answer } => self.receive_handed_over(now, key, answer),
            Response::Verdict { .. } => {} // Verdicts of the inbox are for SMSCs only.
        }
    }

    fn room(&self) -> u32 {
        match self.phase() {
            Phase::Up => self.in_flight.room(),
            Phase::Opening | Phase::Closing | Phase::Closed(_) | Phase::Cut(_) => 0,
        }
    }

    fn in_flight(&self) -> u32 {
        self.in_flight.count()
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
            .chain(self.in_flight.next_deadline())
            .chain(self.complaints.due())
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.session
            .handle_timeout(clock::at(now), &mut *self.stans);
        self.handle_events(now);
        self.expire(now);
        self.tell_complaints(now);
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
        while let Some((key, pending)) = self.in_flight.take_oldest() {
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
                self.in_flight.insert(key, deadline, pending)
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

    fn disconnected(&mut self, now: Instant) {
        self.session.disconnected();
        self.take_handed_over(now);
        let mut lost = 0;
        while let Some((_, pending)) = self.in_flight.take_oldest() {
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
        self.answers.flush();
        self.in_flight.tell_siblings();
        // What another link has handed over meanwhile is late.
        self.take_handed_over(now);
    }

    fn flush(&mut self, _now: Instant) {
        self.answers.flush();
        self.in_flight.tell_siblings();
        if !self.late_answers.is_empty() {
            self.late.late(std::mem::take(&mut self.late_answers));
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
