//! Gives the disk back what a file does not need any more.
//!
//! redb uses freed pages again and gives back those at the end of the file; what lies before a page in
//! use stays. A file that is mostly empty is made small when it is opened: then nobody writes, and
//! nobody waits for a commit. It must never cost a start more than some seconds, nor fail one.

use redb::Database;
use tracing::{info, warn};

use super::{commit::Opener, format::Refused};

/// A smaller file is not worth the work.
pub(super) const FILE_BYTES_MIN: u64 = 64 << 20;

/// More than this is not moved, because the start waits for it.
const LIVE_BYTES_MAX: u64 = 256 << 20;

/// A file is mostly empty if it is this many times as large as what it holds.
const FILE_TO_LIVE: u64 = 4;

/// Makes a file of at least `bytes_min` small if that is worth it. A failure leaves it as large as it
/// is.
pub(super) fn if_mostly_empty(
    mut database: Database,
    opener: &Opener,
    bytes_min: u64,
) -> Result<Database, Refused> {
    let before = opener.bytes();
    if before < bytes_min {
        return Ok(database);
    }
    let name = opener.purpose().name();
    let compacted = live_bytes(&database).and_then(|live| {
        let is_worth_it = live <= LIVE_BYTES_MAX && live.saturating_mul(FILE_TO_LIVE) <= before;
        Ok(is_worth_it && database.compact()?)
    });
    match compacted {
        Ok(false) => Ok(database),
        Ok(true) => {
            let after = opener.bytes();
            info!(
                before,
                after, "the file of the {name} was mostly empty and is small again"
            );
            Ok(database)
        }
        Err(error) => {
            warn!("the file of the {name} stays as large as it is: {error}");
            // redb takes no more work after an I/O error.
            drop(database);
            opener.reopen()
        }
    }
}

/// Bytes of what the file holds, its index included.
fn live_bytes(database: &Database) -> Result<u64, redb::Error> {
    let transaction = database.begin_write()?;
    let stats = transaction.stats()?;
    transaction.abort()?;
    Ok(stats.stored_bytes() + stats.metadata_bytes())
}
