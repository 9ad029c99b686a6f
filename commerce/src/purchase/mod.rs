//! A purchase from the order to the card code, or back to the beginning, whatever fails on the way.
//!
//! `state` has the states and their transitions; `order` and `confirm` are what a subscriber does, `worker`
//! and `step` what is done for him: each step is in the database before the bank hears of it, and what was
//! heard is in the database, with its money, before anything follows from it. So whoever goes on after a
//! crash knows at least as much as the bank was asked, and asks again under the same id.
//!
//! Nothing here may guess. Of a charge that nobody has answered for, it is said that it is not known.

mod books;
mod charge;
mod confirm;
mod decide;
mod fulfil;
mod item;
mod notice;
mod order;
mod record;
mod refund;
mod report;
mod settle;
pub mod sms;
mod state;
mod step;
pub mod texts;
mod told;
mod verdict;
mod worker;

pub use confirm::{Cancelled, Confirmed, Resent, Who, cancel, confirm, resend};
pub use item::{Channel, Item};
pub(crate) use order::order_within;
pub use order::{Order, Ordered, order};
pub use record::{Event, Filter, LIST_MAX, Purchase, events, find, is_code_awaited, last_of, list};
pub use refund::refund;
pub use report::{DayCount, STUCK_AFTER_MS, per_day, stuck};
pub use settle::{Settlement, settle};
pub use state::{State, Why};
pub use told::Outcome;
pub(crate) use told::Told;
pub use verdict::{VERDICT_LINES_MAX, verdict};
pub use worker::{run, work};

use crate::{
    catalogue::CatalogueError,
    customers::CustomerError,
    deliveries::DeliveryError,
    intake::ShownWords,
    ledger::{EntryFault, LedgerError},
    moment::DayFault,
    money::Vnd,
    otp::{self, OtpError},
    outgoing::OutgoingError,
    stock::StockError,
    store::StoreError,
    word::{CardTypeId, Id},
};

/// What holds for purchases, as the configuration says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Purchases of a phone that are not ended.
    pub open_max: i64,
    /// Purchases that a phone orders in a day, whatever becomes of them.
    pub day_orders_max: i64,
    /// What a phone pays in a day.
    pub day_amount_max: Vnd,
    /// Of one-time passwords.
    pub otp: otp::Rules,
    /// What subscribers are told to write.
    pub words: ShownWords,
}

/// One on each channel and one that nobody knows the end of; five million dong a day.
impl Default for Rules {
    fn default() -> Self {
        Self {
            open_max: 3,
            day_orders_max: 20,
            day_amount_max: Vnd::new(5_000_000).unwrap_or(Vnd::ZERO),
            otp: otp::Rules::default(),
            words: ShownWords::default(),
        }
    }
}

