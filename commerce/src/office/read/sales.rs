//! Sales to agents, found by what an agent or a customer can name.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Page, unfit};
use crate::{
    moment::UnixMs,
    money::Vnd,
    sales::SellDestNo,
    stock::Serial,
    store::{StoreError, at},
    word::{CardTypeId, Id},
};

/// Sales that one serial leads to: it is unique for each card type, and more have not the same.
const OF_SERIAL_MAX: i64 = 50;

/// A sale, without its cards.
#[derive(Clone, Debug)]
pub(crate) struct SaleLine {
    pub(crate) number: i64,
    pub(crate) agent: Id,
    pub(crate) card_type: CardTypeId,
    pub(crate) wanted: i64,
    pub(crate) sold: i64,
    pub(crate) sell_value: Vnd,
    pub(crate) short: Option<String>,
    pub(crate) sell_dest_no: Option<String>,
    pub(crate) at: UnixMs,
}

impl SaleLine {
    /// What it cost, as its entry in the books has it.
    pub(crate) fn amount(&self) -> Option<Vnd> {
        let sold = u32::try_from(self.sold).ok()?;
        self.sell_value.times(sold).ok()
    }
}

/// Which sales are wanted; all of them where nothing is said.
#[derive(Clone, Debug, Default)]
pub(crate) struct SaleFilter {
    pub(crate) agent: Option<Id>,
    pub(crate) card_type: Option<CardTypeId>,
    pub(crate) sell_dest_no: Option<SellDestNo>,
    pub(crate) serial: Option<Serial>,
    pub(crate) number: Option<i64>,
}

const COLUMNS: &str =
    "number, agent, card_type, wanted, sold, sell_value, short, sell_dest_no, at_ms";

/// The sales that are wanted, the last first, from before the one of that number.
pub(crate) async fn list(
    connection: &mut AnyConnection,
    filter: &SaleFilter,
    before: Option<i64>,
) -> Result<Page<SaleLine>, StoreError> {
    let mut select = format!("SELECT {COLUMNS} FROM sale WHERE number < $1");
    let words = [
        ("agent", filter.agent.as_ref().map(Id::as_str)),
        (
            "card_type",
            filter.card_type.as_ref().map(CardTypeId::as_str),
        ),
        (
            "sell_dest_no",
            filter.sell_dest_no.as_ref().map(SellDestNo::as_str),
        ),
    ];
    let words = words
        .iter()
        .filter_map(|(column, word)| Some((column, (*word)?)));
    let mut values = Vec::new();
    for (place, (column, word)) in (3..).zip(words) {
        select += &format!(" AND {column} = ${place}");
        values.push(word);
    }
    if let Some(number) = filter.number {
        select += &format!(" AND number = {number}");
    }
    if let Some(serial) = &filter.serial {
        let numbers: Vec<_> = of_serial(&mut *connection, serial).await?;
        // No sale has the number 0, and an empty list is none in SQL.
        select += &format!(" AND number IN (0{})", numbers.concat());
    }
    select += " ORDER BY number DESC LIMIT $2";
    let mut query = sqlx::query(&select)
        .bind(before.unwrap_or(i64::MAX))
        .bind(i64::from(Page::<SaleLine>::ASKED));
    for value in values {
        query = query.bind(value);
    }
    let rows = query.fetch_all(connection).await.map_err(at("sale"))?;
    let lines = rows.iter().map(line).collect::<Result<_, _>>()?;
    Ok(Page::of(lines))
}

/// The numbers of the sales with a card of that serial, each after a comma.
async fn of_serial(
    connection: &mut AnyConnection,
    serial: &Serial,
) -> Result<Vec<String>, StoreError> {
    let select = "SELECT reservation FROM card WHERE serial = $1 AND state = 'sold' LIMIT $2";
    let rows = sqlx::query(select)
        .bind(serial.key())
        .bind(OF_SERIAL_MAX)
        .fetch_all(connection);
    let rows = rows.await.map_err(at("card"))?;
    let mut numbers = Vec::new();
    for row in &rows {
        let reservation: String = row.try_get(0).map_err(at("card"))?;
        numbers.extend(number_of(&reservation).map(|number| format!(",{number}")));
    }
    Ok(numbers)
}

/// Of which sale a card's reservation is, if it is of one.
pub(crate) fn number_of(reservation: &str) -> Option<i64> {
    reservation.strip_prefix("sale-")?.parse().ok()
}

/// The sale of that number.
pub(crate) async fn find(
    connection: &mut AnyConnection,
    number: i64,
) -> Result<Option<SaleLine>, StoreError> {
    let select = format!("SELECT {COLUMNS} FROM sale WHERE number = $1");
    let row = sqlx::query(&select).bind(number).fetch_optional(connection);
    let row = row.await.map_err(at("sale"))?;
    row.as_ref().map(line).transpose()
}

fn line(row: &AnyRow) -> Result<SaleLine, StoreError> {
    let number = |column| row.try_get::<i64, _>(column).map_err(at("sale"));
    let text = |column| row.try_get::<String, _>(column).map_err(at("sale"));
    Ok(SaleLine {
        number: number(0)?,
        agent: text(1)?.parse().map_err(|_| unfit("sale"))?,
        card_type: text(2)?.parse().map_err(|_| unfit("sale"))?,
        wanted: number(3)?,
        sold: number(4)?,
        sell_value: Vnd::new(number(5)?).map_err(|_| unfit("sale"))?,
        short: row.try_get(6).map_err(at("sale"))?,
        sell_dest_no: row.try_get(7).map_err(at("sale"))?,
        at: UnixMs(number(8)?),
    })
}
