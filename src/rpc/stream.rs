//! The hot path: requests down in batches, results up in batches of what is ready.
//!
//! One [`Pipeline`] serves one call. It keeps the callers' ids in slots, so that nothing below has
//! to carry them, and it hands a batch on with one call. There is no task, timer or channel per
//! request, and none per call either: whoever polls the results drives it, so a caller that does
//! not fetch its results is not read from.
//!
//! Architecture Invariant: every request that is read gets exactly one result, also while Sampan
//! stops. If the caller goes away first, its outcomes are awaited and counted, never acted on.

use std::{
    future::poll_fn, iter::Enumerate, mem, pin::Pin, sync::Arc, task::Poll, time::Instant, vec,
};

use tokio::runtime::Handle;
use tokio_stream::{Stream, StreamExt};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    BATCH_ITEMS_MAX,
    client::{Client, Kind, OpenStream},
    fault::Fault,
    unfold::{Step, Steps},
};
use crate::{
    client::ClientName,
    outbox::{self, Outbox},
    outcome::Reason,
};

/// One kind of request with its way down and up.
pub(super) trait Traffic: Send + Sync + 'static {
    /// What is counted.
    const KIND: Kind;

    /// As the caller sent it.
    type Request: Send;
    /// As the floor below takes it.
    type Down: Send;
    /// As the floor below answers it.
    type Outcome: outbox::Outcome;
    /// As the caller gets it.
    type Answer: Send + 'static;

    /// The caller's id.
    fn id(request: &Self::Request) -> Arc<str>;

    /// The request for the floor below.
    fn translate(
        &self,
        client: &ClientName,
        id: &Arc<str>,
        request: Self::Request,
        tag: u32,
        received: Instant,
    ) -> Result<Self::Down, Fault>;

    /// Hands requests on; each outcome appears in `outbox` under its tag.
    fn hand_on(
        &self,
        client: &ClientName,
        requests: Vec<Self::Down>,
        outbox: &Arc<Outbox<Self::Outcome>>,
    );

    /// The outcome of a request that does not get as far as the floor below.
    fn refused(reason: Reason, detail: String) -> Self::Outcome;

    /// What the caller is told.
    fn answer(id: Arc<str>, outcome: Self::Outcome) -> Self::Answer;
}

/// Traffic that comes in streams of batches.
pub(super) trait Batched: Traffic {
    /// A batch of requests.
    type Batch: Send + 'static;
    /// A batch of answers.
    type Answers: Send + 'static;

    fn requests(batch: Self::Batch) -> Vec<Self::Request>;
    fn answers(answers: Vec<Self::Answer>) -> Self::Answers;
}

/// The requests of one call that are on their way.
pub(super) struct Pipeline<T: Traffic> {
    traffic: Arc<T>,
    client: Arc<Client>,
    outbox: Arc<Outbox<T::Outcome>>,
    slots: Slots,
    in_flight_max: usize,
    /// Requests that are admitted and not handed on yet.
    down: Vec<T::Down>,
    /// Outcomes that are taken from the outbox and not told yet.
    ready: Vec<(u32, T::Outcome)>,
}

impl<T: Traffic> Pipeline<T> {
    pub(super) fn new(traffic: Arc<T>, client: Arc<Client>, in_flight_max: u32) -> Self {
        Self {
            traffic,
            client,
            outbox: Outbox::new(),
            slots: Slots::default(),
            in_flight_max: in_flight_max.max(1) as usize,
            down: Vec::new(),
            ready: Vec::new(),
        }
    }

    /// Sends one request down and waits for its answer.
    pub(super) async fn exchange(mut self, request: T::Request) -> Result<T::Answer, Status> {
        self.admit([(None, request)].into_iter(), Instant::now());
        self.hand_on();
        self.wait().await;
        self.take_answers()
            .pop()
            .ok_or_else(|| Status::internal("the request was lost; this is a fault of Sampan"))
    }

    fn room(&self) -> usize {
        self.in_flight_max - self.slots.in_use
    }

    /// Takes requests, each with its position in its batch, as far as there is room. They are to be
    /// [handed on](Self::hand_on).
    fn admit(
        &mut self,
        requests: impl ExactSizeIterator<Item = (Option<usize>, T::Request)>,
        received: Instant,
    ) {
        let count = requests.len().min(self.room());
        // The room is bounded by a u32, so the conversion never saturates.
        let granted = self.client.charge(u32::try_from(count).unwrap_or(u32::MAX)) as usize;
        self.client.count_requests(T::KIND, count as u64);
        self.down.reserve(granted);
        for (nth, (position, request)) in requests.take(count).enumerate() {
            let id = T::id(&request);
            let charged = nth < granted;
            let tag = self.slots.next_tag();
            if charged {
                let translated = within_batch(position).and_then(|()| {
                    self.traffic
                        .translate(self.client.name(), &id, request, tag, received)
                });
                match translated {
                    Ok(request) => self.down.push(request),
                    Err(fault) => {
                        let detail = fault.in_batch(position).to_string();
                        self.refuse(tag, Reason::Invalid, detail);
                    }
                }
            } else {
                self.refuse(tag, Reason::Limit, self.limit_reached());
            }
            self.slots.fill(tag, Slot { id, charged });
        }
    }