/// Why a subscriber does not get what he asks for. Nothing was changed, or all was undone.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The phone is not linked with a bank account.
    #[error("the phone is not linked with a bank account")]
    NotLinked,
    /// The customer is blocked.
    #[error("the customer is blocked")]
    Blocked,
    /// The card type is not on sale.
    #[error("card type {0} is not on sale")]
    NotOnSale(CardTypeId),
    /// There is no card.
    #[error("card type {0} is out of stock")]
    OutOfStock(CardTypeId),
    /// The phone has a purchase on this channel that awaits its code.
    #[error("purchase {0} of this phone awaits its one-time password; confirm or cancel it first")]
    Awaiting(Id),
    /// The phone has too many purchases that are not ended.
    #[error("the phone has too many purchases that are not ended")]
    TooManyOpen,
    /// The phone has bought too much today.
    #[error("the phone has ordered as often or for as much as it may in a day")]
    DayFull,
    /// The amount is none.
    #[error("an amount has to be more than nothing")]
    NoAmount,
    /// Another purchase pays or has paid this order.
    #[error("another purchase pays this order or has paid it")]
    OrderTaken,
    /// The idempotency key stands for another purchase.
    #[error("the idempotency key stands for another purchase")]
    KeyUsed,
    /// There is nothing that awaits a code.
    #[error("no purchase awaits a one-time password")]
    NothingAwaits,
    /// No code is sent.
    #[error(transparent)]
    Otp(#[from] otp::Refusal),
    /// It is not given back.
    #[error(transparent)]
    NoRefund(#[from] NoRefund),
}

/// Why a merchant's order is not given back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoRefund {
    /// It was never paid, or is not yet.
    #[error("only an order that is PAID can be given back")]
    NotPaid,
    /// The amount is another.
    #[error("an order is given back whole: the amount has to be that of the order")]
    Part,
    /// It was tried, and the bank did not.
    #[error("the bank could not give it back before; ask the operator")]
    Kept,
    /// The bank's side forgets.
    #[error("it was paid too long ago to be taken back; pay the customer back in another way")]
    TooLate,
    /// He has been paid out.
    #[error("the merchant's account does not cover it")]
    Balance,
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PurchaseError {
    /// The rules forbid it. The change holds nothing of it and may go on.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Another change was faster. The same may be tried again.
    #[error("purchase {0} was changed by another at the same moment; do the same again")]
    Raced(Id),
    /// A transition that there is not.
    #[error(
        "purchase {id} is {from} and cannot become {to}; report this to the makers of commerce"
    )]
    Forbidden {
        /// Which.
        id: Id,
        /// Where it is.
        from: State,
        /// Where it should go.
        to: State,
    },
    /// There is none.
    #[error("there is no purchase {0}")]
    NotFound(Id),
    /// It awaits nobody's decision, or not this one.
    #[error("purchase {id} is {state} and cannot be settled so: {why}")]
    NotSettled {
        /// Which.
        id: Id,
        /// Where it is.
        state: State,
        /// What to do.
        why: &'static str,
    },
    /// The system gives no randomness.
    #[error("an id cannot be made: the system gives no randomness")]
    Randomness,
    /// The time is far off.
    #[error("the time {0}")]
    Day(#[from] DayFault),
    /// The customer.
    #[error(transparent)]
    Customer(#[from] CustomerError),
    /// The catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The stock.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// The books.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The message.
    #[error(transparent)]
    Outgoing(#[from] OutgoingError),
    /// The one-time password.
    #[error(transparent)]
    Otp(OtpError),
    /// What a merchant is to be told.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<OtpError> for PurchaseError {
    fn from(error: OtpError) -> Self {
        match error {
            OtpError::Refused(refusal) => Refusal::Otp(refusal).into(),
            OtpError::Store(error) => error.into(),
            other => Self::Otp(other),
        }
    }
}

impl From<EntryFault> for PurchaseError {
    fn from(fault: EntryFault) -> Self {
        Self::Ledger(fault.into())
    }
}

impl PurchaseError {
    /// Whether the same may be tried again at once. Nothing was changed.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Raced(_)) || self.of_store().is_some_and(StoreError::is_busy)
    }

    /// What is wrong with the database, if that is it.
    pub fn of_store(&self) -> Option<&StoreError> {
        match self {
            Self::Store(error)
            | Self::Customer(CustomerError::Store(error))
            | Self::Catalogue(
                CatalogueError::Store(error) | CatalogueError::Stock(StockError::Store(error)),
            )
            | Self::Stock(StockError::Store(error))
            | Self::Ledger(LedgerError::Store(error))
            | Self::Delivery(DeliveryError::Store(error))
            | Self::Outgoing(OutgoingError::Store(error)) => Some(error),
            _ => None,
        }
    }
}

/// Tries of what meets others, as for a sale: a third one means that the database is overloaded.
const TRIES_MAX: u32 = 3;

/// A charge is sent within this time of its confirmation, and never later: a subscriber who was told
/// nothing for longer does not expect it any more. Far within the time for which the router remembers ids
/// (a day), so that it can never take a repeat for another charge.
const CHARGE_WINDOW_MS: i64 = 15 * 60_000;

/// For how long a bank is asked before a person has to look: as long as the router remembers.
const INQUIRY_MAX_MS: i64 = 24 * 3_600_000;

/// For how long a card is kept for a confirmed purchase. Longer than a charge can be sent, so that none is
/// sent without a card; and than it is asked about, so that its card is still there when it is found.
const CARD_KEPT_MS: i64 = INQUIRY_MAX_MS + 4 * CHARGE_WINDOW_MS;

/// What goes wrong with a row.
fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "purchase",
        reason: reason.to_owned(),
    }
}

/// An id that belongs to a purchase, as `ID-pay`. A purchase's own is short enough for it.
fn derived(id: &Id, suffix: &str) -> Result<Id, StoreError> {
    let derived = format!("{id}-{suffix}").parse();
    derived.map_err(|_| unfit("an id that is too long"))
}

/// By which the bank knows the charge.
fn charge_id(id: &Id) -> Result<Id, StoreError> {
    derived(id, "pay")
}
