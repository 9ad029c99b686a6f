//! Brings all that is sealed under the current key, so that an earlier one can be taken away.
//!
//! Each row is a change of its own, and only if it still has what was read of it. So a program that serves
//! meanwhile waits for no more than one row, finds its cards free, and loses nothing that it wrote; and a
//! run that was broken off is gone on with by the next one. No secret leaves this module.

use std::ops::AddAssign;

use sqlx::{AnyConnection, Row as _, any::AnyRow};
use zeroize::Zeroizing;

use crate::{
    customers,
    deliveries::{self, Kind},
    intake, merchants, outgoing, push,
    seal::{self, KeyId, Keys, SealFault, envelope},
    store::{Store, StoreError, at},
};

/// Rows that are read at once: few enough to be in memory, where a card has some hundred octets.
const BATCH_ROWS_MAX: usize = 500;

/// Rows that could not be opened and are named, of each table. Whoever has more has a lost key.
pub const UNOPENED_NAMED_MAX: usize = 100;

/// How often a row is tried while others hold what it needs, each time for the store's own patience.
const TRIES_MAX: u32 = 5;

/// Where something is sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Table {
    /// PIN codes of cards, sold ones too.
    Card,
    /// Customers' tokens of bank accounts.
    Customer,
    /// Messages that were received.
    Received,
    /// Messages that wait for their sending.
    Outgoing,
    /// Calls of partners and merchants.
    Delivery,
    /// Partners' secrets.
    Partner,
    /// Merchants' secrets.
    Merchant,
}

/// How a table's rows are found and written.
struct Shape {
    /// The columns by which a row is known; the second may be an empty text.
    known_by: [&'static str; 2],
    /// What the second parameter of a statement is compared as.
    first: &'static str,
    sealed: &'static [&'static str],
    /// The column with the key's id, where there is one.
    key: Option<&'static str>,
    /// Further words that say whose the seal is.
    words: &'static [&'static str],
}

impl Table {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Card,
        Self::Customer,
        Self::Received,
        Self::Outgoing,
        Self::Delivery,
        Self::Partner,
        Self::Merchant,
    ];

    /// As the database calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Card => "card",
            Self::Customer => "customer",
            Self::Received => "mo",
            Self::Outgoing => "outgoing",
            Self::Delivery => "delivery",
            Self::Partner => "partner",
            Self::Merchant => "merchant",
        }
    }

    fn shape(self) -> Shape {
        let shape = |first, sealed, key| Shape {
            known_by: [first, "''"],
            first: "$2",
            sealed,
            key,
            words: &[],
        };
        const SECRETS: &[&str] = &["secret", "previous_secret"];
        match self {
            Self::Card => Shape {
                known_by: ["card_type", "serial"],
                words: &["(SELECT issuer FROM card_type t WHERE t.id = card.card_type)"],
                ..shape("card_type", &["pin"], Some("pin_key"))
            },
            Self::Customer => shape("phone", &["account"], Some("account_key")),
            Self::Received | Self::Outgoing => shape("id", &["text"], None),
            Self::Delivery => Shape {
                first: "CAST($2 AS BIGINT)",
                words: &["kind", "target", "guid"],
                ..shape("number", &["payload"], Some("payload_key"))
            },
            Self::Partner => shape("id", SECRETS, Some("secret_key")),
            Self::Merchant => shape("id", SECRETS, Some("secret_key")),
        }
    }
}

/// What came of a table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Resealed {
    /// Rows that were sealed anew.
    pub anew: u64,
    /// Rows that could not be opened and stay as they are.
    pub unopened: u64,
    /// The first of these, at most [`UNOPENED_NAMED_MAX`]: the row's own name, and why.
    pub named: Vec<String>,
}

impl AddAssign<Row> for Resealed {
    fn add_assign(&mut self, row: Row) {
        match row {
            Row::Anew => self.anew += 1,
            Row::Gone => {}
            Row::Unopened(why) => {
                self.unopened += 1;
                if self.named.len() < UNOPENED_NAMED_MAX {
                    self.named.push(why);
                }
            }
        }
    }
}

/// What came of a row.
enum Row {
    Anew,
    /// Somebody else changed it meanwhile, and sealed it under his own key or wiped it.
    Gone,
    Unopened(String),
}

