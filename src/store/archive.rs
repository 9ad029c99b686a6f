//! A file that no running router has, for the commands that look at it.
//!
//! It changes no row. A file that a killed router left behind is brought back to its last commit, as
//! the next start of the router would do.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
};

use redb::Database;

use super::{
    OpenError, Purpose, StoreError, Table,
    commit::{Opener, builder},
    read,
};

/// A file, opened for reading.
pub struct Archive {
    database: Database,
}

impl Archive {
    /// Opens a file that is there.
    ///
    /// # Errors
    /// A router or another command has it, or it cannot be used.
    pub fn open(purpose: Purpose, path: &Path) -> Result<Self, OpenError> {
        let file = path.to_owned();
        let opener = Opener::backend(purpose, move || builder().open(&file));
        let database = opener
            .open()
            .map_err(|error| OpenError::of(purpose, path, error))?;
        Ok(Self { database })
    }

    /// Gives every row of a table, in the order of the keys.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn load(&self, table: Table, each: &mut dyn FnMut(u64, &[u8])) -> Result<(), StoreError> {
        guarded(|| read(&self.database, table, each))
    }

    /// Reads every page and compares its checksum.
    ///
    /// # Errors
    /// A page is damaged, or cannot be read.
    pub fn check_pages(&mut self) -> Result<(), StoreError> {
        let is_sound = guarded(|| Ok(self.database.check_integrity()?))?;
        match is_sound {
            true => Ok(()),
            false => Err(StoreError::Failed("a checksum does not fit".into())),
        }
    }
}

/// redb may lose its way in a damaged file.
fn guarded<T>(work: impl FnOnce() -> Result<T, redb::Error>) -> Result<T, StoreError> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) => Err(StoreError::Failed(error.to_string().into())),
        Err(_) => Err(StoreError::Failed("redb lost its way in the file".into())),
    }
}
