//! Which request a receipt is about: the ids that SMSCs gave, to be found again when their receipts
//! come, over any bind, in any spelling, early, repeated, or after a restart.
//!
//! It must never take a receipt's word for a message that the receipt does not name, and never hold
//! the only knowledge of what it has promised to remember: with a store, [`Expecting::end`] gives the
//! changes that have to be durable before the caller is told of its message.

mod account;
mod answer;
mod entry;
mod format;
mod state;
mod table;
#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard},
    time::{Duration, Instant},
};

use bytes::Bytes;
use tracing::error;

use self::{
    account::Account,
    entry::{Facts, Tail},
    table::{Found, Sought, Table},
};
pub use self::{
    account::OnItsWay,
    format::{IdFormat, IdRules},
    table::{EARLY_MAX, Limits},
};
use crate::{
    client::ClientName,
    digest::Digest,
    iso8583::session::Now,
    metrics::ReceiptMetrics,
    smpp::receipt::Unmarked,
    store::{
        self, Change, Store, StoreError,
        rows::{Opened, Rows, Stored, lock, seconds},
    },
};

/// Messages that one look at the clock forgets, so that nobody waits long for the table.
const EXPIRE_MAX: usize = 5_000;

/// How an SMSC's receipts find their requests.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SmscReceipts {
    /// SMSCs of one account know each other's ids: a transmitter and a receiver, say. `None` is the
    /// SMSC's own name.
    pub account: Option<Arc<str>>,
    /// How it writes ids.
    pub ids: IdRules,
    /// Whether a receipt must come from the number that the message went to.
    pub numbers_must_match: bool,
    /// What a deliver_sm is that reads like a receipt and is not marked as one.
    pub unmarked: Unmarked,
}

/// When the caller is told of a message whose receipt it wants.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Record {
    /// After it is durable which request the receipt belongs to.
    #[default]
    BeforeAnswer,
    /// At once: a kill within some milliseconds leaves receipts without their request.
    Behind,
}

/// The request that a message was.
pub struct Expected<'a> {
    /// Who asked.
    pub client: &'a ClientName,
    /// The caller's id.
    pub id: &'a str,
    /// Where it went.
    pub destination: &'a [u8],
    /// The ids that the SMSC gave, one per part, in order.
    pub message_ids: &'a [Bytes],
}

/// What is known of a receipt.
pub struct Asked<'a> {
    /// The SMSC that brought it.
    pub smsc: &'a str,
    /// The id that it names, as received; empty if none.
    pub message_id: &'a [u8],
    /// SMPP 3.4 5.2.28; 0 if it names none.
    pub message_state: u8,
    /// Its source address, which is where the message went.
    pub source: &'a [u8],
}

/// What a receipt belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correlation {
    /// This request. It is to be settled with [`Receipts::settle`] when the event is durable, or
    /// could not be made so.
    Known(Known),
    /// What it says was told before: ESME_ROK, and nothing for the subscriber.
    Repeated,
    /// Nothing that is known, and it was repeated often enough: for the subscriber, without a request.
    Unknown,
    /// Not known yet: to be asked again when the receipts wake, and within the limit at the latest.
    Hold,
    /// The SMSC is to repeat it: ESME_RX_T_APPN.
    Refuse,
    /// It comes from a number that the message did not go to: ESME_RX_R_APPN.
    Forged,
}

/// The request of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Who asked.
    pub client: ClientName,
    /// The caller's id.
    pub id: Arc<str>,
    /// Which part, from 1.
    pub part: u8,
    /// Of how many.
    pub parts: u8,
    /// The state of the whole message, this receipt included (SMPP 3.4 5.2.28).
    pub whole_state: u8,
    /// For [`Receipts::settle`].
    pub mark: Mark,
}

/// A state that counts as told once its event is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark(Digest);

/// Woken when what was held may be asked again.
pub type Wake = Arc<dyn Fn() + Send + Sync>;

