//! The SMPP side of a link: joins the session, the window of requests in flight, and the inbox.
//!
//! It decides what an answer means for the request that it belongs to. It does no I/O, and answers
//! no deliver_sm on its own: the inbox does.

use std::{
    collections::HashSet,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use bytes::{Buf as _, BytesMut};
use tracing::{debug, info, warn};

use super::{
    incoming,
    lanes::{Lane, Queued},
    late::Unanswered,
    pace::Pace,
    protocol::{Again, Ended, Phase, Protocol},
    settings::SmscSettings,
    shared::{Response, Shared},
    tapped::Tapped,
    throttle::Throttle,
    ticket::{Gathered, Ticket},
    tls,
};
use crate::{
    inbox::{Event as InboxEvent, Inbox, Respond, Responder, Verdict},
    message::{Acceptance, MessageResult},
    metrics::{InboxMetrics, LinkMetrics},
    outcome::Reason,
    smpp::{
        CommandId, CommandStatus, FrameError, Pdu,
        pdu::{DataSmResp, DeliverSmResp, Encode as _, Prepared},
        session::{BindRefusal, CloseReason, Event, Sequence, Session, SessionError, State},
    },
    window::{Refused, Ring, Window},
};

/// Whole frames that one turn takes: enough to empty a read of small PDUs, few enough that the
/// other tasks of the thread are not kept waiting.
const FRAMES_MAX: usize = 1024;

/// Whole frames whose events wait at a time: few enough that they stay in the processor's first cache.
const FRAMES_AT_ONCE: usize = 64;

/// A request for an SMSC.
pub struct SmscJob {
    /// What to send.
    pub request: Prepared,
    /// What has not been dispatched by then is not sent.
    pub deadline: Instant,
    /// Where it waits; the parts of a message have the same.
    pub lane: Lane,
    /// Under which its end is told.
    pub ticket: Ticket,
}

impl Queued for SmscJob {
    fn lane(&self) -> Lane {
        self.lane
    }
}

/// A request in flight.
struct Pending {
    ticket: Ticket,
    response: CommandId,
    sent_at: Instant,
}

/// One connection to an SMSC.
pub(super) struct SmscLink {
    settings: Arc<SmscSettings>,
    shared: Arc<Shared<SmscJob>>,
    responder: Arc<dyn Respond>,
    inbox: Arc<Inbox>,
    session: Session,
    /// Tells this connection's deliver_sm from those of earlier ones.
    session_number: u64,
    window: Window<Ring, Pending>,
    /// Those that have left the window without an answer.
    unanswered: Unanswered,
    /// data_sm that wait for their verdict; all others are deliver_sm.
    data_sm: HashSet<u32>,
    /// Of the bind and not of the connection: a reconnect ends no pause.
    throttle: Throttle,
    /// What of a pause's last second was not counted yet.
    paused_ms: u64,
    pace: Pace,
    /// The SMSC has unbound; what is in flight may still be answered.
    peer_unbinds: bool,
    ended: Option<Ended>,
    ends: Gathered,
    incoming: Vec<(InboxEvent, Responder)>,
    inbox_metrics: InboxMetrics,
    turn: Turn,
    tapped: Tapped,
}

/// Counts of one turn, added to the metrics at its end.
#[derive(Default)]
struct Turn {
    submitted: u64,
    answered: u64,
    /// The time that the last answers took, and how many they are: what was sent in one turn and is
    /// answered in one turn is counted once.
    alike: (Duration, u64),
}

impl Turn {
    fn answered(&mut self, metrics: &LinkMetrics, now: Instant, sent_at: Instant) {
        self.answered += 1;
        let time = now - sent_at;
        match &mut self.alike {
            (own, answers) if *own == time => *answers += 1,
            (own, answers) => {
                metrics.response_seconds.record(*own, *answers);
                (*own, *answers) = (time, 1);
            }
        }
    }
}

impl SmscLink {
    pub(super) fn new(
        settings: Arc<SmscSettings>,
        shared: Arc<Shared<SmscJob>>,
        inbox: Arc<Inbox>,
        inbox_metrics: InboxMetrics,
        pace: Pace,
    ) -> Self {
        let responder: Arc<dyn Respond> = Arc::<Shared<SmscJob>>::clone(&shared);
        let peer = Arc::clone(&settings.link.peer);
        let throttle = Throttle::new(settings.throttle_pause, settings.throttle_pause_max);
        Self {
            session: Session::esme(settings.session.clone()),
            window: Window::new(settings.link.window),
            unanswered: Unanswered::new(),
            tapped: Tapped::new(&shared.name),
            settings,
            shared,
            responder,
            inbox,
            session_number: 0,
            data_sm: HashSet::new(),
            throttle,
            paused_ms: 0,
            pace,
            peer_unbinds: false,
            ended: None,
            ends: Gathered::new(peer),
            incoming: Vec::new(),
            inbox_metrics,
            turn: Turn::default(),
        }
    }

    /// Forgets what belonged to the last connection.
    fn begin(&mut self) {
        self.session = Session::esme(self.settings.session.clone());
        self.session_number += 1;
        self.tapped.connected(self.session_number);
        self.peer_unbinds = false;
        self.ended = None;
    }

    fn handle_events(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            self.handle(now, event);
        }
    }

    fn handle(&mut self, now: Instant, event: Event) {
        match event {
            Event::Bound { system_id, .. } => {
                info!(link = %self.shared.name, smsc = %system_id, "bound");
            }
            Event::BindRefused { class, .. } => self.shared.metrics.bind_refused(class),
            Event::Response {
                sequence,
                command,
                status,
                pdu,
            } => self.answered(now, sequence, Some(command), |own| {
                own.judge(status, pdu.ok())
            }),
            Event::Nack { sequence, status } => {
                self.answered(now, sequence, None, |own| own.reject(status));
            }
            Event::SessionNack { status } => {
                self.shared.metrics.protocol_errors.increment(1);
                warn!(link = %self.shared.name, %status, "the SMSC could not read something of ours");
                let trouble = format!("the SMSC could not read something of ours: {status}");
                self.shared.note_trouble(&trouble, 1);
            }
            Event::Deliver {
                sequence,
                deliver_sm,
            } => {
                let unmarked = self.settings.receipts.unmarked;
                self.receive_event(sequence, incoming::from_deliver_sm(&deliver_sm, unmarked));
            }
            Event::Data { sequence, data_sm } => {
                self.data_sm.insert(sequence);
                let unmarked = self.settings.receipts.unmarked;
                self.receive_event(sequence, incoming::from_data_sm(&data_sm, unmarked));
            }
            Event::Alert(_) => debug!(link = %self.shared.name, "alert_notification"),
            Event::Outbind(_) => info!(link = %self.shared.name, "outbind answered by a bind"),
            Event::PeerUnbinding => self.peer_unbinds = true,
            Event::Closed(reason) => self.ended = Some(self.ended(reason)),
            Event::Ignored(oddity) => {
                self.shared.metrics.protocol_errors.increment(1);
                warn!(link = %self.shared.name, "contained: {oddity}");
                self.shared.note_trouble(&format!("contained: {oddity}"), 1);
            }
            // Only an SMSC gets these; the session refuses them for an ESME.
            Event::Submit { .. } | Event::Request { .. } => {
                self.shared.metrics.protocol_errors.increment(1);
            }
        }
    }

    fn receive_event(&mut self, sequence: u32, parts: incoming::Parts) {
        let event = parts.into_event(&self.settings.link.peer, &self.shared.name);
        let responder = Responder {
            link: Arc::clone(&self.responder),
            session: self.session_number,
            sequence,
        };
        self.incoming.push((event, responder));
    }

    fn offer(&mut self, now: Instant) {
        if !self.incoming.is_empty() {
            self.inbox.offer(now, self.incoming.drain(..));
        }
    }

    /// An answer has come; `command` is what it answers with, if it says.
    fn answered(
        &mut self,
        now: Instant,
        sequence: u32,
        command: Option<CommandId>,
        result: impl FnOnce(&mut Self) -> MessageResult,
    ) {
        let fits = self
            .window
            .get(sequence)
            .is_some_and(|pending| command.is_none_or(|command| command == pending.response));
        let pending = match fits {
            true => self.window.take(sequence),
            false => None,
        };
        let Some(pending) = pending else {
            return self.unmatched(now, sequence, command, result);
        };
        self.turn
            .answered(&self.shared.metrics, now, pending.sent_at);
        let result = result(self);
        match result {
            MessageResult::Rejected { status, .. } => self.refused(now, pending.sent_at, status),
            MessageResult::Accepted(_) => self.throttle.accepted(pending.sent_at),
            MessageResult::NotSent { .. } | MessageResult::Unknown { .. } => {}
        }
        self.ends.push(pending.ticket, result);
    }

    /// An answer that no request waits for: late, repeated, or never asked for.
    fn unmatched(
        &mut self,
        now: Instant,
        sequence: u32,
        command: Option<CommandId>,
        result: impl FnOnce(&mut Self) -> MessageResult,
    ) {
        self.shared.metrics.unmatched.increment(1);
        match self.unanswered.take(now, sequence, command) {
            Some(ticket) => {
                debug!(link = %self.shared.name, sequence, "an answer after its time");
                // It says nothing about how much the SMSC takes now.
                let result = result(self);
                self.ends.push_late(ticket, result);
            }
            None => debug!(link = %self.shared.name, sequence, "an answer without a request"),
        }
    }

    /// What a response says about its request.
    fn judge(&self, status: CommandStatus, pdu: Option<Pdu>) -> MessageResult {
        if status != CommandStatus::ESME_ROK {
            return self.reject(status);
        }
        match pdu {
            Some(Pdu::SubmitSmResp(response)) => {
                MessageResult::Accepted(Acceptance::Id(response.message_id.into_bytes()))
            }
            Some(Pdu::QuerySmResp(response)) => MessageResult::Accepted(Acceptance::State {
                message_state: response.message_state,
                final_date: bytes::Bytes::copy_from_slice(response.final_date.as_bytes()),
                error_code: response.error_code,
            }),
            Some(Pdu::CancelSmResp(_) | Pdu::ReplaceSmResp(_)) => {
                MessageResult::Accepted(Acceptance::Done)
            }
            _ => MessageResult::Unknown {
                reason: Reason::BadAnswer,
                detail: "the SMSC said yes in a response that cannot be read; \
                         it has the message, but its id is not known"
                    .into(),
            },
        }
    }

    fn reject(&self, status: CommandStatus) -> MessageResult {
        MessageResult::Rejected {
            status,
            temporary: self.settings.temporary_statuses.contains(&status),
        }
    }

    /// If the SMSC wants less, the bind pauses, not only the one message.
    fn refused(&mut self, now: Instant, sent_at: Instant, status: CommandStatus) {
        if !self.settings.throttle_statuses.contains(&status) {
            return;
        }
        self.shared.metrics.throttles.increment(1);
        if let Some(pause) = self.throttle.refused(now, sent_at, fastrand::f64()) {
            self.shared.pause(self.throttle.until());
            let trouble = format!("the SMSC wants less: {status}; the bind pauses");
            self.shared.note_trouble(&trouble, 1);
            let pause_ms = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
            let counted_ms = self.paused_ms.saturating_add(pause_ms);
            let metrics = &self.shared.metrics;
            metrics.throttled_seconds.increment(counted_ms / 1000);
            self.paused_ms = counted_ms % 1000;
            warn!(link = %self.shared.name, %status, pause_ms, "the SMSC wants less");
        }
    }

    /// A number that no request has which may still be answered. There is one, because the ring has
    /// twice as many slots as the window lets requests in, and far more numbers than are remembered.
    fn vacant_sequence(&mut self) -> Sequence {
        loop {
            let sequence = self.session.take_sequence();
            let number = sequence.get();
            if self.window.is_vacant(number) && !self.unanswered.holds(number) {
                return sequence;
            }
        }
    }

    fn expire(&mut self, now: Instant) {
        let mut expired = 0;
        while let Some((sequence, pending)) = self.window.take_expired(now) {
            expired += 1;
            if let Some(late) = pending.ticket.late() {
                let response = pending.response;
                self.unanswered.add(now, sequence, response, late);
            }
            let detail = format!(
                "no answer for {} ms; the SMSC may have the message",
                self.settings.link.response_timeout.as_millis()
            );
            let reason = Reason::Timeout;
            self.ends
                .push(pending.ticket, MessageResult::Unknown { reason, detail });
        }
        if expired > 0 {
            self.shared.metrics.timeouts.increment(expired);
            self.shared.totals.timed_out.fetch_add(expired, Relaxed);
            self.shared.note_timeouts(expired);
        }
    }

    /// What a closed session means for the next try.
    fn ended(&self, reason: CloseReason) -> Ended {
        if let CloseReason::BadFrame(FrameError::TooLong { octets, .. }) = reason
            && tls::is_tls_record(octets)
        {
            return Ended {
                why:
                    "the peer answers in TLS; add the section tls with its CA certificate, or ask \
                      the peer for its plain port"
                        .into(),
                again: Again::Soon,
            };
        }
        let class = match reason {
            CloseReason::BindRefused(status) => Some(BindRefusal::of(status)),
            _ => None,
        };
        let (again, advice) = match class {
            Some(BindRefusal::Credentials) => (
                Again::Later,
                "; check system_id, password and system_type in the configuration",
            ),
            Some(BindRefusal::AlreadyBound) => (
                Again::After(self.settings.already_bound_pause),
                "; it still holds an earlier bind, or allows fewer binds than configured",
            ),
            Some(BindRefusal::Other) | None => (Again::Soon, ""),
        };
        Ended {
            why: format!("{reason}{advice}"),
            again,
        }
    }
}

