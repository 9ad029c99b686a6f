//! Agents who sell our cards, and the keys that they call the API with.
//!
//! A key is shown once, when it is made. Kept is its digest, and its first characters, by which
//! people can tell keys apart. An agent may have several at once, so that one can be changed without
//! a gap.

use std::fmt;

use ring::{
    digest::{SHA256, digest},
    error::Unspecified,
    rand::{SecureRandom as _, SystemRandom},
};
use sqlx::{AnyConnection, Row as _};
use zeroize::Zeroizing;

use crate::{
    moment::UnixMs,
    store::{StoreError, Write, at},
    word::Id,
};

/// Bytes of a key: 256 bits.
const KEY_BYTES: usize = 32;

/// Characters of a key that are kept and shown.
const PREFIX_LENGTH: usize = 8;

/// A new key in clear: 64 hexadecimal digits, for the agent alone.
pub struct ApiKey(Zeroizing<String>);

impl ApiKey {
    /// The digits.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What people may know it by.
    pub fn prefix(&self) -> &str {
        self.0.get(..PREFIX_LENGTH).unwrap_or_default()
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKey({}…)", self.prefix())
    }
}

/// Why there is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AgentError {
    /// The system gives none.
    #[error("the system gives no randomness")]
    Randomness,
    /// The database; an unknown agent among others.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds an agent, once.
///
/// # Errors
/// The database.
pub async fn add(write: &mut Write, agent: &Id) -> Result<(), AgentError> {
    let insert = "INSERT INTO agent (id) VALUES ($1) ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query(insert)
        .bind(agent.as_str())
        .execute(write.connection());
    done.await.map_err(at("agent"))?;
    Ok(())
}

/// Makes a key for an agent.
///
/// # Errors
/// There is no such agent.
pub async fn make_key(write: &mut Write, agent: &Id, now: UnixMs) -> Result<ApiKey, AgentError> {
    let mut bytes = Zeroizing::new([0; KEY_BYTES]);
    let filled = SystemRandom::new().fill(&mut bytes[..]);
    filled.map_err(|Unspecified| AgentError::Randomness)?;
    let digits = bytes.iter().map(|byte| format!("{byte:02X}"));
    let key = ApiKey(Zeroizing::new(digits.collect()));
    let insert = "INSERT INTO api_key (digest, agent, prefix, made_at_ms) VALUES ($1, $2, $3, $4)";
    let done = sqlx::query(insert)
        .bind(digest_of(key.reveal()))
        .bind(agent.as_str())
        .bind(key.prefix())
        .bind(now.0)
        .execute(write.connection());
    done.await.map_err(at("api_key"))?;
    Ok(key)
}

/// Lets the keys of an agent with that prefix end at a time, and says how many there are.
///
/// # Errors
/// The database.
pub async fn end_key(
    write: &mut Write,
    agent: &Id,
    prefix: &str,
    at_time: UnixMs,
) -> Result<u64, AgentError> {
    let update = "UPDATE api_key SET ends_at_ms = $3 WHERE agent = $1 AND prefix = $2";
    let done = sqlx::query(update)
        .bind(agent.as_str())
        .bind(prefix)
        .bind(at_time.0)
        .execute(write.connection());
    Ok(done.await.map_err(at("api_key"))?.rows_affected())
}

/// Whose key it is, if it is one and has not ended. It is looked for by its digest, so the time that
/// this takes says nothing about the digits of any key.
///
/// # Errors
/// The database.
pub async fn of_key(
    connection: &mut AnyConnection,
    presented: &[u8],
    now: UnixMs,
) -> Result<Option<Id>, AgentError> {
    let select = "SELECT agent FROM api_key
        WHERE digest = $1 AND (ends_at_ms IS NULL OR ends_at_ms > $2)";
    let row = sqlx::query(select)
        .bind(digest_of(presented))
        .bind(now.0)
        .fetch_optional(connection);
    let Some(row) = row.await.map_err(at("api_key"))? else {
        return Ok(None);
    };
    let agent: String = row.try_get(0).map_err(at("api_key"))?;
    let agent = agent.parse().map_err(|_| StoreError::Unfit {
        table: "api_key",
        reason: "an agent that is none".to_owned(),
    });
    Ok(Some(agent?))
}

fn digest_of(key: impl AsRef<[u8]>) -> Vec<u8> {
    digest(&SHA256, key.as_ref()).as_ref().to_vec()
}
