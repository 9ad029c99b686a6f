//! The ledger: what a financial request does to the accounts, once, however often it comes.
//! Reversals are the next file's.

use std::collections::HashMap;

use super::accounts::Accounts;
use super::behaviour::{BankBehaviour, ResponseCode};
use super::books::{BankBooks, BankTotals, Entry, ProtocolError, Text, masked};
use super::wire::{self, Message};

/// Requests on the books at most, about 2 GB; a bank that is full declines with 96.
const ENTRIES_MAX: usize = 4_000_000;
/// Protocol errors kept with their text; beyond it they are only counted.
const PROTOCOL_ERRORS_KEPT_MAX: usize = 1_000;

/// What a reversal can name an original by: its DE11 and DE7.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key {
    pub(super) stan: Text<6>,
    pub(super) transmitted: Text<10>,
}

/// An entry with what only the ledger needs of it.
pub(super) struct Record {
    pub(super) entry: Entry,
    /// DE32 and DE33, zero-filled as DE90 has them.
    pub(super) institutions: [Text<11>; 2],
    pub(super) account: Option<usize>,
    /// Where a transfer went.
    pub(super) to_account: Option<usize>,
    /// Another entry under the same key, from another terminal.
    pub(super) older: Option<usize>,
    /// The last 0420 that named it, without its MTI.
    pub(super) reversal: Option<Box<[u8]>>,
}

/// Accounts, entries and counts.
#[derive(Default)]
pub(super) struct Ledger {
    pub(super) accounts: Accounts,
    pub(super) records: Vec<Record>,
    by_key: HashMap<Key, usize>,
    pub(super) totals: BankTotals,
    protocol_errors: Vec<ProtocolError>,
}

/// What the bank makes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The place on the books; `None` for what is not entered.
    pub(super) place: Option<usize>,
    /// DE39.
    pub(super) code: ResponseCode,
}

/// How the bank treats a request whose turn it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Treatment {
    /// Looks at the account and moves the money.
    Process,
    /// Declines without a look.
    Decline(ResponseCode),
    /// Enters it as received, and nothing else.
    Shelve,
}

impl Ledger {
    /// Enters a financial request. One that came before gets the answer that it got before.
    pub(super) fn enter(
        &mut self,
        request: &Message<'_>,
        behaviour: &BankBehaviour,
        treatment: impl FnOnce() -> Treatment,
    ) -> Decision {
        let Some(key) = key_of(request) else {
            self.wrong(request.mti(), 11, "a financial request without DE7 or DE11");
            return Decision {
                place: None,
                code: ResponseCode::FORMAT_ERROR,
            };
        };
        let terminal = Text::new(request.get(41).unwrap_or_default());
        let known = self.find(key, |record| {
            record.entry.terminal == terminal && same_class(record.entry.mti, request.mti())
        });
        if let Some(place) = known {
            return self.enter_again(place, request);
        }
        if self.records.len() >= ENTRIES_MAX {
            return Decision {
                place: None,
                code: ResponseCode::MALFUNCTION,
            };
        }
        let place = self.add(key, record_of(request, key, terminal));
        match treatment() {
            Treatment::Process => self.process(place, request, behaviour),
            Treatment::Decline(code) => self.decided(place, Err(code)),
            Treatment::Shelve => Decision {
                place: Some(place),
                code: ResponseCode::MALFUNCTION,
            },
        }
    }

    fn enter_again(&mut self, place: usize, request: &Message<'_>) -> Decision {
        let Some(record) = self.records.get_mut(place) else {
            return Decision {
                place: None,
                code: ResponseCode::MALFUNCTION,
            };
        };
        if record.entry.received {
            record.entry.repeats += 1;
            self.totals.duplicates += 1;
        } else {
            // Its reversal overtook it: whoever reversed it has been told that nothing stands.
            let tombstone = std::mem::replace(&mut record.entry, entry_of(request));
            record.entry.reversed = tombstone.reversed;
            record.entry.reversal_messages = tombstone.reversal_messages;
            record.entry.code = Some(ResponseCode::ERROR);
            self.totals.arrived_after_reversal += 1;
            self.totals.declined += 1;
        }
        let code = self.records.get(place).and_then(|record| record.entry.code);
        Decision {
            place: Some(place),
            code: code.unwrap_or(ResponseCode::MALFUNCTION),
        }
    }

