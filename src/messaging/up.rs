//! The way up: what the links tell becomes the one outcome that the caller gets, unless the same SMSC
//! or another one is to have the message (`failover` decides).
//!
//! Every outcome leaves by [`Messaging::tell`]; it must never leave a flight without one.

use std::{collections::VecDeque, sync::Arc, time::Instant};

use bytes::BytesMut;
use tracing::{debug, trace};

use super::{
    Departure, End, Messaging, Smsc,
    build::Pdus,
    failover::{Situation, Verdict},
    flights::{self, Errand, Flight},
};
use crate::{
    link::{Ends, NotTaken, SmscJob, Ticket, TicketNumber},
    message::{Acceptance, MessageOutcome, MessageResult},
    metrics::MessageMetrics,
    outcome::Reason,
};

impl Messaging {
    /// Jobs that no link took have ended.
    pub(super) fn take_back(
        self: &Arc<Self>,
        smsc: &Smsc,
        jobs: VecDeque<SmscJob>,
        taken: Result<(), NotTaken>,
    ) {
        let Err(not_taken) = taken else {
            return;
        };
        let result = refused_by(smsc, not_taken);
        let mut ends: Vec<End> = jobs
            .into_iter()
            .map(|job| (job.ticket.redeem(), result.clone()))
            .collect();
        // None of its binds took them, so none would now.
        self.conclude(smsc, &mut ends, false);
    }

    /// Requests have ended at an SMSC: tells their callers, or tries again or elsewhere.
    /// `may_repeat` if the same SMSC may be tried again.
    fn conclude(self: &Arc<Self>, smsc: &Smsc, ends: &mut Vec<End>, may_repeat: bool) {
        let peer = &smsc.pool.peer;
        let mut told = Vec::with_capacity(ends.len());
        let mut undecided = Vec::new();
        {
            let mut flights = self.flights.open();
            flights.look_ahead(ends.iter().map(|(number, _)| *number));
            for (number, result) in ends.drain(..) {
                match flights.conclude(number, result) {
                    // Nearly all of them; and there is nothing to decide.
                    Some((mut flight, result @ MessageResult::Accepted(_))) => {
                        let outcome = outcome(&mut flight, peer, result);
                        told.push((flight, outcome));
                    }
                    Some(other) => undecided.push(other),
                    None => {}
                }
            }
        }
        let (mut departures, mut again) = (Vec::new(), Vec::new());
        for (flight, result) in undecided {
            self.memory.remember_unanswered(peer, &flight, &result);
            match self.after(smsc, flight, result, may_repeat) {
                After::Told(flight, outcome) => told.push((flight, outcome)),
                After::Next(departure) => departures.push(departure),
                After::Again(flight, result) => again.push((flight, result)),
            }
        }
        told.extend(self.hand_in_again(smsc, again));
        self.tell(told, &smsc.metrics);
        self.depart(departures);
    }

    /// Tells callers their outcomes: the one way on which a request leaves this floor.
    pub(super) fn tell(&self, told: Vec<(Box<Flight>, MessageOutcome)>, metrics: &MessageMetrics) {
        let mut counts = Counts::default();
        for (_, outcome) in &told {
            counts.count(&outcome.result);
        }
        counts.publish(metrics);
        self.memory.tell(self.memory.close(told));
    }

