//! An order: a card is kept for it, and its subscriber is asked whether it is his.

use ring::{
    error::Unspecified,
    rand::{SecureRandom as _, SystemRandom},
};
use sqlx::{AnyConnection, Row as _};

use super::{
    Channel, Item, Purchase, PurchaseError, Refusal, Rules, State, TRIES_MAX, notice,
    record::{self, add_event},
    unfit,
};
use crate::{
    catalogue,
    customers::{self, CustomerState},
    moment::{Day, UnixMs},
    money::Vnd,
    otp::{self, Bound, Issued},
    phone::Phone,
    seal::Keys,
    stock,
    store::{Store, Write, at},
    word::Id,
};

/// Bytes of an id: 128 bits, so that nobody guesses another's.
const ID_BYTES: usize = 16;

/// For how much longer than its code's life a card is kept: a confirmation in the last moment still finds it.
pub(super) const CARD_GRACE_MS: i64 = 60_000;

/// The version of a purchase that was ordered and asked about.
const FIRST_VERSION: i64 = 2;

/// What is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// By whom.
    pub phone: Phone,
    /// On which way.
    pub channel: Channel,
    /// What.
    pub item: Item,
    /// What a merchant's order costs; a card costs its value.
    pub amount: Option<Vnd>,
    /// By which a repeat of this phone is known.
    pub idempotency_key: Option<Id>,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The purchase.
    pub purchase: Purchase,
    /// Whether it was there before.
    pub is_repeat: bool,
}

/// Orders, and lets the one-time password go out.
///
/// # Errors
/// Nothing was ordered, and why.
pub async fn order(
    store: &Store,
    keys: &Keys,
    rules: &Rules,
    order: &Order,
    now: UnixMs,
) -> Result<Ordered, PurchaseError> {
    let mut tries = 1;
    loop {
        let mut write = store.write().await?;
        match order_within(&mut write, keys, rules, order, now).await {
            Ok(ordered) => {
                write.commit().await?;
                return Ok(ordered);
            }
            Err(error) if error.is_busy() && tries < TRIES_MAX => tries += 1,
            Err(error) => return Err(error),
        }
    }
}

/// The same as a part of a larger change. After a refusal that change may go on; after any other error it
/// has to be undone.
pub(crate) async fn order_within(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    order: &Order,
    now: UnixMs,
) -> Result<Ordered, PurchaseError> {
    // Other orders of this phone wait from here on.
    let customer = customers::find_for_order(write, &order.phone).await?;
    let customer = customer.ok_or(Refusal::NotLinked)?;
    if let Some(purchase) = repeated(write, order).await? {
        return Ok(Ordered {
            purchase,
            is_repeat: true,
        });
    }
    if customer.state == CustomerState::Blocked {
        return Err(Refusal::Blocked.into());
    }
    let amount = amount(write, order).await?;
    check_limits(write, rules, order, amount, now).await?;
    let purchase = Purchase {
        id: new_id()?,
        phone: order.phone.clone(),
        bank: customer.bank.clone(),
        channel: order.channel,
        item: order.item.clone(),
        amount,
        state: State::Created,
        version: FIRST_VERSION - 1,
        attempts: 0,
        created_at: now,
        updated_at: now,
        confirmed_at: None,
        charge_asked_at: None,
        response_code: None,
        why: None,
        card_resends: 0,
    };
    begin(write, keys, rules, order, purchase, now).await
}

/// Keeps a card, writes the purchase down, and asks its subscriber.
async fn begin(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    order: &Order,
    mut purchase: Purchase,
    now: UnixMs,
) -> Result<Ordered, PurchaseError> {
    let kept_until = now.plus_ms(rules.otp.life_ms.saturating_add(CARD_GRACE_MS));
    if let Item::Card(card_type) = &purchase.item {
        let (id, until) = (&purchase.id, kept_until);
        if stock::reserve(write, card_type, id, 1, until, now).await? == 0 {
            return Err(Refusal::OutOfStock(card_type.clone()).into());
        }
    }
    let issued = match issue(write, keys, rules, &purchase, now).await {
        Ok(issued) => issued,
        Err(error) => {
            // A refusal leaves nothing behind in the change.
            stock::release(write, &purchase.id).await?;
            return Err(error);
        }
    };
    if !insert(write, order, &purchase, &issued, now).await? {
        // Two subscribers pay the same order of a merchant. The other was faster.
        otp::revoke(write, &purchase.id).await?;
        return Err(Refusal::OrderTaken.into());
    }
    add_event(write, &purchase, None, purchase.channel.word(), now).await?;
    purchase.state = State::Authenticating;
    purchase.version = FIRST_VERSION;
    add_event(write, &purchase, Some(State::Created), "", now).await?;
    notice::ask_for_code(write, keys, rules, &purchase, &issued, now).await?;
    Ok(Ordered {
        purchase,
        is_repeat: false,
    })
}

