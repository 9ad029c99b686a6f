//! Elements of a message in one piece of memory, in the very form in which a row holds them.
//!
//! ```text
//!   (number 1, length, value) each
//! ```
//!
//! A payment is kept for days after its end, so what is kept of it takes few octets. It must never hold
//! what may not be kept: that is left out as it is made.

use std::sync::Arc;

use super::{
    kept::is_never_kept,
    wire::{Cursor, put_octets},
};

/// Some elements and their values. Card data: never shown.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Elements(Arc<[u8]>);

impl Elements {
    /// These, in their order, but for those that may never be kept.
    pub fn of<'v>(elements: impl IntoIterator<Item = (u8, &'v [u8])>) -> Self {
        // Room for those of a usual message, to be filled without growing.
        const USUAL_BYTES: usize = 384;
        let mut octets = Vec::with_capacity(USUAL_BYTES);
        for (number, value) in elements {
            if !is_never_kept(number) {
                octets.push(number);
                put_octets(&mut octets, value);
            }
        }
        Self(octets.into())
    }

    /// The value of an element.
    pub fn get(&self, number: u8) -> Option<&[u8]> {
        let found = self.iter().find(|(own, _)| *own == number);
        found.map(|(_, value)| value)
    }

    /// The elements in their order.
    pub fn iter(&self) -> impl Iterator<Item = (u8, &[u8])> {
        let mut rest = Cursor::new(&self.0);
        // What was made here can be read, so the first failure is the end.
        std::iter::from_fn(move || Some((rest.octet().ok()?, rest.octets().ok()?)))
    }

    /// As they stand in a row, behind their number.
    pub(super) fn octets(&self) -> &[u8] {
        &self.0
    }
}
