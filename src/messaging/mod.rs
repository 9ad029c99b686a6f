//! From a message request to PDUs in a link's queue: finds the route, chooses the first of its
//! SMSCs that has a healthy bind, builds the PDUs and hands them over, a batch at a time.
//!
//! What cannot be sent is answered at once, NOT_SENT, with what is wrong and where.

mod build;

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
};

use arc_swap::ArcSwap;
use tracing::trace;

use crate::{
    link::{MessageReply, NotTaken, SmscJob, SmscRequest, settings::SmscSettings},
    message::{
        Message, MessageOutbox, MessageOutcome, MessageRequest, MessageResult, Operation,
        OperationRequest,
    },
    metrics::MessageMetrics,
    outbox::Reply,
    outcome::Reason,
    pool::Pool,
    route::{MessageRoute, Routes},
};
use build::Pdus;

/// An SMSC as messages see it.
#[derive(Clone)]
pub struct Smsc {
    /// Its settings.
    pub settings: Arc<SmscSettings>,
    /// Its links.
    pub pool: Arc<Pool<SmscJob>>,
    /// Of messages that none of its links took; the links count the others.
    pub metrics: MessageMetrics,
}

/// Messages on their way down.
pub struct Messaging {
    routes: Arc<ArcSwap<Routes>>,
    smscs: HashMap<Arc<str>, Smsc>,
    /// Tells the parts of one message from those of the next.
    reference: AtomicU8,
    /// Of messages that found no SMSC.
    metrics: MessageMetrics,
}

/// Why a message does not go down; for its caller.
type Refusal = (Reason, String);

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
            // Handsets join parts by sender and reference, so two runs should not begin alike.
            reference: AtomicU8::new(fastrand::u8(..)),
            metrics,
        }
    }

    /// Sends what `requests` holds; each outcome appears in `outbox` under the request's tag.
    pub fn submit(&self, requests: Vec<MessageRequest>, outbox: &Arc<MessageOutbox>) {
        let routes = self.routes.load();
        // Nearly always one SMSC, so a list is quicker than a map.
        let mut batches: Vec<(&Smsc, VecDeque<SmscJob>)> = Vec::new();
        for request in requests {
            let reply = outbox.reply(request.tag);
            match self.prepare(&routes, &request.message) {
                Ok((smsc, Pdus::One(pdu))) => {
                    let job = SmscJob {
                        request: SmscRequest::Submit(pdu),
                        deadline: request.deadline,
                        reply: MessageReply::whole(reply),
                    };
                    match batches.iter_mut().find(|(own, _)| std::ptr::eq(*own, smsc)) {
                        Some((_, jobs)) => jobs.push_back(job),
                        None => batches.push((smsc, VecDeque::from([job]))),
                    }
                }
                Ok((smsc, Pdus::Parts(pdus))) => {
                    let jobs =
                        MessageReply::parts(reply, pdus.len())
                            .zip(pdus)
                            .map(|(reply, pdu)| SmscJob {
                                request: SmscRequest::Submit(pdu),
                                deadline: request.deadline,
                                reply,
                            });
                    smsc.hand_over_together(jobs.collect());
                }
                Err(refusal) => self.refuse(reply, refusal),
            }
        }
        for (smsc, jobs) in batches {
            smsc.hand_over(jobs);
        }
    }

    /// Asks the SMSC about a message, or changes it.
    pub fn operate(&self, request: OperationRequest, outbox: &Arc<MessageOutbox>) {
        let reply = outbox.reply(request.tag);
        let name = match &request.operation {
            Operation::Query(message)
            | Operation::Cancel(message, _)
            | Operation::Replace { message, .. } => message.smsc.as_str(),
        };
        let Some(smsc) = self.smscs.get(name) else {
            let detail = format!("smsc: there is no SMSC {name:?}; use the one told in the result");
            self.refuse(reply, (Reason::NoRoute, detail));
            return;
        };
        match build::operation(request.operation, &smsc.settings) {
            Ok(pdu) => smsc.hand_over(VecDeque::from([SmscJob {
                request: pdu,
                deadline: request.deadline,
                reply: MessageReply::whole(reply),
            }])),
            Err(detail) => self.refuse(reply, (Reason::Invalid, detail)),
        }
    }

    /// The SMSC and the PDUs of a message.
    fn prepare(&self, routes: &Routes, message: &Message) -> Result<(&Smsc, Pdus), Refusal> {
        let route = self.route(routes, message)?;
        let smsc = self.first_healthy(route)?;
        let source = message.source.as_ref().or(route.default_source.as_ref());
        let reference = || self.reference.fetch_add(1, Relaxed);
        let pdus = build::submit(message, source, &smsc.settings, reference)
            .map_err(|detail| (Reason::Invalid, detail))?;
        Ok((smsc, pdus))
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

    fn refuse(&self, reply: Reply<MessageOutcome>, (reason, detail): Refusal) {
        trace!(
            reason = reason.as_str(),
            "refused before an SMSC was chosen"
        );
        self.metrics.not_sent.increment(1);
        reply.send(MessageOutcome::not_sent(reason, detail));
    }
}

impl Smsc {
    fn hand_over(&self, mut jobs: VecDeque<SmscJob>) {
        if let Err(not_taken) = self.pool.submit(&mut jobs) {
            self.give_back(jobs, not_taken);
        }
    }

    fn hand_over_together(&self, mut jobs: VecDeque<SmscJob>) {
        if let Err(not_taken) = self.pool.submit_together(&mut jobs) {
            self.give_back(jobs, not_taken);
        }
    }

    fn give_back(&self, jobs: VecDeque<SmscJob>, not_taken: NotTaken) {
        let peer = &self.pool.peer;
        let (reason, detail) = match not_taken {
            NotTaken::Closed => (Reason::NoLink, format!("every bind to {peer} is down")),
            NotTaken::Full => (
                Reason::QueueFull,
                format!("the queues to {peer} are full; send less, or raise queue_max or binds"),
            ),
        };
        self.metrics.not_sent.increment(jobs.len() as u64);
        for job in jobs {
            let result = MessageResult::NotSent {
                reason,
                detail: detail.clone(),
            };
            if let Some((reply, outcome)) = job.reply.conclude(result, peer) {
                reply.send(outcome);
            }
        }
    }
}
