//! From a message request to PDUs in a link's queue, and from the ends that the links tell to the
//! one outcome that the caller gets.
//!
//! Down: finds the route, chooses the first of its SMSCs that has a healthy bind, builds the PDUs
//! and hands them over, a batch at a time. Up: [`Ends`] brings what became of them; what one SMSC
//! did not take may go to another, everything else is told.
//!
//! What cannot be sent is answered at once, NOT_SENT, with what is wrong and where. Nothing here
//! waits.

mod body;
mod build;
mod flights;
mod limiter;
mod parts;
mod preview;

pub use preview::{Carriage, Preview};

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use tracing::trace;

use crate::{
    link::{Ends, NotTaken, SmscJob, SmscRequest, Ticket, TicketNumber, settings::SmscSettings},
    message::{
        Message, MessageOutbox, MessageOutcome, MessageRequest, MessageResult, Operation,
        OperationRequest,
    },
    metrics::MessageMetrics,
    outbox::Answers,
    outcome::Reason,
    pool::Pool,
    route::{MessageRoute, Routes},
};
use build::Pdus;
use flights::{Errand, Flight, Flights, Submission};
pub use limiter::Limiter;

/// An SMSC as messages see it.
#[derive(Clone)]
pub struct Smsc {
    /// Its settings.
    pub settings: Arc<SmscSettings>,
    /// Its links.
    pub pool: Arc<Pool<SmscJob>>,
    /// Of requests that end with this SMSC.
    pub metrics: MessageMetrics,
}

/// Messages on their way down, and their outcomes on the way up.
pub struct Messaging {
    routes: Arc<ArcSwap<Routes>>,
    smscs: HashMap<Arc<str>, Smsc>,
    flights: Flights,
    limiter: Limiter,
    /// Tells the parts of one message from those of the next.
    reference: AtomicU16,
    /// Of messages that found no SMSC.
    metrics: MessageMetrics,
}

/// Why a message does not go down; for its caller.
pub type Refusal = (Reason, String);

/// A flight that is ready to go, with its PDUs.
struct Departure<'a> {
    smsc: &'a Smsc,
    flight: Flight,
    pdus: Pdus,
}

/// The end of a request at an SMSC.
type End = (TicketNumber, MessageResult);

/// What follows from an end.
enum Next {
    /// The caller is told.
    Tell,
}

impl Messaging {
    /// The way to these SMSCs. `metrics` counts what finds no SMSC.
    pub fn new(
        routes: Arc<ArcSwap<Routes>>,
        smscs: impl IntoIterator<Item = Smsc>,
        metrics: MessageMetrics,
    ) -> Self {
        Self {
            routes,
            smscs: smscs
                .into_iter()
                .map(|smsc| (Arc::clone(&smsc.pool.peer), smsc))
                .collect(),
            flights: Flights::default(),
            limiter: Limiter::default(),
            // Handsets join parts by sender and reference, so two runs should not begin alike.
            reference: AtomicU16::new(fastrand::u16(..)),
            metrics,
        }
    }

    /// Holds clients to these limits.
    #[must_use]
    pub fn limited_by(mut self, limiter: Limiter) -> Self {
        self.limiter = limiter;
        self
    }

    /// Sends what `requests` holds; each outcome appears in `outbox` under the request's tag.
    pub fn submit(self: &Arc<Self>, requests: Vec<MessageRequest>, outbox: &Arc<MessageOutbox>) {
        let now = Instant::now();
        let flights = requests.into_iter().map(|request| {
            let submission = Submission {
                client: request.client,
                id: request.id,
                message: request.message,
                reference: self.reference.fetch_add(1, Relaxed),
            };
            let errand = Errand::Message(Box::new(submission));
            Flight::new(outbox.reply(request.tag), request.deadline, errand).while_valid(now)
        });
        self.send(flights);
    }