    fn process(
        &mut self,
        place: usize,
        request: &Message<'_>,
        behaviour: &BankBehaviour,
    ) -> Decision {
        let moved = self.move_money(place, request, behaviour);
        self.decided(place, moved)
    }

    /// Does what the processing code says. The amount that moved, if one did.
    fn move_money(
        &mut self,
        place: usize,
        request: &Message<'_>,
        behaviour: &BankBehaviour,
    ) -> Result<Option<u64>, ResponseCode> {
        let pan = pan_of(request).ok_or(ResponseCode::NO_SUCH_CARD)?;
        let card = self
            .accounts
            .by_pan(pan, behaviour.open_unknown_minor)
            .ok_or(ResponseCode::NO_SUCH_CARD)?;
        self.set_accounts(place, Some(card), None);
        let at = request
            .get(7)
            .and_then(|at| at.try_into().ok())
            .unwrap_or([b'0'; 10]);
        match request.get(3).and_then(|code| code.first_chunk()) {
            Some(b"00" | b"01") => {
                let amount_minor = amount_of(request)?;
                self.accounts.debit(card, amount_minor, at)?;
                Ok(Some(amount_minor))
            }
            Some(b"30" | b"35") => Ok(None),
            Some(b"40") => {
                let amount_minor = amount_of(request)?;
                let from = match request.get(102) {
                    Some(number) => self.accounts.by_number(number),
                    None => Some(card),
                };
                let from = from.ok_or(ResponseCode::NO_SUCH_ACCOUNT)?;
                let to = request
                    .get(103)
                    .and_then(|number| self.accounts.by_number(number));
                let to = to.ok_or(ResponseCode::NO_SUCH_ACCOUNT)?;
                self.accounts.debit(from, amount_minor, at)?;
                self.accounts.credit(to, amount_minor, at);
                self.set_accounts(place, Some(from), Some(to));
                Ok(Some(amount_minor))
            }
            _ => Err(ResponseCode::INVALID),
        }
    }

    fn set_accounts(&mut self, place: usize, from: Option<usize>, to: Option<usize>) {
        if let Some(record) = self.records.get_mut(place) {
            record.account = from;
            record.to_account = to;
        }
    }

    fn decided(&mut self, place: usize, moved: Result<Option<u64>, ResponseCode>) -> Decision {
        let code = moved.err().unwrap_or(ResponseCode::APPROVED);
        if let Some(record) = self.records.get_mut(place) {
            record.entry.code = Some(code);
            if let Ok(Some(amount_minor)) = moved {
                record.entry.debited = true;
                self.totals.debits += 1;
                self.totals.debited_minor += amount_minor;
            }
        }
        if code == ResponseCode::APPROVED {
            self.totals.approved += 1;
        } else {
            self.totals.declined += 1;
        }
        Decision {
            place: Some(place),
            code,
        }
    }

    /// Notes that an answer leaves.
    pub(super) fn answered(&mut self, decision: Decision) {
        let record = decision.place.and_then(|place| self.records.get_mut(place));
        if let Some(record) = record {
            record.entry.answered = true;
            record.entry.code = Some(decision.code);
        }
    }

    /// The newest entry under a key that fits.
    pub(super) fn find(&self, key: Key, fits: impl Fn(&Record) -> bool) -> Option<usize> {
        let mut next = self.by_key.get(&key).copied();
        while let Some(place) = next {
            let record = self.records.get(place)?;
            if fits(record) {
                return Some(place);
            }
            next = record.older;
        }
        None
    }

