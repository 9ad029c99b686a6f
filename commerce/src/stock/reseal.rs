//! Brings cards under the current key, so that an earlier one can be taken away.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Serial, StockError, unfit};
use crate::{
    seal::{self, Keys, PinFault},
    store::{Write, at},
    word::{CardTypeId, Id},
};

/// Seals up to so many cards anew that are under another key than the current, sold ones too, and
/// says how many. Nothing is left once it is none.
///
/// # Errors
/// A key is not here, or a seal does not fit.
pub async fn reseal(write: &mut Write, keys: &Keys, cards_max: u32) -> Result<usize, StockError> {
    let select = "SELECT card_type, serial, printed, pin, issuer
        FROM card JOIN card_type ON id = card_type WHERE pin_key <> $1 LIMIT $2";
    let mut step = write.step().await?;
    let rows = sqlx::query(select)
        .bind(keys.current().id().to_string())
        .bind(i64::from(cards_max))
        .fetch_all(&mut *step);
    let rows = rows.await.map_err(at("card"))?;
    for row in &rows {
        reseal_one(&mut step, keys, row).await?;
    }
    step.commit().await.map_err(at("card"))?;
    Ok(rows.len())
}

async fn reseal_one(
    connection: &mut AnyConnection,
    keys: &Keys,
    row: &AnyRow,
) -> Result<(), StockError> {
    let word = |column| row.try_get::<String, _>(column).map_err(at("card"));
    let card_type: CardTypeId = word(0)?
        .parse()
        .map_err(|_| unfit("a card type that is none"))?;
    let issuer: Id = word(4)?
        .parse()
        .map_err(|_| unfit("an issuer that is none"))?;
    let printed: Serial = word(2)?
        .parse()
        .map_err(|_| unfit("a serial that is none"))?;
    let sealed: Vec<u8> = row.try_get(3).map_err(at("card"))?;
    let wrong = |fault: PinFault| StockError::Pin {
        card_type: card_type.clone(),
        serial: printed.clone(),
        fault,
    };
    let (key, serial) = (keys.current(), printed.key());
    let pin = seal::open(keys, &card_type, serial, &sealed).map_err(wrong)?;
    let update = "UPDATE card SET pin = $3, pin_key = $4, pin_index = $5
        WHERE card_type = $1 AND serial = $2";
    let updated = sqlx::query(update)
        .bind(card_type.as_str())
        .bind(serial)
        .bind(seal::seal(key, &card_type, serial, &pin).map_err(wrong)?)
        .bind(key.id().to_string())
        .bind(seal::index(key, &issuer, &pin))
        .execute(connection);
    updated.await.map_err(at("card"))?;
    Ok(())
}
