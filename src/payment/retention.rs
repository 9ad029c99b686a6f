//! The part of the desk that ends payments: tells their callers, keeps them for a look-up, and forgets
//! them.
//!
//! It must never forget what is open, nor a failed reversal: that is for an operator to end.

use std::{sync::Arc, time::Instant};

use super::{
    desk::{Desk, RecordId},
    record::{Record, Stage},
    stans::DE_TERMINAL,
    state::State,
    totals,
};
use crate::{
    iso8583::session::Now,
    journal::{Row, RowChange},
};

impl Desk {
    /// Tells everyone who waits.
    pub(super) fn tell(&mut self, id: RecordId) {
        let Some(record) = self.records.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        let metrics = &self.metrics;
        match record.state {
            State::Approved => metrics.approved.increment(1),
            State::Declined => metrics.declined.increment(1),
            State::NotSent => metrics.not_sent.increment(1),
            State::Unknown => metrics.unknown.increment(1),
            State::Reversing => metrics.reversing.increment(1),
            State::Journalling
            | State::Dispatched
            | State::Cancelling
            | State::Reversed
            | State::ReversalFailed
            | State::Resolved => {}
        }
        self.tell_pending(id);
    }

    /// Tells everyone who waits what may be told now, even if that is only that there is more to come.
    pub(super) fn tell_pending(&mut self, id: RecordId) {
        let Some(record) = self.records.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        for reply in std::mem::take(&mut record.waiting) {
            self.out.answers.push(reply, record.answer(&self.bank));
        }
    }

    /// Nothing more happens by itself: tells the outcome and begins the retention.
    pub(super) fn settle(&mut self, now: Now, id: RecordId) {
        let ends = now.monotonic + self.settings.retention;
        let Some(record) = self.record(id) else {
            return;
        };
        if record.retained_until.is_some() {
            // Settled before; a late answer was written.
            return;
        }
        record.retained_until = Some(ends);
        let is_unknown = record.state == State::Unknown;
        self.end_exchange(id);
        if is_unknown {
            self.expect_late(id);
        }
        self.keep(id, ends);
        self.tell(id);
    }

    /// The payment is settled, so others may have the STAN and the key of its request.
    fn end_exchange(&mut self, id: RecordId) {
        let Some(record) = self.records.get_mut(id as usize).and_then(Option::as_mut) else {
            return;
        };
        if let Some(exchange) = record.exchange.take() {
            let terminal = record.request.get(DE_TERMINAL).unwrap_or_default();
            self.stans.release(record.stan, terminal);
            self.keys.release(exchange.key, id);
        }
    }

    /// Its outcome is told without an answer, which may still come.
    pub(super) fn expect_late(&mut self, id: RecordId) {
        let settings = Arc::clone(&self.settings);
        // An old request may lack what answers are found by now; then none of its answers is found.
        if let Some(record) = self.record(id)
            && let Ok(key) = settings.match_by.key_of(&record.request.to_message())
        {
            self.keys.expect_late(key, id);
        }
    }

    /// Keeps a settled payment until its retention ends.
    pub(super) fn keep(&mut self, id: RecordId, ends: Instant) {
        self.settled += 1;
        let failed = self
            .record(id)
            .is_some_and(|record| record.state == State::ReversalFailed);
        if failed {
            // A dead letter is kept until an operator has dealt with it, however long that takes.
            self.reversals_failed += 1;
        } else {
            self.retained.push_back((ends, id));
        }
    }

    /// A settled payment is open again, because its caller or an operator takes it back.
    pub(super) fn unsettle(&mut self, id: RecordId) {
        let retained = self
            .record(id)
            .and_then(|record| record.retained_until.take());
        if retained.is_some() {
            self.settled -= 1;
        }
    }

    /// Forgets the payment that has been settled for longest, if its retention may end; false if
    /// there was none to forget.
    pub(super) fn forget_oldest(&mut self, may_end: impl Fn(Instant) -> bool) -> bool {
        self.take_oldest(may_end).is_some()
    }

    fn take_oldest(&mut self, may_end: impl Fn(Instant) -> bool) -> Option<Box<Record>> {
        while let Some((ends, id)) = self.retained.pop_front_if(|(ends, _)| may_end(*ends)) {
            let is_stale = self
                .record(id)
                .is_none_or(|record| record.retained_until != Some(ends));
            if is_stale {
                continue;
            }
            if self.is_on_the_wire(id) {
                // Its link still knows it by its place, which must not mean another payment yet.
                self.keep_longer(id, ends + self.settings.link.response_timeout);
                return None;
            }
            if let Some(record) = self.records.get_mut(id as usize).and_then(Option::take) {
                self.forget(id, &record);
                return Some(record);
            }
        }
        None
    }

    /// Forgets the payment that has been settled for longest to make room; false if all are open.
    pub(super) fn evict_oldest(&mut self) -> bool {
        let evicted = self.take_oldest(|_| true);
        if let Some(record) = &evicted {
            self.evicted.extend(totals::day_of(record));
        }
        evicted.is_some()
    }

    /// An operator may end a payment while its reversal is on the wire.
    fn is_on_the_wire(&mut self, id: RecordId) -> bool {
        let reversal = self.reversal(id);
        reversal.is_some_and(|reversal| matches!(reversal.stage, Stage::Sent(_)))
    }

    fn keep_longer(&mut self, id: RecordId, ends: Instant) {
        if let Some(record) = self.record(id) {
            record.retained_until = Some(ends);
        }
        self.retained.push_back((ends, id));
    }

    fn forget(&mut self, id: RecordId, record: &Record) {
        // No answer is late to what had one, and none comes to what was not sent.
        let had_its_answer = matches!(
            record.state,
            State::Approved | State::Declined | State::NotSent
        );
        if !had_its_answer
            && let Ok(key) = self.settings.match_by.key_of(&record.request.to_message())
        {
            self.keys.forget(key, id);
        }
        self.settled -= 1;
        self.by_stan.remove(record.stan, id);
        self.kept -= 1;
        let digest = self.registry.digest(&record.key);
        self.registry.forget(digest, self.place_of(id));
        if record.recording.has_anything() {
            self.out.rows.push(Row {
                number: record.number,
                change: RowChange::Forget,
            });
        }
        if !record.recording.is_under_way() {
            self.free.push(id);
        }
    }
}
