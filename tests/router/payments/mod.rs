//! Payments: what callers are told beside what the bank's books say of the money.

mod asked;
mod dialects;
mod matching;
mod outages;
mod outcomes;
mod reversals;
mod security;
mod stop;
mod unread;

use loadtest::bank::{Bank, BankBehaviour};

use crate::support::{Router, Setup};

/// A bank where every card has money.
fn generous() -> BankBehaviour {
    BankBehaviour {
        open_unknown_minor: Some(1_000_000_000),
        ..BankBehaviour::default()
    }
}

/// A router with this one bank, all of whose links are up.
async fn router_for(bank: &Bank, keys: &str) -> Router {
    Setup::new("")
        .bank("vietcom", bank, keys)
        .payment_route("vietcom")
        .start_up()
        .await
}
