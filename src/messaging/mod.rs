//! From a message request to PDUs in a link's queue, and from the ends that the links tell to the
//! one outcome that the caller gets.
//!
//! Down: finds the route, chooses one of its SMSCs that has a healthy bind, builds the PDUs and
//! hands them over, a batch at a time. Up (`up`): [`Ends`] brings what became of them; what one SMSC did
//! not take may go to it again or to another one (`failover` has the rules), everything else is
//! told.
//!
//! What cannot be sent is answered at once, NOT_SENT, with what is wrong and where. Nothing here
//! waits.

mod body;
mod build;
mod explain;
mod failover;
mod flights;
mod late;
mod limiter;
mod memory;
mod parts;
mod preview;
mod smscs;
mod turns;
mod up;

pub use preview::{Carriage, Preview};

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc,
        atomic::{AtomicU16, Ordering::Relaxed},
    },
    time::Instant,
};

use arc_swap::ArcSwap;
use bytes::BytesMut;
use tokio::runtime::Handle;
use tracing::{error, trace};

use crate::{
    client::ClientName,
    link::{Ends, Lane, SmscJob, Ticket, TicketNumber, settings::SmscSettings},
    message::{
        MessageOutbox, MessageOutcome, MessageRequest, MessageResult, Operation, OperationRequest,
        TrafficClass,
    },
    metrics::MessageMetrics,
    outcome::Reason,
    pool::Pool,
    route::{Asked, Plan, Routes},
    smpp::pdu::{Prepared, SubmitText},
};
use build::Pdus;
use flights::{Errand, Flight, Flights, Submission};
pub use limiter::Limiter;
use memory::{Admitted, Gate};
pub use memory::{Ids, Memory};
use smscs::Smscs;
use turns::Turns;
use up::BatchEnds;

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
    smscs: Smscs,
    flights: Flights,
    limiter: Limiter,
    /// Tells the parts of one message from those of the next.
    reference: AtomicU16,
    /// Deals messages out over the SMSCs of weighted routes.
    turns: Turns,
    /// Of messages that found no SMSC.
    metrics: MessageMetrics,
    /// What outlives a request.
    memory: Memory,
    /// Whose ids are written down, on their way to `send`.
    gate: Gate<Box<Flight>>,
}

/// Why a message does not go down; for its caller.
pub type Refusal = (Reason, String);

/// What a submit_sm of a common text takes. A batch's requests are written into one buffer.
const REQUEST_OCTETS: usize = 160;

/// The most that is taken for it at a time; more is taken when it is full.
const BUFFER_OCTETS_MAX: usize = 16 * 1024;

/// A flight that is ready to go, with its requests.
struct Departure<'a> {
    smsc: &'a Smsc,
    flight: Box<Flight>,
    requests: Pdus<Prepared>,
}

/// The end of a request at an SMSC.
type End = (TicketNumber, MessageResult);

impl Messaging {
    /// The way to these SMSCs. `metrics` counts what finds no SMSC.
    pub fn new(
        routes: Arc<ArcSwap<Routes>>,
        smscs: impl IntoIterator<Item = Smsc>,
        metrics: MessageMetrics,
        memory: Memory,
    ) -> Self {
        Self {
            routes,
            smscs: Smscs::new(smscs),
            flights: Flights::default(),
            limiter: Limiter::default(),
            // Handsets join parts by sender and reference, so two runs should not begin alike.
            reference: AtomicU16::new(fastrand::u16(..)),
            turns: Turns::default(),
            metrics,
            memory,
            gate: Gate::default(),
        }
    }

    /// Holds clients to these limits.
    #[must_use]
    pub fn limited_by(mut self, limiter: Limiter) -> Self {
        self.limiter = limiter;
        self
    }

    /// Sends what `requests` of `client` holds; each outcome appears in `outbox` under the request's tag.
    pub fn submit(
        self: &Arc<Self>,
        client: &ClientName,
        requests: Vec<MessageRequest>,
        outbox: &Arc<MessageOutbox>,
    ) {
        let now = Instant::now();
        let client = client.apart();
        let lane = Lane::of(TrafficClass::Normal, client.as_str());
        // Taken for all at once, because all callers share it; it wraps as references do.
        let mut reference = self.reference.fetch_add(requests.len() as u16, Relaxed);
        let admitted = self
            .memory
            .admit(&client, requests, outbox, |reply, id_handle, request| {
                let submission = Submission {
                    lane: Lane {
                        class: request.message.class,
                        ..lane
                    },
                    client: client.clone(),
                    id: request.id,
                    message: request.message,
                    reference,
                    id_handle,
                };
                reference = reference.wrapping_add(1);
                let errand = Errand::Message(submission);
                Flight::new(reply, request.deadline, errand).while_valid(now)
            });
        let Admitted {
            new,
            mut answered,
            not_sent,
            first,
        } = admitted;
        if not_sent > 0 {
            self.metrics.not_sent.increment(not_sent);
        }
        answered.flush();
        match self.memory.store.as_ref().filter(|_| !first.is_empty()) {
            None => self.send(new.into_iter()),
            Some(store) => {
                let (own, runtime) = (Arc::clone(self), Handle::try_current().ok());
                store.write(
                    first,
                    Box::new(move |written| {
                        if own.gate.push(new, written) {
                            memory::elsewhere(runtime.as_ref(), move || own.send_written());
                        }
                    }),
                );
            }
        }
    }

