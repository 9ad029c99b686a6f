//! Sells cards to agents. What is handed out and what it costs are one change of the database: there
//! is no card without its price, and no price without its card.
//!
//! An agent gets as many as there are and as his deposit pays. A purchase with an idempotency key
//! happens once, and its repeat gets the same cards. Whatever gives a PIN code out records it (`views`).

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    catalogue::{self, CatalogueError},
    ledger::{self, Account, Entry, EntryFault, LedgerError, Line},
    moment::UnixMs,
    money::{MoneyFault, Vnd},
    seal::Keys,
    stock::{self, Card, Serial, StockError},
    store::{Store, StoreError, Write, at},
    views::{self, Call, Viewer},
    word::{CardTypeId, Id, Reference, word},
};

/// Tries of a purchase that meets others. A third one means that the database is overloaded.
const TRIES_MAX: u32 = 3;

/// Sales that one look-up gives, the last ones: a number of an agent's own is meant to be one sale.
pub const FOUND_SALES_MAX: u32 = 10;

word! {
    /// An agent's own number of a purchase.
    SellDestNo, 40, "letters, digits, '.', '-' and '_'",
    |char| char.is_ascii_alphanumeric() || "._-".contains(char)
}

/// How many cards a purchase wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuyCount(u32);

impl BuyCount {
    /// The most cards of a purchase.
    pub const MAX: u32 = 40;

    /// That many.
    pub fn new(count: u32) -> Option<Self> {
        (1..=Self::MAX).contains(&count).then_some(Self(count))
    }
}

/// What an agent wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// Who.
    pub buyer: Viewer,
    /// What.
    pub card_type: CardTypeId,
    /// How many.
    pub count: BuyCount,
    /// His own number.
    pub sell_dest_no: Option<SellDestNo>,
    /// By which a repeat is known.
    pub idempotency_key: Option<Id>,
}

/// Why fewer cards were sold than wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Short {
    /// There were no more.
    Stock,
    /// The deposit paid for no more.
    Deposit,
}

impl Short {
    fn word(self) -> &'static str {
        match self {
            Self::Stock => "stock",
            Self::Deposit => "deposit",
        }
    }
}

/// What was sold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sale {
    /// Its number.
    pub number: i64,
    /// Its cards, at least one.
    pub cards: Vec<Card>,
    /// Why there are not as many as wanted.
    pub short: Option<Short>,
}

/// Why nothing was sold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaleError {
    /// The card type is not on sale.
    #[error("card type {0} is not on sale")]
    NotOnSale(CardTypeId),
    /// There is no card.
    #[error("card type {0} is out of stock")]
    OutOfStock(CardTypeId),
    /// The deposit does not pay for one card.
    #[error("the deposit is less than the price of a card")]
    Deposit,
    /// The idempotency key was used for another purchase.
    #[error("the idempotency key stands for another purchase")]
    KeyUsed,
    /// The catalogue.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The stock.
    #[error(transparent)]
    Stock(#[from] StockError),
    /// The books.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<MoneyFault> for SaleError {
    fn from(fault: MoneyFault) -> Self {
        Self::Ledger(fault.into())
    }
}

impl From<EntryFault> for SaleError {
    fn from(fault: EntryFault) -> Self {
        Self::Ledger(fault.into())
    }
}

impl SaleError {
    /// Whether the database had no time for it. Nothing was sold.
    pub fn is_busy(&self) -> bool {
        match self {
            Self::Store(error)
            | Self::Ledger(LedgerError::Store(error))
            | Self::Stock(StockError::Store(error))
            | Self::Catalogue(
                CatalogueError::Store(error) | CatalogueError::Stock(StockError::Store(error)),
            ) => error.is_busy(),
            // Another purchase took from the deposit since this one looked.
            Self::Ledger(LedgerError::Limit { .. }) => true,
            _ => false,
        }
    }
}

