//! A purchase as it stands in the database, and the only way to change where it stands.
//!
//! Whoever changes it names the version that he saw. If another was faster nothing happens, and he has to
//! undo the rest of his change.

use metrics::counter;
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Channel, Item, PurchaseError, State, Why, decide, unfit};
use crate::{
    metrics::PURCHASES,
    moment::UnixMs,
    money::Vnd,
    phone::Phone,
    store::{StoreError, Write, at},
    word::{CardTypeId, Id},
};

/// Purchases and events of one page.
pub const LIST_MAX: u32 = 200;

/// Characters of an event's detail that are kept.
const DETAIL_CHARS_MAX: usize = 200;

/// The columns that [`read`] reads, in its order.
pub(super) const COLUMNS: &str = "id, phone, bank, channel, card_type, merchant, order_reference,
    amount, state, version, attempts, created_at_ms, updated_at_ms, confirmed_at_ms,
    charge_asked_at_ms, response_code, why, card_resends";

/// A purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Purchase {
    /// Its id: 128 random bits.
    pub id: Id,
    /// Whose.
    pub phone: Phone,
    /// Which bank pays.
    pub bank: Id,
    /// On which way it was ordered.
    pub channel: Channel,
    /// What is bought.
    pub item: Item,
    /// What it costs.
    pub amount: Vnd,
    /// Where it stands.
    pub state: State,
    /// Counts its changes.
    pub version: i64,
    /// Tries of its present step.
    pub attempts: i64,
    /// When it was ordered.
    pub created_at: UnixMs,
    /// Since when it is in its state.
    pub updated_at: UnixMs,
    /// When its code was right.
    pub confirmed_at: Option<UnixMs>,
    /// When the bank was to be asked for the first time.
    pub charge_asked_at: Option<UnixMs>,
    /// What the bank said when it declined (DE39).
    pub response_code: Option<String>,
    /// Why it went another way than wanted.
    pub why: Option<Why>,
    /// How often its card code was asked for again.
    pub card_resends: i64,
}

/// Where a purchase goes, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) to: State,
    pub(super) why: Option<Why>,
    pub(super) response_code: Option<String>,
    /// For people; without secrets.
    pub(super) detail: String,
}

impl Turn {
    pub(super) fn to(to: State) -> Self {
        Self {
            to,
            why: None,
            response_code: None,
            detail: String::new(),
        }
    }

    pub(super) fn because(self, why: Why) -> Self {
        Self {
            why: Some(why),
            ..self
        }
    }

    pub(super) fn saying(self, detail: impl Into<String>) -> Self {
        Self {
            detail: detail.into(),
            ..self
        }
    }
}

/// Moves a purchase on.
///
/// # Errors
/// There is no such transition, or another was faster: the change has to be undone.
pub(super) async fn turn(
    write: &mut Write,
    purchase: &mut Purchase,
    turn: Turn,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let from = purchase.state;
    if !from.may_become(turn.to) {
        return Err(PurchaseError::Forbidden {
            id: purchase.id.clone(),
            from,
            to: turn.to,
        });
    }
    if from == State::Authenticating && turn.to == State::Charging {
        purchase.confirmed_at = Some(now);
    }
    let update = "UPDATE purchase SET state = $4, version = version + 1, attempts = 0,
            due_at_ms = $5, updated_at_ms = $6, confirmed_at_ms = $7,
            response_code = COALESCE($8, response_code), why = COALESCE($9, why)
        WHERE id = $1 AND version = $2 AND state = $3";
    let updated = sqlx::query(update)
        .bind(purchase.id.as_str())
        .bind(purchase.version)
        .bind(from.word())
        .bind(turn.to.word())
        .bind(decide::due_on_entry(turn.to, now).map(|due| due.0))
        .bind(now.0)
        .bind(purchase.confirmed_at.map(|at| at.0))
        .bind(turn.response_code.as_deref())
        .bind(turn.why.map(Why::word))
        .execute(write.connection());
    if updated.await.map_err(at("purchase"))?.rows_affected() == 0 {
        return Err(PurchaseError::Raced(purchase.id.clone()));
    }
    purchase.state = turn.to;
    purchase.version += 1;
    purchase.attempts = 0;
    purchase.updated_at = now;
    purchase.response_code = turn.response_code.or(purchase.response_code.take());
    purchase.why = turn.why.or(purchase.why);
    let detail = match turn.why {
        Some(why) if turn.detail.is_empty() => why.to_string(),
        Some(why) => format!("{why}: {}", turn.detail),
        None => turn.detail,
    };
    add_event(write, purchase, Some(from), &detail, now).await?;
    counter!(PURCHASES, "state" => turn.to.word()).increment(1);
    Ok(())
}

