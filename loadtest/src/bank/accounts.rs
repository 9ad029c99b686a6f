//! The bank's accounts: balances in minor units, and the last movements of each for a mini
//! statement. Money only moves here, and each movement has one sign and one amount.

use std::collections::{HashMap, VecDeque};

use super::behaviour::{Account, ResponseCode};
use super::books::AccountBook;

/// Lines of a mini statement: ten of 23 characters fit DE48 with room to spare.
const STATEMENT_LINES: usize = 10;
/// Accounts at most; cards beyond it are unknown. About 1 GB of memory.
const ACCOUNTS_MAX: usize = 2_000_000;

/// The accounts, found by card or by account number.
#[derive(Default)]
pub(super) struct Accounts {
    open: Vec<OpenAccount>,
    by_pan: HashMap<Box<[u8]>, usize>,
    by_number: HashMap<Box<[u8]>, usize>,
}

struct OpenAccount {
    pan: Box<[u8]>,
    book: AccountBook,
    movements: VecDeque<Movement>,
}

/// A line of a mini statement.
#[derive(Clone, Copy)]
pub(super) struct Movement {
    /// DE7 of the request that caused it.
    pub(super) at: [u8; 10],
    /// `D` or `C`.
    pub(super) sign: u8,
    /// Minor units.
    pub(super) amount_minor: u64,
}

impl Accounts {
    /// Opens an account, unless its card has one.
    pub(super) fn open(&mut self, account: &Account) {
        let pan = account.pan.as_bytes();
        if self.by_pan.contains_key(pan) || self.open.len() >= ACCOUNTS_MAX {
            return;
        }
        let place = self.open.len();
        self.by_pan.insert(pan.into(), place);
        if let Some(number) = &account.number {
            self.by_number.insert(number.as_bytes().into(), place);
        }
        self.open.push(OpenAccount {
            pan: pan.into(),
            book: AccountBook::new(&account.pan, account.balance_minor),
            movements: VecDeque::new(),
        });
    }

    /// The account of a card, opened now where the behaviour says so.
    pub(super) fn by_pan(&mut self, pan: &[u8], open_minor: Option<i64>) -> Option<usize> {
        if let Some(place) = self.by_pan.get(pan) {
            return Some(*place);
        }
        let pan_text = std::str::from_utf8(pan).ok()?;
        self.open(&Account::new(pan_text, open_minor?));
        self.by_pan.get(pan).copied()
    }

    /// The account of a number, or of a card given in a number's place.
    pub(super) fn by_number(&self, number: &[u8]) -> Option<usize> {
        self.by_number
            .get(number)
            .or_else(|| self.by_pan.get(number))
            .copied()
    }

    /// Whether the account is this card's.
    pub(super) fn is_of(&self, place: usize, pan: &[u8]) -> bool {
        self.open
            .get(place)
            .is_some_and(|account| &*account.pan == pan)
    }

    /// What is on the account.
    pub(super) fn balance_minor(&self, place: usize) -> i64 {
        self.open
            .get(place)
            .map_or(0, |account| account.book.balance_minor)
    }

    /// Its last movements, the newest first.
    pub(super) fn movements(&self, place: usize) -> impl Iterator<Item = &Movement> {
        self.open
            .get(place)
            .into_iter()
            .flat_map(|account| account.movements.iter().rev())
    }

    /// Takes money off, if there is enough.
    ///
    /// # Errors
    /// 14 or 51.
    pub(super) fn debit(
        &mut self,
        place: usize,
        amount_minor: u64,
        at: [u8; 10],
    ) -> Result<(), ResponseCode> {
        let account = self.open.get_mut(place).ok_or(ResponseCode::NO_SUCH_CARD)?;
        if account.book.balance_minor < amount_minor as i64 {
            return Err(ResponseCode::INSUFFICIENT_FUNDS);
        }
        account.take(amount_minor, at);
        Ok(())
    }

    /// Takes money off whatever is there: what a reversal takes back may have been spent.
    pub(super) fn take(&mut self, place: usize, amount_minor: u64, at: [u8; 10]) {
        if let Some(account) = self.open.get_mut(place) {
            account.take(amount_minor, at);
        }
    }

    /// Puts money on.
    pub(super) fn credit(&mut self, place: usize, amount_minor: u64, at: [u8; 10]) {
        if let Some(account) = self.open.get_mut(place) {
            account.book.balance_minor += amount_minor as i64;
            account.book.credited_minor += amount_minor;
            account.moved(Movement {
                at,
                sign: b'C',
                amount_minor,
            });
        }
    }

    /// A snapshot of all of them.
    pub(super) fn books(&self) -> Vec<AccountBook> {
        self.open
            .iter()
            .map(|account| account.book.clone())
            .collect()
    }
}

impl OpenAccount {
    fn take(&mut self, amount_minor: u64, at: [u8; 10]) {
        self.book.balance_minor -= amount_minor as i64;
        self.book.debited_minor += amount_minor;
        self.moved(Movement {
            at,
            sign: b'D',
            amount_minor,
        });
    }

    fn moved(&mut self, movement: Movement) {
        if self.movements.len() == STATEMENT_LINES {
            self.movements.pop_front();
        }
        self.movements.push_back(movement);
    }
}
