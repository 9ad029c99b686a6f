//! The messages that a purchase sends its subscriber, each under an id of its own, so that none goes out
//! twice however often its step is tried.

use zeroize::Zeroizing;

use super::{Item, Purchase, PurchaseError, Rules, State, derived, texts};
use crate::{
    moment::UnixMs,
    otp::Issued,
    outgoing,
    port::{Message, Urgency},
    seal::Keys,
    stock::Card,
    store::{StoreError, Write},
    word::Id,
};

/// For how long a card code or an end is of use to its subscriber.
const NEWS_VALID_S: u32 = 24 * 3_600;

/// Asks a subscriber for the code of what he has ordered.
pub(super) async fn ask_for_code(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    purchase: &Purchase,
    issued: &Issued,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let life_s = u32::try_from(rules.otp.life_ms / 1_000).unwrap_or(NEWS_VALID_S);
    let message = Message {
        id: derived(&purchase.id, &format!("otp-{}", issued.number))?,
        to: purchase.phone.clone(),
        text: texts::ask_for_code(purchase, &issued.code, life_s.div_ceil(60)),
        urgency: Urgency::Urgent,
        validity_s: life_s,
    };
    Ok(outgoing::queue(write, keys, &message, now).await?)
}

/// Tells a subscriber where his purchase has come to, if that is news to him, once for each state.
pub(super) async fn tell(
    write: &mut Write,
    keys: &Keys,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let is_news = match purchase.state {
        State::Failed
        | State::Refunded
        | State::ManualReview
        | State::Reversing
        | State::Unknown => true,
        State::Fulfilled => matches!(purchase.item, Item::Order { .. }),
        _ => false,
    };
    if !is_news {
        return Ok(());
    }
    let suffix = match purchase.state {
        State::Fulfilled => "paid".to_owned(),
        state => state.word().to_ascii_lowercase(),
    };
    let id = derived(&purchase.id, &suffix)?;
    queue(write, keys, purchase, id, texts::status(purchase), now).await
}

/// Sends the card code.
pub(super) async fn send_card(
    write: &mut Write,
    keys: &Keys,
    purchase: &Purchase,
    card: &Card,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let id = last_id(purchase)?;
    queue(write, keys, purchase, id, texts::card(card), now).await
}

/// The message that a fulfilled purchase waits for.
pub(super) fn last_id(purchase: &Purchase) -> Result<Id, StoreError> {
    match (&purchase.item, purchase.card_resends) {
        (Item::Order { .. }, _) => derived(&purchase.id, "paid"),
        (Item::Card(_), 0) => derived(&purchase.id, "card"),
        (Item::Card(_), again) => derived(&purchase.id, &format!("card-{again}")),
    }
}

async fn queue(
    write: &mut Write,
    keys: &Keys,
    purchase: &Purchase,
    id: Id,
    text: Zeroizing<String>,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let message = Message {
        id,
        to: purchase.phone.clone(),
        text,
        urgency: Urgency::Urgent,
        validity_s: NEWS_VALID_S,
    };
    Ok(outgoing::queue(write, keys, &message, now).await?)
}
