//! What a message request is and what it ends in: the vocabulary between `rpc` above and the
//! links below. It holds no behaviour and knows neither protobuf nor sockets.

use std::{fmt, slice, sync::Arc, time::Instant};

use bytes::Bytes;

use crate::{
    outbox::{self, Outbox},
    outcome::Reason,
    smpp::{Address, COctetString, CommandStatus, text::Coding},
};

/// Where the outcomes of one caller's message requests gather.
pub type MessageOutbox = Outbox<MessageOutcome>;

/// Who goes first where a bind has no room for all; lower classes get a share all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TrafficClass {
    /// One-time passwords and alarms.
    Urgent,
    /// Notifications and everything else.
    #[default]
    Normal,
    /// Campaigns.
    Bulk,
}

/// Whether letters that GSM 7-bit lacks are replaced by their nearest ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transliteration {
    /// As the SMSC is configured.
    #[default]
    Default,
    /// Never.
    Off,
    /// Where the text needs it.
    On,
}

/// What the subscriber is to get.
#[derive(Clone, PartialEq, Eq)]
pub enum Body {
    /// A text, and how to put it on the air.
    Text {
        /// UTF-8.
        text: String,
        /// The coding that the caller wants.
        coding: Coding,
    },
    /// Bytes that are no text.
    Binary {
        /// As sent, with the user data header if there is one.
        data: Bytes,
        /// SMPP 3.4 5.2.19.
        data_coding: u8,
        /// Sets esm_class bit 0x40.
        has_user_data_header: bool,
    },
}

impl Body {
    /// A text, in the first coding that has all of it.
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text {
            text: text.into(),
            coding: Coding::Automatic,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { text, coding } => write!(f, "Text({} bytes, {coding:?})", text.len()),
            Self::Binary { data, .. } => write!(f, "Binary({} bytes)", data.len()),
        }
    }
}

/// A message to send.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// `None` takes the route's default sender.
    pub source: Option<Address>,
    /// Who gets it.
    pub destination: Address,
    /// What they get.
    pub body: Body,
    /// The name of a message route; empty chooses by the destination's prefix.
    pub route: String,
    /// Whether the SMSC is asked for a delivery receipt.
    pub receipt: bool,
    /// How long the SMSC may try, in seconds; 0 is the SMSC's own default.
    pub validity_s: u32,
    /// At most 5 characters (SMPP 3.4 5.2.11).
    pub service_type: COctetString<6>,
    /// 0 to 3 (SMPP 3.4 5.2.14).
    pub priority: u8,
    /// SMPP 3.4 5.2.13.
    pub protocol_id: u8,
    /// Tag and value, sent as they are.
    pub tlvs: Vec<(u16, Bytes)>,
    /// The SMSC delivers it this many seconds after it was submitted; 0 is at once.
    pub schedule_s: u32,
    /// Who goes first.
    pub class: TrafficClass,
    /// Whether the text may be simplified.
    pub transliteration: Transliteration,
    /// Whether the next SMSC may be tried after UNKNOWN, at the risk of a second message.
    pub resend_after_unknown: bool,
}

impl Message {
    /// A message of which nothing is said but where it goes and what it is.
    pub fn new(destination: Address, body: Body) -> Self {
        Self {
            source: None,
            destination,
            body,
            route: String::new(),
            receipt: false,
            validity_s: 0,
            service_type: COctetString::EMPTY,
            priority: 0,
            protocol_id: 0,
            tlvs: Vec::new(),
            schedule_s: 0,
            class: TrafficClass::default(),
            transliteration: Transliteration::default(),
            resend_after_unknown: false,
        }
    }
}

/// Without the values of the TLVs: message_payload is a text.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Message")
            .field("route", &self.route)
            .field("destination", &self.destination)
            .field("body", &self.body)
            .finish_non_exhaustive()
    }
}

/// A message request on its way down.
#[derive(Debug)]
pub struct MessageRequest {
    /// The caller's tag, under which the outcome appears in its outbox.
    pub tag: u32,
    /// The caller's id of the request.
    pub id: Arc<str>,
    /// What to send. Boxed once, because from here on it changes hands often.
    pub message: Box<Message>,
    /// What has not been dispatched by then is not sent.
    pub deadline: Instant,
}

/// Which message of an SMSC an operation is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRef {
    /// The SMSC that accepted it.
    pub smsc: String,
    /// The SMSC's id.
    pub message_id: Bytes,
    /// The source address it was sent with.
    pub source: Address,
}

/// What is asked about a message that an SMSC accepted.
#[derive(Clone, PartialEq, Eq)]
pub enum Operation {
    /// query_sm
    Query(MessageRef),
    /// cancel_sm
    Cancel(MessageRef, Address),
    /// replace_sm
    Replace {
        /// The message.
        message: MessageRef,
        /// Its new text.
        text: String,
        /// How to put it on the air.
        coding: Coding,
        /// Whether a receipt is asked for.
        receipt: bool,
        /// How long the SMSC may try, in seconds; 0 leaves it as it was.
        validity_s: u32,
    },
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, message) = match self {
            Self::Query(message) => ("Query", message),
            Self::Cancel(message, _) => ("Cancel", message),
            Self::Replace { message, .. } => ("Replace", message),
        };
        f.debug_tuple(name).field(message).finish()
    }
}

/// An operation on its way down.
#[derive(Debug)]
pub struct OperationRequest {
    /// The caller's tag.
    pub tag: u32,
    /// What is asked.
    pub operation: Operation,
    /// What has not been dispatched by then is not sent.
    pub deadline: Instant,
}

