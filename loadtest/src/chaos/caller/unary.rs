//! A caller that pays one by one, as a small service does.

use std::{sync::Arc, time::Duration};

use tokio::time::{MissedTickBehavior, interval, sleep};

use super::{Shared, WORKERS, asker::connect, open, request, rpc_of_life};
use crate::chaos::plan::BANKS;

/// The pause after a connection was refused.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Unary {
    shared: Arc<Shared>,
    bank: usize,
    per_s: u64,
    /// Payments made so far.
    made: u32,
}

impl Unary {
    pub(super) fn new(shared: Arc<Shared>, bank: usize, per_s: u64) -> Self {
        Self {
            shared,
            bank,
            per_s: per_s.max(1),
            made: 0,
        }
    }

    pub(super) async fn run(mut self) {
        while let Some(rpc) = rpc_of_life(&self.shared).await {
            self.one_life(&rpc).await;
            sleep(PAUSE).await;
        }
    }

    async fn one_life(&mut self, rpc: &str) {
        let Some(mut client) = connect(rpc).await else {
            return;
        };
        let mut ticks = interval(Duration::from_millis(1_000 / self.per_s));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while !*self.shared.stopping.borrow() {
            ticks.tick().await;
            let number = self.made * WORKERS + (BANKS + self.bank) as u32;
            self.made += 1;
            let (request, asked) = open(&self.shared, number, self.bank);
            match client.transact(request).await {
                Ok(result) => {
                    let knowledge = request::knowledge(result.get_ref());
                    self.shared.booklet.told(number, asked, knowledge);
                }
                Err(_) => {
                    self.shared.lost(number, asked);
                    return;
                }
            }
        }
    }
}
