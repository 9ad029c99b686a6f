//! Which form a store's file has, written in the file itself.
//!
//! A file of another program, or of a later form, is refused before anything in it is touched: rows
//! that this version cannot read would be taken for damage, and removed.

use redb::{Database, DatabaseError, ReadableDatabase as _, TableDefinition, TableHandle as _};

use super::{Purpose, Table};

/// The form that this version writes.
const FORMAT: u64 = 2;

const META: TableDefinition<'static, &'static str, u64> = TableDefinition::new("meta");
const FORMAT_KEY: &str = "format";

/// Why a file was not taken.
#[derive(Debug, thiserror::Error)]
pub(super) enum Refused {
    /// redb cannot open it.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// redb opened it and cannot read or write it.
    #[error(transparent)]
    Unreadable(#[from] redb::Error),
    /// It is so damaged that redb lost its way.
    #[error("it is damaged; restore it, or move it away and start with a new one")]
    Damaged,
    /// Somebody else's.
    #[error(
        "it is a file of another program (it has a table {0:?}); give the {name} one of its own",
        name = .1.name()
    )]
    Foreign(String, Purpose),
    /// The store's in place of the journal's, or the other way round.
    #[error(
        "it is the file of a {}; give the {} one of its own", .0.name(), .1.name()
    )]
    Other(Purpose, Purpose),
    /// Of another version.
    #[error(
        "it has format {0}, and this version of Sampan knows format {FORMAT}; run the version that \
         wrote it, or give this one another file"
    )]
    OtherFormat(u64),
}

/// Looks at the form of a database, and notes it in a new one.
pub(super) fn check(purpose: Purpose, database: Database) -> Result<Database, Refused> {
    match read(purpose, &database)? {
        Some(FORMAT) => Ok(database),
        Some(other) => Err(Refused::OtherFormat(other)),
        None => {
            write(&database, FORMAT)?;
            Ok(database)
        }
    }
}

fn read(purpose: Purpose, database: &Database) -> Result<Option<u64>, Refused> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let tables = transaction.list_tables().map_err(redb::Error::from)?;
    for table in tables {
        let name = table.name();
        let known = Table::ALL
            .iter()
            .find(|own| own.definition().name() == name);
        match known {
            Some(own) if own.purpose() == purpose => {}
            Some(other) => return Err(Refused::Other(other.purpose(), purpose)),
            None if name == META.name() => {}
            None => return Err(Refused::Foreign(name.to_owned(), purpose)),
        }
    }
    let meta = match transaction.open_table(META) {
        Ok(meta) => meta,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(redb::Error::from(error).into()),
    };
    let format = redb::ReadableTable::get(&meta, FORMAT_KEY).map_err(redb::Error::from)?;
    Ok(format.map(|format| format.value()))
}

fn write(database: &Database, format: u64) -> Result<(), redb::Error> {
    let transaction = database.begin_write()?;
    transaction.open_table(META)?.insert(FORMAT_KEY, format)?;
    transaction.commit()?;
    Ok(())
}

/// Notes a format that this version does not know, for tests.
#[cfg(test)]
pub(super) fn write_later(database: &Database) {
    write(database, FORMAT + 1).unwrap();
}
