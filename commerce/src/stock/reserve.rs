//! Sets cards aside for a purchase and hands them out, each once.
//!
//! Time itself ends a reservation: a card whose time is over may be reserved by another, and is not
//! handed out to the first any more. No task has to come by.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Card, FREE, Serial, StockError, today, unfit};
use crate::{
    moment::UnixMs,
    seal::{self, Keys},
    store::{Write, at},
    word::{CardTypeId, Id},
};

/// Sets up to so many cards of a type aside, those first that expire first, and says how many.
/// Fewer are left if it is less. A purchase reserves once for each of its card types.
///
/// # Errors
/// The database.
pub async fn reserve(
    write: &mut Write,
    card_type: &CardTypeId,
    reservation: &Id,
    cards_max: u32,
    until: UnixMs,
    now: UnixMs,
) -> Result<u64, StockError> {
    let skip = write.dialect().skip_taken();
    let free = FREE.replace("{now}", "$5");
    let update = format!(
        "WITH next AS MATERIALIZED (
            SELECT card_type, serial FROM card
            WHERE card_type = $1 AND expires_on >= $4 AND {free}
            ORDER BY expires_on, serial LIMIT $6 {skip}
        )
        UPDATE card SET state = 'reserved', reservation = $2, reserved_until_ms = $3
        WHERE (card_type, serial) IN (SELECT card_type, serial FROM next) AND {free}"
    );
    let updated = sqlx::query(&update)
        .bind(card_type.as_str())
        .bind(reservation.as_str())
        .bind(until.0)
        .bind(today(now)?.to_string())
        .bind(now.0)
        .bind(i64::from(cards_max))
        .execute(write.connection());
    Ok(updated.await.map_err(at("card"))?.rows_affected())
}

/// Lets the cards of a reservation be kept for longer, and says how many there are. Those whose time is
/// over are not among them: another may have them already.
///
/// # Errors
/// The database.
pub async fn extend(
    write: &mut Write,
    reservation: &Id,
    until: UnixMs,
    now: UnixMs,
) -> Result<u64, StockError> {
    let update = "UPDATE card SET reserved_until_ms = $2
        WHERE reservation = $1 AND state = 'reserved' AND reserved_until_ms > $3";
    let updated = sqlx::query(update)
        .bind(reservation.as_str())
        .bind(until.0)
        .bind(now.0)
        .execute(write.connection());
    Ok(updated.await.map_err(at("card"))?.rows_affected())
}

/// Gives the cards of a reservation back, and says how many there were.
///
/// # Errors
/// The database.
pub async fn release(write: &mut Write, reservation: &Id) -> Result<u64, StockError> {
    let update = "UPDATE card SET state = 'free', reservation = NULL, reserved_until_ms = NULL
        WHERE reservation = $1 AND state = 'reserved'";
    let updated = sqlx::query(update)
        .bind(reservation.as_str())
        .execute(write.connection());
    Ok(updated.await.map_err(at("card"))?.rows_affected())
}

/// Sells the cards that are still reserved, and opens their PIN codes. What they cost has to move in
/// the same change.
///
/// # Errors
/// A PIN code cannot be opened. The cards stay reserved.
pub async fn hand_out(
    write: &mut Write,
    keys: &Keys,
    reservation: &Id,
    now: UnixMs,
) -> Result<Vec<Card>, StockError> {
    let mut step = write.step().await?;
    let update = "UPDATE card SET state = 'sold', sold_at_ms = $2, reserved_until_ms = NULL
        WHERE reservation = $1 AND state = 'reserved' AND reserved_until_ms > $2
        RETURNING card_type, serial, printed, pin, expires_on, account_no";
    let rows = sqlx::query(update)
        .bind(reservation.as_str())
        .bind(now.0)
        .fetch_all(&mut *step);
    let cards = cards(keys, &rows.await.map_err(at("card"))?)?;
    step.commit().await.map_err(at("card"))?;
    Ok(cards)
}

/// The cards that were handed out for a reservation, once more for the same buyer.
///
/// # Errors
/// A PIN code cannot be opened.
pub async fn handed_out(
    connection: &mut AnyConnection,
    keys: &Keys,
    reservation: &Id,
) -> Result<Vec<Card>, StockError> {
    let select = "SELECT card_type, serial, printed, pin, expires_on, account_no FROM card
        WHERE reservation = $1 AND state = 'sold'";
    let rows = sqlx::query(select)
        .bind(reservation.as_str())
        .fetch_all(connection);
    cards(keys, &rows.await.map_err(at("card"))?)
}

/// The card that was handed out with that serial, and the reservation that it was handed out for.
///
/// # Errors
/// Its PIN code cannot be opened.
pub async fn handed_out_card(
    connection: &mut AnyConnection,
    keys: &Keys,
    card_type: &CardTypeId,
    serial: &Serial,
) -> Result<Option<(Id, Card)>, StockError> {
    let select = "SELECT card_type, serial, printed, pin, expires_on, account_no, reservation
        FROM card WHERE card_type = $1 AND serial = $2 AND state = 'sold'";
    let row = sqlx::query(select)
        .bind(card_type.as_str())
        .bind(serial.key())
        .fetch_optional(connection);
    let Some(row) = row.await.map_err(at("card"))? else {
        return Ok(None);
    };
    let reservation: String = row.try_get(6).map_err(at("card"))?;
    let reservation = reservation
        .parse()
        .map_err(|_| unfit("a reservation that is none"))?;
    Ok(Some((reservation, card(keys, &row)?)))
}

/// In the order in which they were reserved.
fn cards(keys: &Keys, rows: &[AnyRow]) -> Result<Vec<Card>, StockError> {
    let cards = rows.iter().map(|row| card(keys, row));
    let mut cards = cards.collect::<Result<Vec<_>, _>>()?;
    let place = |card: &Card| (card.expires_on, card.serial.key().to_owned());
    cards.sort_by_cached_key(place);
    Ok(cards)
}

fn card(keys: &Keys, row: &AnyRow) -> Result<Card, StockError> {
    let word = |column| row.try_get::<String, _>(column).map_err(at("card"));
    let card_type: CardTypeId = word(0)?
        .parse()
        .map_err(|_| unfit("a card type that is none"))?;
    let sealed: Vec<u8> = row.try_get(3).map_err(at("card"))?;
    let serial = word(2)?
        .parse()
        .map_err(|_| unfit("a serial that is none"))?;
    let pin = match seal::open(keys, &card_type, &word(1)?, &sealed) {
        Ok(pin) => pin,
        Err(fault) => {
            return Err(StockError::Pin {
                card_type,
                serial,
                fault,
            });
        }
    };
    let account_no = Some(word(5)?).filter(|text| !text.is_empty());
    let account_no = account_no.map(|text| text.parse()).transpose();
    Ok(Card {
        card_type,
        serial,
        pin,
        expires_on: word(4)?.parse().map_err(|_| unfit("a day that is none"))?,
        account_no: account_no.map_err(|_| unfit("an account number that is none"))?,
    })
}
