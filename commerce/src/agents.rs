//! Agents who sell our cards, and the keys that they call the API with.
//!
//! A key is shown once, when it is made. Kept is its digest, and its first characters, by which
//! people can tell keys apart. An agent may have several at once, so that one can be changed without
//! a gap. He may be bound to call from certain networks only.

use std::{fmt, net::IpAddr};

use ring::{
    digest::{SHA256, digest},
    error::Unspecified,
    rand::{SecureRandom as _, SystemRandom},
};
use sqlx::{AnyConnection, Row as _, any::AnyRow};
use zeroize::Zeroizing;

use crate::{
    moment::UnixMs,
    network::Network,
    store::{StoreError, Write, at},
    word::Id,
};

/// Bytes of a key: 256 bits.
const KEY_BYTES: usize = 32;

/// Characters of a key that are kept and shown.
const PREFIX_LENGTH: usize = 8;

/// Networks that an agent may call from. They are looked at with each call.
pub const NETWORKS_MAX: i64 = 64;

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
    /// He has as many networks as one may have.
    #[error("agent {0} has {NETWORKS_MAX} networks already; forbid one, or allow a wider one")]
    Networks(Id),
    /// The database; an unknown agent among others.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An agent as his key says him.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Who.
    pub agent: Id,
    /// The first characters of the key.
    pub key_prefix: String,
    networks: Vec<Network>,
}

impl Holder {
    /// Whether he may call from there. Who is bound to networks may not from an address that nobody
    /// knows.
    pub fn may_call_from(&self, address: Option<IpAddr>) -> bool {
        let is_in = |network: &Network| address.is_some_and(|address| network.contains(address));
        self.networks.is_empty() || self.networks.iter().any(is_in)
    }
}

/// Adds an agent, once; false if he was there.
///
/// # Errors
/// The database.
pub async fn add(write: &mut Write, agent: &Id) -> Result<bool, AgentError> {
    let insert = "INSERT INTO agent (id) VALUES ($1) ON CONFLICT (id) DO NOTHING";
    let done = sqlx::query(insert)
        .bind(agent.as_str())
        .execute(write.connection());
    Ok(done.await.map_err(at("agent"))?.rows_affected() == 1)
}

/// Whether there is such an agent.
///
/// # Errors
/// The database.
pub async fn is_there(connection: &mut AnyConnection, agent: &Id) -> Result<bool, AgentError> {
    let select = sqlx::query("SELECT 1 FROM agent WHERE id = $1")
        .bind(agent.as_str())
        .fetch_optional(connection);
    Ok(select.await.map_err(at("agent"))?.is_some())
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

/// Lets an agent call from a network, and from the others that he may, but from nowhere else.
///
/// # Errors
/// There is no such agent, or he has too many networks.
pub async fn allow(write: &mut Write, agent: &Id, network: Network) -> Result<(), AgentError> {
    let insert = "INSERT INTO agent_network (agent, network) VALUES ($1, $2)
        ON CONFLICT (agent, network) DO NOTHING";
    let done = sqlx::query(insert)
        .bind(agent.as_str())
        .bind(network.to_string())
        .execute(write.connection());
    done.await.map_err(at("agent_network"))?;
    let networks = networks(write.connection(), agent).await?;
    match i64::try_from(networks.len()) {
        Ok(count) if count <= NETWORKS_MAX => Ok(()),
        _ => Err(AgentError::Networks(agent.clone())),
    }
}

/// Lets an agent call from a network no more, and says whether he could. Without any network he may
/// call from anywhere.
///
/// # Errors
/// The database.
pub async fn forbid(write: &mut Write, agent: &Id, network: Network) -> Result<bool, AgentError> {
    let delete = "DELETE FROM agent_network WHERE agent = $1 AND network = $2";
    let done = sqlx::query(delete)
        .bind(agent.as_str())
        .bind(network.to_string())
        .execute(write.connection());
    Ok(done.await.map_err(at("agent_network"))?.rows_affected() > 0)
}

/// The networks that an agent may call from; none if he may from anywhere.
///
/// # Errors
/// The database.
pub async fn networks(
    connection: &mut AnyConnection,
    agent: &Id,
) -> Result<Vec<Network>, AgentError> {
    let select = "SELECT network FROM agent_network WHERE agent = $1 ORDER BY network";
    let rows = sqlx::query(select)
        .bind(agent.as_str())
        .fetch_all(connection);
    let rows = rows.await.map_err(at("agent_network"))?;
    let network = |row: &AnyRow| {
        let network: String = row.try_get(0).map_err(at("agent_network"))?;
        let network = network.parse();
        Ok(network.map_err(|_| unfit("agent_network", "a network that is none"))?)
    };
    rows.iter().map(network).collect()
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
) -> Result<Option<Holder>, AgentError> {
    let select = "SELECT agent, prefix FROM api_key
        WHERE digest = $1 AND (ends_at_ms IS NULL OR ends_at_ms > $2)";
    let row = sqlx::query(select)
        .bind(digest_of(presented))
        .bind(now.0)
        .fetch_optional(&mut *connection);
    let Some(row) = row.await.map_err(at("api_key"))? else {
        return Ok(None);
    };
    let agent: String = row.try_get(0).map_err(at("api_key"))?;
    let agent = agent.parse();
    let agent = agent.map_err(|_| unfit("api_key", "an agent that is none"))?;
    Ok(Some(Holder {
        key_prefix: row.try_get(1).map_err(at("api_key"))?,
        networks: networks(connection, &agent).await?,
        agent,
    }))
}

fn unfit(table: &'static str, reason: &str) -> StoreError {
    StoreError::Unfit {
        table,
        reason: reason.to_owned(),
    }
}

fn digest_of(key: impl AsRef<[u8]>) -> Vec<u8> {
    digest(&SHA256, key.as_ref()).as_ref().to_vec()
}
