//! What is registered of a merchant, and his secrets, sealed.
//!
//! A merchant keeps his id for ever, because purchases and the books name him by it. A secret is shown when it
//! is made and never again.

use std::time::Duration;

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Amounts, MerchantError, ReturnPrefix, ReturnUrl, Secret, Secrets, unfit};
use crate::{
    egress::{CallUrl, Egress},
    moment::UnixMs,
    money::Vnd,
    seal::{Keys, SealFault, envelope},
    store::{StoreError, Write, at},
    word::{Id, word},
};

/// Merchants, active or not; what one list shows.
pub const MERCHANTS_MAX: u32 = 1_000;

/// URLs below which the customers of one merchant return.
pub const RETURN_PREFIXES_MAX: usize = 8;

/// How long a secret that was replaced is usually taken on.
pub const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

word! {
    /// By which customers know a merchant.
    MerchantName, 64, "any characters but those of control",
    |char| !char.is_control()
}

/// What a merchant registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// By which he is known for ever.
    pub id: Id,
    /// By which customers know him.
    pub name: MerchantName,
    /// Where he is told what became of his orders.
    pub ipn_url: CallUrl,
    /// Whether he may be called without TLS.
    pub plain_http: bool,
    /// Below which his customers return, at least one.
    pub return_prefixes: Vec<ReturnPrefix>,
    /// What his orders may cost.
    pub amounts: Amounts,
}

/// A merchant.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merchant {
    /// What was registered.
    pub registration: Registration,
    /// Whether his customers may pay.
    pub active: bool,
    /// Why he was last switched on or off; perhaps empty.
    pub why: String,
    /// Until when the previous secret is taken too.
    pub previous_until: Option<UnixMs>,
    /// Since when he is one.
    pub made_at: UnixMs,
}

impl Merchant {
    /// Whether a customer may be sent there.
    pub fn may_return_to(&self, url: &ReturnUrl) -> bool {
        let mut prefixes = self.registration.return_prefixes.iter();
        prefixes.any(|prefix| prefix.covers(url))
    }
}

/// Adds a merchant, active at once, and gives the secret that was made for him.
///
/// # Errors
/// There is one of that id, there are too many, the URL may not be called, or there is nowhere to return to.
pub async fn add(
    write: &mut Write,
    keys: &Keys,
    egress: &Egress,
    new: &Registration,
    now: UnixMs,
) -> Result<Secret, MerchantError> {
    egress.check(&new.ipn_url, new.plain_http)?;
    if !(1..=RETURN_PREFIXES_MAX).contains(&new.return_prefixes.len()) {
        return Err(MerchantError::Prefixes);
    }
    if count(write.connection()).await? >= i64::from(MERCHANTS_MAX) {
        return Err(MerchantError::TooMany);
    }
    let made = Secret::make()?;
    let prefixes: Vec<&str> = new.return_prefixes.iter().map(|one| one.as_str()).collect();
    let insert = "INSERT INTO merchant (id, name, ipn_url, plain_http, return_prefixes, amount_min,
            amount_max, active, secret, secret_key, made_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $10) ON CONFLICT (id) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(new.id.as_str())
        .bind(new.name.as_str())
        .bind(new.ipn_url.as_str())
        .bind(i64::from(new.plain_http))
        .bind(prefixes.join(" "))
        .bind(new.amounts.least().dong())
        .bind(new.amounts.most().dong())
        .bind(seal(keys, &new.id, &made)?)
        .bind(keys.current().id().to_string())
        .bind(now.0)
        .execute(write.connection());
    match inserted.await.map_err(at("merchant"))?.rows_affected() {
        0 => Err(MerchantError::Exists(new.id.clone())),
        _ => Ok(made),
    }
}

async fn count(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT count(*) FROM merchant").fetch_one(connection);
    let count = row.await.and_then(|row| row.try_get(0));
    count.map_err(at("merchant"))
}

/// Switches a merchant on or off and keeps the reason. Of one that is off no customer begins to pay; what was
/// begun goes on, and he is told of it.
///
/// # Errors
/// There is no such merchant.
pub async fn set_active(
    write: &mut Write,
    id: &Id,
    active: bool,
    why: &str,
) -> Result<(), MerchantError> {
    let updated = sqlx::query("UPDATE merchant SET active = $2, why = $3 WHERE id = $1")
        .bind(id.as_str())
        .bind(i64::from(active))
        .bind(why)
        .execute(write.connection());
    match updated.await.map_err(at("merchant"))?.rows_affected() {
        0 => Err(MerchantError::NoMerchant(id.clone())),
        _ => Ok(()),
    }
}

