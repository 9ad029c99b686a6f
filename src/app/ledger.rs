//! The journal at the start: opened, read, and dealt out to the banks whose payments it holds.

use std::{collections::HashMap, sync::Arc};

use tracing::{info, warn};

use super::StartError;
use crate::{
    journal::{Durable, Journal, JournalSettings, Kept, Recovered, Stage, Volatile},
    link::settings::BankSettings,
    metrics::Metrics,
    payment::StanAllocator,
};

/// Where payments are recorded, and what is recorded of each bank.
pub(super) struct Ledger {
    /// The journal in a file; `None` without `[journal]`.
    pub(super) durable: Option<Arc<Durable>>,
    /// The same, or one that keeps nothing.
    pub(super) journal: Arc<dyn Journal>,
    by_bank: HashMap<Arc<str>, Vec<(u64, Kept)>>,
}

impl Ledger {
    /// Opens the journal and reads it.
    ///
    /// # Errors
    /// It cannot be opened or read, or holds open payments of a bank that is not configured.
    pub(super) fn open(
        settings: Option<&JournalSettings>,
        banks: &[BankSettings],
        metrics: &Metrics,
    ) -> Result<Self, StartError> {
        let Some(settings) = settings else {
            if !banks.is_empty() {
                warn!(
                    "there is no [journal]: payments are recorded in memory, and a restart forgets \
                     which of them may have been debited and have to be reversed"
                );
            }
            return Ok(Self {
                durable: None,
                journal: Arc::new(Volatile::default()),
                by_bank: HashMap::new(),
            });
        };
        let (journal, Recovered { records }) = Durable::open(settings, metrics.journal())?;
        let (payments, key) = (records.len(), settings.keys.current().id());
        info!(payments, %key, "the journal is open");
        let mut by_bank: HashMap<Arc<str>, Vec<(u64, Kept)>> = HashMap::new();
        for (number, kept) in records {
            let bank = by_bank.entry(Arc::clone(&kept.bank)).or_default();
            bank.push((number, kept));
        }
        refuse_strangers(&by_bank, banks)?;
        let durable = Arc::new(journal);
        let journal: Arc<dyn Journal> = Arc::<Durable>::clone(&durable);
        Ok(Self {
            durable: Some(durable),
            journal,
            by_bank,
        }
        .with_faults_on_purpose())
    }

    #[cfg(feature = "mutants")]
    fn with_faults_on_purpose(mut self) -> Self {
        use crate::journal::mutant::Fault;

        if let Some(fault) = Fault::asked_for() {
            warn!(?fault, "this router is broken on purpose");
            self.journal = fault.journal(self.journal);
            for kept in self.by_bank.values_mut() {
                *kept = fault.recovered(std::mem::take(kept));
            }
        }
        self
    }

    #[cfg(not(feature = "mutants"))]
    fn with_faults_on_purpose(self) -> Self {
        self
    }

    /// What is recorded of a bank, and the STANs that go on behind it: a bank may still remember those
    /// of today.
    pub(super) fn take(&mut self, bank: &BankSettings) -> (Vec<(u64, Kept)>, StanAllocator) {
        let mut kept = self.by_bank.remove(&bank.link.peer).unwrap_or_default();
        kept.sort_unstable_by_key(|(number, _)| *number);
        let last = kept.last();
        let first = last.map_or_else(|| fastrand::u32(..), |(_, kept)| kept.stan.get());
        let stans = StanAllocator::beginning_with(first, bank.stan_per);
        for (_, kept) in &kept {
            stans.go_on_behind(&kept.request.to_message());
        }
        (kept, stans)
    }
}

/// A bank that was taken out of the configuration may still owe somebody money.
fn refuse_strangers(
    by_bank: &HashMap<Arc<str>, Vec<(u64, Kept)>>,
    banks: &[BankSettings],
) -> Result<(), StartError> {
    for (bank, kept) in by_bank {
        if banks.iter().any(|known| known.link.peer == *bank) {
            continue;
        }
        let is_open = |kept: &Kept| matches!(kept.stage, Stage::Sending | Stage::Reversing(_));
        let open = kept.iter().filter(|(_, kept)| is_open(kept)).count();
        if open > 0 {
            let bank = bank.to_string();
            return Err(StartError::UnknownBank { bank, open });
        }
        warn!(
            %bank, payments = kept.len(),
            "the journal has payments of a bank that is not configured; none of them is open, and \
             nobody can look them up"
        );
    }
    Ok(())
}
