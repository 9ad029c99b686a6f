//! Begins the purchase of an order: the phone that was tried, the purchase and the order's note of it are one
//! change.

use super::Checkout;
use crate::{
    merchants::orders::{self, Order},
    moment::UnixMs,
    phone::Phone,
    purchase::{self, Channel, Item, PurchaseError},
};

/// Tries of what meets others: a third one means that the database is overloaded.
const TRIES_MAX: u32 = 3;

/// What came of a phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// A code is on its way to it.
    Asked,
    /// The order is begun, over, or was tried with too many phones.
    Closed,
    /// This phone cannot pay it. Why is its owner's business alone.
    Refused,
}

/// Begins a purchase by that phone.
pub(super) async fn begin(
    checkout: &Checkout,
    order: &Order,
    phone: &Phone,
    now: UnixMs,
) -> Result<Begun, PurchaseError> {
    let mut tries = 1;
    loop {
        match try_to_begin(checkout, order, phone, now).await {
            Err(error) if error.is_busy() && tries < TRIES_MAX => tries += 1,
            done => return done,
        }
    }
}

async fn try_to_begin(
    checkout: &Checkout,
    order: &Order,
    phone: &Phone,
    now: UnixMs,
) -> Result<Begun, PurchaseError> {
    let mut write = checkout.store.write().await?;
    if !orders::try_phone(&mut write, order, now).await? {
        return Ok(Begun::Closed);
    }
    let wanted = purchase::Order {
        phone: phone.clone(),
        channel: Channel::Web,
        item: Item::Order {
            merchant: order.asked.merchant.clone(),
            reference: order.asked.reference.clone(),
        },
        amount: Some(order.asked.amount),
        idempotency_key: None,
    };
    let (keys, rules) = (&checkout.keys, &checkout.rules);
    let begun = match purchase::order_within(&mut write, keys, rules, &wanted, now).await {
        Ok(ordered) => {
            orders::attach(&mut write, order, &ordered.purchase.id).await?;
            Begun::Asked
        }
        // The try counts all the same.
        Err(PurchaseError::Refused(refusal)) => {
            let merchant = &order.asked.merchant;
            tracing::info!(%merchant, ?phone, %refusal, "a phone cannot pay an order");
            Begun::Refused
        }
        Err(error) => return Err(error),
    };
    write.commit().await?;
    Ok(begun)
}
