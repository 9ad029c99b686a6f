//! Hands out what was paid, in one change: the card is sold, the money is the seller's, the code is in a
//! message, and the purchase says so. Or there is none, and the bank has to take the charge back.

use super::{
    Item, Purchase, PurchaseError, State, Why, decide, notice,
    record::{self, Turn},
    step, unfit,
};
use crate::{
    moment::UnixMs,
    seal::Keys,
    stock::{self, Card, StockError},
    store::{Store, Write},
    word::CardTypeId,
};

/// Hands out, or lets the charge be taken back.
pub(super) async fn fulfil(
    store: &Store,
    keys: &Keys,
    purchase: &mut Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let mut write = store.write().await?;
    let mut changed = purchase.clone();
    fulfil_within(&mut write, keys, &mut changed, now).await?;
    write.commit().await?;
    *purchase = changed;
    Ok(())
}

async fn fulfil_within(
    write: &mut Write,
    keys: &Keys,
    purchase: &mut Purchase,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    if purchase.state == State::FundsHeld {
        step::go(write, keys, purchase, Turn::to(State::Fulfilling), now).await?;
    }
    let card = match purchase.item.clone() {
        Item::Order { .. } => None,
        Item::Card(card_type) => match hand_out(write, keys, purchase, &card_type, now).await {
            Ok(Some(card)) => Some(card),
            Ok(None) => {
                return give_up(write, keys, purchase, Why::OutOfStock, now).await;
            }
            Err(PurchaseError::Stock(fault @ StockError::Pin { .. })) => {
                tracing::error!(purchase = %purchase.id, %fault, "a paid card cannot be opened");
                return not_opened(write, keys, purchase, &fault, now).await;
            }
            Err(error) => return Err(error),
        },
    };
    if let Some(card) = card {
        notice::send_card(write, keys, purchase, &card, now).await?;
    }
    step::go(write, keys, purchase, Turn::to(State::Fulfilled), now).await
}

/// The card that was kept for a purchase, or another if its time was over.
async fn hand_out(
    write: &mut Write,
    keys: &Keys,
    purchase: &Purchase,
    card_type: &CardTypeId,
    now: UnixMs,
) -> Result<Option<Card>, PurchaseError> {
    let id = &purchase.id;
    let mut cards = stock::hand_out(write, keys, id, now).await?;
    if cards.is_empty() {
        stock::release(write, id).await?;
        let until = now.plus_ms(1);
        if stock::reserve(write, card_type, id, 1, until, now).await? == 0 {
            return Ok(None);
        }
        cards = stock::hand_out(write, keys, id, now).await?;
    }
    match (cards.pop(), cards.pop()) {
        (Some(card), None) => Ok(Some(card)),
        _ => Err(unfit("not one card for it").into()),
    }
}

/// A key may be missing, which somebody mends; then the card is handed out all the same. If nobody does, the
/// card is set aside, so that the next customer gets another.
async fn not_opened(
    write: &mut Write,
    keys: &Keys,
    purchase: &mut Purchase,
    fault: &StockError,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    if !decide::may_try_to_fulfil_again(purchase) {
        if let StockError::Pin {
            card_type,
            serial,
            fault,
        } = fault
        {
            stock::set_aside(write, card_type, serial, &fault.to_string(), now).await?;
        }
        return give_up(write, keys, purchase, Why::Sealed, now).await;
    }
    let due_at = decide::due_again(purchase.attempts, now);
    record::put_off(write, purchase, Some(due_at)).await
}

async fn give_up(
    write: &mut Write,
    keys: &Keys,
    purchase: &mut Purchase,
    why: Why,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let turn = Turn::to(State::Compensating).because(why);
    step::go(write, keys, purchase, turn, now).await
}