/// All awaited receipts.
pub struct Receipts {
    table: Mutex<Table>,
    accounts: HashMap<Arc<str>, Account>,
    rows: Rows,
    early_hold: Duration,
    record: Record,
    wake: Mutex<Option<Wake>>,
    metrics: ReceiptMetrics,
}

impl Receipts {
    /// Takes up what `store` holds. Without one, a restart forgets everything.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(
        limits: Limits,
        record: Record,
        smscs: impl IntoIterator<Item = (Arc<str>, SmscReceipts)>,
        store: Option<Store>,
        metrics: ReceiptMetrics,
    ) -> Result<Self, StoreError> {
        let early_hold = limits.early_hold;
        let mut table = Table::new(limits);
        let restore = |number, row: &[u8], changes: &mut _| table.restore(number, row, changes);
        let what = "states of receipts";
        let Opened {
            rows,
            key,
            unreadable,
        } = Rows::open(store, store::Table::Receipts, what, restore)?;
        if unreadable > 0 {
            error!(
                unreadable,
                "awaited receipts were not written by this version; theirs come without a request"
            );
        }
        Ok(Self {
            table: Mutex::new(table),
            accounts: Account::by_smsc(smscs, key),
            rows,
            early_hold,
            record,
            wake: Mutex::new(None),
            metrics,
        })
    }

    /// Whether callers are told only after the changes of [`Expecting::end`] are durable.
    pub fn record(&self) -> Record {
        self.record
    }

    /// Who is woken when an id comes whose receipt is held.
    pub fn wake_with(&self, wake: Wake) {
        *lock(&self.wake) = Some(wake);
    }

    /// A message that asks for receipts goes to `smsc`; to be told before its first byte leaves. `None`
    /// if there is no such SMSC.
    pub fn on_its_way(&self, smsc: &str) -> Option<OnItsWay> {
        self.accounts.get(smsc).map(Account::on_its_way)
    }

    /// `smsc` did not answer such a message in time. It may still, and its receipts be earlier.
    pub fn timed_out(&self, now: Instant, smsc: &str) {
        if let Some(account) = self.accounts.get(smsc) {
            account.timed_out(now, self.early_hold);
        }
    }

    /// Opens the table for a batch of messages that `smsc` has accepted.
    pub fn expecting<'a>(&'a self, now: Now, smsc: &str) -> Expecting<'a> {
        Expecting {
            receipts: self,
            account: self.accounts.get(smsc),
            table: lock(&self.table),
            now_s: seconds(now),
            changes: Vec::new(),
            was_held: false,
        }
    }

    /// What a receipt belongs to.
    pub fn correlate(&self, now: Instant, asked: &Asked<'_>) -> Correlation {
        let mut table = lock(&self.table);
        let Some(account) = self.accounts.get(asked.smsc) else {
            return Correlation::Unknown;
        };
        let digest = account.digest(account.rules.ids.receipt, asked.message_id);
        let sought = Sought {
            digest,
            told: asked.message_state,
            source: Tail::of(asked.source),
            numbers_must_match: account.rules.numbers_must_match,
            // Asked under the table's lock: a message whose ids are not in the table yet still counts.
            may_be_early: account.awaits_ids(now),
        };
        let (found, fits) = table.find(now, &sought);
        let metrics = &self.metrics;
        if !fits && found != Found::Hold {
            metrics.other_number.increment(1);
        }
        match found {
            Found::News { slot, part, whole } => {
                let request = table.entry(slot).and_then(|entry| {
                    let (client, id) = entry.request()?;
                    Some(Known {
                        client,
                        id,
                        part: part.saturating_add(1),
                        parts: entry.parts(),
                        whole_state: whole,
                        mark: Mark(digest?),
                    })
                });
                match request {
                    Some(known) => {
                        metrics.correlated.increment(1);
                        Correlation::Known(known)
                    }
                    None => Correlation::Unknown,
                }
            }
            Found::Repeated => {
                metrics.repeated.increment(1);
                Correlation::Repeated
            }
            Found::Hold => {
                metrics.held.increment(1);
                Correlation::Hold
            }
            Found::Refuse => {
                metrics.refused.increment(1);
                Correlation::Refuse
            }
            Found::Unknown => {
                metrics.uncorrelated.increment(1);
                Correlation::Unknown
            }
            Found::OtherNumber => {
                metrics.forged.increment(1);
                Correlation::Forged
            }
        }
    }

    /// The mark of the receipt that names this id; `None` if it stands for nothing.
    pub fn mark(&self, smsc: &str, message_id: &[u8]) -> Option<Mark> {
        let account = self.accounts.get(smsc)?;
        let digest = account.digest(account.rules.ids.receipt, message_id)?;
        Some(Mark(digest))
    }

    /// The events of these receipts are durable, or could not be made so and will come again.
    pub fn settle(&self, now: Now, marks: impl IntoIterator<Item = Mark>, are_durable: bool) {
        let mut changes = Vec::new();
        {
            let mut table = lock(&self.table);
            for Mark(digest) in marks {
                table.settle(seconds(now), digest, are_durable, &mut changes);
            }
        }
        // What a crash forgets of it is told twice, which is a duplicate and not a loss.
        self.rows.write_behind(self.rows.changes(changes));
    }

    /// Writes what no caller waits for.
    pub fn write_behind(&self, changes: Vec<Change>) {
        self.rows.write_behind(changes);
    }

    /// Forgets what is too old and brings the figures up to date. To be called about once a second.
    pub fn keep_house(&self, now: Now) {
        let mut changes = Vec::new();
        let (counts, evicted) = {
            let mut table = lock(&self.table);
            table.expire(seconds(now), EXPIRE_MAX, &mut changes);
            (table.counts(), std::mem::take(&mut table.evicted))
        };
        self.metrics.pending.set(counts.0 as f64);
        self.metrics.evicted.increment(evicted.awaited);
        self.rows.write_behind(self.rows.changes(changes));
    }

    fn wake(&self) {
        let wake = lock(&self.wake).clone();
        if let Some(wake) = wake {
            wake();
        }
    }
}

