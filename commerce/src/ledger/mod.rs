//! The books: double entry, append-only, whole dong.
//!
//! The database itself refuses an entry that does not sum to zero, a posting added to an entry that
//! stands, and any change of either (`migrations/`); what is here makes only such entries. A balance
//! changes by nothing but a posting, in the same change of the database and within its limits.

mod account;
mod entry;
mod hold;
mod post;
mod reports;

pub use account::{Account, AccountFault, Limits, Side};
pub use entry::{ENTRY_POSTINGS_MAX, Entry, EntryFault, Line};
pub use hold::{Backlog, Hold, HoldState, backlog, capture, due, expire, hold_state, place, void};
pub use post::{Posted, balance, post, set_limits, spendable};
pub use reports::{
    FAULTS_MAX, STATEMENT_LINES_MAX, StatementLine, TrialRow, faults, statement, trial_balance,
};

use crate::{
    money::{MoneyFault, Vnd},
    store::StoreError,
    word::{Id, Reference},
};

/// Why the books do not take something. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LedgerError {
    /// A balance would go beyond its limit.
    #[error("account {account} would have {balance}, which is beyond its limits")]
    Limit {
        /// Whose.
        account: Account,
        /// What it would have.
        balance: Vnd,
    },
    /// The reference stands for something else already.
    #[error("{reference} is in the books with other postings; choose another reference")]
    Conflict {
        /// The reference.
        reference: Reference,
    },
    /// It is no entry.
    #[error(transparent)]
    Entry(#[from] EntryFault),
    /// There is no such hold.
    #[error("there is no hold {0}")]
    NoHold(Id),
    /// The hold has ended in another way.
    #[error("hold {id} is {state} already")]
    HoldEnded {
        /// Which.
        id: Id,
        /// How it ended.
        state: HoldState,
    },
    /// The time of the hold is over.
    #[error("the time of hold {0} is over")]
    HoldOver(Id),
    /// The time of the hold is not over.
    #[error("the time of hold {0} is not over")]
    HoldNotOver(Id),
    /// More is wanted than is held.
    #[error("hold {0} is of less than what is wanted of it")]
    HoldTooSmall(Id),
    /// Money is held of what is owed to somebody, not of what is ours.
    #[error("account {0} is not one of which money can be held")]
    NotHeld(Account),
    /// An amount in the books is out of range.
    #[error("an amount {0}")]
    Money(#[from] MoneyFault),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}
