//! Reads rows: for the start of a router, and for the commands that look at a journal at rest.

use zeroize::Zeroizing;

use super::{
    JournalSettings, Kept, OpenError,
    durable::META,
    key::{KeyId, Keys},
    record::{self, Meta},
    seal::{RowFault, Unsealer},
};
use crate::store::{self, Purpose, StoreError, Table};

/// What a row holds.
pub(super) enum Found {
    Meta(Meta),
    Payment(Box<Kept>),
}

/// Unseals and decodes rows.
pub(super) struct Reader<'k>(Unsealer<'k>);

impl<'k> Reader<'k> {
    pub(super) fn new(keys: &'k Keys) -> Self {
        Self(Unsealer::new(keys))
    }

    pub(super) fn read(&mut self, number: u64, row: &[u8]) -> Result<(KeyId, Found), RowFault> {
        let (key, content): (KeyId, Zeroizing<Vec<u8>>) = self.0.open(number, row)?;
        let found = match number {
            META => Found::Meta(Meta::decode(&content)?),
            _ => Found::Payment(Box::new(record::decode(&content)?)),
        };
        Ok((key, found))
    }
}

/// A payment as it stands in the file.
pub struct Stored {
    /// Its number.
    pub number: u64,
    /// The key that it is sealed with.
    pub key: KeyId,
    /// The payment.
    pub kept: Kept,
}

/// A row that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("record {number} {fault}")]
pub struct Unreadable {
    /// Its number; 0 is the journal's own row.
    pub number: u64,
    /// What is wrong with it.
    pub fault: RowFault,
}

/// A journal that no router has open. Reading it changes no record.
pub struct Archive<'s> {
    file: store::Archive,
    settings: &'s JournalSettings,
}

impl<'s> Archive<'s> {
    /// Opens a journal that is there.
    ///
    /// # Errors
    /// A router or another command has it, or it cannot be used.
    pub fn open(settings: &'s JournalSettings) -> Result<Self, OpenError> {
        let file = store::Archive::open(Purpose::Journal, &settings.path)?;
        Ok(Self { file, settings })
    }

    /// Gives each payment, and each row that is none, in rising order of their numbers.
    ///
    /// # Errors
    /// The file cannot be read any further.
    pub fn each(&self, each: &mut dyn FnMut(Result<Stored, Unreadable>)) -> Result<(), StoreError> {
        let mut reader = Reader::new(&self.settings.keys);
        let (mut has_meta, mut has_rows) = (false, false);
        self.file.load(Table::Journal, &mut |number, row| {
            has_meta |= number == META;
            has_rows = true;
            match reader.read(number, row) {
                Ok((_, Found::Meta(_))) => {}
                Ok((key, Found::Payment(kept))) => each(Ok(Stored {
                    number,
                    key,
                    kept: *kept,
                })),
                Err(fault) => each(Err(Unreadable { number, fault })),
            }
        })?;
        if has_rows && !has_meta {
            let fault = RowFault::Missing;
            each(Err(Unreadable {
                number: META,
                fault,
            }));
        }
        Ok(())
    }

    /// Reads every page of the file and compares its checksum.
    ///
    /// # Errors
    /// A page is damaged, or cannot be read.
    pub fn check_pages(&mut self) -> Result<(), StoreError> {
        self.file.check_pages()
    }
}