/// Notes something in a purchase that leaves it where it is, under its present version.
pub(super) async fn add_event(
    write: &mut Write,
    purchase: &Purchase,
    from: Option<State>,
    detail: &str,
    now: UnixMs,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO purchase_event
            (purchase, number, at_ms, from_state, to_state, detail)
        VALUES ($1, $2, $3, $4, $5, $6)";
    let inserted = sqlx::query(insert)
        .bind(purchase.id.as_str())
        .bind(purchase.version)
        .bind(now.0)
        .bind(from.map(State::word))
        .bind(purchase.state.word())
        .bind(detail.chars().take(DETAIL_CHARS_MAX).collect::<String>())
        .execute(write.connection());
    inserted.await.map_err(at("purchase_event"))?;
    Ok(())
}

/// Lets a purchase be taken by a worker at a later time, and notes the tries of its step.
///
/// # Errors
/// Another was faster: the change has to be undone.
pub(super) async fn put_off(
    write: &mut Write,
    purchase: &mut Purchase,
    due_at: Option<UnixMs>,
) -> Result<(), PurchaseError> {
    let update = "UPDATE purchase SET due_at_ms = $3, version = version + 1, card_resends = $4
        WHERE id = $1 AND version = $2";
    let updated = sqlx::query(update)
        .bind(purchase.id.as_str())
        .bind(purchase.version)
        .bind(due_at.map(|due| due.0))
        .bind(purchase.card_resends)
        .execute(write.connection());
    if updated.await.map_err(at("purchase"))?.rows_affected() == 0 {
        return Err(PurchaseError::Raced(purchase.id.clone()));
    }
    purchase.version += 1;
    Ok(())
}

/// Lets a purchase be due now whose step was cut off, if it is still as one of those versions left it.
pub(super) async fn give_back(
    write: &mut Write,
    id: &Id,
    (first, last): (i64, i64),
    now: UnixMs,
) -> Result<(), StoreError> {
    let update = "UPDATE purchase SET due_at_ms = $4, version = version + 1
        WHERE id = $1 AND version >= $2 AND version <= $3 AND due_at_ms > $4";
    let updated = sqlx::query(update)
        .bind(id.as_str())
        .bind(first)
        .bind(last)
        .bind(now.0)
        .execute(write.connection());
    updated.await.map_err(at("purchase"))?;
    Ok(())
}

/// The purchase with that id.
///
/// # Errors
/// The database.
pub async fn find(
    connection: &mut AnyConnection,
    id: &Id,
) -> Result<Option<Purchase>, PurchaseError> {
    let select = format!("SELECT {COLUMNS} FROM purchase WHERE id = $1");
    let row = sqlx::query(&select)
        .bind(id.as_str())
        .fetch_optional(connection);
    let row = row.await.map_err(at("purchase"))?;
    Ok(row.map(|row| read(&row)).transpose()?)
}

/// The last purchase of a phone, on whichever way.
///
/// # Errors
/// The database.
pub async fn last_of(
    connection: &mut AnyConnection,
    phone: &Phone,
) -> Result<Option<Purchase>, PurchaseError> {
    let select = format!(
        "SELECT {COLUMNS} FROM purchase WHERE phone = $1
        ORDER BY created_at_ms DESC, id DESC LIMIT 1"
    );
    let row = sqlx::query(&select)
        .bind(phone.as_str())
        .fetch_optional(connection);
    let row = row.await.map_err(at("purchase"))?;
    Ok(row.map(|row| read(&row)).transpose()?)
}

/// Whether a purchase of a phone awaits its code, on whichever way it was ordered.
///
/// # Errors
/// The database.
pub async fn is_code_awaited(
    connection: &mut AnyConnection,
    phone: &Phone,
) -> Result<bool, StoreError> {
    let select =
        "SELECT 1 AS one FROM purchase WHERE phone = $1 AND state = 'AUTHENTICATING' LIMIT 1";
    let row = sqlx::query(select)
        .bind(phone.as_str())
        .fetch_optional(connection);
    Ok(row.await.map_err(at("purchase"))?.is_some())
}

/// The purchase of a phone that awaits its code on that way; there is one at most.
pub(super) async fn awaiting(
    connection: &mut AnyConnection,
    phone: &Phone,
    channel: Channel,
) -> Result<Option<Purchase>, PurchaseError> {
    let select = format!(
        "SELECT {COLUMNS} FROM purchase
        WHERE phone = $1 AND channel = $2 AND state = 'AUTHENTICATING'"
    );
    let row = sqlx::query(&select)
        .bind(phone.as_str())
        .bind(channel.word())
        .fetch_optional(connection);
    let row = row.await.map_err(at("purchase"))?;
    Ok(row.map(|row| read(&row)).transpose()?)
}

/// Which purchases are wanted; nothing wants all.
#[derive(Clone, Debug, Default)]
pub struct Filter {
    /// In that state.
    pub state: Option<State>,
    /// Of that phone.
    pub phone: Option<Phone>,
    /// Of that card type.
    pub card_type: Option<CardTypeId>,
    /// Of that merchant.
    pub merchant: Option<Id>,
    /// Ordered before that one, which ended the page before.
    pub before: Option<(UnixMs, Id)>,
}

