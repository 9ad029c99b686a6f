//! Payments: what is asked of a bank, what it ends in, and the way between.
//!
//! This file holds the vocabulary. [`state`] is the pure state machine that every payment runs
//! through; the desk keeps a bank's records and is driven by one task per bank; [`Payments`] is the
//! way in.

mod build;
mod by_stan;
mod desk;
mod fingerprint;
mod keys;
mod lines;
mod operator;
mod orders;
mod originals;
mod record;
mod recording;
mod recovery;
mod registry;
mod retention;
mod reversal;
mod row;
mod service;
mod stans;
pub mod state;
mod task;
#[cfg(test)]
mod tests;
mod totals;
mod writing;

pub use crate::client::{PaymentId, PaymentKey};
pub use operator::{OpenReversal, OperatorError};
pub use originals::AboutOriginal;
pub use recovery::RecoveryError;
pub use registry::Registry;
pub use service::Payments;
pub use stans::StanAllocator;
pub use task::{BankDesk, Opening, Unstarted};
pub use totals::{Balance, DayBooks, SettlementDay, Sum, Totals, told as told_totals};

use std::{fmt, sync::Arc, time::Instant};

use bytes::Bytes;

use crate::{
    iso8583::{Stan, currency::Currency},
    journal::KeptResponse,
    outbox::{self, Outbox},
    outcome::Reason,
};

/// Where the outcomes of one caller's payments gather.
pub type PaymentOutbox = Outbox<PaymentAnswer>;

/// A primary account number, DE2. It shows itself masked only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Pan(Bytes);

impl Pan {
    /// 8 to 19 digits; `None` for anything else.
    pub fn parse(digits: &str) -> Option<Self> {
        let sound = (8..=19).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        sound.then(|| Self(Bytes::copy_from_slice(digits.as_bytes())))
    }

    /// The digits, for the message to the bank and nothing else.
    pub fn digits(&self) -> &Bytes {
        &self.0
    }
}

impl fmt::Debug for Pan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pan(masked)")
    }
}

/// An amount of money in minor units: ten dollars are 1000 USD, ten thousand dong 10000 VND.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Money {
    amount_minor: u64,
    currency: Currency,
}

impl Money {
    /// The most that DE4 (n12) can carry.
    pub const AMOUNT_MINOR_MAX: u64 = 999_999_999_999;

    /// `None` if the amount is 0 or does not fit into DE4.
    pub fn new(amount_minor: u64, currency: Currency) -> Option<Self> {
        (1..=Self::AMOUNT_MINOR_MAX)
            .contains(&amount_minor)
            .then_some(Self {
                amount_minor,
                currency,
            })
    }

    /// Minor units, at least 1.
    pub fn amount_minor(self) -> u64 {
        self.amount_minor
    }

    /// ISO 4217.
    pub fn currency(self) -> Currency {
        self.currency
    }
}

/// The middle and last digits of a processing code, DE3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AccountType {
    /// 00
    #[default]
    Default,
    /// 10
    Savings,
    /// 20
    Current,
}

impl AccountType {
    fn digits(self) -> &'static str {
        match self {
            Self::Default => "00",
            Self::Savings => "10",
            Self::Current => "20",
        }
    }
}

/// What is to be done at the bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Transaction {
    /// Goods and services, 00xx00.
    Purchase {
        /// What is paid.
        amount: Money,
        /// The account that pays.
        from: AccountType,
    },
    /// Cash, 01xx00.
    Withdrawal {
        /// What is paid out.
        amount: Money,
        /// The account that pays.
        from: AccountType,
    },
    /// Balance inquiry, 30xx00.
    Balance {
        /// The account asked about.
        from: AccountType,
    },
    /// Mini statement, 35xx00.
    MiniStatement {
        /// The account asked about.
        from: AccountType,
    },
    /// Funds transfer, 40xxyy.
    Transfer {
        /// What is moved.
        amount: Money,
        /// Where it comes from.
        from: AccountType,
        /// Where it goes.
        to: AccountType,
    },
}

impl Transaction {
    /// The money that moves, if any does. Without it there is nothing to reverse.
    pub fn amount(self) -> Option<Money> {
        match self {
            Self::Purchase { amount, .. }
            | Self::Withdrawal { amount, .. }
            | Self::Transfer { amount, .. } => Some(amount),
            Self::Balance { .. } | Self::MiniStatement { .. } => None,
        }
    }

    /// DE3: kind, from account, to account.
    pub fn processing_code(self) -> String {
        let (kind, from, to) = match self {
            Self::Purchase { from, .. } => ("00", from, AccountType::Default),
            Self::Withdrawal { from, .. } => ("01", from, AccountType::Default),
            Self::Balance { from } => ("30", from, AccountType::Default),
            Self::MiniStatement { from } => ("35", from, AccountType::Default),
            Self::Transfer { from, to, .. } => ("40", from, to),
        };
        [kind, from.digits(), to.digits()].concat()
    }

    /// A word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Purchase { .. } => "purchase",
            Self::Withdrawal { .. } => "withdrawal",
            Self::Balance { .. } => "balance",
            Self::MiniStatement { .. } => "mini_statement",
            Self::Transfer { .. } => "transfer",
        }
    }
}

/// A payment to make. Two are the same payment if they are equal.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Payment {
    /// The caller's id.
    pub id: PaymentId,
    /// What is to be done.
    pub transaction: Transaction,
    /// The bank's name; empty chooses by the card's prefix.
    pub bank: String,
    /// Whose card or account.
    pub pan: Pan,
    /// DE102, or empty.
    pub from_account_id: Bytes,
    /// DE103, or empty.
    pub to_account_id: Bytes,
    /// DE41, or empty for the bank's configured one.
    pub terminal_id: Bytes,
    /// DE42, or empty for the bank's configured one.
    pub merchant_id: Bytes,
    /// DE14 (YYMM), or empty.
    pub expiry: Bytes,
    /// DE37, or empty for one made by Sampan.
    pub retrieval_reference: Bytes,
    /// What this bank wants besides; may not touch the elements that Sampan fills in.
    pub elements: Vec<(u8, Bytes)>,
}