    /// What follows from the end of a flight at one SMSC.
    fn after(
        &self,
        smsc: &Smsc,
        mut flight: Box<Flight>,
        result: MessageResult,
        may_repeat: bool,
    ) -> After<'_> {
        let peer = &smsc.pool.peer;
        let verdict = match self.situation(smsc, &flight, &result, may_repeat) {
            Some(situation) => flight.verdict(&result, situation),
            None => Verdict::Tell,
        };
        match verdict {
            Verdict::Tell => {}
            Verdict::Again => return After::Again(flight, result),
            Verdict::Next => {
                if let MessageResult::Unknown { .. } = result {
                    flight.doubt = Some(Box::new((Arc::clone(peer), result.clone())));
                }
                match self.prepare_next(&mut flight, &mut BytesMut::new()) {
                    Ok((next, requests)) => {
                        smsc.metrics.failed_over.increment(1);
                        return After::Next(Departure {
                            smsc: next,
                            flight,
                            requests,
                        });
                    }
                    // What went wrong here matters to the caller, not that the next SMSC could not
                    // carry it or has gone down meanwhile.
                    Err((reason, _)) => trace!(reason = reason.as_str(), "no fail-over"),
                }
            }
        }
        let outcome = outcome(&mut flight, peer, result);
        After::Told(flight, outcome)
    }

    /// What is known at the end of a message; `None` where nothing but telling it is possible.
    fn situation<'a>(
        &self,
        smsc: &'a Smsc,
        flight: &Flight,
        result: &MessageResult,
        may_repeat: bool,
    ) -> Option<Situation<'a>> {
        let Errand::Message(submission) = &flight.errand else {
            return None;
        };
        let plan = flight.plan.as_ref()?;
        if let MessageResult::Accepted(_) = result {
            return None;
        }
        Some(Situation {
            throttle_statuses: &smsc.settings.throttle_statuses,
            is_late: flight.deadline <= Instant::now(),
            is_same_up: may_repeat && smsc.pool.is_up(),
            has_next: plan.has_next(|name| self.is_up(name)),
            resend_after_unknown: submission.message.resend_after_unknown,
        })
    }

    /// Gives the SMSC again what it did not take of messages, before what waits. What cannot be
    /// built a second time, which is a fault of Sampan, comes back to be told as it had ended.
    fn hand_in_again(
        self: &Arc<Self>,
        smsc: &Smsc,
        again: Vec<(Box<Flight>, MessageResult)>,
    ) -> Vec<(Box<Flight>, MessageOutcome)> {
        let mut told = Vec::new();
        let mut batch: VecDeque<SmscJob> = VecDeque::new();
        let mut long: Vec<VecDeque<SmscJob>> = Vec::new();
        let (ends, mut octets) = (self.ends(), BytesMut::new());
        for (mut flight, result) in again {
            let (requests, jobs) = match self.build(smsc, &flight, &mut octets) {
                Ok((Pdus::One(request), _)) => (vec![request], &mut batch),
                Ok((Pdus::Parts(requests), _)) => (requests, long.push_mut(VecDeque::new())),
                Err(_) => {
                    let outcome = outcome(&mut flight, &smsc.pool.peer, result);
                    told.push((flight, outcome));
                    continue;
                }
            };
            let (deadline, lane) = (flight.deadline, flight.lane());
            let places = flight.reopen();
            let numbers = self.flights.open().insert_parts(flight, places.clone());
            let requests = requests.into_iter().enumerate();
            let open = requests.filter(|(place, _)| places.contains(place));
            jobs.extend(numbers.zip(open).map(|(number, (_, request))| SmscJob {
                request,
                deadline,
                lane,
                ticket: Ticket::new(Arc::clone(&ends), number),
            }));
        }
        for mut jobs in long {
            let taken = smsc.pool.submit_together_first(&mut jobs);
            self.take_back(smsc, jobs, taken);
        }
        if !batch.is_empty() {
            let taken = smsc.pool.submit_first(&mut batch);
            self.take_back(smsc, batch, taken);
        }
        told
    }
}

/// What follows from the end of a flight.
enum After<'a> {
    /// Its caller is told.
    Told(Box<Flight>, MessageOutcome),
    /// The same SMSC gets it again; how it ended before.
    Again(Box<Flight>, MessageResult),
    /// Another SMSC gets it.
    Next(Departure<'a>),
}

