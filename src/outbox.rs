//! The way back up: outcomes travel from a link to whoever asked, in batches of what is ready.
//!
//! Each request carries a [`Reply`]; answering it consumes it, so a request has exactly one
//! outcome. A reply that is dropped unanswered by a fault of Sampan still tells its caller
//! ([`Outcome::abandoned`]). An [`Outbox`] needs no limit of its own: it never holds more outcomes
//! than its owner has requests in flight, and every owner limits those.
//!
//! Nothing here may block, wait, or know what an outcome means.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::Notify;

/// What a request ends in.
pub trait Outcome: Send + 'static {
    /// The outcome of a request whose reply was dropped unanswered, which is a fault of Sampan.
    fn abandoned() -> Self;
}

/// Where one caller's outcomes gather until the caller fetches them.
pub struct Outbox<T> {
    ready: Mutex<Vec<(u32, T)>>,
    filled: Notify,
}

impl<T: Outcome> Outbox<T> {
    /// An empty outbox, to be shared with the replies made from it.
    pub fn new() -> Arc<Self> {
        Arc::new(Self {
            ready: Mutex::new(Vec::new()),
            filled: Notify::new(),
        })
    }

    /// A reply whose outcome will appear here under `tag`, which the caller chooses.
    pub fn reply(self: &Arc<Self>, tag: u32) -> Reply<T> {
        self.replies().reply(tag)
    }

    /// The source of the replies of a batch.
    pub fn replies(self: &Arc<Self>) -> Replies<T> {
        Replies(Arc::new(Batch {
            outbox: Arc::clone(self),
        }))
    }

    /// Waits until there is an outcome, then takes all that are ready.
    ///
    /// `into` is emptied first; its allocation is reused. Safe to cancel. For one consumer only.
    pub async fn take_ready(&self, into: &mut Vec<(u32, T)>) {
        into.clear();
        loop {
            // The permit of `notify_one` is kept, so an outcome between the two lines is not missed.
            if self.try_take_ready(into) {
                return;
            }
            self.filled.notified().await;
        }
    }

    /// Takes all outcomes that are ready; false if there is none.
    pub fn try_take_ready(&self, into: &mut Vec<(u32, T)>) -> bool {
        let mut ready = self.lock();
        if ready.is_empty() {
            return false;
        }
        if into.is_empty() {
            mem::swap(&mut *ready, into);
        } else {
            into.append(&mut ready);
        }
        true
    }

