//! Request ids: the same request is sent once, however often it is asked for, and across a restart.
//!
//! An id is free again when its outcome said that a retry is safe; every other outcome is kept and
//! told again. It must never let a request go twice because of its own failure: with a store, the
//! changes of [`Open::end`] are durable before the first byte leaves ([`Record::BeforeSending`]).

mod digits;
mod ended;
mod fingerprint;
mod heads;
mod row;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard};

use tracing::error;

pub use self::table::{Begun, IdHandle, JOINERS_MAX, Limits};
use self::{fingerprint::fingerprint, table::Table};
use crate::{
    client::ClientName,
    digest::{Digest, DigestKey},
    iso8583::session::Now,
    message::{Message, MessageOutcome},
    metrics::RequestMetrics,
    store::{
        self, Change, Store, StoreError,
        rows::{Opened, Rows, Stored, lock, seconds},
    },
};

/// Ids that one look at the clock forgets, so that nobody waits long for the table.
const EXPIRE_MAX: usize = 5_000;

/// When an id is written down.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Record {
    /// Before the first byte leaves: nothing is ever sent twice.
    #[default]
    BeforeSending,
    /// At some time after: a kill within some milliseconds may send a repeated request twice.
    Behind,
    /// Never: a restart forgets every id.
    Memory,
}

/// All request ids. `J` is whoever waits for the outcome of another's request.
pub struct RequestIds<J> {
    table: Mutex<Table<J>>,
    key: DigestKey,
    rows: Rows,
    record: Record,
    metrics: RequestMetrics,
}

impl<J> RequestIds<J> {
    /// Takes up what `store` holds. Without one, a restart forgets every id.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn open(
        limits: Limits,
        record: Record,
        store: Option<Store>,
        metrics: RequestMetrics,
    ) -> Result<Self, StoreError> {
        let store = store.filter(|_| record != Record::Memory);
        let mut table = Table::new(limits, store.is_some());
        let restore = |number, row: &[u8], changes: &mut _| table.restore(number, row, changes);
        let what = "outcomes of requests";
        let Opened {
            rows,
            key,
            unreadable,
        } = Rows::open(store, store::Table::RequestIds, what, restore)?;
        if unreadable > 0 {
            error!(
                unreadable,
                "request ids were not written by this version; their requests would be sent again"
            );
        }
        Ok(Self {
            table: Mutex::new(table),
            key,
            record: match rows.are_stored() {
                true => record,
                false => Record::Memory,
            },
            rows,
            metrics,
        })
    }

    /// What requests of a client are known by, by their ids.
    pub fn names(&self, client: &ClientName) -> impl Fn(&str) -> Name + use<J> {
        let mut begun = self.key.begin_words();
        begun.field(client.as_str().as_bytes());
        move |id| {
            let mut digester = begun.clone();
            digester.field(id.as_bytes());
            Name(digester.end())
        }
    }

    /// When an id is written down; `Memory` without a store.
    pub fn record(&self) -> Record {
        self.record
    }

    /// Opens the table for a batch.
    pub fn open_batch(&self, now: Now) -> Open<'_, J> {
        Open {
            ids: self,
            table: lock(&self.table),
            now_s: seconds(now),
            changes: Vec::new(),
        }
    }

    /// Forgets what is too old and brings the figures up to date. To be called about once a second.
    pub fn keep_house(&self, now: Now) {
        let mut open = self.open_batch(now);
        let now_s = open.now_s;
        open.table.expire(now_s, EXPIRE_MAX, &mut open.changes);
        self.metrics.kept.set(open.table.len() as f64);
        let mut changes = Vec::new();
        open.end(&mut changes);
        self.write_behind(changes);
    }

    /// Writes what a crash may forget.
    pub fn write_behind(&self, changes: Vec<Change>) {
        self.rows.write_behind(changes);
    }
}

/// What stands for a client's id.
#[derive(Clone, Copy)]
pub struct Name(Digest);

/// The table, open for a batch.
pub struct Open<'a, J> {
    ids: &'a RequestIds<J>,
    table: MutexGuard<'a, Table<J>>,
    now_s: u32,
    changes: Vec<Stored>,
}

impl<J> Open<'_, J> {
    /// Requests with these names are about to [begin](Self::begin): a batch is quicker for it.
    pub fn look_ahead(&self, names: &[Name]) {
        self.table.look_ahead(names.iter().map(|name| name.0));
    }

    /// These requests are about to be [finished](Self::finish): a batch is quicker for it.
    pub fn look_ahead_to_ends(&self, requests: impl Iterator<Item = IdHandle>) {
        self.table.look_ahead_to_ends(requests);
    }

    /// What a request is, by its name. [`Begun::New`] is owed an [`Open::finish`].
    pub fn begin(&mut self, name: Name, message: &Message) -> Begun {
        let fingerprint = fingerprint(self.ids.key, message);
        let begun = self
            .table
            .begin(self.now_s, name.0, fingerprint, &mut self.changes);
        let metrics = &self.ids.metrics;
        match &begun {
            Begun::Repeated(_) => metrics.repeated.increment(1),
            Begun::Reused => metrics.reused.increment(1),
            Begun::Full => metrics.full.increment(1),
            Begun::New(_) | Begun::InFlight(_) => {}
        }
        begun
    }

    /// Lets `joiner` wait for the outcome of a request in flight.
    ///
    /// # Errors
    /// Gives it back if too many wait already.
    pub fn join(&mut self, request: IdHandle, joiner: J) -> Result<(), J> {
        let joined = self.table.join(request, joiner);
        if joined.is_ok() {
            self.ids.metrics.joined.increment(1);
        }
        joined
    }

    /// A request has ended. Gives those who wait for the same outcome.
    pub fn finish(&mut self, request: IdHandle, outcome: &MessageOutcome) -> Vec<J> {
        self.table
            .end(self.now_s, request, outcome, &mut self.changes)
    }

    /// Ends the batch: adds what has to be stored.
    pub fn end(self, changes: &mut Vec<Change>) {
        let Self {
            ids,
            table,
            changes: own,
            ..
        } = self;
        drop(table);
        changes.extend(ids.rows.changes(own));
    }
}
