//! What waits to be delivered to an account: receipts and MO, each due at its time and sent through
//! whichever receiving bind of the account takes it first. A queue only; sessions send and judge.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use tokio::sync::{Notify, oneshot};

use super::behaviour::Delivering;
use super::books::{Delivered, MessageState};
use super::codes::tag;
use super::wire::{self, Address};
use crate::locked;
use crate::utc::Utc;

/// Deliveries that wait for one account; more are refused at the door, as a full SMSC would.
pub(super) const WAITING_MAX: usize = 1_000_000;
/// Octets of the message that a receipt's text quotes (appendix B).
const QUOTED_OCTETS: usize = 20;
/// esm_class of a receipt: message type "SMSC delivery receipt" (5.2.12).
const ESM_RECEIPT: u8 = 0x04;

/// How an MO ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliveryEnd {
    /// command_status of the last deliver_sm_resp; `None` when none came.
    pub status: Option<u32>,
    /// How often the deliver_sm was sent.
    pub attempts: u32,
    /// Of these, how often no answer came: the link was lost, or it took too long. Whoever sent
    /// those has no way to know that the receiver may have it.
    pub unanswered: u32,
}

/// A message from a handset, to be injected.
#[derive(Clone, Debug)]
pub struct Mo {
    /// The handset's number.
    pub source: Address,
    /// The service's number.
    pub dest: Address,
    /// data_coding
    pub data_coding: u8,
    /// esm_class, 0x40 when the body begins with a user data header.
    pub esm_class: u8,
    /// The text as octets; over 254 it travels as message_payload.
    pub body: super::books::Body,
    /// The account that gets it; `None` is the first one with a receiving bind.
    pub system_id: Option<String>,
}

/// A receipt that is not written yet.
pub(super) struct Receipt {
    pub(super) number: u64,
    pub(super) message_id: String,
    /// Source and destination of the message; the receipt travels the other way.
    pub(super) source: Address,
    pub(super) dest: Address,
    pub(super) submitted: Utc,
    pub(super) state: MessageState,
    pub(super) quote: Bytes,
}

/// What a delivery carries.
pub(super) enum Cargo {
    Receipt(Box<Receipt>),
    Mo {
        mo: Box<Mo>,
        done: Option<oneshot::Sender<DeliveryEnd>>,
    },
}

/// A receipt or MO on its way.
pub(super) struct Delivery {
    pub(super) cargo: Cargo,
    pub(super) attempts: u32,
    pub(super) unanswered: u32,
    pub(super) status: Option<u32>,
}

impl Delivery {
    pub(super) fn new(cargo: Cargo) -> Self {
        Self {
            cargo,
            attempts: 0,
            unanswered: 0,
            status: None,
        }
    }

    /// Writes the body of its deliver_sm.
    pub(super) fn write(&self, how: &Delivering, out: &mut BytesMut) {
        match &self.cargo {
            Cargo::Mo { mo, .. } => wire::put_deliver_sm(
                out,
                &mo.source,
                &mo.dest,
                mo.esm_class,
                mo.data_coding,
                &mo.body.0,
            ),
            Cargo::Receipt(receipt) => receipt.write(how, out),
        }
    }

    /// What the books call it.
    pub(super) fn what(&self) -> Delivered {
        match &self.cargo {
            Cargo::Receipt(receipt) => Delivered::Receipt(receipt.message_id.clone()),
            Cargo::Mo { .. } => Delivered::Mo,
        }
    }

    /// Tells whoever injected it how it ended.
    pub(super) fn tell(&mut self) {
        let end = DeliveryEnd {
            status: self.status,
            attempts: self.attempts,
            unanswered: self.unanswered,
        };
        if let Cargo::Mo { done, .. } = &mut self.cargo
            && let Some(done) = done.take()
        {
            // Whoever injected it may have gone; the books have it all the same.
            done.send(end).ok();
        }
    }
}

