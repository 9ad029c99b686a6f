//! Request ids: the same request is sent once, however often it is asked for, and across a restart.
//!
//! An id is free again when its outcome said that a retry is safe; every other outcome is kept and
//! told again. It must never let a request go twice because of its own failure: with a store, the
//! changes of [`Open::end`] are durable before the first byte leaves ([`Record::BeforeSending`]).

mod digits;
mod ended;
mod heads;
mod row;
mod table;
#[cfg(test)]
mod tests;

use std::sync::{Mutex, MutexGuard};

use tracing::error;

use self::table::Table;
pub use self::table::{Begun, IdHandle, JOINERS_MAX, Limits};
use crate::{
    client::ClientName,
    digest::DigestKey,
    iso8583::session::Now,
    message::{Body, Message, MessageOutcome},
    metrics::RequestMetrics,
    smpp::text::Coding,
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

/// The table, open for a batch.
pub struct Open<'a, J> {
    ids: &'a RequestIds<J>,
    table: MutexGuard<'a, Table<J>>,
    now_s: u32,
    changes: Vec<Stored>,
}

impl<J> Open<'_, J> {
    /// What a request is, by its id. [`Begun::New`] is owed an [`Open::finish`].
    pub fn begin(&mut self, client: &ClientName, id: &str, message: &Message) -> Begun {
        let mut digester = self.ids.key.begin();
        digester.field(client.as_str().as_bytes());
        digester.field(id.as_bytes());
        let fingerprint = fingerprint(self.ids.key, message);
        let begun = self
            .table
            .begin(self.now_s, digester.end(), fingerprint, &mut self.changes);
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

/// Sixty-four bits of what a request sends. Whom it may overtake and where it may be tried again is
/// not part of it: a retry may be more urgent.
fn fingerprint(key: DigestKey, message: &Message) -> u64 {
    let mut digester = key.begin();
    let address = |digester: &mut crate::digest::Digester, address: &crate::message::Address| {
        digester.field(&address.number);
        digester
            .number(address.ton.map_or(256, u64::from) << 16 | address.npi.map_or(256, u64::from));
    };
    match &message.source {
        Some(source) => address(&mut digester, source),
        None => digester.number(0),
    }
    address(&mut digester, &message.destination);
    match &message.body {
        Body::Text { text, coding } => {
            digester.field(text.as_bytes());
            digester.number(match coding {
                Coding::Automatic => 0,
                Coding::Gsm7 => 1,
                Coding::Latin1 => 2,
                Coding::Ucs2 => 3,
            });
        }
        Body::Binary {
            data,
            data_coding,
            has_user_data_header,
        } => {
            digester.field(data);
            let header = u64::from(*has_user_data_header);
            digester.number(1 << 32 | header << 8 | u64::from(*data_coding));
        }
    }
    digester.field(message.route.as_bytes());
    digester.field(&message.service_type);
    digester.number(u64::from(message.validity_s) << 32 | u64::from(message.schedule_s));
    digester.number(
        u64::from(message.receipt) << 24
            | (message.transliteration as u64) << 16
            | u64::from(message.priority) << 8
            | u64::from(message.protocol_id),
    );
    for (tag, value) in &message.tlvs {
        digester.number((*tag).into());
        digester.field(value);
    }
    digester.end().short()
}