    fn push(&self, tag: u32, outcome: T) {
        self.lock().push((tag, outcome));
        self.filled.notify_one();
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u32, T)>> {
        // A list of whole outcomes is sound even if another holder of the lock panicked.
        self.ready.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the replies of one batch come from. They count their references here and not in the outbox:
/// it would be one place for all requests of a caller, which processors hand over to each other.
pub struct Replies<T: Outcome>(Arc<Batch<T>>);

struct Batch<T> {
    outbox: Arc<Outbox<T>>,
}

impl<T: Outcome> Replies<T> {
    /// A reply whose outcome will appear in the outbox under `tag`, which the caller chooses.
    pub fn reply(&self, tag: u32) -> Reply<T> {
        Reply {
            batch: Some(Arc::clone(&self.0)),
            tag,
        }
    }
}

/// The duty to answer one request, once.
#[must_use = "a request is owed exactly one outcome"]
pub struct Reply<T: Outcome> {
    batch: Option<Arc<Batch<T>>>,
    tag: u32,
}

impl<T: Outcome> Reply<T> {
    /// Answers the request.
    pub fn send(mut self, outcome: T) {
        if let Some(batch) = self.batch.take() {
            batch.outbox.push(self.tag, outcome);
        }
    }

    fn is_for(&self, outbox: &Arc<Outbox<T>>) -> bool {
        let is_own = |batch: &Arc<Batch<T>>| Arc::ptr_eq(&batch.outbox, outbox);
        self.batch.as_ref().is_some_and(is_own)
    }
}

impl<T: Outcome> Drop for Reply<T> {
    fn drop(&mut self) {
        if let Some(batch) = self.batch.take() {
            batch.outbox.push(self.tag, T::abandoned());
        }
    }
}

/// Outcomes that a link gathers during one turn, to be handed over with one lock and one wake-up
/// for each run of the same caller.
pub struct Answers<T: Outcome> {
    gathered: Vec<(Reply<T>, T)>,
}

impl<T: Outcome> Answers<T> {
    /// An empty gathering.
    pub fn new() -> Self {
        Self {
            gathered: Vec::new(),
        }
    }

    /// The same with room for so many.
    pub fn with_capacity(answers: usize) -> Self {
        Self {
            gathered: Vec::with_capacity(answers),
        }
    }

    /// Adds an outcome; it is not handed over before [`Answers::flush`].
    pub fn push(&mut self, reply: Reply<T>, outcome: T) {
        self.gathered.push((reply, outcome));
    }

    /// The number of outcomes gathered.
    pub fn len(&self) -> usize {
        self.gathered.len()
    }

    /// Whether nothing is gathered.
    pub fn is_empty(&self) -> bool {
        self.gathered.is_empty()
    }

    /// Hands everything over to the callers.
    pub fn flush(&mut self) {
        let mut rest = self.gathered.drain(..).peekable();
        while let Some((mut reply, outcome)) = rest.next() {
            let Some(batch) = reply.batch.take() else {
                continue;
            };
            let outbox = &batch.outbox;
            {
                let mut ready = outbox.lock();
                ready.push((reply.tag, outcome));
                while let Some((mut reply, outcome)) =
                    rest.next_if(|(reply, _)| reply.is_for(outbox))
                {
                    reply.batch = None;
                    ready.push((reply.tag, outcome));
                }
            }
            outbox.filled.notify_one();
        }
    }
}

impl<T: Outcome> Default for Answers<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Outcome> Drop for Answers<T> {
    fn drop(&mut self) {
        // What is known must be told, also when the link's task ends in the middle of a turn.
        self.flush();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Eq)]
    enum Told {
        Answer(u8),
        Abandoned,
    }

    impl Outcome for Told {
        fn abandoned() -> Self {
            Self::Abandoned
        }
    }

    fn ready(outbox: &Outbox<Told>) -> Vec<(u32, Told)> {
        let mut outcomes = Vec::new();
        outbox.try_take_ready(&mut outcomes);
        outcomes
    }

    #[test]
    fn an_answered_request_has_exactly_one_outcome() {
        let outbox = Outbox::new();
        outbox.reply(7).send(Told::Answer(1));
        assert_eq!(ready(&outbox), [(7, Told::Answer(1))]);
        assert_eq!(ready(&outbox), []);
    }

    #[test]
    fn a_reply_that_is_dropped_tells_its_caller() {
        let outbox = Outbox::<Told>::new();
        drop(outbox.reply(3));
        assert_eq!(ready(&outbox), [(3, Told::Abandoned)]);
    }

    #[test]
    fn gathered_answers_reach_each_caller_in_order_and_none_before_the_flush() {
        let (first, second) = (Outbox::new(), Outbox::new());
        let mut answers = Answers::new();
        answers.push(first.reply(1), Told::Answer(1));
        answers.push(first.reply(2), Told::Answer(2));
        answers.push(second.reply(1), Told::Answer(3));
        answers.push(first.reply(3), Told::Answer(4));
        assert_eq!(ready(&first), []);
        answers.flush();
        assert_eq!(
            ready(&first),
            [
                (1, Told::Answer(1)),
                (2, Told::Answer(2)),
                (3, Told::Answer(4))
            ]
        );
        assert_eq!(ready(&second), [(1, Told::Answer(3))]);
    }

    #[test]
    fn answers_that_were_gathered_are_told_even_if_the_link_ends() {
        let outbox = Outbox::new();
        let mut answers = Answers::new();
        answers.push(outbox.reply(1), Told::Answer(1));
        drop(answers);
        assert_eq!(ready(&outbox), [(1, Told::Answer(1))]);
    }

    #[tokio::test]
    async fn a_waiting_caller_is_woken_by_the_first_outcome() {
        let outbox = Outbox::new();
        let waiter = tokio::spawn({
            let outbox = Arc::clone(&outbox);
            async move {
                let mut outcomes = Vec::new();
                outbox.take_ready(&mut outcomes).await;
                outcomes
            }
        });
        tokio::task::yield_now().await;
        outbox.reply(9).send(Told::Answer(5));
        assert_eq!(waiter.await.unwrap(), [(9, Told::Answer(5))]);
    }
}
