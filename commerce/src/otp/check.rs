//! Looks whether a code is right, and counts the tries.
//!
//! A try is counted before the digits are compared, by an update that the phone's other tries wait for.
//! So the change has to be committed whatever the verdict is: undone, it would give the try back.

use sqlx::{Row as _, any::AnyRow};

use super::{Bound, Code, OtpError, Rules, code::is_right, issue::locked_until};
use crate::{
    moment::UnixMs,
    phone::Phone,
    seal::Keys,
    store::{StoreError, Write, at},
    word::Id,
};

/// What a code turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is right, and used up by this.
    Right,
    /// It is wrong.
    Wrong {
        /// Tries before the phone is locked.
        tries_left: i64,
    },
    /// There were too many wrong ones, this or an earlier one the last. It was not looked at, or does
    /// not matter.
    Locked {
        /// Until when.
        until: UnixMs,
    },
    /// The purchase awaits no code: it was used or revoked, or its time is over. No try was counted.
    Gone,
}

/// The last code of a purchase.
struct Kept {
    number: i64,
    digest: Vec<u8>,
    is_live: bool,
    expires_at: UnixMs,
}

/// Looks at a code. The change has to be committed, whatever it says.
///
/// # Errors
/// The database.
pub async fn check(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    bound: &Bound<'_>,
    code: &Code,
    now: UnixMs,
) -> Result<Verdict, OtpError> {
    let kept = match kept(write, bound.purchase).await? {
        Some(kept) if kept.is_live && now < kept.expires_at => kept,
        _ => return Ok(Verdict::Gone),
    };
    let Some(wrong) = count(write, rules, bound.phone, now).await? else {
        let until = locked_until(write, bound.phone).await?;
        return Ok(Verdict::Locked { until });
    };
    if is_right(keys, bound, kept.number, code, &kept.digest) {
        return Ok(match use_up(write, bound, kept.number).await? {
            true => Verdict::Right,
            // Another change used or replaced it since.
            false => Verdict::Gone,
        });
    }
    if wrong < rules.wrong_max {
        let tries_left = rules.wrong_max - wrong;
        return Ok(Verdict::Wrong { tries_left });
    }
    revoke_all(write, bound.phone).await?;
    let until = now.plus_ms(rules.lock_ms);
    Ok(Verdict::Locked { until })
}

/// Makes the code of a purchase void.
///
/// # Errors
/// The database.
pub async fn revoke(write: &mut Write, purchase: &Id) -> Result<(), StoreError> {
    let update = "UPDATE otp SET state = 'revoked' WHERE purchase = $1 AND state = 'live'";
    let updated = sqlx::query(update)
        .bind(purchase.as_str())
        .execute(write.connection());
    updated.await.map_err(at("otp"))?;
    Ok(())
}

async fn kept(write: &mut Write, purchase: &Id) -> Result<Option<Kept>, StoreError> {
    let select = "SELECT number, digest, state, expires_at_ms FROM otp WHERE purchase = $1";
    let row = sqlx::query(select)
        .bind(purchase.as_str())
        .fetch_optional(write.connection());
    let read = |row: AnyRow| {
        Ok(Kept {
            number: row.try_get(0)?,
            digest: row.try_get(1)?,
            is_live: row.try_get::<String, _>(2)? == "live",
            expires_at: UnixMs(row.try_get(3)?),
        })
    };
    let row = row.await.map_err(at("otp"))?;
    row.map(read).transpose().map_err(at("otp"))
}

/// Counts a try and says how many there were in a row, or nothing if the phone is locked. The last one
/// locks it at once; after a lock the count begins again.
async fn count(
    write: &mut Write,
    rules: &Rules,
    phone: &Phone,
    now: UnixMs,
) -> Result<Option<i64>, StoreError> {
    let update = "UPDATE otp_phone SET
            wrong = CASE WHEN wrong >= $3 THEN 1 ELSE wrong + 1 END,
            locked_until_ms = CASE WHEN $3 = 1 OR wrong + 1 = $3 THEN $4 ELSE locked_until_ms END
        WHERE phone = $1 AND locked_until_ms <= $2 RETURNING wrong";
    let row = sqlx::query(update)
        .bind(phone.as_str())
        .bind(now.0)
        .bind(rules.wrong_max)
        .bind(now.plus_ms(rules.lock_ms).0)
        .fetch_optional(write.connection());
    let row = row.await.map_err(at("otp_phone"))?;
    row.map(|row| row.try_get(0))
        .transpose()
        .map_err(at("otp_phone"))
}

/// Uses the code up, which happens once. Whoever knows it has not guessed, so the wrong tries before it
/// are forgotten, and those of his that came at the same moment.
async fn use_up(write: &mut Write, bound: &Bound<'_>, number: i64) -> Result<bool, StoreError> {
    let update = "UPDATE otp_phone SET wrong = 0, locked_until_ms = 0 WHERE phone = $1";
    let forgotten = sqlx::query(update)
        .bind(bound.phone.as_str())
        .execute(write.connection());
    forgotten.await.map_err(at("otp_phone"))?;
    let update = "UPDATE otp SET state = 'used'
        WHERE purchase = $1 AND number = $2 AND state = 'live'";
    let used = sqlx::query(update)
        .bind(bound.purchase.as_str())
        .bind(number)
        .execute(write.connection());
    Ok(used.await.map_err(at("otp"))?.rows_affected() == 1)
}

async fn revoke_all(write: &mut Write, phone: &Phone) -> Result<(), StoreError> {
    let update = "UPDATE otp SET state = 'revoked' WHERE phone = $1 AND state = 'live'";
    let updated = sqlx::query(update)
        .bind(phone.as_str())
        .execute(write.connection());
    updated.await.map_err(at("otp"))?;
    Ok(())
}
