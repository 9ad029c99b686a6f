//! Who was given which PIN code: every delivery and every look at one, with the key and the address.
//!
//! A purchase records its cards in the change that sells them; a later look is recorded before it is
//! answered, so that what cannot be recorded is not shown. The database refuses any change of a record.

use std::net::IpAddr;

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    moment::UnixMs,
    stock::{Card, Serial},
    store::{StoreError, Write, at},
    word::{CardTypeId, Id},
};

/// Records of a card that are listed; one has a few.
pub const LISTED_MAX: u32 = 100;

/// An agent who calls.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// Who.
    pub agent: Id,
    /// The first characters of the key that he calls with.
    pub key_prefix: String,
    /// From where, where that is known.
    pub address: Option<IpAddr>,
}

/// By which call PIN codes are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// He bought them.
    Buy,
    /// He sent the same purchase again.
    Repeat,
    /// He asked for one card.
    Card,
    /// He asked for what he bought under a number of his.
    Txn,
}

impl Call {
    const ALL: [Self; 4] = [Self::Buy, Self::Repeat, Self::Card, Self::Txn];

    fn word(self) -> &'static str {
        match self {
            Self::Buy => "buy",
            Self::Repeat => "repeat",
            Self::Card => "card",
            Self::Txn => "txn",
        }
    }

    fn of(word: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|call| call.word() == word);
        found.ok_or_else(unfit)
    }
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// When.
    pub at: UnixMs,
    /// Who.
    pub viewer: Viewer,
    /// How.
    pub call: Call,
}

/// Records that these cards are given to him.
///
/// # Errors
/// The database.
pub async fn record(
    write: &mut Write,
    viewer: &Viewer,
    call: Call,
    cards: &[&Card],
    now: UnixMs,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO card_view
            (at_ms, agent, key_prefix, address, call, card_type, serial)
        VALUES ($1, $2, $3, $4, $5, $6, $7)";
    for card in cards {
        let done = sqlx::query(insert)
            .bind(now.0)
            .bind(viewer.agent.as_str())
            .bind(&viewer.key_prefix)
            .bind(viewer.address.map(|address| address.to_string()))
            .bind(call.word())
            .bind(card.card_type.as_str())
            .bind(card.serial.key())
            .execute(write.connection());
        done.await.map_err(at("card_view"))?;
    }
    Ok(())
}

/// Who was given the PIN code of a card, the last first, at most [`LISTED_MAX`].
///
/// # Errors
/// The database.
pub async fn of_card(
    connection: &mut AnyConnection,
    card_type: &CardTypeId,
    serial: &Serial,
) -> Result<Vec<View>, StoreError> {
    let select = "SELECT at_ms, agent, key_prefix, address, call FROM card_view
        WHERE card_type = $1 AND serial = $2 ORDER BY number DESC LIMIT $3";
    let rows = sqlx::query(select)
        .bind(card_type.as_str())
        .bind(serial.key())
        .bind(i64::from(LISTED_MAX))
        .fetch_all(connection);
    rows.await
        .map_err(at("card_view"))?
        .iter()
        .map(view)
        .collect()
}

fn view(row: &AnyRow) -> Result<View, StoreError> {
    let word = |column| row.try_get::<String, _>(column).map_err(at("card_view"));
    let address: Option<String> = row.try_get(3).map_err(at("card_view"))?;
    let address = address.map(|address| address.parse()).transpose();
    Ok(View {
        at: UnixMs(row.try_get(0).map_err(at("card_view"))?),
        viewer: Viewer {
            agent: word(1)?.parse().map_err(|_| unfit())?,
            key_prefix: word(2)?,
            address: address.map_err(|_| unfit())?,
        },
        call: Call::of(&word(4)?)?,
    })
}

fn unfit() -> StoreError {
    StoreError::Unfit {
        table: "card_view",
        reason: "an agent, an address or a call that is none".to_owned(),
    }
}