/// How a message request, or an operation on a message, ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageOutcome {
    /// The end itself.
    pub result: MessageResult,
    /// The SMSC that was chosen.
    pub smsc: Option<Arc<str>>,
    /// Messages on the air, which is what it costs; 0 if it did not come to that.
    pub parts: u8,
    /// Of a long message that did not end well: the ids of the parts that the SMSC has accepted all
    /// the same, in the order of the parts, empty for each of the others. No entry if it accepted none.
    pub parts_accepted: Vec<Bytes>,
    /// SMSCs that were tried.
    pub attempts: u8,
    /// Whether this is the outcome of an earlier request with the same id.
    pub repeated: bool,
}

/// The four ends of a message request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MessageResult {
    /// The SMSC has it.
    Accepted(Acceptance),
    /// The SMSC refused it.
    Rejected {
        /// What the SMSC said.
        status: CommandStatus,
        /// Whether a later try may succeed, by the SMSC's table.
        temporary: bool,
    },
    /// No byte left.
    NotSent {
        /// Why.
        reason: Reason,
        /// For a person: what was wrong, where, what to do. Holds no message text.
        detail: String,
    },
    /// Bytes left, no answer came.
    Unknown {
        /// Timeout, lost link, or an answer that makes no sense.
        reason: Reason,
        /// For a person.
        detail: String,
    },
}

/// What the SMSC gave back with its yes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Acceptance {
    /// The id of a message in one part.
    Id(Bytes),
    /// The ids of a message in several parts, in their order.
    Ids(Vec<Bytes>),
    /// The answer to query_sm.
    State {
        /// SMPP 3.4 5.2.28.
        message_state: u8,
        /// As the SMSC gave it, or empty.
        final_date: Bytes,
        /// The network's error code, or 0.
        error_code: u8,
    },
    /// cancel_sm and replace_sm are answered without a body.
    Done,
}

impl MessageOutcome {
    /// An outcome of a request that never reached an SMSC's queue.
    pub fn not_sent(reason: Reason, detail: impl Into<String>) -> Self {
        Self {
            result: MessageResult::NotSent {
                reason,
                detail: detail.into(),
            },
            smsc: None,
            parts: 0,
            parts_accepted: Vec::new(),
            attempts: 0,
            repeated: false,
        }
    }

    /// The ids that the SMSC gave, by part; those that it gave none for are empty.
    pub fn message_ids(&self) -> &[Bytes] {
        match &self.result {
            MessageResult::Accepted(Acceptance::Id(id)) => slice::from_ref(id),
            MessageResult::Accepted(Acceptance::Ids(ids)) => ids,
            MessageResult::Accepted(Acceptance::State { .. } | Acceptance::Done) => &[],
            _ => &self.parts_accepted,
        }
    }

    /// Whether the same request may be made again without the risk of a second message.
    ///
    /// A temporary rejection is safe because the SMSC told that it did not take the message, unless
    /// it has taken some of its parts.
    pub fn retry_is_safe(&self) -> bool {
        match &self.result {
            MessageResult::NotSent { .. } => true,
            MessageResult::Rejected { temporary, .. } => {
                *temporary && self.parts_accepted.is_empty()
            }
            MessageResult::Accepted(_) | MessageResult::Unknown { .. } => false,
        }
    }
}

impl outbox::Outcome for MessageOutcome {
    fn abandoned() -> Self {
        Self {
            result: MessageResult::Unknown {
                reason: Reason::Internal,
                detail: "Sampan lost track of the request; ask the SMSC before a retry".into(),
            },
            smsc: None,
            parts: 0,
            parts_accepted: Vec::new(),
            attempts: 0,
            repeated: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address() -> Address {
        Address::international("84981234567").unwrap()
    }

    #[test]
    fn a_message_shows_neither_its_text_nor_its_tlvs_nor_its_number() {
        let text = Body::Text {
            text: "PIN 9999".into(),
            coding: Coding::Gsm7,
        };
        let message = Message {
            route: "otp".into(),
            tlvs: vec![(0x0424, Bytes::from_static(b"PIN 9999"))],
            ..Message::new(address(), text)
        };
        let shown = format!("{message:?}");
        assert!(shown.contains("otp"), "{shown}");
        for secret in ["9999", "57, 57", "84981234567"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }

    #[test]
    fn a_rejection_for_now_may_be_tried_again_unless_parts_were_accepted() {
        let rejected = |temporary, parts_accepted| MessageOutcome {
            result: MessageResult::Rejected {
                status: CommandStatus::ESME_RTHROTTLED,
                temporary,
            },
            parts: 2,
            parts_accepted,
            ..MessageOutcome::not_sent(Reason::NoLink, "")
        };
        assert!(rejected(true, Vec::new()).retry_is_safe());
        assert!(!rejected(false, Vec::new()).retry_is_safe());
        // An accepted part counts, also if the SMSC gave no id for it.
        assert!(!rejected(true, vec![Bytes::new(); 2]).retry_is_safe());
    }

    #[test]
    fn an_operation_shows_the_message_id_and_no_text() {
        let replace = Operation::Replace {
            message: MessageRef {
                smsc: "viettel".into(),
                message_id: Bytes::from_static(b"4F2A"),
                source: address(),
            },
            text: "PIN 9999".into(),
            coding: Coding::Gsm7,
            receipt: false,
            validity_s: 0,
        };
        let shown = format!("{replace:?}");
        assert!(shown.contains("4F2A"), "{shown}");
        assert!(!shown.contains("9999"), "{shown}");
    }
}
