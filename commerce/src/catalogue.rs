//! What is for sale: categories, card types, and what each agent pays.
//!
//! A card type keeps its id, issuer and value for ever, because cards are printed with them.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    moment::UnixMs,
    money::{MoneyFault, Vnd},
    stock::{self, StockError},
    store::{StoreError, Write, at},
    word::{CardTypeId, Id, word},
};

word! {
    /// A category's code, as `MOBI`.
    CategoryCode, 4, "capital letters and digits",
    |char| char.is_ascii_uppercase() || char.is_ascii_digit()
}

word! {
    /// A category's name, in any letters.
    CategoryName, 32, "any text without control characters",
    |char| !char.is_control()
}

word! {
    /// A card type's name, in any letters.
    CardName, 64, "any text without control characters",
    |char| !char.is_control()
}

/// A group of card types.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Category {
    /// Its code.
    pub code: CategoryCode,
    /// Its name.
    pub name: CategoryName,
    /// Where it stands in the list.
    pub place: u32,
}

/// A kind of card.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CardType {
    /// Its id.
    pub id: CardTypeId,
    /// Where it is listed.
    pub category: CategoryCode,
    /// Its name.
    pub name: CardName,
    /// Who prints it. PIN codes of one issuer differ from each other.
    pub issuer: Id,
    /// What it is worth to its buyer.
    pub value: Vnd,
    /// What an agent pays who has no price of his own.
    pub sell_value: Vnd,
    /// Whether it is listed and sold.
    pub on_sale: bool,
    /// Fewer cards than this in stock raise an alarm.
    pub low_stock: u32,
}

/// A card type as an agent sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its id.
    pub id: CardTypeId,
    /// Its name.
    pub name: CardName,
    /// What it is worth to its buyer.
    pub value: Vnd,
    /// What the agent pays.
    pub sell_value: Vnd,
    /// Whether there is a card.
    pub in_stock: bool,
}