/// Makes a new secret and gives it. We sign with it at once; the one before is taken for the overlap.
///
/// # Errors
/// There is no such merchant, or his present secret cannot be opened.
pub async fn change_secret(
    write: &mut Write,
    keys: &Keys,
    id: &Id,
    overlap: Duration,
    now: UnixMs,
) -> Result<Secret, MerchantError> {
    let select = "SELECT secret FROM merchant WHERE id = $1";
    let row = sqlx::query(select)
        .bind(id.as_str())
        .fetch_optional(write.connection());
    let row = row.await.map_err(at("merchant"))?;
    let row = row.ok_or_else(|| MerchantError::NoMerchant(id.clone()))?;
    let present = secret(keys, id, &row, 0)?.ok_or_else(|| unfit("no secret"))?;
    let made = Secret::make()?;
    let overlap_ms = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
    // Both are under the same key from now on.
    let update = "UPDATE merchant SET secret = $2, previous_secret = $3, previous_until_ms = $4,
            secret_key = $5 WHERE id = $1";
    let updated = sqlx::query(update)
        .bind(id.as_str())
        .bind(seal(keys, id, &made)?)
        .bind(seal(keys, id, &present)?)
        .bind(now.plus_ms(overlap_ms).0)
        .bind(keys.current().id().to_string())
        .execute(write.connection());
    updated.await.map_err(at("merchant"))?;
    Ok(made)
}

const COLUMNS: &str = "secret, previous_secret, id, name, ipn_url, plain_http, return_prefixes,
    amount_min, amount_max, active, why, previous_until_ms, made_at_ms";

/// All merchants, by id.
///
/// # Errors
/// The database.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<Merchant>, StoreError> {
    let select = format!("SELECT {COLUMNS} FROM merchant ORDER BY id LIMIT $1");
    let rows = sqlx::query(&select)
        .bind(i64::from(MERCHANTS_MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("merchant"))?;
    rows.iter().map(merchant).collect()
}

/// A merchant, and the secrets that hold now.
///
/// # Errors
/// A secret cannot be opened, or the database.
pub async fn find(
    connection: &mut AnyConnection,
    keys: &Keys,
    id: &Id,
    now: UnixMs,
) -> Result<Option<(Merchant, Secrets)>, MerchantError> {
    let select = format!("SELECT {COLUMNS} FROM merchant WHERE id = $1");
    let row = sqlx::query(&select)
        .bind(id.as_str())
        .fetch_optional(connection);
    let Some(row) = row.await.map_err(at("merchant"))? else {
        return Ok(None);
    };
    let merchant = merchant(&row)?;
    let previous = match merchant.previous_until {
        Some(until) if until > now => secret(keys, id, &row, 1)?,
        _ => None,
    };
    let present = secret(keys, id, &row, 0)?.ok_or_else(|| unfit("no secret"))?;
    Ok(Some((merchant, Secrets { present, previous })))
}

fn merchant(row: &AnyRow) -> Result<Merchant, StoreError> {
    let number = |column| row.try_get::<i64, _>(column).map_err(at("merchant"));
    let until = row.try_get::<Option<i64>, _>(11).map_err(at("merchant"))?;
    let amount = |column| Vnd::new(number(column)?).map_err(|_| unfit("an amount that is none"));
    let amounts = Amounts::new(amount(7)?, amount(8)?);
    let prefixes = text(row, 6)?;
    let prefixes = prefixes.split_whitespace().map(str::parse);
    Ok(Merchant {
        registration: Registration {
            id: parse(&text(row, 2)?, "an id that is none")?,
            name: parse(&text(row, 3)?, "a name that is none")?,
            ipn_url: parse(&text(row, 4)?, "a URL that is none")?,
            plain_http: number(5)? == 1,
            return_prefixes: prefixes
                .collect::<Result<_, _>>()
                .map_err(|_| unfit("a prefix that is none"))?,
            amounts: amounts.map_err(|_| unfit("amounts that are none"))?,
        },
        active: number(9)? == 1,
        why: text(row, 10)?,
        previous_until: until.map(UnixMs),
        made_at: UnixMs(number(12)?),
    })
}

fn text(row: &AnyRow, column: usize) -> Result<String, StoreError> {
    row.try_get(column).map_err(at("merchant"))
}

fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| unfit(what))
}

/// The secret of a row, if it has one there.
fn secret(
    keys: &Keys,
    id: &Id,
    row: &AnyRow,
    column: usize,
) -> Result<Option<Secret>, MerchantError> {
    let sealed: Option<Vec<u8>> = row.try_get(column).map_err(at("merchant"))?;
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let opened = envelope::open(keys, &context(id), &sealed);
    let opened = opened.map_err(|fault| seal_error(id, fault))?;
    Ok(Some(opened.parse()?))
}

fn seal(keys: &Keys, id: &Id, secret: &Secret) -> Result<Vec<u8>, MerchantError> {
    let sealed = envelope::seal(keys.current(), &context(id), secret.reveal().as_bytes());
    sealed.map_err(|fault| seal_error(id, fault))
}

pub(crate) fn context(id: &Id) -> Vec<u8> {
    format!("merchant {id}").into_bytes()
}

fn seal_error(merchant: &Id, fault: SealFault) -> MerchantError {
    MerchantError::Seal {
        merchant: merchant.clone(),
        fault,
    }
}