impl Protocol for SmscLink {
    type Job = SmscJob;

    fn connected(&mut self, now: Instant) {
        self.begin();
        self.session.connected(now);
    }

    fn accepted(&mut self, now: Instant) {
        self.begin();
        self.session.connected_for_outbind(now);
    }

    fn receive(&mut self, now: Instant, input: &mut BytesMut) -> bool {
        let before = self.tapped.before(&self.shared.tap, input);
        let mut frames = 0;
        let more = loop {
            let received = self.session.receive(now, input, FRAMES_AT_ONCE);
            self.handle_events(now);
            frames += received.frames;
            if !received.more || frames >= FRAMES_MAX {
                break received.more;
            }
        };
        self.tapped.received(&self.shared.tap, before, input.len());
        more
    }

    fn submit(&mut self, now: Instant, job: SmscJob) {
        let sequence = self.vacant_sequence();
        let pending = Pending {
            ticket: job.ticket,
            response: job.request.command_id().response(),
            sent_at: now,
        };
        let deadline = now + self.settings.link.response_timeout;
        if let Err(Refused::Full(pending) | Refused::Busy(pending)) =
            self.window.insert(sequence.get(), deadline, pending)
        {
            let result = not_sent(Reason::QueueFull, "the window is full".into());
            self.ends.push(pending.ticket, result);
            return;
        }
        match self.session.request(sequence, &job.request) {
            Ok(()) => self.turn.submitted += 1,
            Err(error) => {
                let reason = match error {
                    SessionError::NotAllowed { .. } => Reason::NoLink,
                    SessionError::TooLong { .. } => Reason::Invalid,
                };
                if let Some(pending) = self.window.take(sequence.get()) {
                    self.ends
                        .push(pending.ticket, not_sent(reason, error.to_string()));
                }
            }
        }
    }

