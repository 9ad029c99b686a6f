//! Cards whose PIN codes cannot be opened: set aside, so that the next buyer does not fall into the same
//! card, until somebody has brought the key or the row back.

use sqlx::{AnyConnection, Row as _};

use super::{Serial, StockError, unfit};
use crate::{
    audit::{self, Who},
    moment::UnixMs,
    seal::{self, Keys},
    store::{StoreError, Write, at},
    word::CardTypeId,
};

/// Cards that one look takes: a page of a terminal, and no long hold of the database.
pub const FAULTY_MAX: u32 = 500;

/// A card that is set aside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultyCard {
    /// Its type.
    pub card_type: CardTypeId,
    /// Its serial.
    pub serial: Serial,
    /// Since when.
    pub since: UnixMs,
}

/// Sets a card aside, with a line in the audit log; false if it is sold or was set aside before.
///
/// # Errors
/// The database.
pub async fn set_aside(
    write: &mut Write,
    card_type: &CardTypeId,
    serial: &Serial,
    why: &str,
    now: UnixMs,
) -> Result<bool, StoreError> {
    let update = "UPDATE card SET state = 'free', reservation = NULL, reserved_until_ms = NULL,
            faulty_at_ms = $3
        WHERE card_type = $1 AND serial = $2 AND state <> 'sold' AND faulty_at_ms IS NULL";
    let updated = sqlx::query(update)
        .bind(card_type.as_str())
        .bind(serial.key())
        .bind(now.0)
        .execute(write.connection());
    if updated.await.map_err(at("card"))?.rows_affected() == 0 {
        return Ok(false);
    }
    let subject = super::audit_subject(card_type, serial);
    audit::record(write, Who::Service, "card.set_aside", &subject, why, now).await?;
    tracing::error!(%card_type, %serial, "a card cannot be opened and is set aside: {why}");
    Ok(true)
}

/// The cards that are set aside, by type and serial, at most [`FAULTY_MAX`].
///
/// # Errors
/// The database.
pub async fn faulty(connection: &mut AnyConnection) -> Result<Vec<FaultyCard>, StoreError> {
    let select = "SELECT card_type, printed, faulty_at_ms FROM card
        WHERE faulty_at_ms IS NOT NULL ORDER BY card_type, serial LIMIT $1";
    let rows = sqlx::query(select)
        .bind(i64::from(FAULTY_MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("card"))?;
    let read = |row: &sqlx::any::AnyRow| {
        let word = |column| row.try_get::<String, _>(column).map_err(at("card"));
        Ok(FaultyCard {
            card_type: word(0)?
                .parse()
                .map_err(|_| unfit("a card type that is none"))?,
            serial: word(1)?
                .parse()
                .map_err(|_| unfit("a serial that is none"))?,
            since: UnixMs(row.try_get(2).map_err(at("card"))?),
        })
    };
    rows.iter().map(read).collect()
}

/// Gives a card that is set aside back for sale if its PIN code can be opened again, with a line in the audit
/// log; false if it is not set aside.
///
/// # Errors
/// Its PIN code cannot be opened, still.
pub async fn give_back(
    write: &mut Write,
    keys: &Keys,
    who: Who<'_>,
    card: &FaultyCard,
    now: UnixMs,
) -> Result<bool, StockError> {
    let (card_type, serial) = (&card.card_type, &card.serial);
    let select = "SELECT pin FROM card
        WHERE card_type = $1 AND serial = $2 AND faulty_at_ms IS NOT NULL";
    let row = sqlx::query(select)
        .bind(card_type.as_str())
        .bind(serial.key())
        .fetch_optional(write.connection());
    let Some(row) = row.await.map_err(at("card"))? else {
        return Ok(false);
    };
    let sealed: Vec<u8> = row.try_get(0).map_err(at("card"))?;
    let opened = seal::open(keys, card_type, serial.key(), &sealed);
    opened.map_err(|fault| StockError::Pin {
        card_type: card_type.clone(),
        serial: serial.clone(),
        fault,
    })?;
    let update = "UPDATE card SET faulty_at_ms = NULL WHERE card_type = $1 AND serial = $2";
    let updated = sqlx::query(update)
        .bind(card_type.as_str())
        .bind(serial.key())
        .execute(write.connection());
    updated.await.map_err(at("card"))?;
    let subject = super::audit_subject(card_type, serial);
    audit::record(write, who, "card.given_back", &subject, "", now).await?;
    Ok(true)
}
