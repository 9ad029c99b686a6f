//! What the RPC stands on.

use std::sync::Arc;

use crate::{inbox::Inbox, links::Links, messaging::Messaging, payment::Payments};

/// The floors below.
#[derive(Clone)]
pub struct Services {
    /// Messages out.
    pub messaging: Arc<Messaging>,
    /// Payments.
    pub payments: Arc<Payments>,
    /// Messages and receipts in.
    pub inbox: Arc<Inbox>,
    /// All connections.
    pub links: Arc<Links>,
}