    fn refuse(&mut self, job: SmscJob, reason: Reason) {
        let link = &self.shared.name;
        let detail = match reason {
            Reason::Deadline => format!("the deadline passed while {link} had no room"),
            Reason::Stopping => format!("{link} is stopping or drained"),
            _ => format!("{link} went down before it was sent"),
        };
        self.ends.push(job.ticket, not_sent(reason, detail));
    }

    fn deadline(job: &SmscJob) -> Instant {
        job.deadline
    }

    fn respond(&mut self, _now: Instant, response: Response) {
        let Response::Verdict {
            session,
            sequence,
            verdict,
        } = response
        else {
            return; // Only links to banks hand out what is answered otherwise.
        };
        if session != self.session_number {
            // The connection that it came by is gone; the SMSC sends it again.
            return;
        }
        let (status, counter) = match verdict {
            Verdict::Acknowledged => (CommandStatus::ESME_ROK, &self.inbox_metrics.acknowledged),
            Verdict::Later => (CommandStatus::ESME_RX_T_APPN, &self.inbox_metrics.later),
            Verdict::Never => (CommandStatus::ESME_RX_R_APPN, &self.inbox_metrics.never),
        };
        counter.increment(1);
        if self.data_sm.remove(&sequence) {
            self.session
                .respond(sequence, status, &DataSmResp::default());
        } else {
            self.session
                .respond(sequence, status, &DeliverSmResp::default());
        }
    }

