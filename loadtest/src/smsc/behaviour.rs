//! What an SMSC simulator is told to be: its accounts, its pace and its faults. Data alone, so that
//! a test reads as the description of a network.

use std::fmt::{self, Write as _};

use crate::fault::{DelayMs, Dice, Pace, Timing, Trigger};

/// An ESME that may bind.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// system_id, at most 15 octets (5.2.1).
    pub system_id: String,
    /// password, at most 8 octets (5.2.2).
    pub password: String,
}

impl Account {
    /// An account by its two names.
    pub fn new(system_id: &str, password: &str) -> Self {
        Self {
            system_id: system_id.to_owned(),
            password: password.to_owned(),
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("system_id", &self.system_id)
            .finish_non_exhaustive()
    }
}

/// Who may bind.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Accounts {
    /// Whoever comes; each system_id is an account of its own.
    #[default]
    Anyone,
    /// Only these. Another system_id gets ESME_RINVSYSID, a wrong password ESME_RINVPASWD.
    Listed(Vec<Account>),
}

/// How much is kept of each message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BookKeeping {
    /// Every message, up to [`super::books::MESSAGES_KEPT_MAX`].
    #[default]
    Full,
    /// Only counts, for load: query_sm, cancel_sm and replace_sm then find no message.
    CountsOnly,
}

/// How a message id is written. Real SMSCs differ, and some write an id one way in the
/// submit_sm_resp and another way in the receipt.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdFormat {
    /// `1234`
    #[default]
    Decimal,
    /// `0000001234`, the ten digits of appendix B's receipt.
    Padded,
    /// `4d2`
    Hex,
    /// `4D2`
    UpperHex,
}

impl IdFormat {
    /// The id as it is written on the wire.
    pub(super) fn write(self, id: u64) -> IdText {
        let mut text = IdText::default();
        let written = match self {
            Self::Decimal => write!(text, "{id}"),
            Self::Padded => write!(text, "{id:010}"),
            Self::Hex => write!(text, "{id:x}"),
            Self::UpperHex => write!(text, "{id:X}"),
        };
        debug_assert!(written.is_ok(), "20 digits hold any u64");
        text
    }

    /// The id that an ESME names.
    pub(super) fn read(self, text: &[u8]) -> Option<u64> {
        let text = std::str::from_utf8(text).ok()?;
        match self {
            Self::Decimal | Self::Padded => text.parse().ok(),
            Self::Hex | Self::UpperHex => u64::from_str_radix(text, 16).ok(),
        }
    }
}

/// A message id as text, kept inline: one is written for every message.
#[derive(Clone, Copy, Default)]
pub(super) struct IdText {
    digits: [u8; 20],
    length: usize,
}

impl IdText {
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.digits.get(..self.length).unwrap_or_default()
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }
}

impl fmt::Write for IdText {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        let place = self.digits.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

/// An error status and when it is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Refusal {
    /// Which submissions.
    pub trigger: Trigger,
    /// The command_status, see [`super::status`].
    pub status: u32,
}

/// What becomes of messages after their acceptance, and how receipts and MO are delivered.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Delivering {
    /// From acceptance to the final state, when the receipt is due.
    pub delay: DelayMs,
    /// Which messages end UNDELIVERABLE instead of DELIVERED.
    pub undeliverable: Trigger,
    /// Whether receipts carry the TLVs receipted_message_id and message_state beside the text.
    pub receipt_tlvs: bool,
    /// How the id is written in the receipt.
    pub receipt_ids: IdFormat,
    /// How often a deliver_sm is sent in all before it is given up.
    pub attempts_max: u32,
    /// Wait before a deliver_sm that was answered with a temporary error is sent again.
    pub retry_ms: u64,
    /// Wait for a deliver_sm_resp before the deliver_sm is sent again.
    pub response_timeout_ms: u64,
    /// deliver_sm in flight on each bind.
    pub window: usize,
}

impl Default for Delivering {
    fn default() -> Self {
        Self {
            delay: DelayMs::fixed(100),
            undeliverable: Trigger::Never,
            receipt_tlvs: true,
            receipt_ids: IdFormat::Decimal,
            attempts_max: 5,
            retry_ms: 500,
            response_timeout_ms: 10_000,
            window: 64,
        }
    }
}

/// What an SMSC simulator does. The default accepts everyone and everything at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SmscBehaviour {
    /// Who may bind.
    pub accounts: Accounts,
    /// Binds one system_id may hold at once; more get ESME_RALYBND. `None` is no limit.
    pub binds_max: Option<usize>,
    /// How much is kept of each message. Fixed when the simulator starts.
    pub books: BookKeeping,
    /// How ids are written in responses.
    pub message_ids: IdFormat,
    /// The pace of answers to submissions.
    pub timing: Timing,
    /// Receipts and MO.
    pub delivering: Delivering,
    /// Enquire after links on which nothing was received for this long, and close those that are
    /// silent for as long again. `None` never enquires.
    pub enquire_link_ms: Option<u64>,

    /// Submissions answered ESME_RTHROTTLED, and not accepted.
    pub throttle: Trigger,
    /// Submissions answered with another error, and not accepted.
    pub refuse: Option<Refusal>,
    /// Whether an error response to a submission carries a body with an empty message_id. By 4.4.2
    /// it has none, but some SMSCs send one.
    pub error_bodies: bool,
    /// Submissions that are never answered.
    pub silent: Trigger,
    /// Whether those are accepted all the same.
    pub silent_accepts: bool,
    /// Submissions after which the connection drops: the message is accepted, half of its response
    /// is written.
    pub disconnect: Trigger,
    /// Leaves enquire_link unanswered.
    pub ignore_enquire_link: bool,
    /// Refuses every bind with this status.
    pub refuse_binds: Option<u32>,
    /// Reads and says nothing.
    pub black_hole: bool,
}

/// A behaviour with its running counts.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) behaviour: SmscBehaviour,
    pub(super) pace: Pace,
    pub(super) throttle: Dice,
    pub(super) refuse: Dice,
    pub(super) silent: Dice,
    pub(super) disconnect: Dice,
    pub(super) undeliverable: Dice,
}

impl Live {
    pub(super) fn new(behaviour: SmscBehaviour) -> Self {
        Self {
            pace: Pace::new(behaviour.timing),
            throttle: Dice::new(behaviour.throttle),
            refuse: Dice::new(behaviour.refuse.map_or(Trigger::Never, |r| r.trigger)),
            silent: Dice::new(behaviour.silent),
            disconnect: Dice::new(behaviour.disconnect),
            undeliverable: Dice::new(behaviour.delivering.undeliverable),
            behaviour,
        }
    }
}