    /// Sends down what was admitted.
    fn hand_on(&mut self) {
        if !self.down.is_empty() {
            let down = mem::take(&mut self.down);
            self.traffic.hand_on(self.client.name(), down, &self.outbox);
        }
    }

    /// Answers requests that are not sent, as far as there is room.
    fn refuse_all(
        &mut self,
        requests: impl Iterator<Item = T::Request>,
        reason: Reason,
        detail: &str,
    ) {
        for request in requests.take(self.room()) {
            let id = T::id(&request);
            let tag = self.slots.next_tag();
            self.slots.fill(tag, Slot { id, charged: false });
            self.refuse(tag, reason, detail.to_owned());
        }
    }

    fn refuse(&self, tag: u32, reason: Reason, detail: String) {
        self.client.count_refused(reason);
        self.outbox.reply(tag).send(T::refused(reason, detail));
    }

    fn limit_reached(&self) -> String {
        format!(
            "client {} has its {} requests in flight; wait for outcomes, or raise in_flight_max",
            self.client.name(),
            self.client.in_flight_max()
        )
    }

    /// Whether there are outcomes to tell.
    fn is_ready(&mut self) -> bool {
        !self.ready.is_empty() || self.outbox.try_take_ready(&mut self.ready)
    }

    /// Waits until there are outcomes to tell. Safe to cancel.
    async fn wait(&mut self) {
        if self.ready.is_empty() {
            self.outbox.take_ready(&mut self.ready).await;
        }
    }

    /// What is ready, one batch at most.
    fn take_answers(&mut self) -> Vec<T::Answer> {
        let count = self.ready.len().min(BATCH_ITEMS_MAX);
        let mut answers = Vec::with_capacity(count);
        let mut charged = 0;
        for (tag, outcome) in self.ready.drain(..count) {
            let Some(slot) = self.slots.give_back(tag) else {
                tracing::error!(tag, "an outcome came for a request that is not in flight");
                continue;
            };
            charged += u32::from(slot.charged);
            answers.push(T::answer(slot.id, outcome));
        }
        self.client.release(charged);
        answers
    }
}

impl<T: Traffic> Drop for Pipeline<T> {
    /// The caller is gone. Its requests still count against its limit until they have ended.
    fn drop(&mut self) {
        if self.slots.in_use == 0 {
            return;
        }
        let mut rest = Orphans {
            client: Arc::clone(&self.client),
            outbox: Arc::clone(&self.outbox),
            slots: mem::take(&mut self.slots),
            ended: mem::take(&mut self.ready),
        };
        rest.discard();
        // Without a runtime the process is ending, and with it every limit.
        if rest.slots.in_use > 0
            && let Ok(runtime) = Handle::try_current()
        {
            runtime.spawn(rest.finish());
        }
    }
}

/// Requests whose caller went away.
struct Orphans<O: outbox::Outcome> {
    client: Arc<Client>,
    outbox: Arc<Outbox<O>>,
    slots: Slots,
    ended: Vec<(u32, O)>,
}

impl<O: outbox::Outcome> Orphans<O> {
    async fn finish(mut self) {
        while self.slots.in_use > 0 {
            self.outbox.take_ready(&mut self.ended).await;
            self.discard();
        }
    }

    fn discard(&mut self) {
        let (mut charged, mut discarded) = (0, 0);
        for (tag, _) in self.ended.drain(..) {
            if let Some(slot) = self.slots.give_back(tag) {
                charged += u32::from(slot.charged);
                discarded += 1;
            }
        }
        self.client.release(charged);
        self.client.count_discarded(discarded);
    }
}

/// What is kept of a request while it is in flight.
struct Slot {
    id: Arc<str>,
    /// Whether it counts against the client's limit.
    charged: bool,
}

/// Slots by tag. As many as were ever in flight at once, which `in_flight_max` bounds.
#[derive(Default)]
struct Slots {
    slots: Vec<Option<Slot>>,
    free: Vec<u32>,
    in_use: usize,
}

impl Slots {
    /// A tag that no request in flight has; to be filled before the next one is taken.
    fn next_tag(&mut self) -> u32 {
        self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            // in_flight_max is a u32 and bounds the slots.
            u32::try_from(self.slots.len() - 1).unwrap_or(u32::MAX)
        })
    }

    fn fill(&mut self, tag: u32, slot: Slot) {
        if let Some(place) = self.slots.get_mut(tag as usize) {
            *place = Some(slot);
            self.in_use += 1;
        }
    }

    fn give_back(&mut self, tag: u32) -> Option<Slot> {
        let slot = self.slots.get_mut(tag as usize)?.take()?;
        self.free.push(tag);
        self.in_use -= 1;
        Some(slot)
    }
}

