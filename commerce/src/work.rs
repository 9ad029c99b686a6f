//! The beat of work that goes on in the background: one step after the other, or many pieces side by side.
//! What a step does, or where a piece comes from, is not known here.

use std::{fmt::Display, time::Duration};

use tokio::{
    task::{JoinError, JoinSet},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use crate::metrics::carried;

/// The part of a pause by which it is longer or shorter, so that several machines do not all look at
/// the same moment.
const JITTER: f64 = 0.1;

/// Between two looks while nothing is due: what a subscriber does not notice.
const IDLE: Duration = Duration::from_millis(200);

/// Between two looks while something is: long enough for several pieces to gather, so that not each is
/// taken by a change of its own, and short beside what a bank or an SMSC takes.
const GATHER: Duration = Duration::from_millis(25);

/// The same after the database could not say, so that a log is not filled while it is away.
const PAUSE_AFTER_ERROR: Duration = Duration::from_secs(1);

/// When the next step is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// There was more to do than the step could.
    AtOnce,
    /// After the pause.
    Later,
}

/// Does a step again and again until it is told to stop. A step that has begun is ended.
pub async fn repeat<F>(interval: Duration, stop: CancellationToken, mut step: impl FnMut() -> F)
where
    F: Future<Output = Next>,
{
    while !stop.is_cancelled() {
        if step().await == Next::AtOnce {
            continue;
        }
        let pause = interval.mul_f64(1.0 + JITTER * (2.0 * fastrand::f64() - 1.0));
        stop.run_until_cancelled(sleep(pause)).await;
    }
}

/// Takes pieces of work that are due and does each in a task of its own, at most `at_once_max` at a time,
/// until it is told to stop; what is begun then is ended. A piece that takes long, or fails, holds up no
/// other. `take` is told how many there is room for and gives no more.
pub async fn side_by_side<T, Taking, Doing, E>(
    at_once_max: usize,
    stop: CancellationToken,
    mut take: impl FnMut(usize) -> Taking,
    perform: impl Fn(T) -> Doing,
) where
    Taking: Future<Output = Result<Vec<T>, E>>,
    Doing: Future<Output = ()> + Send + 'static,
    E: Display,
{
    let mut begun = JoinSet::new();
    while !stop.is_cancelled() {
        let room = at_once_max.saturating_sub(begun.len());
        let taken = match room {
            0 => Ok(Vec::new()),
            _ => take(room).await,
        };
        let pause = match taken {
            Ok(pieces) if pieces.is_empty() && room > 0 => IDLE,
            Ok(pieces) => {
                for piece in pieces {
                    begun.spawn(carried(perform(piece)));
                }
                GATHER
            }
            Err(error) => {
                tracing::warn!(%error, "nothing that is due can be taken at the moment");
                PAUSE_AFTER_ERROR
            }
        };
        stop.run_until_cancelled(sleep(pause)).await;
        while let Some(ended) = begun.try_join_next() {
            note(ended);
        }
    }
    while let Some(ended) = begun.join_next().await {
        note(ended);
    }
}

fn note(ended: Result<(), JoinError>) {
    if let Err(error) = ended {
        tracing::error!(%error, "a piece of work ended early; it is taken again later");
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::{Ready, ready},
        sync::{Arc, Mutex},
    };

    use metrics::counter;
    use tokio::sync::Notify;

    use super::*;
    use crate::metrics::Metrics;

    /// Pieces that wait, and those that were done.
    #[derive(Default)]
    struct Pile {
        waiting: Mutex<Vec<u32>>,
        done: Mutex<Vec<u32>>,
        changed: Notify,
    }

    impl Pile {
        fn of(pieces: impl IntoIterator<Item = u32>) -> Arc<Self> {
            let pile = Self::default();
            *pile.waiting.lock().unwrap() = pieces.into_iter().collect();
            Arc::new(pile)
        }

        fn take(&self, most: usize) -> Vec<u32> {
            let mut waiting = self.waiting.lock().unwrap();
            let first = waiting.len().min(most);
            waiting.drain(..first).collect()
        }

        /// What a worker takes from it.
        fn takes(self: &Arc<Self>) -> impl FnMut(usize) -> Ready<Result<Vec<u32>, String>> + use<> {
            let pile = Arc::clone(self);
            move |room| ready(Ok(pile.take(room)))
        }

        fn note(&self, piece: u32) {
            self.done.lock().unwrap().push(piece);
            self.changed.notify_one();
        }

        async fn until_done(&self, pieces: usize) {
            while self.done.lock().unwrap().len() < pieces {
                self.changed.notified().await;
            }
        }
    }

    #[tokio::test]
    async fn a_piece_that_hangs_or_panics_holds_up_no_other_and_is_ended_at_the_stop() {
        let (pile, let_go) = (Pile::of(0..20), Arc::new(Notify::new()));
        let stop = CancellationToken::new();
        let (own, gate) = (pile.clone(), let_go.clone());
        let worker = tokio::spawn(side_by_side(3, stop.clone(), pile.takes(), move |piece| {
            let (pile, gate) = (own.clone(), gate.clone());
            async move {
                match piece {
                    3 => gate.notified().await,
                    5 => panic!("a test's fault"),
                    _ => {}
                }
                pile.note(piece);
            }
        }));
        pile.until_done(18).await;
        stop.cancel();
        let_go.notify_one();
        worker.await.unwrap();
        let mut done = pile.done.lock().unwrap().clone();
        done.sort_unstable();
        let all: Vec<_> = (0..20).filter(|piece| *piece != 5).collect();
        assert_eq!(done, all);
    }

    #[tokio::test]
    async fn no_more_pieces_are_under_way_than_there_are_places() {
        let (pile, under_way) = (Pile::of(0..50), Arc::new(Mutex::new((0, 0))));
        let stop = CancellationToken::new();
        let (own, counted) = (pile.clone(), under_way.clone());
        let worker = tokio::spawn(side_by_side(4, stop.clone(), pile.takes(), move |piece| {
            let (pile, counted) = (own.clone(), counted.clone());
            async move {
                {
                    let mut counted = counted.lock().unwrap();
                    counted.0 += 1;
                    counted.1 = counted.1.max(counted.0);
                }
                tokio::task::yield_now().await;
                counted.lock().unwrap().0 -= 1;
                pile.note(piece);
            }
        }));
        pile.until_done(50).await;
        stop.cancel();
        worker.await.unwrap();
        assert_eq!(*under_way.lock().unwrap(), (0, 4));
    }

    #[tokio::test]
    async fn what_a_piece_records_is_in_the_registry_of_its_program() {
        let registry = Arc::new(Metrics::new().unwrap());
        let (pile, stop) = (Pile::of([1]), CancellationToken::new());
        let own = pile.clone();
        let working = side_by_side(1, stop.clone(), pile.takes(), move |piece| {
            let pile = own.clone();
            async move {
                counter!("pieces_total").increment(1);
                pile.note(piece);
            }
        });
        let worker = tokio::spawn(registry.clone().around(working));
        pile.until_done(1).await;
        stop.cancel();
        worker.await.unwrap();
        assert!(registry.render().contains("pieces_total 1\n"));
    }
}
