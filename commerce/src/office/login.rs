//! The way in. Names and passwords that are wrong in any way get the same answer in the same time.
//!
//! A try counts before its password is looked at, so that many at once are not more than one after
//! another. Five wrong ones lock the operator, and an address has twenty for all names together.

use std::net::{IpAddr, Ipv6Addr};

use sqlx::Row as _;
use zeroize::Zeroizing;

use super::{
    operators::OperatorName,
    password::{HashError, Hashed, Hasher},
    sessions::{self, StartError, Token},
};
use crate::{
    audit::{self, Who},
    moment::UnixMs,
    store::{Store, StoreError, Write, at},
};

/// Wrong passwords after which an operator is locked: people mistype twice, machines guess.
pub const OPERATOR_TRIES_MAX: i64 = 5;

/// For how long an operator is locked: some 480 guesses a day, of passwords with twelve characters.
pub const LOCKED_MS: i64 = 15 * 60_000;

/// Tries of one address, for all names together: a few operators behind one address mistype.
pub const ADDRESS_TRIES_MAX: i64 = 20;

/// For how long an address's tries are counted.
pub const ADDRESS_MS: i64 = 15 * 60_000;

/// Why nobody was logged in.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum LoginError {
    /// Name or password, or the operator is locked or out of service. Which is told to nobody.
    #[error("the name or the password is not right, or there were too many tries")]
    Wrong,
    /// The address has had its tries.
    #[error("there were too many tries from this address")]
    Address,
    /// The password was not looked at.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<StartError> for LoginError {
    fn from(error: StartError) -> Self {
        match error {
            StartError::Token(error) => Self::Hash(error),
            StartError::Store(error) => Self::Store(error),
        }
    }
}

/// What somebody says of himself.
pub(super) struct Claim {
    /// Nothing if it is no name of an operator at all.
    pub(super) name: Option<OperatorName>,
    pub(super) password: Zeroizing<String>,
    /// Where he is, as [`address`] writes it.
    pub(super) address: String,
    /// The session that his browser had before.
    pub(super) earlier: Option<Token>,
}

/// Logs an operator in.
pub(super) async fn log_in(
    store: &Store,
    hasher: &Hasher,
    claim: Claim,
    now: UnixMs,
) -> Result<Token, LoginError> {
    let place = hasher.place()?;
    let known = count(store, &claim, now).await?;
    let is_right = place.verify(known, claim.password).await?;
    let mut write = store.write().await?;
    let name = match claim.name.filter(|_| is_right) {
        Some(name) if unlock(&mut write, &name, &claim.address).await? => name,
        _ => {
            audit::record(
                &mut write,
                Who::Stranger,
                "login.failed",
                "",
                &claim.address,
                now,
            )
            .await?;
            write.commit().await?;
            return Err(LoginError::Wrong);
        }
    };
    if let Some(token) = &claim.earlier {
        sessions::end(&mut write, token).await?;
    }
    let token = sessions::start(&mut write, &name, now).await?;
    let who = Who::Operator(name.as_str());
    audit::record(&mut write, who, "login", "", &claim.address, now).await?;
    write.commit().await?;
    Ok(token)
}

/// Whether an operator who is logged in knows his password. A wrong one counts like one to log in; a
/// right one is made up for by the change that it is asked for.
pub(super) async fn is_own(
    store: &Store,
    hasher: &Hasher,
    name: &OperatorName,
    tried: Zeroizing<String>,
    now: UnixMs,
) -> Result<bool, LoginError> {
    let place = hasher.place()?;
    let mut write = store.write().await?;
    let known = count_operator(&mut write, name, now).await?;
    write.commit().await?;
    Ok(place.verify(known, tried).await?)
}

/// Counts the try, and gives what to compare the password with if there is something.
async fn count(store: &Store, claim: &Claim, now: UnixMs) -> Result<Option<Hashed>, LoginError> {
    if address_tries(store, &claim.address, now).await? >= ADDRESS_TRIES_MAX {
        return Err(LoginError::Address);
    }
    let mut write = store.write().await?;
    count_address(&mut write, &claim.address, now).await?;
    let known = match &claim.name {
        Some(name) => count_operator(&mut write, name, now).await?,
        None => None,
    };
    write.commit().await?;
    Ok(known)
}

