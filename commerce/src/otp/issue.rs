//! Makes a code for a purchase, if the phone may have one.

use sqlx::{AnyConnection, Row as _};

use super::{Bound, Code, OtpError, Refusal, Rules, code::digest};
use crate::{
    moment::{Day, UnixMs},
    phone::Phone,
    seal::Keys,
    store::{StoreError, Write, at},
    word::Id,
};

/// A new code, for the message to its subscriber.
#[derive(Debug)]
pub struct Issued {
    /// The digits.
    pub code: Code,
    /// Counts the codes of the purchase from 1.
    pub number: i64,
    /// Until when it is taken.
    pub expires_at: UnixMs,
}

/// When the last code of a purchase was sent, and until when it is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastSent {
    /// When it was made.
    pub sent_at: UnixMs,
    /// Until when it is taken.
    pub expires_at: UnixMs,
}

/// When the last code of a purchase was sent, if one was.
///
/// # Errors
/// The database.
pub async fn last_sent(
    connection: &mut AnyConnection,
    purchase: &Id,
) -> Result<Option<LastSent>, StoreError> {
    let select = "SELECT sent_at_ms, expires_at_ms FROM otp WHERE purchase = $1";
    let row = sqlx::query(select)
        .bind(purchase.as_str())
        .fetch_optional(connection);
    let Some(row) = row.await.map_err(at("otp"))? else {
        return Ok(None);
    };
    let time = |column| row.try_get(column).map(UnixMs).map_err(at("otp"));
    Ok(Some(LastSent {
        sent_at: time(0)?,
        expires_at: time(1)?,
    }))
}

/// Makes a code and revokes the one before. Whoever sends it has to do so in the same change.
///
/// # Errors
/// The rules forbid it, and nothing was changed; or the database.
pub async fn issue(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    bound: &Bound<'_>,
    now: UnixMs,
) -> Result<Issued, OtpError> {
    let sent_at = "SELECT number, sent_at_ms FROM otp WHERE purchase = $1";
    let row = sqlx::query(sent_at)
        .bind(bound.purchase.as_str())
        .fetch_optional(write.connection());
    let number = match row.await.map_err(at("otp"))? {
        None => 1,
        Some(row) => {
            let until = UnixMs(row.try_get(1).map_err(at("otp"))?).plus_ms(rules.cooldown_ms);
            if now < until {
                return Err(Refusal::TooSoon { until }.into());
            }
            row.try_get::<i64, _>(0).map_err(at("otp"))? + 1
        }
    };
    admit(write, rules, bound.phone, now).await?;
    let issued = Issued {
        code: Code::random()?,
        number,
        expires_at: now.plus_ms(rules.life_ms),
    };
    keep(write, keys, bound, &issued, now).await?;
    Ok(issued)
}

/// Counts a code of the day, unless the phone is locked or has had them all.
async fn admit(
    write: &mut Write,
    rules: &Rules,
    phone: &Phone,
    now: UnixMs,
) -> Result<(), OtpError> {
    open(write, phone).await?;
    let update = "UPDATE otp_phone
        SET sent = CASE WHEN sent_on = $2 THEN sent + 1 ELSE 1 END, sent_on = $2
        WHERE phone = $1 AND locked_until_ms <= $3 AND (sent_on <> $2 OR sent < $4)";
    let updated = sqlx::query(update)
        .bind(phone.as_str())
        .bind(Day::of(now)?.to_string())
        .bind(now.0)
        .bind(rules.day_max)
        .execute(write.connection());
    if updated.await.map_err(at("otp_phone"))?.rows_affected() == 1 {
        return Ok(());
    }
    let until = locked_until(write, phone).await?;
    Err(match until > now {
        true => Refusal::Locked { until },
        false => Refusal::DayFull,
    }
    .into())
}

/// The row of a phone, which is there from its first code on.
async fn open(write: &mut Write, phone: &Phone) -> Result<(), StoreError> {
    let insert = "INSERT INTO otp_phone (phone) VALUES ($1) ON CONFLICT (phone) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(phone.as_str())
        .execute(write.connection());
    inserted.await.map_err(at("otp_phone"))?;
    Ok(())
}

pub(super) async fn locked_until(write: &mut Write, phone: &Phone) -> Result<UnixMs, StoreError> {
    let select = "SELECT locked_until_ms FROM otp_phone WHERE phone = $1";
    let row = sqlx::query(select)
        .bind(phone.as_str())
        .fetch_one(write.connection());
    let row = row.await.map_err(at("otp_phone"))?;
    Ok(UnixMs(row.try_get(0).map_err(at("otp_phone"))?))
}

async fn keep(
    write: &mut Write,
    keys: &Keys,
    bound: &Bound<'_>,
    issued: &Issued,
    now: UnixMs,
) -> Result<(), StoreError> {
    let upsert = "INSERT INTO otp
            (purchase, number, phone, digest, state, sent_at_ms, expires_at_ms)
        VALUES ($1, $2, $3, $4, 'live', $5, $6)
        ON CONFLICT (purchase) DO UPDATE SET number = excluded.number, digest = excluded.digest,
            state = excluded.state, sent_at_ms = excluded.sent_at_ms,
            expires_at_ms = excluded.expires_at_ms";
    let done = sqlx::query(upsert)
        .bind(bound.purchase.as_str())
        .bind(issued.number)
        .bind(bound.phone.as_str())
        .bind(digest(keys, bound, issued.number, &issued.code))
        .bind(now.0)
        .bind(issued.expires_at.0)
        .execute(write.connection());
    done.await.map_err(at("otp"))?;
    Ok(())
}
