//! Which events a configured subscription gets. Pure look-up.

use std::sync::Arc;

use super::event::{Event, EventKind};
use crate::client::ClientName;

/// The subscription that gets what no other one wants. It always exists.
pub const DEFAULT: &str = "default";

/// Events that a subscription keeps at most if it does not say; some hundred megabytes of memory.
pub const BACKLOG_MAX_DEFAULT: usize = 100_000;

/// Octets of these events at most if it does not say: short messages reach the number of events
/// first, and messages of 64 KB, which a message_payload allows, reach this.
pub const BACKLOG_MAX_BYTES_DEFAULT: usize = 256 << 20;

/// A subscription as it is configured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSettings {
    /// What `Receive` names.
    pub name: Arc<str>,
    /// Only this client may read it.
    pub client: Option<ClientName>,
    /// Whether it gets messages.
    pub messages: bool,
    /// Whether it gets receipts.
    pub receipts: bool,
    /// Whether it gets what banks begin.
    pub bank_events: bool,
    /// Only from these SMSCs; empty means all.
    pub smscs: Vec<Arc<str>>,
    /// Only from these banks; empty means all.
    pub banks: Vec<Arc<str>>,
    /// Only messages to these numbers; empty means all.
    pub destinations: Vec<NumberPattern>,
    /// Only messages whose first word is one of these, as [`fold`] gives them; empty means all.
    pub keywords: Vec<String>,
    /// Only receipts for requests of this client.
    pub receipts_of: Option<Arc<str>>,
    /// Events that wait or are unacknowledged at most; with more the SMSC is told to try later.
    pub backlog_max: usize,
    /// Their octets at most, as [`Event::bytes`] counts them, for the same.
    pub backlog_max_bytes: usize,
}

impl SubscriptionSettings {
    /// One that wants everything.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.into(),
            client: None,
            messages: true,
            receipts: true,
            bank_events: true,
            smscs: Vec::new(),
            banks: Vec::new(),
            destinations: Vec::new(),
            keywords: Vec::new(),
            receipts_of: None,
            backlog_max: BACKLOG_MAX_DEFAULT,
            backlog_max_bytes: BACKLOG_MAX_BYTES_DEFAULT,
        }
    }

    /// Whether the event is one of its.
    pub fn wants(&self, event: &Event) -> bool {
        let from = |peers: &[Arc<str>]| any(peers, |peer| *peer == event.peer);
        match &event.kind {
            EventKind::Message(message) => {
                let number = &event.destination.number;
                self.messages
                    && from(&self.smscs)
                    && any(&self.destinations, |pattern| pattern.matches(number))
                    && (self.keywords.is_empty()
                        || keyword(message.text.as_deref())
                            .is_some_and(|word| self.keywords.contains(&word)))
            }
            EventKind::Receipt(receipt) => {
                self.receipts
                    && from(&self.smscs)
                    && self.receipts_of.as_ref().is_none_or(|wanted| {
                        let about = receipt.request.as_ref();
                        about.is_some_and(|about| about.client == *wanted)
                    })
            }
            EventKind::Bank(_) => self.bank_events && from(&self.banks),
        }
    }
}

/// The places of those that get it; the first, which is the default one, if no other wants it.
pub(super) fn wanted<'a>(
    all: impl Iterator<Item = &'a SubscriptionSettings>,
    event: &Event,
) -> Vec<usize> {
    let others = all.enumerate().skip(1);
    let wanting = others.filter(|(_, settings)| settings.wants(event));
    let wanting: Vec<usize> = wanting.map(|(at, _)| at).collect();
    match wanting.is_empty() {
        true => vec![0],
        false => wanting,
    }
}

fn any<T>(wanted: &[T], holds: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(holds)
}

/// A number, or the beginning of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NumberPattern {
    /// This number alone.
    Exactly(String),
    /// Every number that begins so; written with an asterisk behind it.
    Prefix(String),
}

impl NumberPattern {
    /// Reads `8049` or `84901*`.
    ///
    /// # Errors
    /// It is empty, too long, or holds something else.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (digits, is_prefix) = match text.strip_suffix('*') {
            Some(digits) => (digits, true),
            None => (text, false),
        };
        let is_number = !digits.is_empty()
            && digits.len() <= 20
            && digits.bytes().all(|octet| octet.is_ascii_alphanumeric());
        match (is_number, is_prefix) {
            (false, _) => Err("must be a number, or the beginning of one and an asterisk".into()),
            (true, true) => Ok(Self::Prefix(digits.to_owned())),
            (true, false) => Ok(Self::Exactly(digits.to_owned())),
        }
    }

    fn matches(&self, number: &[u8]) -> bool {
        match self {
            Self::Exactly(exactly) => number == exactly.as_bytes(),
            Self::Prefix(prefix) => number.starts_with(prefix.as_bytes()),
        }
    }
}

/// The first word of a text, folded.
fn keyword(text: Option<&str>) -> Option<String> {
    text?.split_whitespace().next().map(fold)
}

/// A word as words are compared: case does not count. Letters beyond ASCII are compared as they are.
pub fn fold(word: &str) -> String {
    word.to_ascii_lowercase()
}
