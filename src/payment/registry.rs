//! Which bank an id belongs to, over all banks: an id means one payment, wherever it went.

use std::sync::Arc;

use dashmap::DashMap;

use super::PaymentKey;

/// The bank of each payment that is kept. The desks write it, the way in reads it; no guard lives
/// longer than one look.
pub type Registry = Arc<DashMap<PaymentKey, Arc<str>>>;