impl fmt::Debug for Payment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Elements and accounts may hold card data, so only what names the payment is shown.
        write!(
            f,
            "Payment({}, {:?})",
            self.id.as_str(),
            self.transaction.as_str()
        )
    }
}

/// A payment on its way down.
#[derive(Debug)]
pub struct PaymentRequest {
    /// The caller's tag, under which the outcome appears in its outbox.
    pub tag: u32,
    /// What to do.
    pub payment: Payment,
    /// What has not been dispatched by then is not sent.
    pub deadline: Instant,
}

/// How far a payment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PaymentOutcome {
    /// The bank approved.
    Approved,
    /// The bank declined.
    Declined,
    /// No byte left.
    NotSent {
        /// Why.
        reason: Reason,
        /// For a person; holds no card data.
        detail: String,
    },
    /// It may have reached the bank and is being taken back.
    Reversing,
    /// The bank acknowledged the reversal.
    Reversed,
    /// An operator must look.
    ReversalFailed,
    /// An operator has looked, and settled it with the bank by hand.
    Resolved {
        /// What was found and done, in the operator's words.
        detail: String,
    },
    /// Sent, unanswered, moves no money.
    Unknown {
        /// Why.
        reason: Reason,
        /// For a person; holds no card data.
        detail: String,
    },
    /// The bank's answer is awaited, or its record cannot be made durable at the moment.
    Pending,
}

impl PaymentOutcome {
    /// Whether the same payment may be made again under a new id without the risk of a second debit.
    ///
    /// A reversed payment has no effect left, and one that moves no money never had one.
    pub fn retry_is_safe(&self) -> bool {
        match self {
            Self::NotSent { .. } | Self::Declined | Self::Reversed | Self::Unknown { .. } => true,
            Self::Approved
            | Self::Reversing
            | Self::ReversalFailed
            | Self::Resolved { .. }
            | Self::Pending => false,
        }
    }
}

/// Why a payment cannot be taken back as its caller wants it. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReverseError {
    /// The client has none of that id.
    #[error("no payment has this payment_id; ask under the name that made it")]
    Unknown,
    /// Not so much of it can stay with the bank.
    #[error(
        "actual_amount_minor: {actual} is not less than the {whole} of the payment; leave it out to \
         take back the whole"
    )]
    Amount {
        /// What the bank was to keep.
        actual: u64,
        /// The payment's amount.
        whole: u64,
    },
    /// There is nothing of which a part could stay.
    #[error("actual_amount_minor: this payment moves no money")]
    NoMoney,
    /// Sampan is stopping.
    #[error("the bank's desk has stopped; try another instance")]
    Stopped,
}

/// The state of a payment's reversal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReversalStatus {
    /// Why it is reversed.
    pub reason: Reason,
    /// The number of 0420 and 0421 sent so far.
    pub attempts: u32,
    /// DE39 of the 0430, as long as there is none empty.
    pub response_code: Bytes,
    /// DE11 of the reversal.
    pub stan: Stan,
    /// What the bank keeps of the amount, if the payment is taken back in part only.
    pub actual_amount_minor: Option<u64>,
}

/// What a caller is told of a payment. It shows itself without the bank's elements, which hold
/// balances and statements.
#[derive(Clone, PartialEq, Eq)]
pub struct PaymentAnswer {
    /// How far it is.
    pub outcome: PaymentOutcome,
    /// The bank; `None` if it did not come to a choice.
    pub bank: Option<Arc<str>>,
    /// DE11 as sent.
    pub stan: Option<Stan>,
    /// DE37 as sent, or empty.
    pub retrieval_reference: Bytes,
    /// The bank's answer.
    pub response: KeptResponse,
    /// The reversal, if there is one.
    pub reversal: Option<ReversalStatus>,
    /// DE39 of an answer that came after the outcome was told, or empty.
    pub late_response_code: Bytes,
}

impl PaymentAnswer {
    /// As [`PaymentOutcome::retry_is_safe`], and not if the bank keeps a part of the amount.
    pub fn retry_is_safe(&self) -> bool {
        let keeps_part = self
            .reversal
            .as_ref()
            .is_some_and(|reversal| reversal.actual_amount_minor.is_some());
        self.outcome.retry_is_safe() && !keeps_part
    }

    /// The answer to a payment that did not come as far as a bank.
    pub fn not_sent(reason: Reason, detail: impl Into<String>) -> Self {
        Self::bare(PaymentOutcome::NotSent {
            reason,
            detail: detail.into(),
        })
    }

    /// An outcome with nothing else known.
    pub fn bare(outcome: PaymentOutcome) -> Self {
        Self {
            outcome,
            bank: None,
            stan: None,
            retrieval_reference: Bytes::new(),
            response: KeptResponse::default(),
            reversal: None,
            late_response_code: Bytes::new(),
        }
    }
}

impl fmt::Debug for PaymentAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PaymentAnswer")
            .field("outcome", &self.outcome)
            .field("bank", &self.bank)
            .field("stan", &self.stan)
            .field("response", &self.response)
            .field("reversal", &self.reversal)
            .field("late_response_code", &self.late_response_code)
            .finish_non_exhaustive()
    }
}

impl outbox::Outcome for PaymentAnswer {
    fn abandoned() -> Self {
        // Never safe to retry: the look-up by id tells what became of it.
        Self::bare(PaymentOutcome::Pending)
    }
}