    fn room(&self) -> u32 {
        match self.phase() {
            Phase::Up if self.throttle.until().is_none() => self.window.room(),
            _ => 0,
        }
    }

    fn grant(&mut self, now: Instant, wanted: u32) -> u32 {
        let granted = self.pace.grant(now, wanted);
        if granted < wanted {
            self.shared.metrics.rate_waits.increment(1);
        }
        granted
    }

    fn give_back(&mut self, unused: u32) {
        self.pace.give_back(unused);
    }

    fn grant_again_at(&self) -> Option<Instant> {
        self.pace.again_at()
    }

    fn in_flight(&self) -> u32 {
        self.window.in_flight()
    }

    fn output(&mut self) -> &mut BytesMut {
        self.session.output()
    }

    fn before_write(&mut self) {
        self.tapped.sent(&self.shared.tap, self.session.output());
    }

    fn wrote(&mut self, octets: usize) {
        self.session.output().advance(octets);
        self.tapped.wrote(octets);
    }

    fn next_timeout(&self) -> Option<Instant> {
        self.session
            .next_timeout()
            .into_iter()
            .chain(self.window.next_deadline())
            .chain(self.throttle.until())
            .min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        self.session.handle_timeout(now);
        self.handle_events(now);
        self.expire(now);
        if self.throttle.take_end(now) {
            self.shared.pause(None);
        }
    }

