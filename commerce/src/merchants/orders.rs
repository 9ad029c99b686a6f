//! The orders that merchants have sent customers to pay, each with one purchase at most.
//!
//! A page is addressed by a token, which the customer's browser alone has; kept is its digest. Whoever comes
//! again by a signed link gets a new one, and the one before is void.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::ReturnUrl;
use crate::{
    moment::UnixMs,
    money::Vnd,
    store::{StoreError, Write, at},
    word::{Id, Reference, word},
};

/// For how long after its link a purchase can be begun.
pub const OPEN_MS: i64 = 30 * 60_000;

/// Phones that can be tried for one order, so that no page finds out which phones are linked.
pub const PHONE_TRIES_MAX: i64 = 10;

word! {
    /// What an order is about, for the customer.
    Description, 200, "any characters but those of control",
    |char| !char.is_control()
}

/// What a merchant asks a customer to pay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewOrder {
    /// Whose it is.
    pub merchant: Id,
    /// His own number of it.
    pub reference: Reference,
    /// What it costs.
    pub amount: Vnd,
    /// What it is about.
    pub description: Description,
    /// Where the customer goes afterwards; below what is registered.
    pub return_url: ReturnUrl,
}

/// An order, and where it stands here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// As the merchant has it.
    pub asked: NewOrder,
    /// What pays it.
    pub purchase: Option<Id>,
    /// Phones that were tried.
    pub phone_tries: i64,
    /// When it came for the first time.
    pub opened_at: UnixMs,
    /// Until when a purchase can be begun.
    pub open_until: UnixMs,
}

impl Order {
    /// Whether a purchase can be begun.
    pub fn is_open(&self, now: UnixMs) -> bool {
        self.purchase.is_none() && now < self.open_until
    }
}

/// Takes an order in, or goes on with it where it stands; says whether it could. Its page has this token from
/// now on. An order that costs another amount than before is another order, and is not taken.
///
/// # Errors
/// The database.
pub async fn open(
    write: &mut Write,
    new: &NewOrder,
    token_digest: &[u8],
    now: UnixMs,
) -> Result<bool, StoreError> {
    let upsert = "INSERT INTO checkout (merchant, order_reference, amount, description, return_url,
            token_digest, opened_at_ms, open_until_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (merchant, order_reference) DO UPDATE SET description = excluded.description,
            return_url = excluded.return_url, token_digest = excluded.token_digest,
            open_until_ms = excluded.open_until_ms
        WHERE checkout.amount = excluded.amount";
    let done = sqlx::query(upsert)
        .bind(new.merchant.as_str())
        .bind(new.reference.as_str())
        .bind(new.amount.dong())
        .bind(new.description.as_str())
        .bind(new.return_url.as_str())
        .bind(token_digest)
        .bind(now.0)
        .bind(now.plus_ms(OPEN_MS).0)
        .execute(write.connection());
    Ok(done.await.map_err(at("checkout"))?.rows_affected() == 1)
}

const COLUMNS: &str = "merchant, order_reference, amount, description, return_url, purchase,
    phone_tries, opened_at_ms, open_until_ms";

/// The order whose page has that token.
///
/// # Errors
/// The database.
pub async fn of_token(
    connection: &mut AnyConnection,
    token_digest: &[u8],
) -> Result<Option<Order>, StoreError> {
    let select = format!("SELECT {COLUMNS} FROM checkout WHERE token_digest = $1");
    let row = sqlx::query(&select)
        .bind(token_digest)
        .fetch_optional(connection);
    let row = row.await.map_err(at("checkout"))?;
    row.map(|row| read(&row)).transpose()
}

/// The order that a merchant has under that number.
///
/// # Errors
/// The database.
pub async fn find(
    connection: &mut AnyConnection,
    merchant: &Id,
    reference: &Reference,
) -> Result<Option<Order>, StoreError> {
    let select =
        format!("SELECT {COLUMNS} FROM checkout WHERE merchant = $1 AND order_reference = $2");
    let row = sqlx::query(&select)
        .bind(merchant.as_str())
        .bind(reference.as_str())
        .fetch_optional(connection);
    let row = row.await.map_err(at("checkout"))?;
    row.map(|row| read(&row)).transpose()
}

/// Counts a phone that is tried, and keeps others from this order until the change is made. Says whether a
/// purchase may be begun.
pub(crate) async fn try_phone(
    write: &mut Write,
    order: &Order,
    now: UnixMs,
) -> Result<bool, StoreError> {
    let update = "UPDATE checkout SET phone_tries = phone_tries + 1
        WHERE merchant = $1 AND order_reference = $2 AND purchase IS NULL AND open_until_ms > $3
            AND phone_tries < $4";
    let updated = sqlx::query(update)
        .bind(order.asked.merchant.as_str())
        .bind(order.asked.reference.as_str())
        .bind(now.0)
        .bind(PHONE_TRIES_MAX)
        .execute(write.connection());
    Ok(updated.await.map_err(at("checkout"))?.rows_affected() == 1)
}

/// Notes the purchase that pays an order, in the change that begins it.
pub(crate) async fn attach(
    write: &mut Write,
    order: &Order,
    purchase: &Id,
) -> Result<(), StoreError> {
    let update = "UPDATE checkout SET purchase = $3
        WHERE merchant = $1 AND order_reference = $2 AND purchase IS NULL";
    let updated = sqlx::query(update)
        .bind(order.asked.merchant.as_str())
        .bind(order.asked.reference.as_str())
        .bind(purchase.as_str())
        .execute(write.connection());
    match updated.await.map_err(at("checkout"))?.rows_affected() {
        1 => Ok(()),
        _ => Err(unfit("an order that was kept and is gone")),
    }
}

/// Forgets up to so many orders that nobody has begun to pay before that time, and says how many.
///
/// # Errors
/// The database.
pub async fn forget(write: &mut Write, before: UnixMs, max: u32) -> Result<u64, StoreError> {
    let delete = "DELETE FROM checkout WHERE purchase IS NULL AND token_digest IN (
            SELECT token_digest FROM checkout WHERE purchase IS NULL AND open_until_ms < $1
            ORDER BY open_until_ms LIMIT $2
        ) AND open_until_ms < $1";
    let deleted = sqlx::query(delete)
        .bind(before.0)
        .bind(i64::from(max))
        .execute(write.connection());
    Ok(deleted.await.map_err(at("checkout"))?.rows_affected())
}

fn read(row: &AnyRow) -> Result<Order, StoreError> {
    let text = |column| row.try_get::<String, _>(column).map_err(at("checkout"));
    let number = |column| row.try_get::<i64, _>(column).map_err(at("checkout"));
    let purchase: Option<String> = row.try_get(5).map_err(at("checkout"))?;
    Ok(Order {
        asked: NewOrder {
            merchant: parse(&text(0)?, "a merchant that is none")?,
            reference: parse(&text(1)?, "an order that is none")?,
            amount: Vnd::new(number(2)?).map_err(|_| unfit("an amount that is none"))?,
            description: parse(&text(3)?, "a description that is none")?,
            return_url: parse(&text(4)?, "a URL that is none")?,
        },
        purchase: purchase
            .map(|id| parse(&id, "a purchase that is none"))
            .transpose()?,
        phone_tries: number(6)?,
        opened_at: UnixMs(number(7)?),
        open_until: UnixMs(number(8)?),
    })
}

fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| unfit(what))
}

fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "checkout",
        reason: reason.to_owned(),
    }
}
