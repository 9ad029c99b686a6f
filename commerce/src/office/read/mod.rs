//! What the pages look up in the tables of others. Nothing here changes anything or opens a PIN code.

pub(super) mod agents;
pub(super) mod books;
pub(super) mod cards;
pub(super) mod figures;
pub(super) mod merchants;
pub(super) mod sales;
pub(super) mod shelves;

use crate::store::StoreError;

/// Lines of one page of a list.
pub(super) const PAGE_LINES: u32 = 50;

/// A page of a list, and whether there is another after it.
pub(super) struct Page<T> {
    pub(super) lines: Vec<T>,
    pub(super) is_more: bool,
}

impl<T> Page<T> {
    /// How many lines to ask for: one more says whether there is another page.
    pub(super) const ASKED: u32 = PAGE_LINES + 1;

    /// Of lines of which one more was asked for than are shown.
    pub(super) fn of(mut lines: Vec<T>) -> Self {
        let shown = PAGE_LINES as usize;
        let is_more = lines.len() > shown;
        lines.truncate(shown);
        Self { lines, is_more }
    }

    /// Of all lines that there are to see.
    pub(super) fn whole(lines: Vec<T>) -> Self {
        let is_more = false;
        Self { lines, is_more }
    }

    /// By which the next page is found, if there is one.
    pub(super) fn next<K>(&self, key: impl Fn(&T) -> K) -> Option<K> {
        self.lines.last().filter(|_| self.is_more).map(key)
    }
}

/// A row that does not fit its table.
fn unfit(table: &'static str) -> StoreError {
    StoreError::Unfit {
        table,
        reason: "a word or an amount that is none".to_owned(),
    }
}