/// Sells what the agent wants, or what there is of it.
///
/// # Errors
/// Nothing was sold, and why.
pub async fn buy(
    store: &Store,
    keys: &Keys,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<Sale, SaleError> {
    let mut tries = 1;
    loop {
        match try_to_buy(store, keys, purchase, now).await {
            Err(error) if error.is_busy() && tries < TRIES_MAX => tries += 1,
            // The next card may be sound. An agent who asks for one again never gets so many.
            Err(SaleError::Stock(fault @ StockError::Pin { .. })) if tries < TRIES_MAX => {
                if !set_aside(store, &fault, now).await? {
                    return Err(fault.into());
                }
                tries += 1;
            }
            done => return done,
        }
    }
}

/// Sets a card aside that cannot be opened; false if it is sold, or the fault is another.
async fn set_aside(store: &Store, fault: &StockError, now: UnixMs) -> Result<bool, SaleError> {
    let StockError::Pin {
        card_type,
        serial,
        fault,
    } = fault
    else {
        return Ok(false);
    };
    let mut write = store.write().await?;
    let set_aside =
        stock::set_aside(&mut write, card_type, serial, &fault.to_string(), now).await?;
    write.commit().await?;
    Ok(set_aside)
}

async fn try_to_buy(
    store: &Store,
    keys: &Keys,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<Sale, SaleError> {
    let mut write = store.write().await?;
    let Some(number) = claim(&mut write, purchase, now).await? else {
        return repeated(write, keys, purchase, now).await;
    };
    let (agent, card_type) = (&purchase.buyer.agent, &purchase.card_type);
    let offer = catalogue::offer(write.connection(), agent, card_type, now).await?;
    let offer = offer.ok_or_else(|| SaleError::NotOnSale(card_type.clone()))?;
    let payable = payable(&mut write, agent, offer.sell_value, purchase.count).await?;
    let reservation = reservation(number)?;
    // Handed out at this same moment, so any later time will do.
    let until = UnixMs(now.0.saturating_add(1));
    stock::reserve(&mut write, card_type, &reservation, payable, until, now).await?;
    let cards = stock::hand_out(&mut write, keys, &reservation, now).await?;
    // Never more than the 40 that can be wanted.
    let sold = u32::try_from(cards.len()).unwrap_or(u32::MAX);
    if sold == 0 {
        return Err(SaleError::OutOfStock(card_type.clone()));
    }
    let price = offer.sell_value.times(sold)?;
    ledger::post(&mut write, &entry(number, purchase, price, now)?).await?;
    let short = match sold {
        _ if sold < payable => Some(Short::Stock),
        _ if payable < purchase.count.0 => Some(Short::Deposit),
        _ => None,
    };
    conclude(&mut write, number, sold, offer.sell_value, short).await?;
    let given: Vec<&Card> = cards.iter().collect();
    views::record(&mut write, &purchase.buyer, Call::Buy, &given, now).await?;
    write.commit().await?;
    Ok(Sale {
        number,
        cards,
        short,
    })
}

/// The number of a new sale, or nothing if its idempotency key was used.
async fn claim(
    write: &mut Write,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<Option<i64>, SaleError> {
    let insert = "INSERT INTO sale
            (agent, card_type, wanted, sell_dest_no, idempotency_key, at_ms)
        VALUES ($1, $2, $3, $4, $5, $6)
        ON CONFLICT (agent, idempotency_key) DO NOTHING RETURNING number";
    let row = sqlx::query(insert)
        .bind(purchase.buyer.agent.as_str())
        .bind(purchase.card_type.as_str())
        .bind(i64::from(purchase.count.0))
        .bind(purchase.sell_dest_no.as_ref().map(SellDestNo::as_str))
        .bind(purchase.idempotency_key.as_ref().map(Id::as_str))
        .bind(now.0)
        .fetch_optional(write.connection());
    let row = row.await.map_err(at("sale"))?;
    let number = row.map(|row| row.try_get(0)).transpose();
    Ok(number.map_err(at("sale"))?)
}

/// What the first purchase with this idempotency key got.
async fn repeated(
    mut write: Write,
    keys: &Keys,
    purchase: &Purchase,
    now: UnixMs,
) -> Result<Sale, SaleError> {
    let select = "SELECT number, short, card_type, wanted, sell_dest_no FROM sale
        WHERE agent = $1 AND idempotency_key = $2";
    let row = sqlx::query(select)
        .bind(purchase.buyer.agent.as_str())
        .bind(purchase.idempotency_key.as_ref().map(Id::as_str))
        .fetch_one(write.connection());
    let row = row.await.map_err(at("sale"))?;
    if !is_same(&row, purchase).map_err(at("sale"))? {
        return Err(SaleError::KeyUsed);
    }
    let sale = load(write.connection(), keys, &row).await?;
    let given: Vec<&Card> = sale.cards.iter().collect();
    views::record(&mut write, &purchase.buyer, Call::Repeat, &given, now).await?;
    write.commit().await?;
    Ok(sale)
}

fn is_same(row: &AnyRow, purchase: &Purchase) -> Result<bool, sqlx::Error> {
    let sell_dest_no: Option<String> = row.try_get(4)?;
    Ok(row.try_get::<String, _>(2)? == purchase.card_type.as_str()
        && row.try_get::<i64, _>(3)? == i64::from(purchase.count.0)
        && sell_dest_no.as_deref() == purchase.sell_dest_no.as_ref().map(SellDestNo::as_str))
}

/// How many of the wanted cards the deposit pays for, at least one.
async fn payable(
    write: &mut Write,
    agent: &Id,
    sell_value: Vnd,
    count: BuyCount,
) -> Result<u32, SaleError> {
    let deposit = Account::AgentDeposit(agent.clone());
    let spendable = ledger::spendable(write.connection(), &deposit).await?;
    let mut counts = (1..=count.0).rev();
    let pays_for = |count: &u32| {
        sell_value
            .times(*count)
            .is_ok_and(|price| price <= spendable)
    };
    counts.find(pays_for).ok_or(SaleError::Deposit)
}

fn entry(number: i64, purchase: &Purchase, price: Vnd, now: UnixMs) -> Result<Entry, SaleError> {
    let reference: Reference = format!("sale:{number}").parse().map_err(|_| unfit())?;
    let lines = [
        Line::debit(Account::AgentDeposit(purchase.buyer.agent.clone()), price),
        Line::credit(Account::Stock(purchase.card_type.clone()), price),
    ];
    Ok(Entry::new(reference, now, lines)?)
}

async fn conclude(
    write: &mut Write,
    number: i64,
    sold: u32,
    sell_value: Vnd,
    short: Option<Short>,
) -> Result<(), SaleError> {
    let update = "UPDATE sale SET sold = $2, sell_value = $3, short = $4 WHERE number = $1";
    let done = sqlx::query(update)
        .bind(number)
        .bind(i64::from(sold))
        .bind(sell_value.dong())
        .bind(short.map(Short::word))
        .execute(write.connection());
    done.await.map_err(at("sale"))?;
    Ok(())
}

/// The sales of an agent with that number of his, the last first: what he asks for whose answer was
/// lost.
///
/// # Errors
/// A card cannot be opened, or it cannot be recorded that he is given them.
pub async fn find(
    store: &Store,
    keys: &Keys,
    viewer: &Viewer,
    sell_dest_no: &SellDestNo,
    now: UnixMs,
) -> Result<Vec<Sale>, SaleError> {
    let select = "SELECT number, short FROM sale WHERE agent = $1 AND sell_dest_no = $2
        ORDER BY number DESC LIMIT $3";
    let mut read = store.read().await?;
    let rows = sqlx::query(select)
        .bind(viewer.agent.as_str())
        .bind(sell_dest_no.as_str())
        .bind(i64::from(FOUND_SALES_MAX))
        .fetch_all(&mut *read);
    let rows = rows.await.map_err(at("sale"))?;
    let mut sales = Vec::with_capacity(rows.len());
    for row in &rows {
        sales.push(load(&mut read, keys, row).await?);
    }
    drop(read);
    let cards: Vec<&Card> = sales.iter().flat_map(|sale| &sale.cards).collect();
    record(store, viewer, Call::Txn, &cards, now).await?;
    Ok(sales)
}

/// The card that an agent bought with that serial, and the number of the sale.
///
/// # Errors
/// It cannot be opened, or it cannot be recorded that he is given it.
pub async fn find_card(
    store: &Store,
    keys: &Keys,
    viewer: &Viewer,
    (card_type, serial): (&CardTypeId, &Serial),
    now: UnixMs,
) -> Result<Option<(i64, Card)>, SaleError> {
    let mut read = store.read().await?;
    let found = stock::handed_out_card(&mut read, keys, card_type, serial).await?;
    let Some((reservation, card)) = found else {
        return Ok(None);
    };
    // Cards that were not sold to an agent are reserved under other names.
    let number = reservation.as_str().strip_prefix("sale-");
    let Some(number) = number.and_then(|number| number.parse::<i64>().ok()) else {
        return Ok(None);
    };
    let sold = sqlx::query("SELECT 1 FROM sale WHERE number = $1 AND agent = $2")
        .bind(number)
        .bind(viewer.agent.as_str())
        .fetch_optional(&mut *read);
    if sold.await.map_err(at("sale"))?.is_none() {
        return Ok(None);
    }
    drop(read);
    record(store, viewer, Call::Card, &[&card], now).await?;
    Ok(Some((number, card)))
}

/// Records a look in a change of its own, before anybody is shown anything.
async fn record(
    store: &Store,
    viewer: &Viewer,
    call: Call,
    cards: &[&Card],
    now: UnixMs,
) -> Result<(), StoreError> {
    let mut write = store.write().await?;
    views::record(&mut write, viewer, call, cards, now).await?;
    write.commit().await
}

/// A sale of which the row has the number and the shortage first.
async fn load(
    connection: &mut AnyConnection,
    keys: &Keys,
    row: &AnyRow,
) -> Result<Sale, SaleError> {
    let number = row.try_get(0).map_err(at("sale"))?;
    let short: Option<String> = row.try_get(1).map_err(at("sale"))?;
    let short = match short.as_deref() {
        None => None,
        Some("stock") => Some(Short::Stock),
        Some("deposit") => Some(Short::Deposit),
        Some(_) => return Err(unfit().into()),
    };
    Ok(Sale {
        number,
        cards: stock::handed_out(connection, keys, &reservation(number)?).await?,
        short,
    })
}

/// What the cards of a sale are reserved under.
fn reservation(number: i64) -> Result<Id, StoreError> {
    format!("sale-{number}").parse().map_err(|_| unfit())
}

fn unfit() -> StoreError {
    StoreError::Unfit {
        table: "sale",
        reason: "a number or a shortage that is none".to_owned(),
    }
}