/// Before anything is written, so that an address that goes on costs next to nothing.
async fn address_tries(store: &Store, address: &str, now: UnixMs) -> Result<i64, StoreError> {
    let mut read = store.read().await?;
    let select = "SELECT tries FROM login_address WHERE address = $1 AND ends_at_ms > $2";
    let row = sqlx::query(select)
        .bind(address)
        .bind(now.0)
        .fetch_optional(&mut *read);
    let row = row.await.map_err(at("login_address"))?;
    let tries = row.map(|row| row.try_get(0)).transpose();
    Ok(tries.map_err(at("login_address"))?.unwrap_or(0))
}

/// The table holds those of one window, and each cost a password's time.
async fn count_address(write: &mut Write, address: &str, now: UnixMs) -> Result<(), StoreError> {
    let deleted = sqlx::query("DELETE FROM login_address WHERE ends_at_ms <= $1")
        .bind(now.0)
        .execute(write.connection());
    deleted.await.map_err(at("login_address"))?;
    let upsert = "INSERT INTO login_address (address, tries, ends_at_ms) VALUES ($1, 1, $2)
        ON CONFLICT (address) DO UPDATE SET tries = login_address.tries + 1";
    let counted = sqlx::query(upsert)
        .bind(address)
        .bind(now.0.saturating_add(ADDRESS_MS))
        .execute(write.connection());
    counted.await.map_err(at("login_address"))?;
    Ok(())
}

/// The last try that is allowed locks already; if it is right, [`unlock`] undoes that.
async fn count_operator(
    write: &mut Write,
    name: &OperatorName,
    now: UnixMs,
) -> Result<Option<Hashed>, StoreError> {
    let update = "UPDATE operator SET
            failed = CASE WHEN locked_until_ms > 0 THEN 1 ELSE failed + 1 END,
            locked_until_ms = CASE
                WHEN locked_until_ms = 0 AND failed + 1 >= $3 THEN $4 ELSE 0 END
        WHERE name = $1 AND active = 1 AND locked_until_ms <= $2
        RETURNING salt, rounds, password";
    let row = sqlx::query(update)
        .bind(name.as_str())
        .bind(now.0)
        .bind(OPERATOR_TRIES_MAX)
        .bind(now.0.saturating_add(LOCKED_MS))
        .fetch_optional(write.connection());
    let Some(row) = row.await.map_err(at("operator"))? else {
        return Ok(None);
    };
    let rounds: i64 = row.try_get(1).map_err(at("operator"))?;
    let rounds = u32::try_from(rounds)
        .ok()
        .and_then(|rounds| rounds.try_into().ok());
    Ok(Some(Hashed {
        salt: row.try_get(0).map_err(at("operator"))?,
        rounds: rounds.ok_or_else(|| super::operators::unfit("rounds that are none"))?,
        digest: row.try_get(2).map_err(at("operator"))?,
    }))
}

/// A right password makes up for the wrong ones before it. Whether the operator is still in service.
async fn unlock(write: &mut Write, name: &OperatorName, address: &str) -> Result<bool, StoreError> {
    let update = "UPDATE operator SET failed = 0, locked_until_ms = 0
        WHERE name = $1 AND active = 1";
    let updated = sqlx::query(update)
        .bind(name.as_str())
        .execute(write.connection());
    let updated = updated.await.map_err(at("operator"))?.rows_affected();
    let deleted = sqlx::query("DELETE FROM login_address WHERE address = $1")
        .bind(address)
        .execute(write.connection());
    deleted.await.map_err(at("login_address"))?;
    Ok(updated == 1)
}

/// By what tries are counted: an IPv4 address, or the network of an IPv6 one, whose owner has 2^64
/// addresses in it.
pub(super) fn address(peer: Option<IpAddr>) -> String {
    match peer.map(|peer| peer.to_canonical()) {
        None => "unknown".to_owned(),
        Some(IpAddr::V4(address)) => address.to_string(),
        Some(IpAddr::V6(address)) => {
            let network = address.to_bits() & !u128::from(u64::MAX);
            format!("{}/64", Ipv6Addr::from_bits(network))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tries_are_counted_by_address_and_in_ipv6_by_network() {
        let of = |text: &str| address(Some(text.parse().unwrap()));
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), of("2001:db8:1:2::9"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_eq!(address(None), "unknown");
    }
}
