//! Card types with what is in stock of them, those that are not on sale too.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Page, unfit};
use crate::{
    moment::UnixMs,
    money::Vnd,
    stock::{self, StockError},
    store::{StoreError, at},
    word::CardTypeId,
};

/// A card type and its stock.
#[derive(Clone, Debug)]
pub(crate) struct Shelf {
    pub(crate) card_type: CardTypeId,
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) issuer: String,
    pub(crate) value: Vnd,
    pub(crate) sell_value: Vnd,
    pub(crate) on_sale: bool,
    pub(crate) low_stock: i64,
    pub(crate) free: i64,
    /// Cards that are set aside, because their PIN codes cannot be opened.
    pub(crate) faulty: i64,
    /// The day on which the first of them expires.
    pub(crate) expires_first: Option<String>,
}

impl Shelf {
    /// Whether somebody has to order cards.
    pub(crate) fn is_low(&self) -> bool {
        self.on_sale && self.free < self.low_stock
    }
}

fn select(condition: &str) -> String {
    let free = stock::FREE.replace("{now}", "$2");
    let free = format!("card.card_type = card_type.id AND expires_on >= $1 AND {free}");
    format!(
        "SELECT id, name, category, issuer, value, sell_value, on_sale, low_stock,
            (SELECT COUNT(*) FROM card WHERE {free}),
            (SELECT MIN(expires_on) FROM card WHERE {free}),
            (SELECT COUNT(*) FROM card WHERE card.card_type = card_type.id
                AND faulty_at_ms IS NOT NULL)
        FROM card_type WHERE {condition}"
    )
}

/// Card types by id, from after that one.
pub(crate) async fn list(
    connection: &mut AnyConnection,
    after: Option<&CardTypeId>,
    now: UnixMs,
) -> Result<Page<Shelf>, StockError> {
    let select = select("id > $3 ORDER BY id LIMIT $4");
    let rows = sqlx::query(&select)
        .bind(stock::today(now)?.to_string())
        .bind(now.0)
        .bind(after.map_or("", CardTypeId::as_str))
        .bind(i64::from(Page::<Shelf>::ASKED))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("card_type"))?;
    let lines = rows.iter().map(shelf).collect::<Result<_, _>>()?;
    Ok(Page::of(lines))
}

/// The card type of that id.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    card_type: &CardTypeId,
    now: UnixMs,
) -> Result<Option<Shelf>, StockError> {
    let select = select("id = $3");
    let row = sqlx::query(&select)
        .bind(stock::today(now)?.to_string())
        .bind(now.0)
        .bind(card_type.as_str())
        .fetch_optional(connection);
    let row = row.await.map_err(at("card_type"))?;
    Ok(row.as_ref().map(shelf).transpose()?)
}

fn shelf(row: &AnyRow) -> Result<Shelf, StoreError> {
    let number = |column| row.try_get::<i64, _>(column).map_err(at("card_type"));
    let text = |column| row.try_get::<String, _>(column).map_err(at("card_type"));
    let amount = |column| Vnd::new(number(column)?).map_err(|_| unfit("card_type"));
    Ok(Shelf {
        card_type: text(0)?.parse().map_err(|_| unfit("card_type"))?,
        name: text(1)?,
        category: text(2)?,
        issuer: text(3)?,
        value: amount(4)?,
        sell_value: amount(5)?,
        on_sale: number(6)? == 1,
        low_stock: number(7)?,
        free: number(8)?,
        faulty: number(10)?,
        expires_first: row.try_get(9).map_err(at("card"))?,
    })
}
