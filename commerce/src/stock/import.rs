//! Brings the cards of a file into stock, all or none.

use sqlx::{AnyConnection, Row as _};

use super::{
    CardFile, LineReason, StockError,
    file::{LineFaults, NewCard},
};
use crate::{
    seal::{self, Keys},
    store::{Write, at},
    word::{CardTypeId, Id},
};

/// Takes the cards into stock, their PIN codes sealed, and says how many there are.
///
/// # Errors
/// A serial or a PIN code is known already; every such line is named. The change goes on as it was.
pub async fn import(
    write: &mut Write,
    keys: &Keys,
    card_type: &CardTypeId,
    file: &CardFile,
) -> Result<usize, StockError> {
    let mut step = write.step().await?;
    let issuer = issuer(&mut step, card_type).await?;
    let mut faults = LineFaults::default();
    for card in &file.cards {
        if let Some(reason) = add(&mut step, keys, (card_type, &issuer), card).await? {
            faults.add(card.line, reason);
        }
    }
    faults.none()?;
    step.commit().await.map_err(at("card"))?;
    Ok(file.cards.len())
}

async fn issuer(connection: &mut AnyConnection, card_type: &CardTypeId) -> Result<Id, StockError> {
    let row = sqlx::query("SELECT issuer FROM card_type WHERE id = $1")
        .bind(card_type.as_str())
        .fetch_optional(connection);
    let row = row.await.map_err(at("card_type"))?;
    let row = row.ok_or_else(|| StockError::NoCardType(card_type.clone()))?;
    let issuer: String = row.try_get(0).map_err(at("card_type"))?;
    Ok(issuer
        .parse()
        .map_err(|_| super::unfit("an issuer that is none"))?)
}

/// Adds a card, or says why it cannot be added.
async fn add(
    connection: &mut AnyConnection,
    keys: &Keys,
    (card_type, issuer): (&CardTypeId, &Id),
    card: &NewCard,
) -> Result<Option<LineReason>, StockError> {
    // Cards under earlier keys have other indexes; the one under this key is looked at by UNIQUE.
    for key in keys.previous() {
        let index = seal::index(key, issuer, &card.pin);
        let known = sqlx::query("SELECT 1 FROM card WHERE pin_index = $1")
            .bind(index)
            .fetch_optional(&mut *connection);
        if known.await.map_err(at("card"))?.is_some() {
            return Ok(Some(LineReason::PinKnown));
        }
    }
    let key = keys.current();
    let sealed = seal::seal(key, card_type, card.serial.key(), &card.pin);
    let sealed = sealed.map_err(|fault| StockError::Pin {
        card_type: card_type.clone(),
        serial: card.serial.clone(),
        fault,
    })?;
    let account_no = card.account_no.as_ref();
    let insert = "INSERT INTO card
            (card_type, serial, printed, pin, pin_key, pin_index, expires_on, account_no)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(card_type.as_str())
        .bind(card.serial.key())
        .bind(card.serial.printed())
        .bind(sealed)
        .bind(key.id().to_string())
        .bind(seal::index(key, issuer, &card.pin))
        .bind(card.expires_on.to_string())
        .bind(
            account_no
                .map(|account_no| account_no.as_str())
                .unwrap_or_default(),
        )
        .execute(&mut *connection);
    if inserted.await.map_err(at("card"))?.rows_affected() == 1 {
        return Ok(None);
    }
    let known = sqlx::query("SELECT 1 FROM card WHERE card_type = $1 AND serial = $2")
        .bind(card_type.as_str())
        .bind(card.serial.key())
        .fetch_optional(connection);
    Ok(Some(match known.await.map_err(at("card"))? {
        Some(_) => LineReason::SerialKnown,
        None => LineReason::PinKnown,
    }))
}