/// Purchases, the last first, at most [`LIST_MAX`].
///
/// # Errors
/// The database.
pub async fn list(
    connection: &mut AnyConnection,
    filter: &Filter,
    purchases_max: u32,
) -> Result<Vec<Purchase>, PurchaseError> {
    let select = format!(
        "SELECT {COLUMNS} FROM purchase
        WHERE ($1 IS NULL OR state = $1) AND ($2 IS NULL OR phone = $2)
            AND ($3 IS NULL OR card_type = $3) AND ($4 IS NULL OR merchant = $4)
            AND ($5 IS NULL OR created_at_ms < $5 OR (created_at_ms = $5 AND id < $6))
        ORDER BY created_at_ms DESC, id DESC LIMIT $7"
    );
    let before = filter.before.as_ref();
    let rows = sqlx::query(&select)
        .bind(filter.state.map(State::word))
        .bind(filter.phone.as_ref().map(Phone::as_str))
        .bind(filter.card_type.as_ref().map(CardTypeId::as_str))
        .bind(filter.merchant.as_ref().map(Id::as_str))
        .bind(before.map(|(at, _)| at.0))
        .bind(before.map(|(_, id)| id.as_str()))
        .bind(i64::from(purchases_max.min(LIST_MAX)))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("purchase"))?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Something that became of a purchase.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Grows with each of them.
    pub number: i64,
    /// When.
    pub at: UnixMs,
    /// From where; nothing for the first.
    pub from: Option<State>,
    /// To where; the same if it stayed.
    pub to: State,
    /// In words, without secrets.
    pub detail: String,
}

/// What became of a purchase, in order, at most the first [`LIST_MAX`].
///
/// # Errors
/// The database.
pub async fn events(connection: &mut AnyConnection, id: &Id) -> Result<Vec<Event>, PurchaseError> {
    let select = "SELECT number, at_ms, from_state, to_state, detail FROM purchase_event
        WHERE purchase = $1 ORDER BY number LIMIT $2";
    let rows = sqlx::query(select)
        .bind(id.as_str())
        .bind(i64::from(LIST_MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("purchase_event"))?;
    let events = rows.iter().map(|row| {
        let from: Option<String> = row.try_get(2).map_err(at("purchase_event"))?;
        let to: String = row.try_get(3).map_err(at("purchase_event"))?;
        Ok(Event {
            number: row.try_get(0).map_err(at("purchase_event"))?,
            at: UnixMs(row.try_get(1).map_err(at("purchase_event"))?),
            from: from.map(|from| state_of(&from)).transpose()?,
            to: state_of(&to)?,
            detail: row.try_get(4).map_err(at("purchase_event"))?,
        })
    });
    events.collect()
}

fn state_of(word: &str) -> Result<State, StoreError> {
    State::of(word).ok_or_else(|| unfit("a state that is none"))
}

/// A row of [`COLUMNS`].
pub(super) fn read(row: &AnyRow) -> Result<Purchase, StoreError> {
    let word = |column| row.try_get::<String, _>(column).map_err(at("purchase"));
    let maybe = |column| {
        row.try_get::<Option<String>, _>(column)
            .map_err(at("purchase"))
    };
    let number = |column| row.try_get::<i64, _>(column).map_err(at("purchase"));
    let time = |column| {
        let ms = row.try_get::<Option<i64>, _>(column);
        Ok::<_, StoreError>(ms.map_err(at("purchase"))?.map(UnixMs))
    };
    let why = maybe(16)?;
    let why = why.map(|why| Why::of(&why).ok_or_else(|| unfit("a reason that is none")));
    Ok(Purchase {
        id: parse(&word(0)?, "an id that is none")?,
        phone: parse(&word(1)?, "a phone that is none")?,
        bank: parse(&word(2)?, "a bank that is none")?,
        channel: Channel::of(&word(3)?).ok_or_else(|| unfit("a channel that is none"))?,
        item: item(maybe(4)?, maybe(5)?, maybe(6)?)?,
        amount: Vnd::new(number(7)?).map_err(|_| unfit("an amount that is none"))?,
        state: state_of(&word(8)?)?,
        version: number(9)?,
        attempts: number(10)?,
        created_at: UnixMs(number(11)?),
        updated_at: UnixMs(number(12)?),
        confirmed_at: time(13)?,
        charge_asked_at: time(14)?,
        response_code: maybe(15)?,
        why: why.transpose()?,
        card_resends: number(17)?,
    })
}

fn item(
    card_type: Option<String>,
    merchant: Option<String>,
    reference: Option<String>,
) -> Result<Item, StoreError> {
    match (card_type, merchant, reference) {
        (Some(card_type), None, None) => {
            Ok(Item::Card(parse(&card_type, "a card type that is none")?))
        }
        (None, Some(merchant), Some(reference)) => Ok(Item::Order {
            merchant: parse(&merchant, "a merchant that is none")?,
            reference: parse(&reference, "an order that is none")?,
        }),
        _ => Err(unfit("neither a card type nor an order")),
    }
}

fn parse<T: std::str::FromStr>(text: &str, what: &str) -> Result<T, StoreError> {
    text.parse().map_err(|_| unfit(what))
}
