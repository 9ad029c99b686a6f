//! Cards without their PIN codes.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::unfit;
use crate::{
    moment::UnixMs,
    sales::BuyCount,
    stock::Serial,
    store::{StoreError, at},
    word::CardTypeId,
};

/// A card as the office lists it.
#[derive(Clone, Debug)]
pub(crate) struct CardLine {
    pub(crate) card_type: CardTypeId,
    pub(crate) serial: Serial,
    pub(crate) expires_on: String,
    pub(crate) state: String,
    pub(crate) reservation: Option<String>,
    pub(crate) sold_at: Option<UnixMs>,
    /// Since when it is set aside, because its PIN code cannot be opened.
    pub(crate) faulty_at: Option<UnixMs>,
}

const COLUMNS: &str =
    "card_type, printed, expires_on, state, reservation, sold_at_ms, faulty_at_ms";

/// The cards that were handed out for a reservation, as many as one purchase can have.
pub(crate) async fn of(
    connection: &mut AnyConnection,
    reservation: &str,
) -> Result<Vec<CardLine>, StoreError> {
    let select = format!(
        "SELECT {COLUMNS} FROM card WHERE reservation = $1 AND state = 'sold'
        ORDER BY card_type, expires_on, serial LIMIT $2"
    );
    let rows = sqlx::query(&select)
        .bind(reservation)
        .bind(i64::from(BuyCount::MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("card"))?;
    rows.iter().map(line).collect()
}

/// The card of that type and serial.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    card_type: &CardTypeId,
    serial: &Serial,
) -> Result<Option<CardLine>, StoreError> {
    let select = format!("SELECT {COLUMNS} FROM card WHERE card_type = $1 AND serial = $2");
    let row = sqlx::query(&select)
        .bind(card_type.as_str())
        .bind(serial.key())
        .fetch_optional(connection);
    let row = row.await.map_err(at("card"))?;
    row.as_ref().map(line).transpose()
}

fn line(row: &AnyRow) -> Result<CardLine, StoreError> {
    let text = |column| row.try_get::<String, _>(column).map_err(at("card"));
    let sold_at: Option<i64> = row.try_get(5).map_err(at("card"))?;
    let faulty_at: Option<i64> = row.try_get(6).map_err(at("card"))?;
    Ok(CardLine {
        card_type: text(0)?.parse().map_err(|_| unfit("card"))?,
        serial: text(1)?.parse().map_err(|_| unfit("card"))?,
        expires_on: text(2)?,
        state: text(3)?,
        reservation: row.try_get(4).map_err(at("card"))?,
        sold_at: sold_at.map(UnixMs),
        faulty_at: faulty_at.map(UnixMs),
    })
}
