//! The records of a bank by the STAN of their request, for whoever knows a payment as the bank knows it.
//!
//! STANs wrap within a day, so several payments may have the same. A list runs through the records'
//! own places, so a payment costs four octets here and no allocation.

use super::desk::RecordId;
use crate::iso8583::Stan;

/// No record.
const NONE: u32 = 0;

/// Which records have which STAN.
pub(super) struct ByStan {
    /// By STAN, the record that came last, plus 1. Its memory is taken as STANs are used.
    heads: Vec<u32>,
    /// By record, the one before it of the same STAN, plus 1.
    before: Vec<u32>,
}

impl ByStan {
    /// With room for so many records, because growing by copying would stop everybody.
    pub(super) fn with_capacity(records: usize) -> Self {
        Self {
            heads: vec![NONE; Stan::MAX.get() as usize + 1],
            before: Vec::with_capacity(records),
        }
    }

    pub(super) fn insert(&mut self, stan: Stan, id: RecordId) {
        let at = id as usize;
        if self.before.len() <= at {
            self.before.resize(at + 1, NONE);
        }
        if let (Some(head), Some(before)) = (
            self.heads.get_mut(stan.get() as usize),
            self.before.get_mut(at),
        ) {
            *before = std::mem::replace(head, id + 1);
        }
    }

    pub(super) fn remove(&mut self, stan: Stan, id: RecordId) {
        let before = self.before_of(id + 1);
        if let Some(head) = self.heads.get_mut(stan.get() as usize)
            && *head == id + 1
        {
            *head = before;
            return;
        }
        let after = self
            .places(stan)
            .find(|place| self.before_of(*place) == id + 1);
        if let Some(own) = after.and_then(|place| self.before.get_mut(place as usize - 1)) {
            *own = before;
        }
    }

    /// The records of a STAN, the last one first.
    pub(super) fn of(&self, stan: Stan) -> impl Iterator<Item = RecordId> + '_ {
        self.places(stan).map(|place| place - 1)
    }

    fn places(&self, stan: Stan) -> impl Iterator<Item = u32> + '_ {
        let head = self.heads.get(stan.get() as usize).copied();
        std::iter::successors(head.filter(|place| *place != NONE), |place| {
            Some(self.before_of(*place)).filter(|place| *place != NONE)
        })
    }

    fn before_of(&self, place: u32) -> u32 {
        let before = (place as usize)
            .checked_sub(1)
            .and_then(|at| self.before.get(at));
        before.copied().unwrap_or(NONE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_of_a_stan_are_found_last_first_whichever_of_them_goes() {
        let (stan, other) = (Stan::new(7).unwrap(), Stan::MAX);
        for gone in [3, 5, 9] {
            let mut by_stan = ByStan::with_capacity(0);
            for id in [3, 5, 9] {
                by_stan.insert(stan, id);
            }
            by_stan.insert(other, 4);
            by_stan.remove(stan, gone);
            let left: Vec<_> = [9, 5, 3].into_iter().filter(|id| *id != gone).collect();
            assert_eq!(by_stan.of(stan).collect::<Vec<_>>(), left);
            assert_eq!(by_stan.of(other).collect::<Vec<_>>(), [4]);
            by_stan.insert(stan, gone);
            assert_eq!(
                by_stan.of(stan).next(),
                Some(gone),
                "its place is used again"
            );
        }
    }
}