/// A call with a stream of batches in each direction.
///
/// It reads while there is room, tells what is ready, and ends after the last outcome.
pub(super) struct Exchange<T: Batched, I> {
    pipeline: Pipeline<T>,
    /// The caller's side; `None` once nothing more is read.
    inbound: Option<I>,
    /// How the call ends once everything is told.
    failure: Option<Status>,
    /// The rest of the batch that was read last.
    pending: Enumerate<vec::IntoIter<T::Request>>,
    /// When that batch was read.
    received: Instant,
    stopping: CancellationToken,
    _open: OpenStream,
}

impl<T, I> Exchange<T, I>
where
    T: Batched,
    I: Stream<Item = Result<T::Batch, Status>> + Unpin,
{
    pub(super) fn new(pipeline: Pipeline<T>, inbound: I, stopping: CancellationToken) -> Self {
        Self {
            _open: OpenStream::new(&pipeline.client),
            pipeline,
            inbound: Some(inbound),
            failure: None,
            pending: Vec::new().into_iter().enumerate(),
            received: Instant::now(),
            stopping,
        }
    }

    /// Sends what is pending down, as far as there is room.
    fn admit_pending(&mut self) {
        if self.pending.len() == 0 {
            return;
        }
        let requests = self.pending.by_ref();
        if self.stopping.is_cancelled() {
            let requests = requests.map(|(_, request)| request);
            self.pipeline
                .refuse_all(requests, Reason::Stopping, STOPPING_REQUEST);
        } else {
            let requests = requests.map(|(nth, request)| (Some(nth), request));
            self.pipeline.admit(requests, self.received);
        }
    }

    fn take(&mut self, read: Option<Result<T::Batch, Status>>) {
        match read {
            Some(Ok(batch)) => {
                self.received = Instant::now();
                self.pending = T::requests(batch).into_iter().enumerate();
            }
            Some(Err(status)) => self.end(Some(status)),
            None => self.end(None),
        }
    }

    /// Reads no more. What was read keeps its way.
    fn end(&mut self, failure: Option<Status>) {
        self.inbound = None;
        self.failure = failure;
    }

    /// Sends down all that is here already, a batch at most: a caller that sends its requests one by
    /// one costs the floors below no more than one that sends them in batches.
    async fn gather(&mut self) {
        self.admit_pending();
        let mut more = !self.stopping.is_cancelled();
        while more && self.may_read() && self.pipeline.down.len() < BATCH_ITEMS_MAX {
            // Never pending, so nothing that is admitted can be left behind here.
            let read = ready(&mut self.inbound).await;
            more = read.is_some();
            if let Some(read) = read {
                self.take(read);
                self.admit_pending();
            }
        }
        self.pipeline.hand_on();
    }

    fn may_read(&self) -> bool {
        self.inbound.is_some() && self.pending.len() == 0 && self.pipeline.room() > 0
    }

    /// Waits for anything that lets the exchange go on.
    async fn wait(&mut self) {
        let open = self.inbound.is_some();
        let in_flight = self.pipeline.slots.in_use > 0;
        let may_read = self.may_read();
        tokio::select! {
            biased;
            () = self.pipeline.wait(), if in_flight => {}
            () = self.stopping.cancelled(), if open => {
                self.end(Some(Status::unavailable(STOPPING_STREAM)));
            }
            read = next(&mut self.inbound), if may_read => self.take(read),
            // Nothing to wait for; the next look finds the end.
            else => {}
        }
    }
}

impl<T, I> Steps for Exchange<T, I>
where
    T: Batched,
    I: Stream<Item = Result<T::Batch, Status>> + Unpin + Send + 'static,
{
    type Item = Result<T::Answers, Status>;

    async fn step(mut self) -> Step<Self> {
        loop {
            self.gather().await;
            if self.pipeline.is_ready() {
                let answers = T::answers(self.pipeline.take_answers());
                return Some((Ok(answers), self));
            }
            if self.inbound.is_none() && self.pipeline.slots.in_use == 0 {
                let failure = self.failure.take()?;
                return Some((Err(failure), self));
            }
            self.wait().await;
        }
    }
}

async fn next<I: Stream + Unpin>(inbound: &mut Option<I>) -> Option<I::Item> {
    inbound.as_mut()?.next().await
}

/// The next item if it is here already; `None` if it has to be waited for.
async fn ready<I: Stream + Unpin>(inbound: &mut Option<I>) -> Option<Option<I::Item>> {
    let inbound = inbound.as_mut()?;
    poll_fn(|context| match Pin::new(&mut *inbound).poll_next(context) {
        Poll::Ready(next) => Poll::Ready(Some(next)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}

/// How a stream ends when Sampan stops. True, because everything that was read has its result.
const STOPPING_STREAM: &str = "Sampan is stopping; requests without a result were not sent";

/// What is told of a request that was read and not sent before the stop.
const STOPPING_REQUEST: &str = "Sampan is stopping; send it to another one, or later";

fn within_batch(position: Option<usize>) -> Result<(), Fault> {
    if position.is_some_and(|position| position >= BATCH_ITEMS_MAX) {
        let what = format!("a batch holds at most {BATCH_ITEMS_MAX} requests");
        return Err(Fault::whole(what));
    }
    Ok(())
}

#[cfg(test)]
#[path = "stream/tests.rs"]
mod tests;