    fn say_goodbye(&mut self, now: Instant) {
        self.session.unbind(now);
        self.handle_events(now);
    }

    fn phase(&self) -> Phase {
        match (&self.ended, self.session.state()) {
            (Some(ended), _) => Phase::Closed(ended.clone()),
            (None, State::Open | State::Closed) => Phase::Opening,
            (None, State::BoundTx | State::BoundRx | State::BoundTrx) => Phase::Up,
            (None, State::Unbinding) if self.peer_unbinds && self.window.in_flight() == 0 => {
                Phase::Closed(self.ended(CloseReason::PeerUnbound))
            }
            (None, State::Unbinding) => Phase::Closing,
        }
    }

    fn disconnected(&mut self, now: Instant) {
        let mut lost = 0;
        while let Some((_, pending)) = self.window.take_oldest() {
            lost += 1;
            let detail = format!(
                "{} was lost before the answer; the SMSC may have the message",
                self.shared.name
            );
            let reason = Reason::LinkLost;
            self.ends
                .push(pending.ticket, MessageResult::Unknown { reason, detail });
        }
        self.shared.metrics.lost.increment(lost);
        self.unanswered.clear();
        self.data_sm.clear();
        // What it brought in its last turn is offered first, so that a repetition is known as one.
        self.offer(now);
        self.inbox
            .disconnected(&self.shared.name, self.session_number);
    }

    fn flush(&mut self, now: Instant) {
        self.ends.flush();
        self.offer(now);
        let turn = std::mem::take(&mut self.turn);
        if turn.submitted > 0 {
            self.shared.metrics.submitted.increment(turn.submitted);
            self.shared
                .totals
                .submitted
                .fetch_add(turn.submitted, Relaxed);
        }
        if turn.answered > 0 {
            let (time, answers) = turn.alike;
            self.shared.metrics.response_seconds.record(time, answers);
            self.shared.metrics.answered.increment(turn.answered);
            self.shared
                .totals
                .answered
                .fetch_add(turn.answered, Relaxed);
        }
    }
}

fn not_sent(reason: Reason, detail: String) -> MessageResult {
    MessageResult::NotSent { reason, detail }
}