    /// Sends the batches whose ids are written down, in their order.
    fn send_written(self: &Arc<Self>) {
        while let Some((flights, written)) = self.gate.pop() {
            match written {
                Ok(()) => {
                    // Nobody else takes the batches behind it, so a fault in one must not end this.
                    let send = AssertUnwindSafe(|| self.send(flights.into_iter()));
                    if catch_unwind(send).is_err() {
                        error!("a fault of Sampan: not all messages of a batch were handed on");
                    }
                }
                Err(error) => {
                    let detail = format!("the request id could not be written down: {error}");
                    let told = flights.into_iter().map(|flight| {
                        let outcome = MessageOutcome::not_sent(Reason::Journal, detail.clone());
                        (flight, outcome)
                    });
                    self.tell(told.collect(), &self.metrics);
                }
            }
        }
    }

    /// Gives messages to the SMSCs of their routes; those that find none are answered.
    fn send(self: &Arc<Self>, flights: impl Iterator<Item = Box<Flight>>) {
        let routes = self.routes.load();
        let mut departures = Vec::with_capacity(flights.size_hint().0);
        // Told together: each telling is a write of the store.
        let mut refused = Vec::new();
        let mut limits = self.limiter.open();
        let expected = departures.capacity() * REQUEST_OCTETS;
        let mut octets = BytesMut::with_capacity(expected.min(BUFFER_OCTETS_MAX));
        for mut flight in flights {
            let mut turn = None;
            let prepared = self
                .plan(&routes, &mut flight, &mut turn)
                .and_then(|()| self.prepare_next(&mut flight, &mut octets))
                .and_then(|(smsc, requests)| {
                    // Counted once, however many SMSCs it is given to; and only now, because in how
                    // many parts it goes depends on the SMSC.
                    limit(&mut limits, &flight, requests.count())?;
                    Ok((smsc, requests))
                });
            match prepared {
                Ok((smsc, requests)) => departures.push(Departure {
                    smsc,
                    flight,
                    requests,
                }),
                Err(refusal) => {
                    if let Some(turn) = turn {
                        self.turns.give_back(turn);
                    }
                    refused.push((flight, refusal));
                }
            }
        }
        // Whoever is told may send at once.
        drop(limits);
        self.refuse(refused);
        self.depart(departures);
    }