/// What the caller of a flight is told. Once a message may have arrived somewhere, only that it was
/// accepted after all is better news.
fn outcome(flight: &mut Flight, smsc: &Arc<str>, result: MessageResult) -> MessageOutcome {
    let (doubt, parts_accepted) = match &result {
        MessageResult::Accepted(_) => (None, Vec::new()),
        _ => (flight.doubt.take(), flight.parts_accepted()),
    };
    let (smsc, result, parts_accepted) = match doubt {
        // Ids of one SMSC mean nothing to another one.
        Some(doubt) => (doubt.0, doubt.1, Vec::new()),
        None => (Arc::clone(smsc), result, parts_accepted),
    };
    MessageOutcome {
        result,
        smsc: Some(smsc),
        parts: flight.cost,
        parts_accepted,
        attempts: flight.attempts,
        repeated: false,
    }
}

/// Where the ends of one batch are told.
pub(super) struct BatchEnds(pub(super) Arc<Messaging>);

impl Ends for BatchEnds {
    fn listener(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    fn ended(&self, smsc: &Arc<str>, ends: &mut Vec<End>) {
        if let Some(smsc) = self.0.smscs.get(smsc) {
            self.0.conclude(smsc, ends, true);
        }
    }

    fn answered_late(&self, smsc: &Arc<str>, answers: &mut Vec<(TicketNumber, MessageResult)>) {
        let messaging = &self.0;
        if let Some(own) = messaging.smscs.get(smsc) {
            own.metrics.answered_late.increment(answers.len() as u64);
        }
        {
            let mut flights = messaging.flights.open();
            answers.retain(|(number, result)| !flights.answer_late(*number, result));
        }
        let ids = answers.drain(..).filter_map(|(number, result)| {
            debug!(%smsc, accepted = matches!(result, MessageResult::Accepted(_)), "answered late");
            match result {
                MessageResult::Accepted(Acceptance::Id(id)) => {
                    Some((number.generation, flights::part(number), id))
                }
                _ => None,
            }
        });
        messaging.memory.expect_late(smsc, ids);
    }

    fn lost(&self, number: TicketNumber, result: MessageResult) {
        let messaging = &self.0;
        let Some((flight, result)) = messaging.flights.open().conclude(number, result) else {
            return;
        };
        let outcome = MessageOutcome {
            result,
            smsc: None,
            parts: flight.cost,
            parts_accepted: Vec::new(),
            attempts: flight.attempts,
            repeated: false,
        };
        messaging.tell(vec![(flight, outcome)], &messaging.metrics);
    }
}

/// The end of a job that no link of an SMSC took.
fn refused_by(smsc: &Smsc, not_taken: NotTaken) -> MessageResult {
    let peer = &smsc.pool.peer;
    let (reason, detail) = match not_taken {
        NotTaken::Closed => (Reason::NoLink, format!("every bind to {peer} is down")),
        NotTaken::Full => (
            Reason::QueueFull,
            format!("the queues to {peer} are full; send less, or raise queue_max or binds"),
        ),
    };
    MessageResult::NotSent { reason, detail }
}

/// Outcomes of a batch, added to the metrics at its end.
#[derive(Default)]
struct Counts {
    accepted: u64,
    rejected_temporary: u64,
    rejected_permanent: u64,
    not_sent: u64,
    unknown: u64,
}

impl Counts {
    fn count(&mut self, result: &MessageResult) {
        let counter = match result {
            MessageResult::Accepted(_) => &mut self.accepted,
            MessageResult::Rejected {
                temporary: true, ..
            } => &mut self.rejected_temporary,
            MessageResult::Rejected { .. } => &mut self.rejected_permanent,
            MessageResult::NotSent { .. } => &mut self.not_sent,
            MessageResult::Unknown { .. } => &mut self.unknown,
        };
        *counter += 1;
    }

    fn publish(self, metrics: &MessageMetrics) {
        for (counter, count) in [
            (&metrics.accepted, self.accepted),
            (&metrics.rejected_temporary, self.rejected_temporary),
            (&metrics.rejected_permanent, self.rejected_permanent),
            (&metrics.not_sent, self.not_sent),
            (&metrics.unknown, self.unknown),
        ] {
            if count > 0 {
                counter.increment(count);
            }
        }
    }
}
