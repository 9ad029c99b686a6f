//! Customers: phones that a bank account is linked with.
//!
//! A link is made once and never silently changed: whoever could exchange the account of a phone could
//! let another pay. The bank's token of the account is sealed, and opened for a charge alone.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    moment::{Day, DayFault, UnixMs},
    phone::Phone,
    port::AccountToken,
    seal::{Keys, SealFault, envelope},
    store::{StoreError, Write, at},
    word::Id,
};

/// Days that one count gives: a year and a day.
pub const DAYS_MAX: u32 = 366;

/// Whether a customer may buy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CustomerState {
    /// He may.
    Active,
    /// He may not, until somebody lets him again.
    Blocked,
}

impl CustomerState {
    fn word(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Blocked => "blocked",
        }
    }

    fn of(word: &str) -> Result<Self, StoreError> {
        let all = [Self::Active, Self::Blocked];
        let found = all.into_iter().find(|state| state.word() == word);
        found.ok_or_else(|| unfit("a state that is none"))
    }
}

/// A customer, without his account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Customer {
    /// His phone.
    pub phone: Phone,
    /// The bank, as the router names it.
    pub bank: Id,
    /// Whether he may buy.
    pub state: CustomerState,
    /// Since when.
    pub registered_at: UnixMs,
}

/// What a registration found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Registered {
    /// The phone is linked now.
    New,
    /// It was linked with this account before.
    Stands,
}

/// Why customers are not changed or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CustomerError {
    /// The phone is linked with another account.
    #[error("{0:?} is linked with another account, and a link is never changed")]
    Linked(Phone),
    /// There is no such customer.
    #[error("{0:?} is not linked with an account; register it first")]
    Unknown(Phone),
    /// His account cannot be sealed or opened.
    #[error("the account of {phone:?} {fault}")]
    Seal {
        /// Whose.
        phone: Phone,
        /// Why.
        fault: SealFault,
    },
    /// The clock is far off.
    #[error("the time {0}")]
    Day(#[from] DayFault),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Links a phone with an account. The same again is the same.
///
/// # Errors
/// The phone is linked with another account.
pub async fn register(
    write: &mut Write,
    keys: &Keys,
    phone: &Phone,
    bank: &Id,
    account_token: &AccountToken,
    now: UnixMs,
) -> Result<Registered, CustomerError> {
    let key = keys.current();
    let sealed = envelope::seal(key, &context(phone), account_token.reveal().as_bytes());
    let insert = "INSERT INTO customer
            (phone, bank, account, account_key, state, registered_at_ms, registered_on)
        VALUES ($1, $2, $3, $4, 'active', $5, $6) ON CONFLICT (phone) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(phone.as_str())
        .bind(bank.as_str())
        .bind(sealed.map_err(wrong(phone))?)
        .bind(key.id().to_string())
        .bind(now.0)
        .bind(Day::of(now)?.to_string())
        .execute(write.connection());
    if inserted.await.map_err(at("customer"))?.rows_affected() == 1 {
        return Ok(Registered::New);
    }
    let known = find(write.connection(), phone).await?;
    let is_same = known.is_some_and(|known| known.bank == *bank)
        && account(write.connection(), keys, phone).await? == *account_token;
    is_same
        .then_some(Registered::Stands)
        .ok_or_else(|| CustomerError::Linked(phone.clone()))
}

/// Lets a customer buy, or buy no more. What he has confirmed already goes on.
///
/// # Errors
/// There is no such customer.
pub async fn set_state(
    write: &mut Write,
    phone: &Phone,
    state: CustomerState,
) -> Result<(), CustomerError> {
    let updated = sqlx::query("UPDATE customer SET state = $2 WHERE phone = $1")
        .bind(phone.as_str())
        .bind(state.word())
        .execute(write.connection());
    match updated.await.map_err(at("customer"))?.rows_affected() {
        0 => Err(CustomerError::Unknown(phone.clone())),
        _ => Ok(()),
    }
}

/// The customer with that phone.
///
/// # Errors
/// The database.
pub async fn find(
    connection: &mut AnyConnection,
    phone: &Phone,
) -> Result<Option<Customer>, CustomerError> {
    let select = "SELECT bank, state, registered_at_ms FROM customer WHERE phone = $1";
    let row = sqlx::query(select)
        .bind(phone.as_str())
        .fetch_optional(connection);
    let row = row.await.map_err(at("customer"))?;
    row.map(|row| read(phone, &row)).transpose()
}

/// The same, and other orders of this phone wait until this change is made.
pub(crate) async fn find_for_order(
    write: &mut Write,
    phone: &Phone,
) -> Result<Option<Customer>, CustomerError> {
    let update = "UPDATE customer SET orders = orders + 1 WHERE phone = $1
        RETURNING bank, state, registered_at_ms";
    let row = sqlx::query(update)
        .bind(phone.as_str())
        .fetch_optional(write.connection());
    let row = row.await.map_err(at("customer"))?;
    row.map(|row| read(phone, &row)).transpose()
}

/// The account of a customer, to charge it.
pub(crate) async fn account(
    connection: &mut AnyConnection,
    keys: &Keys,
    phone: &Phone,
) -> Result<AccountToken, CustomerError> {
    let select = sqlx::query("SELECT account FROM customer WHERE phone = $1")
        .bind(phone.as_str())
        .fetch_optional(connection);
    let row = select.await.map_err(at("customer"))?;
    let row = row.ok_or_else(|| CustomerError::Unknown(phone.clone()))?;
    let sealed: Vec<u8> = row.try_get(0).map_err(at("customer"))?;
    let opened = envelope::open(keys, &context(phone), &sealed).map_err(wrong(phone))?;
    AccountToken::parse(&opened).ok_or_else(|| unfit("an account that is none").into())
}

/// Customers who registered on each day from one to another, without the days on which nobody did; at
/// most [`DAYS_MAX`] days.
///
/// # Errors
/// The database.
pub async fn registered_by_day(
    connection: &mut AnyConnection,
    from: Day,
    to: Day,
) -> Result<Vec<(Day, i64)>, CustomerError> {
    let select = "SELECT registered_on, COUNT(*) FROM customer
        WHERE registered_on BETWEEN $1 AND $2
        GROUP BY registered_on ORDER BY registered_on LIMIT $3";
    let rows = sqlx::query(select)
        .bind(from.to_string())
        .bind(to.to_string())
        .bind(i64::from(DAYS_MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("customer"))?;
    let day = |row: &AnyRow| {
        let day: String = row.try_get(0).map_err(at("customer"))?;
        let day = day.parse().map_err(|_| unfit("a day that is none"))?;
        Ok((day, row.try_get(1).map_err(at("customer"))?))
    };
    rows.iter().map(day).collect()
}

fn read(phone: &Phone, row: &AnyRow) -> Result<Customer, CustomerError> {
    let word = |column| row.try_get::<String, _>(column).map_err(at("customer"));
    Ok(Customer {
        phone: phone.clone(),
        bank: word(0)?.parse().map_err(|_| unfit("a bank that is none"))?,
        state: CustomerState::of(&word(1)?)?,
        registered_at: UnixMs(row.try_get(2).map_err(at("customer"))?),
    })
}

pub(crate) fn context(phone: &Phone) -> Vec<u8> {
    format!("account {phone}").into_bytes()
}

fn wrong(phone: &Phone) -> impl Fn(SealFault) -> CustomerError {
    move |fault| CustomerError::Seal {
        phone: phone.clone(),
        fault,
    }
}

fn unfit(reason: &str) -> StoreError {
    StoreError::Unfit {
        table: "customer",
        reason: reason.to_owned(),
    }
}
