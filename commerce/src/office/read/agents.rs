//! Agents, their keys without the keys themselves, and their prices.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Page, unfit};
use crate::{
    moment::UnixMs,
    money::Vnd,
    store::{StoreError, at},
    word::{CardTypeId, Id},
};

/// Keys of an agent that are shown, the last ones.
const KEYS_MAX: i64 = 50;

/// Prices of an agent that are shown: more card types than are sold.
const PRICES_MAX: i64 = 500;

/// An agent and what he has.
#[derive(Clone, Debug)]
pub(crate) struct AgentLine {
    pub(crate) id: Id,
    pub(crate) deposit: Vnd,
    /// Keys that have not ended.
    pub(crate) keys: i64,
}

/// A key, by what people know it by.
#[derive(Clone, Debug)]
pub(crate) struct KeyLine {
    pub(crate) prefix: String,
    pub(crate) made_at: UnixMs,
    pub(crate) ends_at: Option<UnixMs>,
}

/// What an agent pays for a card type, and what others pay.
#[derive(Clone, Debug)]
pub(crate) struct PriceLine {
    pub(crate) card_type: CardTypeId,
    pub(crate) value: Vnd,
    pub(crate) listed: Vnd,
    pub(crate) own: Option<Vnd>,
}

/// Agents by id, from after that one.
pub(crate) async fn list(
    connection: &mut AnyConnection,
    after: &str,
    now: UnixMs,
) -> Result<Page<AgentLine>, StoreError> {
    let select = "SELECT id, COALESCE(
            (SELECT balance FROM account WHERE name = 'agent:' || id || ':deposit'), 0),
            (SELECT COUNT(*) FROM api_key
                WHERE agent = id AND (ends_at_ms IS NULL OR ends_at_ms > $2))
        FROM agent WHERE id > $1 ORDER BY id LIMIT $3";
    let rows = sqlx::query(select)
        .bind(after)
        .bind(now.0)
        .bind(i64::from(Page::<AgentLine>::ASKED))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("agent"))?;
    let line = |row: &AnyRow| {
        Ok(AgentLine {
            id: text(row, 0)?.parse().map_err(|_| unfit("agent"))?,
            deposit: amount(row, 1)?,
            keys: row.try_get(2).map_err(at("api_key"))?,
        })
    };
    let lines = rows.iter().map(line).collect::<Result<_, StoreError>>()?;
    Ok(Page::of(lines))
}

/// Whether there is that agent.
pub(crate) async fn exists(connection: &mut AnyConnection, agent: &Id) -> Result<bool, StoreError> {
    let row = sqlx::query("SELECT 1 FROM agent WHERE id = $1")
        .bind(agent.as_str())
        .fetch_optional(connection);
    Ok(row.await.map_err(at("agent"))?.is_some())
}

/// The keys of an agent, the last made first.
pub(crate) async fn keys(
    connection: &mut AnyConnection,
    agent: &Id,
) -> Result<Vec<KeyLine>, StoreError> {
    let select = "SELECT prefix, made_at_ms, ends_at_ms FROM api_key WHERE agent = $1
        ORDER BY made_at_ms DESC, prefix LIMIT $2";
    let rows = sqlx::query(select)
        .bind(agent.as_str())
        .bind(KEYS_MAX)
        .fetch_all(connection);
    let rows = rows.await.map_err(at("api_key"))?;
    let line = |row: &AnyRow| {
        let ends_at: Option<i64> = row.try_get(2).map_err(at("api_key"))?;
        Ok(KeyLine {
            prefix: text(row, 0)?,
            made_at: UnixMs(row.try_get(1).map_err(at("api_key"))?),
            ends_at: ends_at.map(UnixMs),
        })
    };
    rows.iter().map(line).collect()
}

/// What an agent pays for each card type on sale.
pub(crate) async fn prices(
    connection: &mut AnyConnection,
    agent: &Id,
) -> Result<Vec<PriceLine>, StoreError> {
    let select = "SELECT id, value, card_type.sell_value, agent_price.sell_value
        FROM card_type LEFT JOIN agent_price ON card_type = id AND agent = $1
        WHERE on_sale = 1 ORDER BY id LIMIT $2";
    let rows = sqlx::query(select)
        .bind(agent.as_str())
        .bind(PRICES_MAX)
        .fetch_all(connection);
    let rows = rows.await.map_err(at("agent_price"))?;
    let line = |row: &AnyRow| {
        let own: Option<i64> = row.try_get(3).map_err(at("agent_price"))?;
        Ok(PriceLine {
            card_type: text(row, 0)?.parse().map_err(|_| unfit("card_type"))?,
            value: amount(row, 1)?,
            listed: amount(row, 2)?,
            own: own
                .map(Vnd::new)
                .transpose()
                .map_err(|_| unfit("agent_price"))?,
        })
    };
    rows.iter().map(line).collect()
}

fn text(row: &AnyRow, column: usize) -> Result<String, StoreError> {
    row.try_get(column).map_err(at("agent"))
}

fn amount(row: &AnyRow, column: usize) -> Result<Vnd, StoreError> {
    let dong: i64 = row.try_get(column).map_err(at("agent"))?;
    Vnd::new(dong).map_err(|_| unfit("agent"))
}
