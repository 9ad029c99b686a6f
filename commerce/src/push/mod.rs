//! Messages of subscribers, handed on to partners: to a page as FiboSMS calls it, or to a webhook as Standard
//! Webhooks describes it.
//!
//! [`route`] queues a delivery for each partner whom a message is for, in the same change as the message;
//! [`Pusher`] makes the calls. Texts and secrets are in no log and no error.

mod fibo;
mod filter;
mod partner;
mod pusher;
mod route;
mod secret;
mod webhook;

pub use filter::{Filter, FilterFault, Keyword, Prefix, ServiceNumber};
pub(crate) use partner::context;
pub use partner::{
    Description, NETWORKS_MAX, PARTNERS_MAX, Partner, PartnerKind, Registration, SECRET_OVERLAP,
    ServiceName, Signing, add, change_secret, change_url, list, set_active,
};
pub use pusher::Pusher;
pub use route::{Mo, route};
pub use secret::{Secret, SecretFault, Signer};

use crate::{
    deliveries::DeliveryError, egress::UrlFault, seal::SealFault, store::StoreError, word::Id,
};

/// Why a partner is not added or changed, or a message not handed on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PushError {
    /// There is one of that id.
    #[error("there is a partner {0} already; switch it off and add one under another id")]
    Exists(Id),
    /// There is none of that id.
    #[error("there is no partner {0}")]
    NoPartner(Id),
    /// There are too many.
    #[error("there are {PARTNERS_MAX} partners, and no more are possible")]
    TooMany,
    /// The URL may not be called.
    #[error("the URL {0}")]
    Url(#[from] UrlFault),
    /// Too many networks.
    #[error("a partner has at most {NETWORKS_MAX} networks")]
    Networks,
    /// The system gives no randomness, or the partner has no secret.
    #[error("the secret {0}")]
    Secret(#[from] SecretFault),
    /// A secret cannot be sealed or opened.
    #[error("a secret of partner {partner} {fault}")]
    Seal {
        /// Whose.
        partner: Id,
        /// Why.
        fault: SealFault,
    },
    /// A delivery is not queued.
    #[error(transparent)]
    Delivery(#[from] DeliveryError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "partner",
        reason: reason.to_owned(),
    }
}
