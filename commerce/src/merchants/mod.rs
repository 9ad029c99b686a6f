//! Merchants: shops whose customers pay by us. What is registered of them, what both sides sign with, what
//! they are told of their orders, and what they may ask.
//!
//! ```text
//!   shop ── signed link, by the customer's browser ──► checkout
//!   shop ◄── signed return, by the customer's browser ── checkout      for display only
//!   shop ◄── IPN ── deliveries                                          what counts
//!   shop ── query, refund ──► api
//! ```

mod api;
mod call;
mod describe;
mod fault;
mod ipn;
mod limits;
pub mod orders;
mod record;
mod return_url;
mod secret;

pub use api::{Api, router};
pub use describe::document;
pub(crate) use describe::{DOCUMENT, router as docs};
pub use ipn::Ipn;
pub use limits::{Amounts, AmountsFault};
pub(crate) use record::context;
pub use record::{
    MERCHANTS_MAX, Merchant, MerchantName, RETURN_PREFIXES_MAX, Registration, SECRET_OVERLAP, add,
    change_secret, find, list, set_active,
};
pub use return_url::{ReturnPrefix, ReturnUrl, ReturnUrlFault};
pub use secret::{Secret, SecretFault, Secrets, Signature};
pub(crate) use {fault::refuse, secret::hex};

use crate::{egress::UrlFault, moment::UnixMs, seal::SealFault, store::StoreError, word::Id};

/// How far a signed request's time may be from ours, either way.
pub const CREATED_WINDOW_S: i64 = 15 * 60;

/// Why a merchant is not added or changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MerchantError {
    /// There is one of that id.
    #[error("there is a merchant {0} already; switch it off and add one under another id")]
    Exists(Id),
    /// There is none of that id.
    #[error("there is no merchant {0}")]
    NoMerchant(Id),
    /// There are too many.
    #[error("there are {MERCHANTS_MAX} merchants, and no more are possible")]
    TooMany,
    /// The URL may not be called.
    #[error("the IPN URL {0}")]
    Url(#[from] UrlFault),
    /// There has to be somewhere to return to.
    #[error("a merchant has 1 to {RETURN_PREFIXES_MAX} URLs below which customers return")]
    Prefixes,
    /// The system gives no randomness.
    #[error("the secret {0}")]
    Secret(#[from] SecretFault),
    /// A secret cannot be sealed or opened.
    #[error("a secret of merchant {merchant} {fault}")]
    Seal {
        /// Whose.
        merchant: Id,
        /// Why.
        fault: SealFault,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "merchant",
        reason: reason.to_owned(),
    }
}

/// Whether a signed request's time, in seconds, is near ours.
pub(crate) fn is_recent(created_s: i64, now: UnixMs) -> bool {
    let now_s = now.0.div_euclid(1_000);
    created_s.abs_diff(now_s) <= CREATED_WINDOW_S.unsigned_abs()
}