    /// Enters a record under its key.
    pub(super) fn add(&mut self, key: Key, mut record: Record) -> usize {
        let place = self.records.len();
        record.older = self.by_key.insert(key, place);
        self.records.push(record);
        place
    }

    /// Whether another record may be entered.
    pub(super) fn has_room(&self) -> bool {
        self.records.len() < ENTRIES_MAX
    }

    /// Notes what a peer did wrong.
    pub(super) fn wrong(&mut self, mti: [u8; 4], element: usize, what: &'static str) {
        self.wrong_at(
            mti,
            wire::Malformed {
                element,
                position: 0,
                what,
            },
        );
    }

    /// Notes a message that could not be read.
    pub(super) fn wrong_at(&mut self, mti: [u8; 4], malformed: wire::Malformed) {
        self.totals.protocol_errors += 1;
        if self.protocol_errors.len() < PROTOCOL_ERRORS_KEPT_MAX {
            let wire::Malformed {
                element,
                position,
                what,
            } = malformed;
            let mti = Text::new(&mti);
            self.protocol_errors.push(ProtocolError {
                mti,
                element,
                position,
                what,
            });
        }
    }

    /// A snapshot.
    pub(super) fn books(&self) -> BankBooks {
        BankBooks {
            entries: self
                .records
                .iter()
                .map(|record| record.entry.clone())
                .collect(),
            accounts: self.accounts.books(),
            protocol_errors: self.protocol_errors.clone(),
            totals: self.totals,
        }
    }
}

/// Whether two MTIs are of one class and function, repeats folded onto their first.
pub(super) fn same_class(one: Text<4>, other: [u8; 4]) -> bool {
    one.as_bytes().get(..3) == other.get(..3)
}

fn key_of(request: &Message<'_>) -> Option<Key> {
    Some(Key {
        stan: Text::new(request.get(11)?),
        transmitted: Text::new(request.get(7)?),
    })
}

/// The card: DE2, or the digits of track 2 before its separator.
pub(super) fn pan_of<'a>(request: &Message<'a>) -> Option<&'a [u8]> {
    request.get(2).or_else(|| {
        let track = request.get(35)?;
        track.split(|octet| matches!(octet, b'=' | b'D')).next()
    })
}

fn amount_of(request: &Message<'_>) -> Result<u64, ResponseCode> {
    let amount = request
        .get(4)
        .and_then(wire::number)
        .filter(|amount| *amount > 0);
    amount.ok_or(ResponseCode::INVALID_AMOUNT)
}

/// An institution as DE90 has it: eleven digits, right-justified, zero-filled.
pub(super) fn institution(code: Option<&[u8]>) -> Text<11> {
    let code = code.unwrap_or_default();
    let mut digits = [b'0'; 11];
    for (to, from) in digits.iter_mut().rev().zip(code.iter().rev()) {
        *to = *from;
    }
    Text::new(&digits)
}

/// The entry of a message that carries an original's elements.
pub(super) fn entry_of(message: &Message<'_>) -> Entry {
    let element = |number| message.get(number).unwrap_or_default();
    let pan = String::from_utf8_lossy(pan_of(message).unwrap_or_default());
    Entry {
        mti: Text::new(&message.mti()),
        processing_code: Text::new(element(3)),
        stan: Text::new(element(11)),
        transmitted: Text::new(element(7)),
        terminal: Text::new(element(41)),
        rrn: Text::new(element(37)),
        pan: Text::new(masked(&pan).as_bytes()),
        amount_minor: wire::number(element(4)).unwrap_or(0),
        received: true,
        debited: false,
        code: None,
        answered: false,
        reversed: false,
        reversal_messages: 0,
        repeats: 0,
    }
}

fn record_of(request: &Message<'_>, key: Key, terminal: Text<8>) -> Record {
    let entry = Entry {
        stan: key.stan,
        terminal,
        ..entry_of(request)
    };
    Record {
        entry,
        institutions: [institution(request.get(32)), institution(request.get(33))],
        account: None,
        to_account: None,
        older: None,
        reversal: None,
    }
}
