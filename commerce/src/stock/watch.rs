//! Tells how many cards there are, for those who have to order new ones.

use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use metrics::gauge;
use tokio_util::sync::CancellationToken;

use super::{Level, StockError, levels};
use crate::{
    clock::Clock,
    metrics::{Metrics, STOCK_FAULTY, STOCK_FREE, STOCK_LOW_MARK},
    store::Store,
    work::{Next, repeat},
};

/// Cards are ordered within hours, and each look counts all that are free.
const INTERVAL: Duration = Duration::from_secs(30);

/// The worker that counts them.
pub struct StockWatch {
    store: Store,
    clock: Clock,
    metrics: Arc<Metrics>,
    /// Card types of which figures stand.
    told: Mutex<BTreeSet<String>>,
}

impl StockWatch {
    /// Counts the cards of that store.
    pub fn new(store: Store, clock: Clock, metrics: Arc<Metrics>) -> Self {
        Self {
            store,
            clock,
            metrics,
            told: Mutex::default(),
        }
    }

    /// Works until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let own = Arc::new(self);
        let step = || {
            let own = Arc::clone(&own);
            async move { own.step().await }
        };
        repeat(INTERVAL, stop, step).await;
    }

    async fn step(&self) -> Next {
        // Whatever works all the time may do it: histograms are gathered here too.
        self.metrics.tidy();
        match self.look().await {
            Ok(levels) => self.tell(&levels),
            Err(error) => tracing::warn!(%error, "the stock cannot be counted now"),
        }
        Next::Later
    }

    async fn look(&self) -> Result<Vec<Level>, StockError> {
        let mut read = self.store.read().await?;
        levels(&mut read, (self.clock)()).await
    }

    fn tell(&self, levels: &[Level]) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let on_sale = levels.iter().map(|level| level.card_type.to_string());
        let gone = std::mem::replace(&mut *told, on_sale.collect());
        self.metrics.scope(|| {
            for level in levels {
                let card_type = level.card_type.to_string();
                gauge!(STOCK_FREE, "card_type" => card_type.clone()).set(level.free as f64);
                gauge!(STOCK_FAULTY, "card_type" => card_type.clone()).set(level.faulty as f64);
                gauge!(STOCK_LOW_MARK, "card_type" => card_type).set(level.low_stock as f64);
            }
            // A figure cannot be taken back, but what nobody sells any more is never too little.
            for card_type in gone.difference(&told) {
                gauge!(STOCK_LOW_MARK, "card_type" => card_type.clone()).set(0.0);
                gauge!(STOCK_FAULTY, "card_type" => card_type.clone()).set(0.0);
            }
        });
    }
}
