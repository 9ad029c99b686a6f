//! Which form a store's file has, written in the file itself.
//!
//! A file of another program, or of a later form, is refused before anything in it is touched: rows
//! that this version cannot read would be taken for damage, and removed.

use redb::{Database, DatabaseError, ReadableDatabase as _, TableDefinition, TableHandle as _};

use super::Table;

/// The form that this version writes.
const FORMAT: u64 = 1;

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
        "it is a file of another program (it has a table {0:?}); give the store one of its own"
    )]
    Foreign(String),
    /// Of another version.
    #[error(
        "it has format {0}, and this version of Sampan knows format {FORMAT}; run the version that \
         wrote it, or give this one another file"
    )]
    OtherFormat(u64),
}

/// Looks at the form of a database, and notes it in a new one.
pub(super) fn check(database: Database) -> Result<Database, Refused> {
    match read(&database)? {
        Some(FORMAT) => Ok(database),
        Some(other) => Err(Refused::OtherFormat(other)),
        None => {
            write(&database, FORMAT)?;
            Ok(database)
        }
    }
}

fn read(database: &Database) -> Result<Option<u64>, Refused> {
    let transaction = database.begin_read().map_err(redb::Error::from)?;
    let tables = transaction.list_tables().map_err(redb::Error::from)?;
    for table in tables {
        let name = table.name();
        let is_ours = Table::ALL.iter().any(|own| own.definition().name() == name);
        if !is_ours && name != META.name() {
            return Err(Refused::Foreign(name.to_owned()));
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