    /// Gives messages to the SMSCs of their routes; those that find none are answered.
    fn send(self: &Arc<Self>, flights: impl Iterator<Item = Flight>) {
        let routes = self.routes.load();
        let mut departures = Vec::with_capacity(flights.size_hint().0);
        let mut limits = self.limiter.open();
        for flight in flights {
            let prepared = match &flight.errand {
                Errand::Message(submission) => {
                    let prepared = self.prepare(&routes, submission);
                    prepared.and_then(|(smsc, pdus)| {
                        // Counted once, however many SMSCs it is given to.
                        if flight.attempts == 0 {
                            let over = |detail| (Reason::Limit, detail);
                            let taken = limits.take(&submission.client, pdus.count(), Instant::now);
                            taken.map_err(over)?;
                        }
                        Ok((smsc, pdus))
                    })
                }
                // It names its SMSC, and is handed over by `operate`.
                Errand::Operation => continue,
            };
            match prepared {
                Ok((smsc, pdus)) => departures.push(Departure { smsc, flight, pdus }),
                Err(refusal) => self.refuse(flight, refusal),
            }
        }
        // Whoever is told may send at once.
        drop(limits);
        self.depart(departures);
    }

    /// Takes the flights into the table, then hands their PDUs over.
    fn depart<'a>(self: &Arc<Self>, departures: Vec<Departure<'a>>) {
        // Nearly always one SMSC, so a list is quicker than a map.
        let mut batches: Vec<(&'a Smsc, VecDeque<SmscJob>)> = Vec::new();
        let mut long: Vec<(&'a Smsc, VecDeque<SmscJob>)> = Vec::new();
        let job = |number, deadline, lane, pdu| SmscJob {
            request: SmscRequest::Submit(pdu),
            deadline,
            lane,
            ticket: self.ticket(number),
        };
        {
            let mut flights = self.flights.open();
            for Departure {
                smsc,
                mut flight,
                pdus,
            } in departures
            {
                let (deadline, lane) = (flight.deadline, flight.lane());
                match pdus {
                    Pdus::One(pdu) => {
                        flight.depart(1);
                        let numbers = flights.insert(flight);
                        let jobs = numbers
                            .zip([pdu])
                            .map(|(n, pdu)| job(n, deadline, lane, pdu));
                        match batches.iter_mut().find(|(own, _)| std::ptr::eq(*own, smsc)) {
                            Some((_, batch)) => batch.extend(jobs),
                            None => batches.push((smsc, jobs.collect())),
                        }
                    }
                    Pdus::Parts(pdus) => {
                        flight.depart(pdus.len());
                        let numbers = flights.insert(flight);
                        let jobs = numbers
                            .zip(pdus)
                            .map(|(n, pdu)| job(n, deadline, lane, pdu));
                        long.push((smsc, jobs.collect()));
                    }
                }
            }
        }
        // The parts of one message stay together: on one bind, or not sent.
        for (smsc, mut jobs) in long {
            let taken = smsc.pool.submit_together(&mut jobs);
            self.take_back(smsc, jobs, taken);
        }
        for (smsc, mut jobs) in batches {
            let taken = smsc.pool.submit(&mut jobs);
            self.take_back(smsc, jobs, taken);
        }
    }

    /// Asks the SMSC about a message, or changes it.
    pub fn operate(self: &Arc<Self>, request: OperationRequest, outbox: &Arc<MessageOutbox>) {
        let reply = outbox.reply(request.tag);
        let mut flight = Flight::new(reply, request.deadline, Errand::Operation);
        let name = match &request.operation {
            Operation::Query(message)
            | Operation::Cancel(message, _)
            | Operation::Replace { message, .. } => message.smsc.as_str(),
        };
        let Some(smsc) = self.smscs.get(name) else {
            let detail = format!("smsc: there is no SMSC {name:?}; use the one told in the result");
            self.refuse(flight, (Reason::NoRoute, detail));
            return;
        };
        let pdu = match build::operation(request.operation, &smsc.settings) {
            Ok(pdu) => pdu,
            Err(detail) => return self.refuse(flight, (Reason::Invalid, detail)),
        };
        flight.depart(1);
        let lane = flight.lane();
        let numbers = self.flights.open().insert(flight);
        let mut jobs = numbers
            .zip([pdu])
            .map(|(number, pdu)| SmscJob {
                request: pdu,
                deadline: request.deadline,
                lane,
                ticket: self.ticket(number),
            })
            .collect();
        let taken = smsc.pool.submit(&mut jobs);
        self.take_back(smsc, jobs, taken);
    }

    fn ticket(self: &Arc<Self>, number: TicketNumber) -> Ticket {
        let ends: Arc<dyn Ends> = Arc::<Self>::clone(self);
        Ticket::new(ends, number)
    }

    /// The SMSC and the PDUs of a message.
    fn prepare(&self, routes: &Routes, submission: &Submission) -> Result<(&Smsc, Pdus), Refusal> {
        let message = &submission.message;
        let route = self.route(routes, message)?;
        let smsc = self.first_healthy(route)?;
        let source = message.source.as_ref().or(route.default_source.as_ref());
        let reference = || submission.reference;
        let built = build::submit(message, source, &smsc.settings, reference)
            .map_err(|detail| (Reason::Invalid, detail))?;
        Ok((smsc, built.pdus))
    }

    fn route<'a>(
        &self,
        routes: &'a Routes,
        message: &Message,
    ) -> Result<&'a MessageRoute, Refusal> {
        let route = if message.route.is_empty() {
            routes
                .message_by_destination(&message.destination.number)
                .ok_or_else(|| {
                    "destination.number: no message_route has a prefix of it; \
                     name a route, or configure one"
                        .to_owned()
                })
        } else {
            routes.message_by_name(&message.route).ok_or_else(|| {
                format!(
                    "route: there is no message_route {:?} in the configuration",
                    message.route
                )
            })
        };
        match route {
            Ok(route) => Ok(route),
            Err(detail) => Err((Reason::NoRoute, detail)),
        }
    }

    fn first_healthy(&self, route: &MessageRoute) -> Result<&Smsc, Refusal> {
        route
            .smscs
            .iter()
            .filter_map(|name| self.smscs.get(name))
            .find(|smsc| smsc.pool.is_up())
            .ok_or_else(|| {
                let detail = format!(
                    "no SMSC of route {} has a bind that is up; `sampan links` says why",
                    route.name
                );
                (Reason::NoLink, detail)
            })
    }

    fn refuse(&self, flight: Flight, (reason, detail): Refusal) {
        trace!(
            reason = reason.as_str(),
            "refused before an SMSC was chosen"
        );
        let outcome = MessageOutcome::not_sent(reason, detail);
        tell(vec![(flight, outcome)], &self.metrics);
    }

    /// Jobs that no link took have ended.
    fn take_back(
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
        self.conclude(smsc, &mut ends);
    }

    /// Requests have ended at an SMSC: tells their callers, or tries elsewhere.
    fn conclude(self: &Arc<Self>, smsc: &Smsc, ends: &mut Vec<End>) {
        let settled: Vec<(Flight, MessageResult)> = {
            let mut flights = self.flights.open();
            ends.drain(..)
                .filter_map(|(number, result)| flights.conclude(number, result))
                .collect()
        };
        let mut told = Vec::with_capacity(settled.len());
        for (flight, result) in settled {
            match self.after(&flight, &result) {
                Next::Tell => {
                    let outcome = MessageOutcome {
                        result,
                        smsc: Some(Arc::clone(&smsc.pool.peer)),
                        parts: flight.parts(),
                        attempts: flight.attempts,
                        repeated: false,
                    };
                    told.push((flight, outcome));
                }
            }
        }
        tell(told, &smsc.metrics);
    }

    /// What follows from the end of a flight at one SMSC.
    fn after(&self, _flight: &Flight, _result: &MessageResult) -> Next {
        Next::Tell
    }
}

impl Ends for Messaging {
    fn ended(self: Arc<Self>, smsc: &Arc<str>, ends: &mut Vec<End>) {
        if let Some(smsc) = self.smscs.get(smsc) {
            self.conclude(smsc, ends);
        }
    }

    fn lost(self: Arc<Self>, number: TicketNumber, result: MessageResult) {
        let Some((flight, result)) = self.flights.open().conclude(number, result) else {
            return;
        };
        let outcome = MessageOutcome {
            result,
            smsc: None,
            parts: flight.parts(),
            attempts: flight.attempts,
            repeated: false,
        };
        tell(vec![(flight, outcome)], &self.metrics);
    }
}

/// Tells callers their outcomes: the one way on which a request leaves this floor.
fn tell(told: Vec<(Flight, MessageOutcome)>, metrics: &MessageMetrics) {
    let mut answers = Answers::new();
    let mut counts = Counts::default();
    for (flight, outcome) in told {
        counts.count(&outcome.result);
        answers.push(flight.reply, outcome);
    }
    counts.publish(metrics);
    answers.flush();
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