/// The table, open for a batch.
pub struct Expecting<'a> {
    receipts: &'a Receipts,
    account: Option<&'a Account>,
    table: MutexGuard<'a, Table>,
    now_s: u32,
    changes: Vec<Stored>,
    was_held: bool,
}

impl Expecting<'_> {
    /// A message was accepted that asked for receipts.
    pub fn expect(&mut self, expected: &Expected<'_>) {
        self.add(expected, Table::expect);
    }

    /// A part that had timed out, counted from 0, was accepted after all. `expected` has all ids that the
    /// SMSC has given by now: the part joins those of the same message.
    pub fn expect_late(&mut self, expected: &Expected<'_>, part: usize) {
        self.add(expected, |table, facts, changes| {
            table.expect_late(facts, part, changes)
        });
    }

    fn add(
        &mut self,
        expected: &Expected<'_>,
        add: impl FnOnce(&mut Table, &Facts<'_>, &mut Vec<Stored>) -> bool,
    ) {
        let Some(account) = self.account else {
            return;
        };
        let digest = |id: &Bytes| account.digest(account.rules.ids.submit, id);
        // Nearly every message has one part, and needs no list of its own.
        let (one, many);
        let digests: &[Option<Digest>] = match expected.message_ids {
            [id] => {
                one = [digest(id)];
                &one
            }
            ids => {
                many = ids.iter().map(digest).collect::<Vec<_>>();
                &many
            }
        };
        let facts = Facts {
            client: expected.client,
            id: expected.id,
            destination: Tail::of(expected.destination),
            since_s: self.now_s,
            digests,
        };
        self.was_held |= add(&mut self.table, &facts, &mut self.changes);
    }

    /// Ends the batch: adds what has to be stored, and wakes whoever waits for one of the ids.
    pub fn end(self, changes: &mut Vec<Change>) {
        let Self {
            receipts,
            table,
            changes: own,
            was_held,
            ..
        } = self;
        drop(table);
        changes.extend(receipts.rows.changes(own));
        if was_held {
            receipts.wake();
        }
    }
}
