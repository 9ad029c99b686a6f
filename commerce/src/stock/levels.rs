//! How many cards there are, and of which types there are too few.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{FREE, StockError, today, unfit};
use crate::{moment::UnixMs, store::at, word::CardTypeId};

/// The stock of a card type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Which.
    pub card_type: CardTypeId,
    /// Cards that can be reserved now.
    pub free: i64,
    /// Fewer than this are too few.
    pub low_stock: i64,
    /// Cards that are set aside, because their PIN codes cannot be opened.
    pub faulty: i64,
}

impl Level {
    /// Whether somebody has to order cards.
    pub fn is_low(&self) -> bool {
        self.free < self.low_stock
    }
}

/// The stock of every card type on sale.
///
/// # Errors
/// The database.
pub async fn levels(connection: &mut AnyConnection, now: UnixMs) -> Result<Vec<Level>, StockError> {
    let select = format!(
        "SELECT id, low_stock, (
            SELECT COUNT(*) FROM card
            WHERE card.card_type = card_type.id AND expires_on >= $1 AND {free}
        ), (
            SELECT COUNT(*) FROM card
            WHERE card.card_type = card_type.id AND faulty_at_ms IS NOT NULL
        ) FROM card_type WHERE on_sale = 1 ORDER BY id",
        free = FREE.replace("{now}", "$2"),
    );
    let rows = sqlx::query(&select)
        .bind(today(now)?.to_string())
        .bind(now.0)
        .fetch_all(connection);
    let rows = rows.await.map_err(at("card"))?;
    rows.iter().map(level).collect()
}

fn level(row: &AnyRow) -> Result<Level, StockError> {
    let card_type: String = row.try_get(0).map_err(at("card_type"))?;
    Ok(Level {
        card_type: card_type
            .parse()
            .map_err(|_| unfit("a card type that is none"))?,
        low_stock: row.try_get(1).map_err(at("card_type"))?,
        free: row.try_get(2).map_err(at("card"))?,
        faulty: row.try_get(3).map_err(at("card"))?,
    })
}
