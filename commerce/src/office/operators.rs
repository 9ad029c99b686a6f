//! Who may log in to the back office, and as what. Every change is in the audit log.
//!
//! A new password, a new role or an end of service ends the operator's sessions.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{password::Hashed, role::Role, sessions};
use crate::{
    audit::{self, Who},
    moment::UnixMs,
    store::{StoreError, Write, at},
    word::word,
};

/// Operators, those that are out of service too: one page shows all.
pub const OPERATORS_MAX: i64 = 200;

word! {
    /// What an operator logs in with.
    OperatorName, 32, "small letters, digits, '.', '_' and '-'",
    |char| char.is_ascii_lowercase() || char.is_ascii_digit() || "._-".contains(char)
}

/// An operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operator {
    /// His name.
    pub name: OperatorName,
    /// What he may do.
    pub role: Role,
    /// Whether he may log in at all.
    pub active: bool,
    /// Until when he may not, because of wrong passwords.
    pub locked_until: UnixMs,
    /// Since when he is one.
    pub made_at: UnixMs,
}

/// Why an operator was not changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// The name is taken.
    #[error("operator {0} is there already")]
    Exists(OperatorName),
    /// There is no such operator.
    #[error("there is no operator {0}")]
    Unknown(OperatorName),
    /// There are too many.
    #[error("there are {OPERATORS_MAX} operators, and no more are allowed")]
    TooMany,
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes an operator.
///
/// # Errors
/// The name is taken, or there are too many.
pub async fn add(
    write: &mut Write,
    by: Who<'_>,
    name: &OperatorName,
    role: Role,
    password: &Hashed,
    now: UnixMs,
) -> Result<(), OperatorError> {
    let count = sqlx::query("SELECT COUNT(*) FROM operator").fetch_one(write.connection());
    let count: i64 = count
        .await
        .map_err(at("operator"))?
        .try_get(0)
        .map_err(at("operator"))?;
    if count >= OPERATORS_MAX {
        return Err(OperatorError::TooMany);
    }
    let insert = "INSERT INTO operator (name, role, salt, rounds, password, made_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(name.as_str())
        .bind(role.word())
        .bind(password.salt.as_slice())
        .bind(i64::from(password.rounds.get()))
        .bind(password.digest.as_slice())
        .bind(now.0)
        .execute(write.connection());
    if inserted.await.map_err(at("operator"))?.rows_affected() == 0 {
        return Err(OperatorError::Exists(name.clone()));
    }
    let subject = format!("operator:{name}");
    audit::record(write, by, "operator.added", &subject, role.word(), now).await?;
    Ok(())
}

/// Gives an operator another password and lets him try again at once.
///
/// # Errors
/// There is no such operator.
pub async fn set_password(
    write: &mut Write,
    by: Who<'_>,
    name: &OperatorName,
    password: &Hashed,
    now: UnixMs,
) -> Result<(), OperatorError> {
    let update = "UPDATE operator SET salt = $2, rounds = $3, password = $4,
            failed = 0, locked_until_ms = 0
        WHERE name = $1";
    let updated = sqlx::query(update)
        .bind(name.as_str())
        .bind(password.salt.as_slice())
        .bind(i64::from(password.rounds.get()))
        .bind(password.digest.as_slice())
        .execute(write.connection());
    let updated = updated.await.map_err(at("operator"))?.rows_affected();
    concluded(write, by, name, updated, "operator.password", "", now).await
}

/// Gives an operator another role.
///
/// # Errors
/// There is no such operator.
pub async fn set_role(
    write: &mut Write,
    by: Who<'_>,
    name: &OperatorName,
    role: Role,
    now: UnixMs,
) -> Result<(), OperatorError> {
    let updated = sqlx::query("UPDATE operator SET role = $2 WHERE name = $1")
        .bind(name.as_str())
        .bind(role.word())
        .execute(write.connection());
    let updated = updated.await.map_err(at("operator"))?.rows_affected();
    concluded(write, by, name, updated, "operator.role", role.word(), now).await
}

/// Lets an operator log in no more.
///
/// # Errors
/// There is no such operator.
pub async fn disable(
    write: &mut Write,
    by: Who<'_>,
    name: &OperatorName,
    now: UnixMs,
) -> Result<(), OperatorError> {
    set_active(write, by, name, false, now).await
}

/// Lets an operator log in again.
///
/// # Errors
/// There is no such operator.
pub async fn enable(
    write: &mut Write,
    by: Who<'_>,
    name: &OperatorName,
    now: UnixMs,
) -> Result<(), OperatorError> {
    set_active(write, by, name, true, now).await
}

async fn set_active(
    write: &mut Write,
    by: Who<'_>,
    name: &OperatorName,
    active: bool,
    now: UnixMs,
) -> Result<(), OperatorError> {
    let updated = sqlx::query("UPDATE operator SET active = $2 WHERE name = $1")
        .bind(name.as_str())
        .bind(i64::from(active))
        .execute(write.connection());
    let updated = updated.await.map_err(at("operator"))?.rows_affected();
    let what = if active {
        "operator.enabled"
    } else {
        "operator.disabled"
    };
    concluded(write, by, name, updated, what, "", now).await
}

/// Ends the sessions of the operator that was changed, and tells of it.
async fn concluded(
    write: &mut Write,
    by: Who<'_>,
    name: &OperatorName,
    updated: u64,
    what: &'static str,
    detail: &str,
    now: UnixMs,
) -> Result<(), OperatorError> {
    if updated == 0 {
        return Err(OperatorError::Unknown(name.clone()));
    }
    sessions::end_all(write, name).await?;
    audit::record(write, by, what, &format!("operator:{name}"), detail, now).await?;
    Ok(())
}

/// All operators by name.
///
/// # Errors
/// The database.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<Operator>, StoreError> {
    let select = "SELECT name, role, active, locked_until_ms, made_at_ms FROM operator
        ORDER BY name LIMIT $1";
    let rows = sqlx::query(select)
        .bind(OPERATORS_MAX)
        .fetch_all(connection);
    let rows = rows.await.map_err(at("operator"))?;
    rows.iter().map(operator).collect()
}

/// The operator of that name.
///
/// # Errors
/// The database.
pub async fn find(
    connection: &mut AnyConnection,
    name: &OperatorName,
) -> Result<Option<Operator>, StoreError> {
    let select = "SELECT name, role, active, locked_until_ms, made_at_ms FROM operator
        WHERE name = $1";
    let row = sqlx::query(select)
        .bind(name.as_str())
        .fetch_optional(connection);
    let row = row.await.map_err(at("operator"))?;
    row.as_ref().map(operator).transpose()
}

fn operator(row: &AnyRow) -> Result<Operator, StoreError> {
    let text = |column| row.try_get::<String, _>(column).map_err(at("operator"));
    let number = |column| row.try_get::<i64, _>(column).map_err(at("operator"));
    Ok(Operator {
        name: text(0)?.parse().map_err(|_| unfit("a name that is none"))?,
        role: text(1)?.parse().map_err(|_| unfit("a role that is none"))?,
        active: number(2)? == 1,
        locked_until: UnixMs(number(3)?),
        made_at: UnixMs(number(4)?),
    })
}

pub(super) fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "operator",
        reason: reason.to_owned(),
    }
}
