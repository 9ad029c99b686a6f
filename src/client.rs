//! Who asks, and by which id: upstream services as limits, logs, metrics and the journal know them.

use std::{fmt, sync::Arc};

/// The name of an upstream service.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientName(Arc<str>);

impl ClientName {
    /// The longest name, in bytes; it becomes a metric's label.
    pub const LENGTH_MAX: usize = 64;

    /// A name of 1 to 64 letters, digits, `.`, `_` and `-`; `None` for anything else.
    pub fn parse(name: &str) -> Option<Self> {
        let sound = !name.is_empty()
            && name.len() <= Self::LENGTH_MAX
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'));
        sound.then(|| Self(name.into()))
    }

    /// The same name with a count of references of its own: for a batch, each request of which takes one.
    /// Where all requests counted in one place, processors would spend their time handing it over.
    #[must_use]
    pub fn apart(&self) -> Self {
        Self(self.as_str().into())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ClientName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The caller's id of a payment: 1 to 64 bytes of printable ASCII, unique among one client's payments.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PaymentId(Arc<str>);

impl PaymentId {
    /// The longest id, in bytes.
    pub const LENGTH_MAX: usize = 64;

    /// `None` if the id is empty, too long or not printable ASCII. A shared text stays shared.
    pub fn parse(id: impl AsRef<str> + Into<Arc<str>>) -> Option<Self> {
        let text = id.as_ref();
        let sound = (1..=Self::LENGTH_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic());
        sound.then(|| Self(id.into()))
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whose payment, and which.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct PaymentKey {
    /// The upstream service.
    pub client: ClientName,
    /// Its id.
    pub id: PaymentId,
}

/// What one client is doing and has done since the start, for metrics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCounts {
    /// Who.
    pub name: ClientName,
    /// Requests without an outcome.
    pub in_flight: u32,
    /// The most of them.
    pub in_flight_max: u32,
    /// Open streams of any kind.
    pub streams: u32,
    /// Requests read, of Messaging.
    pub messages: u64,
    /// Requests read, of Payments.
    pub payments: u64,
    /// Requests refused because a field cannot be what it says.
    pub refused_invalid: u64,
    /// Requests refused because the limit was reached.
    pub refused_limit: u64,
    /// Outcomes that came after their caller had gone away.
    pub discarded: u64,
}