/// Why the catalogue does not take something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// The card type exists, with another issuer or value.
    #[error("card type {0} keeps its issuer and its value; make another card type")]
    Fixed(CardTypeId),
    /// An amount in the catalogue is out of range.
    #[error("an amount {0}")]
    Money(#[from] MoneyFault),
    /// The time or a card.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// The database; an unknown category or card type among others.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Adds a category, or changes its name and place.
///
/// # Errors
/// The database.
pub async fn put_category(write: &mut Write, category: &Category) -> Result<(), CatalogueError> {
    let upsert = "INSERT INTO category (code, name, place) VALUES ($1, $2, $3)
        ON CONFLICT (code) DO UPDATE SET name = excluded.name, place = excluded.place";
    let done = sqlx::query(upsert)
        .bind(category.code.as_str())
        .bind(category.name.as_str())
        .bind(i64::from(category.place))
        .execute(write.connection());
    done.await.map_err(at("category"))?;
    Ok(())
}

/// Adds a card type, or changes what may change of it.
///
/// # Errors
/// It exists with another issuer or value, or its category does not.
pub async fn put_card_type(write: &mut Write, card_type: &CardType) -> Result<(), CatalogueError> {
    let upsert = "INSERT INTO card_type
            (id, category, name, issuer, value, sell_value, on_sale, low_stock)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
        ON CONFLICT (id) DO UPDATE SET category = excluded.category, name = excluded.name,
            sell_value = excluded.sell_value, on_sale = excluded.on_sale,
            low_stock = excluded.low_stock
        WHERE card_type.issuer = excluded.issuer AND card_type.value = excluded.value";
    let done = sqlx::query(upsert)
        .bind(card_type.id.as_str())
        .bind(card_type.category.as_str())
        .bind(card_type.name.as_str())
        .bind(card_type.issuer.as_str())
        .bind(card_type.value.dong())
        .bind(card_type.sell_value.dong())
        .bind(i64::from(card_type.on_sale))
        .bind(i64::from(card_type.low_stock))
        .execute(write.connection());
    match done.await.map_err(at("card_type"))?.rows_affected() {
        0 => Err(CatalogueError::Fixed(card_type.id.clone())),
        _ => Ok(()),
    }
}

/// Puts a card type on sale or takes it off, and says whether there is one.
///
/// # Errors
/// The database.
pub async fn set_on_sale(
    write: &mut Write,
    card_type: &CardTypeId,
    on_sale: bool,
) -> Result<bool, CatalogueError> {
    let updated = sqlx::query("UPDATE card_type SET on_sale = $2 WHERE id = $1")
        .bind(card_type.as_str())
        .bind(i64::from(on_sale))
        .execute(write.connection());
    Ok(updated.await.map_err(at("card_type"))?.rows_affected() == 1)
}

/// Gives an agent a price of his own.
///
/// # Errors
/// There is no such card type.
pub async fn put_agent_price(
    write: &mut Write,
    agent: &Id,
    card_type: &CardTypeId,
    sell_value: Vnd,
) -> Result<(), CatalogueError> {
    let upsert = "INSERT INTO agent_price (agent, card_type, sell_value) VALUES ($1, $2, $3)
        ON CONFLICT (agent, card_type) DO UPDATE SET sell_value = excluded.sell_value";
    let done = sqlx::query(upsert)
        .bind(agent.as_str())
        .bind(card_type.as_str())
        .bind(sell_value.dong())
        .execute(write.connection());
    done.await.map_err(at("agent_price"))?;
    Ok(())
}

/// All categories in their order.
///
/// # Errors
/// The database.
pub async fn categories(connection: &mut AnyConnection) -> Result<Vec<Category>, CatalogueError> {
    let select = "SELECT code, name, place FROM category ORDER BY place, code";
    let rows = sqlx::query(select).fetch_all(connection);
    let rows = rows.await.map_err(at("category"))?;
    let category = |row: &AnyRow| {
        let word = |column| row.try_get::<String, _>(column).map_err(at("category"));
        let place: i64 = row.try_get(2).map_err(at("category"))?;
        Ok(Category {
            code: word(0)?.parse().map_err(|_| unfit("category"))?,
            name: word(1)?.parse().map_err(|_| unfit("category"))?,
            place: place.try_into().map_err(|_| unfit("category"))?,
        })
    };
    rows.iter().map(category).collect()
}

/// What a category offers to an agent, in the order of value.
///
/// # Errors
/// The database.
pub async fn offers(
    connection: &mut AnyConnection,
    agent: &Id,
    category: &CategoryCode,
    now: UnixMs,
) -> Result<Vec<Offer>, CatalogueError> {
    select_offers(connection, "category", category.as_str(), agent, now).await
}

/// What an agent is offered of a card type; nothing if it is not on sale.
///
/// # Errors
/// The database.
pub async fn offer(
    connection: &mut AnyConnection,
    agent: &Id,
    card_type: &CardTypeId,
    now: UnixMs,
) -> Result<Option<Offer>, CatalogueError> {
    let offers = select_offers(connection, "id", card_type.as_str(), agent, now).await?;
    Ok(offers.into_iter().next())
}

/// What a subscriber pays for a card of that type: its value. Nothing if it is not on sale.
///
/// # Errors
/// The database.
pub async fn retail_value(
    connection: &mut AnyConnection,
    card_type: &CardTypeId,
) -> Result<Option<Vnd>, CatalogueError> {
    let select = sqlx::query("SELECT value FROM card_type WHERE id = $1 AND on_sale = 1")
        .bind(card_type.as_str())
        .fetch_optional(connection);
    let Some(row) = select.await.map_err(at("card_type"))? else {
        return Ok(None);
    };
    let value = Vnd::new(row.try_get(0).map_err(at("card_type"))?)?;
    Ok(Some(value))
}

/// The column is one of our own words, never a caller's.
async fn select_offers(
    connection: &mut AnyConnection,
    column: &'static str,
    key: &str,
    agent: &Id,
    now: UnixMs,
) -> Result<Vec<Offer>, CatalogueError> {
    let select = format!(
        "SELECT id, name, value, COALESCE(agent_price.sell_value, card_type.sell_value),
            CASE WHEN EXISTS (
                SELECT 1 FROM card WHERE card.card_type = card_type.id
                    AND expires_on >= $3 AND {free}
            ) THEN 1 ELSE 0 END
        FROM card_type LEFT JOIN agent_price ON card_type = id AND agent = $2
        WHERE {column} = $1 AND on_sale = 1 ORDER BY value, id",
        free = stock::FREE.replace("{now}", "$4"),
    );
    let rows = sqlx::query(&select)
        .bind(key)
        .bind(agent.as_str())
        .bind(stock::today(now)?.to_string())
        .bind(now.0)
        .fetch_all(connection);
    let rows = rows.await.map_err(at("card_type"))?;
    rows.iter().map(read_offer).collect()
}

fn read_offer(row: &AnyRow) -> Result<Offer, CatalogueError> {
    let word = |column| row.try_get::<String, _>(column).map_err(at("card_type"));
    let number = |column| row.try_get::<i64, _>(column).map_err(at("card_type"));
    Ok(Offer {
        id: word(0)?.parse().map_err(|_| unfit("card_type"))?,
        name: word(1)?.parse().map_err(|_| unfit("card_type"))?,
        value: Vnd::new(number(2)?)?,
        sell_value: Vnd::new(number(3)?)?,
        in_stock: number(4)? == 1,
    })
}

fn unfit(table: &'static str) -> StoreError {
    StoreError::Unfit {
        table,
        reason: "a code, a name or a place that is none".to_owned(),
    }
}