/// Seals every row of a table anew that is under another key than the current. A row that cannot be opened
/// is told of and stands in nobody's way.
///
/// # Errors
/// The database. What was sealed anew until then stays so; the same call goes on.
pub async fn reseal(store: &Store, keys: &Keys, table: Table) -> Result<Resealed, StoreError> {
    let mut came_of = Resealed::default();
    let mut after = None;
    loop {
        let mut read = store.read().await?;
        let batch = Found::after(&mut read, keys, table, after.as_ref()).await?;
        drop(read);
        let Some(last) = batch.last() else {
            return Ok(came_of);
        };
        after = Some(last.place.clone());
        for found in batch.iter().filter(|found| !found.is_under(keys)) {
            came_of += found.reseal(store, keys).await?;
        }
    }
}

/// A column with what it is to have.
type Column = (&'static str, Option<Vec<u8>>);

/// By what a row is known, in the order of the table.
type Place = [String; 2];

/// A row that may be under another key.
struct Found {
    table: Table,
    place: Place,
    sealed: Vec<Option<Vec<u8>>>,
    words: Vec<String>,
}

impl Found {
    /// The next rows of a table.
    async fn after(
        connection: &mut AnyConnection,
        keys: &Keys,
        table: Table,
        after: Option<&Place>,
    ) -> Result<Vec<Self>, StoreError> {
        let shape = table.shape();
        let [a, b] = shape.known_by;
        let columns = [shape.sealed, shape.words].concat().join(", ");
        // Texts of messages have no key's id beside them, and some are wiped.
        let wanted = match shape.key {
            Some(key) => format!("{key} <> $1"),
            None => format!("{} IS NOT NULL AND $1 <> ''", shape.sealed[0]),
        };
        let further = match (after, b) {
            (None, _) => String::new(),
            (Some(_), "''") => format!("AND {a} > {}", shape.first),
            (Some(_), b) => format!("AND ({a}, {b}) > ($2, $3)"),
        };
        let order = if b == "''" {
            a.to_owned()
        } else {
            format!("{a}, {b}")
        };
        let select = format!(
            "SELECT CAST({a} AS TEXT), {b}, {columns} FROM {name}
            WHERE {wanted} {further} ORDER BY {order} LIMIT {BATCH_ROWS_MAX}",
            name = table.name(),
        );
        let mut query = sqlx::query(&select).bind(keys.current().id().to_string());
        if let Some([first, second]) = after {
            query = query.bind(first);
            if b != "''" {
                query = query.bind(second);
            }
        }
        let rows = query
            .fetch_all(connection)
            .await
            .map_err(at(table.name()))?;
        rows.iter()
            .map(|row| Self::read(table, &shape, row))
            .collect()
    }

    fn read(table: Table, shape: &Shape, row: &AnyRow) -> Result<Self, StoreError> {
        let at = at(table.name());
        let word = |column: usize| row.try_get::<String, _>(column).map_err(at);
        let (first, words) = (2, 2 + shape.sealed.len());
        let sealed = (first..words).map(|column| row.try_get(column).map_err(at));
        Ok(Self {
            table,
            place: [word(0)?, word(1)?],
            sealed: sealed.collect::<Result<_, _>>()?,
            words: (words..words + shape.words.len())
                .map(word)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Whether all of it is under the current key already.
    fn is_under(&self, keys: &Keys) -> bool {
        let current = keys.current().id();
        let mut sealed = self.sealed.iter().flatten();
        self.table.shape().key.is_none() && sealed.all(|one| envelope::key_of(one) == Some(current))
    }

    async fn reseal(&self, store: &Store, keys: &Keys) -> Result<Row, StoreError> {
        let anew = match self.anew(keys) {
            Ok(anew) => anew,
            Err(why) => return Ok(Row::Unopened(format!("{}: {why}", self.name()))),
        };
        let mut tries = 1;
        loop {
            match self.write(store, keys.current().id(), &anew).await {
                Ok(true) => return Ok(Row::Anew),
                Ok(false) => return Ok(Row::Gone),
                Err(error) if error.is_busy() && tries < TRIES_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// As an operator finds it.
    fn name(&self) -> String {
        let (table, [first, second]) = (self.table.name(), &self.place);
        match second.as_str() {
            "" => format!("{table} {first}"),
            second => format!("{table} {first}:{second}"),
        }
    }

    /// The columns with what they are to have.
    fn anew(&self, keys: &Keys) -> Result<Vec<Column>, String> {
        if self.table == Table::Card {
            return self.card_anew(keys);
        }
        let context = self.context()?;
        let mut anew = Vec::new();
        for (column, sealed) in self.table.shape().sealed.iter().zip(&self.sealed) {
            let sealed = sealed.as_ref().map(|sealed| {
                let text: Zeroizing<String> = envelope::open(keys, &context, sealed)?;
                envelope::seal(keys.current(), &context, text.as_bytes())
            });
            let sealed = sealed
                .transpose()
                .map_err(|fault: SealFault| fault.to_string())?;
            anew.push((*column, sealed));
        }
        Ok(anew)
    }

    fn context(&self) -> Result<Vec<u8>, String> {
        let wrong = |_| "is known by what nobody can be known by".to_owned();
        let [first, _] = &self.place;
        let id = || first.parse().map_err(wrong);
        Ok(match (self.table, &self.words[..]) {
            (Table::Customer, _) => {
                let phone = first.parse().map_err(|_| "is no phone".to_owned())?;
                customers::context(&phone)
            }
            (Table::Received, _) => intake::context(first),
            (Table::Outgoing, _) => outgoing::context(&id()?),
            (Table::Partner, _) => push::context(&id()?),
            (Table::Merchant, _) => merchants::context(&id()?),
            (Table::Delivery, [kind, target, guid]) => {
                let kind = Kind::of_word(kind).map_err(|error| error.to_string())?;
                let (target, guid) = (target.parse().map_err(wrong)?, guid.parse().map_err(wrong)?);
                deliveries::context(kind, &target, &guid)
            }
            (Table::Card | Table::Delivery, _) => return Err("is read wrongly".to_owned()),
        })
    }

    /// A card's PIN code is also known again by a digest under the key.
    fn card_anew(&self, keys: &Keys) -> Result<Vec<Column>, String> {
        let ([card_type, serial], [issuer], [Some(sealed)]) =
            (&self.place, &self.words[..], &self.sealed[..])
        else {
            return Err("is read wrongly".to_owned());
        };
        let card_type = card_type.parse().map_err(|_| "has a type that is none")?;
        let issuer = issuer.parse().map_err(|_| "has an issuer that is none")?;
        let told = |fault: seal::PinFault| fault.to_string();
        let pin = seal::open(keys, &card_type, serial, sealed).map_err(told)?;
        let key = keys.current();
        let sealed = seal::seal(key, &card_type, serial, &pin).map_err(told)?;
        let index = seal::index(key, &issuer, &pin);
        Ok(vec![("pin", Some(sealed)), ("pin_index", Some(index))])
    }

    /// Writes them if the row has still what was read; false if it has not.
    async fn write(&self, store: &Store, key: KeyId, anew: &[Column]) -> Result<bool, StoreError> {
        let (shape, name) = (self.table.shape(), self.table.name());
        let [a, b] = shape.known_by;
        // $1 and the place in $2 and $3 as in the reading, $4 what was read.
        let anew_columns = (5..)
            .zip(anew)
            .map(|(number, (column, _))| format!("{column} = ${number}"));
        let key_column = shape.key.map(|column| format!("{column} = $1"));
        let columns: Vec<String> = anew_columns.chain(key_column).collect();
        let update = format!(
            "UPDATE {name} SET {columns} WHERE {a} = {first} AND {b} = $3 AND {was} = $4 AND $1 <> ''",
            columns = columns.join(", "),
            first = shape.first,
            was = shape.sealed[0],
        );
        let mut query = sqlx::query(&update)
            .bind(key.to_string())
            .bind(&self.place[0])
            .bind(&self.place[1])
            .bind(&self.sealed[0]);
        for (_, sealed) in anew {
            query = query.bind(sealed);
        }
        let mut write = store.write().await?;
        let done = query.execute(write.connection()).await.map_err(at(name))?;
        write.commit().await?;
        Ok(done.rows_affected() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{port::AccountToken, seal::MasterKey, store::Location};

    const OLD: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
    const NEW: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

    #[tokio::test]
    async fn a_row_that_somebody_has_changed_meanwhile_stays_as_he_left_it() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite(folder.path().join("commerce.db"));
        let store = Store::open(&location).await.unwrap();
        let key = |text| MasterKey::parse(text).unwrap();
        let rotated = Keys::new(key(NEW), vec![key(OLD)]);
        let mut write = store.write().await.unwrap();
        let (phone, bank) = ("84912345678".parse().unwrap(), "vcb".parse().unwrap());
        let account = AccountToken::parse("9704000000000001").unwrap();
        let old = Keys::new(key(OLD), Vec::new());
        let now = crate::moment::UnixMs(0);
        let linked = customers::register(&mut write, &old, &phone, &bank, &account, now);
        linked.await.unwrap();
        write.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        let batch = Found::after(&mut read, &rotated, Table::Customer, None).await;
        drop(read);
        let came_of = reseal(&store, &rotated, Table::Customer).await.unwrap();
        assert_eq!(came_of.anew, 1);
        let late = batch.unwrap()[0].reseal(&store, &rotated).await.unwrap();
        assert!(matches!(late, Row::Gone));
    }
}
