//! One write of the journal: a payment as it is now, or that it may be forgotten.

use super::Kept;

/// One row to write. All rows of one payment have its number, and each takes the place of the last.
#[derive(Debug)]
pub struct Row {
    /// The payment's own, as [`Journal::next_number`](super::Journal::next_number) gave it.
    pub number: u64,
    /// What to write.
    pub change: RowChange,
}

/// What becomes of a row.
#[derive(Debug)]
pub enum RowChange {
    /// It holds this from now on.
    Keep(Box<Kept>),
    /// It is removed; one that is not there is no fault.
    Forget,
}
