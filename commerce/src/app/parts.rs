//! What a module brings to the program: routes, and work in the background.

use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
};

use axum::Router;
use tokio_util::sync::CancellationToken;

use crate::{clock::Clock, config::Config, http::Refuse, metrics::Metrics, store::Store};

/// What the program lends to its modules.
#[derive(Clone)]
pub(super) struct Context {
    /// The settings, with the keys.
    pub(super) config: Arc<Config>,
    /// The books.
    pub(super) store: Store,
    /// The time, for outermost loops.
    pub(super) clock: Clock,
    /// The figures, in whose scope the program is put together and its workers and calls run.
    pub(super) metrics: Arc<Metrics>,
}

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// What the modules bring.
#[derive(Default)]
pub(super) struct Parts {
    pub(super) routers: Vec<(Router, Refuse)>,
    pub(super) workers: Vec<Worker>,
}

impl Parts {
    /// Serves routes. A fallback of theirs has to be nested under a path of their own, because the program
    /// has one for all other paths. `refuse` gives refusals their shape.
    pub(super) fn serve(&mut self, router: Router, refuse: Refuse) {
        self.routers.push((router, refuse));
    }

    /// Works in the background until the token says stop, and then ends between two steps.
    pub(super) fn work<F>(
        &mut self,
        name: &'static str,
        work: impl FnOnce(CancellationToken) -> F + Send + 'static,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let begin = Box::new(move |stop| Box::pin(work(stop)) as Task);
        self.workers.push(Worker { name, begin });
    }
}

/// Work in the background.
pub(super) struct Worker {
    name: &'static str,
    begin: Box<dyn FnOnce(CancellationToken) -> Task + Send>,
}

impl Worker {
    pub(super) async fn run(self, metrics: Arc<Metrics>, stop: CancellationToken, ended: Ended) {
        let _watched = Watched {
            name: self.name,
            stop: stop.clone(),
            ended,
        };
        metrics.around((self.begin)(stop)).await;
    }
}

/// Names the workers that have ended without having been told to.
#[derive(Clone, Default)]
pub(super) struct Ended(Arc<Mutex<Vec<&'static str>>>);

impl Ended {
    pub(super) fn names(&self) -> Vec<&'static str> {
        let names = self.0.lock();
        names.unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn add(&self, name: &'static str) {
        let names = self.0.lock();
        names.unwrap_or_else(PoisonError::into_inner).push(name);
    }
}

/// Notices the end of a worker, also by a panic.
struct Watched {
    name: &'static str,
    stop: CancellationToken,
    ended: Ended,
}

impl Drop for Watched {
    fn drop(&mut self) {
        if !self.stop.is_cancelled() {
            let worker = self.name;
            tracing::error!(worker, "a worker has ended by itself; restart the program");
            self.ended.add(worker);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_worker_that_ends_by_itself_is_named() {
        let mut parts = Parts::default();
        parts.work("ends", |_| async {});
        parts.work("panics", |_| async { panic!("by itself") });
        parts.work("is told", |stop| async move { stop.cancelled().await });
        let (stop, ended) = (CancellationToken::new(), Ended::default());
        let metrics = Arc::new(Metrics::new().unwrap());
        let run =
            |worker: Worker| tokio::spawn(worker.run(metrics.clone(), stop.clone(), ended.clone()));
        let tasks: Vec<_> = parts.workers.into_iter().map(run).collect();
        for (task, is_panic) in tasks.into_iter().zip([false, true, false]) {
            if ended.names().len() == 2 {
                stop.cancel();
            }
            assert_eq!(task.await.is_err(), is_panic);
        }
        assert_eq!(ended.names(), ["ends", "panics"]);
    }
}
