//! The seam to the table of receipts: which request a receipt is about. The inbox asks before it
//! stores a receipt; it never guesses on its own.

use std::time::Instant;

use super::event::{AboutRequest, Event, Receipt};

/// What is known of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correlation {
    /// It is about this request, and is to be settled.
    Known(AboutRequest),
    /// It says what was said before, and is durable already: the SMSC is told yes, and nobody else.
    Repeated,
    /// Nothing is known of its id: it is handed over as it is.
    Unknown,
    /// Its submit_sm_resp may still be on the way: ask again a little later.
    Hold,
    /// It is not believed now; the SMSC is told to send it again.
    Refuse,
    /// It is not believed, and never will be.
    Forged,
}

/// Knows what was submitted. Asked on the tasks of links, so it must not wait.
pub trait Correlate: Send + Sync {
    /// What this receipt of this SMSC is about, which came from the number `source`. The same receipt
    /// may be asked for several times.
    fn correlate(&self, now: Instant, smsc: &str, source: &[u8], receipt: &Receipt) -> Correlation;

    /// Events, receipts that were `Known` among them, are durable, or are not and will come again.
    /// Not called under the inbox's lock.
    fn settled(&self, events: &mut dyn Iterator<Item = &Event>, are_durable: bool);
}

/// Knows nothing: every receipt is handed over as it is.
pub struct Uncorrelated;

impl Correlate for Uncorrelated {
    fn correlate(&self, _: Instant, _: &str, _: &[u8], _: &Receipt) -> Correlation {
        Correlation::Unknown
    }

    fn settled(&self, _: &mut dyn Iterator<Item = &Event>, _: bool) {}
}
