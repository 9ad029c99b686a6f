//! The seam to the table of receipts: which request a receipt is about. The inbox asks before it
//! stores a receipt; it never guesses on its own.

use std::time::Instant;

use super::event::{AboutRequest, Receipt};

/// What is known of a receipt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Correlation {
    /// It is about this request.
    Known(AboutRequest),
    /// Nothing is known of its id: it is handed over as it is.
    Unknown,
    /// Its submit_sm_resp may still be on the way: ask again a little later.
    Hold,
    /// It is not believed now; the SMSC is told to send it again.
    Refuse,
}

/// Knows what was submitted. Asked on the tasks of links, so it must not wait.
pub trait Correlate: Send + Sync {
    /// What this receipt of this SMSC is about. The same receipt may be asked for several times.
    fn correlate(&self, now: Instant, smsc: &str, receipt: &Receipt) -> Correlation;
}

/// Knows nothing: every receipt is handed over as it is.
pub struct Uncorrelated;

impl Correlate for Uncorrelated {
    fn correlate(&self, _now: Instant, _smsc: &str, _receipt: &Receipt) -> Correlation {
        Correlation::Unknown
    }
}
