//! The part of the desk that has records written, and goes on once they are durable, or are not.
//!
//! What a record is waiting for, [`super::recording`] knows; what stands in its row, [`super::row`].

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    desk::{Desk, RecordId},
    recording::Next,
    state::{Event, State},
};
use crate::{
    iso8583::session::Now,
    journal::{Row, RowChange},
    outcome::Reason,
};

/// How long after a failed write a record is written again.
const RECORD_AGAIN: Duration = Duration::from_secs(1);

/// Rows in doubt that are remembered while the journal fails. What is beyond is left to a restart, which
/// takes back what never left: a needless 0420 each, and no money.
const DOUBTFUL_MAX: usize = 65_536;

/// What the journal could not take.
#[derive(Default)]
pub(super) struct Unwritten {
    /// Records that could not be written, by the time of the next try.
    again: BTreeSet<(Instant, RecordId)>,
    /// Rows of payments that were refused because their write failed. They may be there all the
    /// same, and are removed when the journal works again.
    doubtful: Vec<u64>,
}

impl Unwritten {
    /// When a record is to be written again.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        self.again.first().map(|(at, _)| *at)
    }
}

impl Desk {
    /// Has the record written as it is now; how that ends comes by [`Desk::durable`].
    pub(super) fn write(&mut self, id: RecordId) {
        let bank = Arc::clone(&self.bank);
        let Some(record) = self.record(id) else {
            return;
        };
        if !record.recording.begin(record.state) {
            return;
        }
        let row = Row {
            number: record.number,
            change: RowChange::Keep(Box::new(record.to_kept(bank))),
        };
        self.out.rows.push(row);
        self.out.recorded.push(id);
    }

    /// The records' rows are durable, or cannot be made so.
    pub(super) fn durable(&mut self, now: Now, records: &[RecordId], durable: bool) {
        for &id in records {
            let Some(record) = self.record(id) else {
                // Forgotten meanwhile; only now can its slot mean another payment.
                self.free.push(id);
                continue;
            };
            match record.recording.end(durable) {
                Next::WriteAgain => self.write(id),
                Next::Durable => self.recorded(now, id),
                Next::NotDurable => self.not_recorded(now, id),
            }
        }
        if durable {
            let forget = |number| Row {
                number,
                change: RowChange::Forget,
            };
            self.out
                .rows
                .extend(self.unwritten.doubtful.drain(..).map(forget));
        }
    }

    /// A restart would find the record as it is.
    fn recorded(&mut self, now: Now, id: RecordId) {
        let Some(record) = self.record(id) else {
            return;
        };
        match record.state {
            State::Journalling if record.is_overdue(now.monotonic) => {
                self.happen(now, id, Event::NotSent(Reason::Deadline));
            }
            State::Journalling => self.happen(now, id, Event::Durable),
            State::Dispatched | State::Cancelling => {}
            State::Reversing => self.reversal_recorded(now, id),
            State::Approved
            | State::Declined
            | State::NotSent
            | State::Unknown
            | State::Reversed
            | State::ReversalFailed
            | State::Resolved => self.settle(now, id),
        }
    }

    /// The record is not durable as it is. Who waits is not kept waiting for a disk.
    fn not_recorded(&mut self, now: Now, id: RecordId) {
        let Some(record) = self.record(id) else {
            return;
        };
        if record.state == State::Journalling {
            let number = record.number;
            if self.unwritten.doubtful.len() < DOUBTFUL_MAX {
                self.unwritten.doubtful.push(number);
            }
            self.happen(now, id, Event::NotDurable);
            return;
        }
        self.tell_pending(id);
        self.unwritten
            .again
            .insert((now.monotonic + RECORD_AGAIN, id));
    }

    /// Writes again what could not be written.
    pub(super) fn write_again(&mut self, now: Instant) {
        while let Some(&(at, id)) = self.unwritten.again.first()
            && at <= now
        {
            self.unwritten.again.pop_first();
            self.write(id);
        }
    }
}