impl Receipt {
    /// What of a message its receipt quotes: its beginning, where that is plain text.
    pub(super) fn quote_of(data_coding: u8, esm_class: u8, message: &[u8]) -> Bytes {
        let quote = message.get(..QUOTED_OCTETS).unwrap_or(message);
        let plain = quote.iter().all(|octet| (b' '..=b'~').contains(octet));
        if data_coding <= 1 && esm_class & 0x40 == 0 && plain {
            Bytes::copy_from_slice(quote)
        } else {
            Bytes::new()
        }
    }

    fn write(&self, how: &Delivering, out: &mut BytesMut) {
        let (stat, delivered, error) = match self.state {
            MessageState::Delivered => ("DELIVRD", 1, "000"),
            MessageState::Deleted => ("DELETED", 0, "000"),
            MessageState::Undeliverable => ("UNDELIV", 0, "001"),
            MessageState::Enroute => ("ACCEPTD", 0, "000"),
        };
        let id = how.receipt_ids.write(self.number);
        let mut text = format!(
            "id:{} sub:001 dlvrd:{delivered:03} submit date:{} done date:{} stat:{stat} err:{error} text:",
            id.as_str(),
            self.submitted.receipt_date(),
            Utc::now().receipt_date(),
        )
        .into_bytes();
        text.extend_from_slice(&self.quote);
        wire::put_deliver_sm(out, &self.dest, &self.source, ESM_RECEIPT, 0, &text);
        if how.receipt_tlvs {
            let mut named = id.as_bytes().to_vec();
            named.push(0);
            wire::put_tlv(out, tag::RECEIPTED_MESSAGE_ID, &named);
            wire::put_tlv(out, tag::MESSAGE_STATE, &[self.state as u8]);
        }
    }
}

struct Waiting {
    due: Instant,
    order: u64,
    delivery: Delivery,
}

impl PartialEq for Waiting {
    fn eq(&self, other: &Self) -> bool {
        self.order == other.order
    }
}

impl Eq for Waiting {}

impl PartialOrd for Waiting {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Waiting {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.order).cmp(&(other.due, other.order))
    }
}

#[derive(Default)]
struct Queue {
    waiting: BinaryHeap<Reverse<Waiting>>,
    pushed: u64,
    /// The receiving binds, to be woken when a delivery is due earlier than they know.
    receivers: Vec<Arc<Notify>>,
}

/// The deliveries of one account.
#[derive(Default)]
pub(super) struct Deliveries {
    queue: Mutex<Queue>,
}

impl Deliveries {
    /// Lets a delivery wait until `due`. Gives it back when too many wait.
    pub(super) fn push(&self, due: Instant, delivery: Delivery) -> Result<(), Box<Delivery>> {
        let mut queue = locked(&self.queue);
        if queue.waiting.len() >= WAITING_MAX {
            return Err(Box::new(delivery));
        }
        queue.pushed += 1;
        let order = queue.pushed;
        let first = queue
            .waiting
            .peek()
            .is_none_or(|Reverse(head)| due < head.due);
        queue.waiting.push(Reverse(Waiting {
            due,
            order,
            delivery,
        }));
        if first {
            queue
                .receivers
                .iter()
                .for_each(|receiver| receiver.notify_one());
        }
        Ok(())
    }

    /// Takes the next delivery that is due.
    pub(super) fn pop_due(&self, now: Instant) -> Option<Delivery> {
        let mut queue = locked(&self.queue);
        if queue
            .waiting
            .peek()
            .is_none_or(|Reverse(head)| head.due > now)
        {
            return None;
        }
        queue.waiting.pop().map(|Reverse(waiting)| waiting.delivery)
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        locked(&self.queue)
            .waiting
            .peek()
            .map(|Reverse(head)| head.due)
    }

    /// A receiving bind has come.
    pub(super) fn join(&self, receiver: &Arc<Notify>) {
        locked(&self.queue).receivers.push(Arc::clone(receiver));
        receiver.notify_one();
    }

    /// A receiving bind has gone.
    pub(super) fn leave(&self, receiver: &Arc<Notify>) {
        locked(&self.queue)
            .receivers
            .retain(|other| !Arc::ptr_eq(other, receiver));
    }

    /// Whether a receiving bind stands.
    pub(super) fn has_receiver(&self) -> bool {
        !locked(&self.queue).receivers.is_empty()
    }
}
