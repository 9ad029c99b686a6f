//! Reversals: 0420 and 0421, or 0400 and 0401. Each original is reversed once, however often the
//! reversal comes, and even when the reversal comes first. The bank is also a judge here: it
//! counts repeats that changed and reversals that do not name what it received.

use super::behaviour::{BankBehaviour, ResponseCode};
use super::books::{Entry, Text};
use super::ledger::{Key, Ledger, Record, entry_of, pan_of, same_class};
use super::wire::{self, Message};

/// DE90 taken apart.
struct Original {
    mti: [u8; 4],
    key: Key,
    institutions: [Text<11>; 2],
}

impl Original {
    fn read(de90: &[u8]) -> Option<Self> {
        let (mti, rest) = de90.split_first_chunk::<4>()?;
        let (stan, rest) = rest.split_first_chunk::<6>()?;
        let (transmitted, rest) = rest.split_first_chunk::<10>()?;
        let (acquirer, forwarder) = rest.split_first_chunk::<11>()?;
        Some(Self {
            mti: *mti,
            key: Key {
                stan: Text::new(stan),
                transmitted: Text::new(transmitted),
            },
            institutions: [Text::new(acquirer), Text::new(forwarder)],
        })
    }
}

impl Ledger {
    /// Reverses what DE90 names. The code of the answer, or `None` for silence.
    pub(super) fn reverse(
        &mut self,
        reversal: &Message<'_>,
        octets: &[u8],
        behaviour: &BankBehaviour,
    ) -> Option<ResponseCode> {
        self.totals.reversal_messages += 1;
        let Some(original) = reversal.get(90).and_then(Original::read) else {
            self.wrong(reversal.mti(), 90, "a reversal without DE90");
            return Some(ResponseCode::FORMAT_ERROR);
        };
        let place = match self.find_original(reversal, &original) {
            Some(place) => place,
            None if self.has_room() => self.bury(reversal, &original),
            None => return Some(ResponseCode::MALFUNCTION),
        };
        self.check_repeat(place, reversal, octets);
        if self.differs(place, reversal) {
            self.totals.reversals_mismatched += 1;
            self.wrong(
                reversal.mti(),
                4,
                "card, amount or RRN is not the original's",
            );
            return Some(ResponseCode::INVALID);
        }
        let how = behaviour.reversing;
        let record = self.records.get_mut(place)?;
        record.entry.reversal_messages += 1;
        let message = record.entry.reversal_messages;
        let code = if record.entry.received {
            ResponseCode::APPROVED
        } else {
            how.unknown_original
        };
        if message <= how.silent_first {
            self.take_back(place, reversal);
            return None;
        }
        if message - how.silent_first <= how.malfunction_first {
            return Some(ResponseCode::MALFUNCTION);
        }
        self.take_back(place, reversal);
        Some(code)
    }

    /// The entry that DE90 names in all its parts. One that shares only the key is a violation.
    fn find_original(&mut self, reversal: &Message<'_>, original: &Original) -> Option<usize> {
        let terminal = reversal.get(41).map(Text::<8>::new);
        let of_terminal =
            |record: &Record| terminal.is_none_or(|terminal| record.entry.terminal == terminal);
        let found = self.find(original.key, |record| {
            of_terminal(record)
                && same_class(record.entry.mti, original.mti)
                && record.institutions == original.institutions
        });
        if found.is_none() && self.find(original.key, of_terminal).is_some() {
            self.totals.reversals_mismatched += 1;
            self.wrong(
                reversal.mti(),
                90,
                "DE90 has the original's STAN but not its other parts",
            );
        }
        found
    }

    /// Remembers a reversal without an original, so that the original is not debited if it comes.
    fn bury(&mut self, reversal: &Message<'_>, original: &Original) -> usize {
        self.totals.reversals_of_unknown += 1;
        let entry = Entry {
            mti: Text::new(&original.mti),
            stan: original.key.stan,
            transmitted: original.key.transmitted,
            received: false,
            ..entry_of(reversal)
        };
        let institutions = original.institutions;
        let record = Record {
            entry,
            institutions,
            account: None,
            to_account: None,
            older: None,
            reversal: None,
        };
        self.add(original.key, record)
    }

    /// Holds an 0421 against the 0420 before it.
    fn check_repeat(&mut self, place: usize, reversal: &Message<'_>, octets: &[u8]) {
        let Some(record) = self.records.get_mut(place) else {
            return;
        };
        let is_repeat = reversal.mti().last() == Some(&b'1');
        let without_mti = octets.get(4..).unwrap_or_default();
        match &record.reversal {
            Some(first) if is_repeat && **first != *without_mti => {
                self.totals.repeats_changed += 1;
                self.wrong(
                    reversal.mti(),
                    0,
                    "a repeat that differs in more than the MTI",
                );
            }
            Some(_) if is_repeat => {}
            _ => record.reversal = Some(without_mti.into()),
        }
    }

    /// Whether card, amount or RRN of a reversal are not those of the request that was received.
    fn differs(&self, place: usize, reversal: &Message<'_>) -> bool {
        let Some(record) = self
            .records
            .get(place)
            .filter(|record| record.entry.received)
        else {
            return false;
        };
        let amount = reversal.get(4).and_then(wire::number).unwrap_or(0);
        // The account of a transfer may be another than the card's.
        let account = record.account.filter(|_| record.to_account.is_none());
        let card = account.zip(pan_of(reversal));
        amount != record.entry.amount_minor
            || Text::new(reversal.get(37).unwrap_or_default()) != record.entry.rrn
            || card.is_some_and(|(account, pan)| !self.accounts.is_of(account, pan))
    }

    /// Moves the money back, once.
    fn take_back(&mut self, place: usize, reversal: &Message<'_>) {
        let Some(record) = self.records.get_mut(place) else {
            return;
        };
        let first = !record.entry.reversed;
        record.entry.reversed = true;
        if !(first && record.entry.debited) {
            return;
        }
        let amount_minor = record.entry.amount_minor;
        let at = reversal
            .get(7)
            .and_then(|at| at.try_into().ok())
            .unwrap_or([b'0'; 10]);
        if let Some(from) = record.account {
            self.accounts.credit(from, amount_minor, at);
        }
        if let Some(to) = record.to_account {
            self.accounts.take(to, amount_minor, at);
        }
        self.totals.reversed += 1;
        self.totals.reversed_minor += amount_minor;
    }
}
