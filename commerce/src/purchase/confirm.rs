//! What a subscriber does with his order: confirm it, have another code sent, or give it up.

use super::{
    CARD_KEPT_MS, Channel, Item, Purchase, PurchaseError, Refusal, Rules, State, TRIES_MAX, Why,
    notice,
    order::{CARD_GRACE_MS, bound, issue},
    record::{self, Turn},
    step,
};
use crate::{
    customers::{self, CustomerState},
    moment::UnixMs,
    otp::{self, Code, Verdict},
    phone::Phone,
    seal::Keys,
    stock,
    store::{Store, Write},
    word::Id,
};

/// Whose order is meant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    /// The one that this phone has ordered by message.
    Phone(Phone),
    /// This one, whose id only its page knows.
    Purchase(Id),
}

/// What came of a code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirmed {
    /// It was right, and the bank is charged.
    Charging(Purchase),
    /// It was right, but there is no card any more. Nothing is charged.
    OutOfStock(Purchase),
    /// It was wrong.
    Wrong {
        /// Tries before the phone is locked.
        tries_left: i64,
    },
    /// There were too many wrong ones.
    Locked {
        /// Until when.
        until: UnixMs,
    },
    /// Its time is over, or it was replaced.
    Gone,
}

/// That another code was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resent {
    /// For this.
    pub purchase: Purchase,
    /// Until when it is taken.
    pub expires_at: UnixMs,
}

/// The purchase that was given up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cancelled(pub Purchase);

/// Does one of the three in a change of its own, and again if another was faster.
macro_rules! in_a_change {
    ($store:expr, |$write:ident| $within:expr) => {{
        let mut tries = 1;
        loop {
            let mut $write = $store.write().await?;
            match $within.await {
                Ok(done) => {
                    $write.commit().await?;
                    break Ok(done);
                }
                Err(error) if error.is_busy() && tries < TRIES_MAX => tries += 1,
                Err(error) => break Err(error),
            }
        }
    }};
}

/// Confirms an order by its code. From then on it cannot be given up.
///
/// # Errors
/// Nothing awaits a code, or the customer is blocked.
pub async fn confirm(
    store: &Store,
    keys: &Keys,
    rules: &Rules,
    who: &Who,
    code: &Code,
    now: UnixMs,
) -> Result<Confirmed, PurchaseError> {
    in_a_change!(store, |write| confirm_within(
        &mut write, keys, rules, who, code, now
    ))
}

/// Sends another code; the one before is void.
///
/// # Errors
/// Nothing awaits a code, or it is too early for another.
pub async fn resend(
    store: &Store,
    keys: &Keys,
    rules: &Rules,
    who: &Who,
    now: UnixMs,
) -> Result<Resent, PurchaseError> {
    in_a_change!(store, |write| resend_within(
        &mut write, keys, rules, who, now
    ))
}

/// Gives an order up that awaits its code.
///
/// # Errors
/// Nothing awaits a code.
pub async fn cancel(
    store: &Store,
    keys: &Keys,
    who: &Who,
    now: UnixMs,
) -> Result<Cancelled, PurchaseError> {
    in_a_change!(store, |write| cancel_within(&mut write, keys, who, now))
}

/// The change has to be made whatever came of it; after an error other than a refusal it has to be undone.
pub(super) async fn confirm_within(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    who: &Who,
    code: &Code,
    now: UnixMs,
) -> Result<Confirmed, PurchaseError> {
    let mut purchase = awaiting(write, who).await?;
    let customer = customers::find(write.connection(), &purchase.phone).await?;
    if customer.is_none_or(|customer| customer.state == CustomerState::Blocked) {
        return Err(Refusal::Blocked.into());
    }
    let item = purchase.item.to_string();
    let bound = bound(&purchase, &item);
    match otp::check(write, keys, &rules.otp, &bound, code, now).await? {
        Verdict::Right => {}
        Verdict::Wrong { tries_left } => return Ok(Confirmed::Wrong { tries_left }),
        Verdict::Locked { until } => return Ok(Confirmed::Locked { until }),
        Verdict::Gone => return Ok(Confirmed::Gone),
    }
    let is_kept = keep_card(write, &purchase, now).await?;
    let turn = match is_kept {
        true => Turn::to(State::Charging),
        false => Turn::to(State::Failed).because(Why::OutOfStock),
    };
    step::go(write, keys, &mut purchase, turn, now).await?;
    Ok(match is_kept {
        true => Confirmed::Charging(purchase),
        false => Confirmed::OutOfStock(purchase),
    })
}

/// Keeps the card of a confirmed purchase until its charge is done, or another if the time of the first
/// was over; says whether there is one.
async fn keep_card(
    write: &mut Write,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<bool, PurchaseError> {
    let Item::Card(card_type) = &purchase.item else {
        return Ok(true);
    };
    let (id, until) = (&purchase.id, now.plus_ms(CARD_KEPT_MS));
    if stock::extend(write, id, until, now).await? > 0 {
        return Ok(true);
    }
    stock::release(write, id).await?;
    Ok(stock::reserve(write, card_type, id, 1, until, now).await? > 0)
}

pub(super) async fn resend_within(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    who: &Who,
    now: UnixMs,
) -> Result<Resent, PurchaseError> {
    let mut purchase = awaiting(write, who).await?;
    let issued = issue(write, keys, rules, &purchase, now).await?;
    let expires_at = issued.expires_at;
    record::put_off(write, &mut purchase, Some(expires_at)).await?;
    // A card whose time was over is sought again when the purchase is confirmed.
    let until = expires_at.plus_ms(CARD_GRACE_MS);
    stock::extend(write, &purchase.id, until, now).await?;
    notice::ask_for_code(write, keys, rules, &purchase, &issued, now).await?;
    Ok(Resent {
        purchase,
        expires_at,
    })
}

pub(super) async fn cancel_within(
    write: &mut Write,
    keys: &Keys,
    who: &Who,
    now: UnixMs,
) -> Result<Cancelled, PurchaseError> {
    let mut purchase = awaiting(write, who).await?;
    otp::revoke(write, &purchase.id).await?;
    let turn = Turn::to(State::Cancelled);
    step::go(write, keys, &mut purchase, turn, now).await?;
    Ok(Cancelled(purchase))
}

/// The order that is meant, which awaits its code. A message means only what was ordered by message.
async fn awaiting(write: &mut Write, who: &Who) -> Result<Purchase, PurchaseError> {
    let found = match who {
        Who::Phone(phone) => record::awaiting(write.connection(), phone, Channel::Sms).await?,
        Who::Purchase(id) => record::find(write.connection(), id).await?,
    };
    let awaits = found.filter(|purchase| purchase.state == State::Authenticating);
    awaits.ok_or_else(|| Refusal::NothingAwaits.into())
}