    /// Takes the flights into the table, then hands their PDUs over.
    fn depart<'a>(self: &Arc<Self>, departures: Vec<Departure<'a>>) {
        if departures.is_empty() {
            return;
        }
        let count = departures.len();
        // Nearly always one SMSC, so a list is quicker than a map.
        let mut batches: Vec<(&'a Smsc, VecDeque<SmscJob>)> = Vec::new();
        let mut long: Vec<(&'a Smsc, VecDeque<SmscJob>)> = Vec::new();
        let ends = self.ends();
        let job = |number, deadline, lane, request| SmscJob {
            request,
            deadline,
            lane,
            ticket: Ticket::new(Arc::clone(&ends), number),
        };
        {
            let mut flights = self.flights.open();
            for Departure {
                smsc,
                mut flight,
                requests,
            } in departures
            {
                let (deadline, lane) = (flight.deadline, flight.lane());
                self.memory.departs(&mut flight, &smsc.pool.peer);
                match requests {
                    Pdus::One(request) => {
                        flight.depart(1);
                        let job = job(flights.insert_whole(flight), deadline, lane, request);
                        match batches.iter_mut().find(|(own, _)| std::ptr::eq(*own, smsc)) {
                            Some((_, batch)) => batch.push_back(job),
                            None => {
                                let mut batch = VecDeque::with_capacity(count);
                                batch.push_back(job);
                                batches.push((smsc, batch));
                            }
                        }
                    }
                    Pdus::Parts(requests) => {
                        flight.depart(requests.len());
                        let numbers = flights.insert(flight);
                        let jobs = numbers
                            .zip(requests)
                            .map(|(n, request)| job(n, deadline, lane, request));
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
            self.refuse(vec![(flight, (Reason::NoRoute, detail))]);
            return;
        };
        let prepared = match build::operation(request.operation, &smsc.settings.text) {
            Ok(prepared) => prepared,
            Err(detail) => return self.refuse(vec![(flight, (Reason::Invalid, detail))]),
        };
        flight.depart(1);
        let lane = flight.lane();
        let number = self.flights.open().insert_whole(flight);
        let mut jobs = VecDeque::from([SmscJob {
            request: prepared,
            deadline: request.deadline,
            lane,
            ticket: Ticket::new(self.ends(), number),
        }]);
        let taken = smsc.pool.submit(&mut jobs);
        self.take_back(smsc, jobs, taken);
    }

    /// Where the ends of a batch are told. Its tickets count their references in it and not in what all
    /// requests have in common, which processors would hand over to each other.
    fn ends(self: &Arc<Self>) -> Arc<dyn Ends> {
        Arc::new(BatchEnds(Arc::clone(self)))
    }

    /// Chooses the route of a message; `turn` is the turn that it takes for that, if any.
    fn plan(
        &self,
        routes: &Routes,
        flight: &mut Flight,
        turn: &mut Option<u64>,
    ) -> Result<(), Refusal> {
        let Errand::Message(submission) = &flight.errand else {
            return Err(lost_track());
        };
        let message = &submission.message;
        let route = routes
            .choose(&Asked::new(&submission.client, message))
            .map_err(|refusal| (Reason::NoRoute, refusal.told(message)))?;
        let take = || *turn.insert(self.turns.take());
        let plan = Plan::new(Arc::clone(route), take, message.destination.addr.as_bytes());
        flight.plan = Some(plan);
        Ok(())
    }

    /// The next SMSC of a message that can carry it, and the requests for it, written to the end of
    /// `octets`.
    fn prepare_next(
        &self,
        flight: &mut Flight,
        octets: &mut BytesMut,
    ) -> Result<(&Smsc, Pdus<Prepared>), Refusal> {
        let mut cannot_carry = None;
        loop {
            let plan = flight.plan.as_mut().ok_or_else(lost_track)?;
            let smsc = match self.next_smsc(plan) {
                Ok(smsc) => smsc,
                // That no further SMSC is up matters less than what was wrong for this one.
                Err(none_left) => return Err(cannot_carry.unwrap_or(none_left)),
            };
            match self.build(smsc, flight, octets) {
                Ok((requests, cost)) => {
                    flight.cost = cost;
                    return Ok((smsc, requests));
                }
                Err(refusal) => cannot_carry = Some(cannot_carry.unwrap_or(refusal)),
            }
        }
    }

    /// The next SMSC of a plan that has a healthy bind.
    fn next_smsc(&self, plan: &mut Plan) -> Result<&Smsc, Refusal> {
        let mut next = None;
        plan.next(|name| {
            next = self.smscs.get(name).filter(|smsc| smsc.pool.is_up());
            next.is_some()
        });
        next.ok_or_else(|| {
            let detail = format!(
                "no SMSC of route {} has a bind that is up; `sampan links` says why",
                plan.route().name
            );
            (Reason::NoLink, detail)
        })
    }

    /// The requests that carry a message to an SMSC, the same each time, and what it costs.
    fn build(
        &self,
        smsc: &Smsc,
        flight: &Flight,
        octets: &mut BytesMut,
    ) -> Result<(Pdus<Prepared>, u8), Refusal> {
        let (Errand::Message(submission), Some(plan)) = (&flight.errand, &flight.plan) else {
            return Err(lost_track());
        };
        let message = &submission.message;
        let default_source = plan.route().default_source.as_ref();
        let source = message.source.as_ref().or(default_source);
        let settings = &smsc.settings.text;
        let reference = || submission.reference;
        let prepared = |pdu: SubmitText<'_>| Prepared::of(&pdu, octets);
        let built = build::submit(message, source, settings, reference, prepared)
            .map_err(|detail| (Reason::Invalid, detail))?;
        Ok((built.pdus, built.parts))
    }

    fn is_up(&self, smsc: &str) -> bool {
        self.smscs.get(smsc).is_some_and(|smsc| smsc.pool.is_up())
    }

    fn refuse(&self, refused: Vec<(Box<Flight>, Refusal)>) {
        if refused.is_empty() {
            return;
        }
        let told = refused.into_iter().map(|(flight, (reason, detail))| {
            trace!(
                reason = reason.as_str(),
                "refused before an SMSC was chosen"
            );
            (flight, MessageOutcome::not_sent(reason, detail))
        });
        self.tell(told.collect(), &self.metrics);
    }
}

/// Whether its client may send so many parts now.
fn limit(limits: &mut limiter::Batch<'_>, flight: &Flight, parts: usize) -> Result<(), Refusal> {
    match &flight.errand {
        Errand::Message(submission) => limits
            .take(&submission.client, parts, Instant::now)
            .map_err(|detail| (Reason::Limit, detail)),
        Errand::Operation => Ok(()),
    }
}

/// A flight without what every message has: a fault of Sampan.
fn lost_track() -> Refusal {
    let detail = "Sampan lost track of the message before it was sent";
    (Reason::Internal, detail.into())
}