/// A code for a purchase.
pub(super) async fn issue(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<Issued, PurchaseError> {
    let item = purchase.item.to_string();
    let bound = bound(purchase, &item);
    Ok(otp::issue(write, keys, &rules.otp, &bound, now).await?)
}

/// What the code of a purchase is for.
pub(super) fn bound<'a>(purchase: &'a Purchase, item: &'a str) -> Bound<'a> {
    Bound {
        purchase: &purchase.id,
        phone: &purchase.phone,
        amount: purchase.amount,
        item,
    }
}

/// The purchase that this order made before, if it is a repeat.
async fn repeated(write: &mut Write, order: &Order) -> Result<Option<Purchase>, PurchaseError> {
    let Some(key) = &order.idempotency_key else {
        return Ok(None);
    };
    let select = format!(
        "SELECT {} FROM purchase WHERE phone = $1 AND idempotency_key = $2",
        record::COLUMNS
    );
    let row = sqlx::query(&select)
        .bind(order.phone.as_str())
        .bind(key.as_str())
        .fetch_optional(write.connection());
    let Some(row) = row.await.map_err(at("purchase"))? else {
        return Ok(None);
    };
    let known = record::read(&row)?;
    let is_same = known.item == order.item
        && known.channel == order.channel
        && order.amount.is_none_or(|amount| amount == known.amount);
    is_same
        .then_some(Some(known))
        .ok_or_else(|| Refusal::KeyUsed.into())
}

async fn amount(write: &mut Write, order: &Order) -> Result<Vnd, PurchaseError> {
    let amount = match &order.item {
        Item::Card(card_type) => {
            let value = catalogue::retail_value(write.connection(), card_type).await?;
            value.ok_or_else(|| Refusal::NotOnSale(card_type.clone()))?
        }
        Item::Order { .. } => order.amount.ok_or(Refusal::NoAmount)?,
    };
    if !amount.is_positive() {
        return Err(Refusal::NoAmount.into());
    }
    Ok(amount)
}

/// What the phone has bought, before this.
async fn check_limits(
    write: &mut Write,
    rules: &Rules,
    order: &Order,
    amount: Vnd,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let awaiting = record::awaiting(write.connection(), &order.phone, order.channel).await?;
    if let Some(awaiting) = awaiting {
        return Err(Refusal::Awaiting(awaiting.id).into());
    }
    if open(write.connection(), &order.phone).await? >= rules.open_max {
        return Err(Refusal::TooManyOpen.into());
    }
    let (orders, dong) = of_day(write.connection(), &order.phone, now).await?;
    let most = rules.day_amount_max.dong();
    if orders >= rules.day_orders_max || dong.saturating_add(amount.dong()) > most {
        return Err(Refusal::DayFull.into());
    }
    Ok(())
}

/// Purchases of a phone whose end it does not know.
async fn open(connection: &mut AnyConnection, phone: &Phone) -> Result<i64, PurchaseError> {
    let open = State::ALL.iter().filter(|state| state.is_open());
    let open: Vec<String> = open.map(|state| format!("'{state}'")).collect();
    let select = format!(
        "SELECT COUNT(*) FROM purchase WHERE phone = $1 AND state IN ({})",
        open.join(", ")
    );
    let row = sqlx::query(&select)
        .bind(phone.as_str())
        .fetch_one(connection);
    let row = row.await.map_err(at("purchase"))?;
    Ok(row.try_get(0).map_err(at("purchase"))?)
}

/// How many purchases a phone has ordered today, and for how much of what was not given up.
async fn of_day(
    connection: &mut AnyConnection,
    phone: &Phone,
    now: UnixMs,
) -> Result<(i64, i64), PurchaseError> {
    let select = "SELECT COUNT(*), CAST(COALESCE(SUM(CASE
            WHEN state IN ('CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED') THEN 0 ELSE amount
        END), 0) AS BIGINT)
        FROM purchase WHERE phone = $1 AND created_at_ms > $2 AND created_on = $3";
    let row = sqlx::query(select)
        .bind(phone.as_str())
        .bind(now.plus_ms(-24 * 3_600_000).0)
        .bind(Day::of(now)?.to_string())
        .fetch_one(connection);
    let row = row.await.map_err(at("purchase"))?;
    let number = |column| row.try_get(column).map_err(at("purchase"));
    Ok((number(0)?, number(1)?))
}

/// Writes a purchase down that awaits its code, unless a merchant's order is taken.
async fn insert(
    write: &mut Write,
    order: &Order,
    purchase: &Purchase,
    issued: &Issued,
    now: UnixMs,
) -> Result<bool, PurchaseError> {
    let (card_type, merchant, reference) = match &purchase.item {
        Item::Card(card_type) => (Some(card_type.as_str()), None, None),
        Item::Order {
            merchant,
            reference,
        } => (None, Some(merchant.as_str()), Some(reference.as_str())),
    };
    let insert = "INSERT INTO purchase (id, phone, bank, channel, card_type, merchant,
            order_reference, amount, state, version, due_at_ms, created_at_ms, created_on,
            updated_at_ms, idempotency_key)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $12, $14)
        ON CONFLICT DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(purchase.id.as_str())
        .bind(purchase.phone.as_str())
        .bind(purchase.bank.as_str())
        .bind(purchase.channel.word())
        .bind(card_type)
        .bind(merchant)
        .bind(reference)
        .bind(purchase.amount.dong())
        .bind(State::Authenticating.word())
        .bind(FIRST_VERSION)
        .bind(issued.expires_at.0)
        .bind(now.0)
        .bind(Day::of(now)?.to_string())
        .bind(order.idempotency_key.as_ref().map(Id::as_str))
        .execute(write.connection());
    Ok(inserted.await.map_err(at("purchase"))?.rows_affected() == 1)
}

fn new_id() -> Result<Id, PurchaseError> {
    let mut bytes = [0; ID_BYTES];
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|Unspecified| PurchaseError::Randomness)?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(digits.parse().map_err(|_| unfit("an id that is none"))?)
}
