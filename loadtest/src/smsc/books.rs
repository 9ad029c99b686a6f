//! The books of an SMSC: what really reached it and what became of it. The truth that a caller's
//! outcomes are held against; nothing is entered here that a peer did not send or get.

use std::fmt;
use std::time::Instant;

use bytes::Bytes;

use super::behaviour::BookKeeping;
use super::wire::{Address, Submission};

/// Messages and deliveries kept in full; beyond it they are only counted. About 1 GB of memory.
pub const MESSAGES_KEPT_MAX: usize = 4_000_000;
/// Protocol errors kept with their text; beyond it they are only counted.
pub const PROTOCOL_ERRORS_KEPT_MAX: usize = 1_000;

/// The octets of a message, shown in Debug as a count alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Body(pub Bytes);

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}

/// Which PDU handed a message in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command {
    /// submit_sm
    SubmitSm,
    /// submit_multi
    SubmitMulti,
    /// data_sm
    DataSm,
}

/// message_state (5.2.28), as far as the simulator brings it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum MessageState {
    /// Not yet delivered.
    Enroute = 1,
    /// Delivered.
    Delivered = 2,
    /// Cancelled.
    Deleted = 4,
    /// Not deliverable.
    Undeliverable = 5,
}

/// An accepted message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Its id as the response had it.
    pub message_id: String,
    /// The PDU that handed it in.
    pub command: Command,
    /// Index of the bind it came through, into [`SmscBooks::binds`].
    pub bind: usize,
    /// sequence_number of the PDU.
    pub sequence: u32,
    /// Source address.
    pub source: Address,
    /// Destination address; the first one of a submit_multi.
    pub dest: Address,
    /// The other destinations of a submit_multi.
    pub more_dests: Vec<Address>,
    /// esm_class
    pub esm_class: u8,
    /// registered_delivery
    pub registered_delivery: u8,
    /// data_coding
    pub data_coding: u8,
    /// short_message, raw.
    pub short_message: Body,
    /// message_payload, raw.
    pub payload: Option<Body>,
    /// Whether a response was, or will be, written.
    pub answered: bool,
    /// Whether replace_sm changed the text.
    pub replaced: bool,
    pub(super) settled: Settled,
    pub(super) settles_at: Instant,
}

/// How a message ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    Delivered,
    Undeliverable,
    Deleted,
}

impl Message {
    /// What query_sm says of it at `now`.
    pub fn state(&self, now: Instant) -> MessageState {
        match self.settled {
            Settled::Deleted => MessageState::Deleted,
            _ if now < self.settles_at => MessageState::Enroute,
            Settled::Delivered => MessageState::Delivered,
            Settled::Undeliverable => MessageState::Undeliverable,
        }
    }
}

/// What a connection bound as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BindKind {
    /// bind_transmitter
    Transmitter,
    /// bind_receiver
    Receiver,
    /// bind_transceiver
    Transceiver,
}

impl BindKind {
    pub(super) fn transmits(self) -> bool {
        self != Self::Receiver
    }

    pub(super) fn receives(self) -> bool {
        self != Self::Transmitter
    }
}

/// A bind, open or gone.
#[derive(Clone, Debug)]
pub struct BindBook {
    /// Its account.
    pub system_id: String,
    /// What it bound as.
    pub kind: BindKind,
    /// interface_version it named.
    pub interface_version: u8,
    /// Whether it still stands.
    pub open: bool,
    /// Submissions read from it.
    pub submitted: u64,
    /// Of these, accepted.
    pub accepted: u64,
    /// deliver_sm written to it, each attempt counted.
    pub delivered: u64,
}

/// What a deliver_sm was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivered {
    /// A receipt for this message id, as the response to the submission had it.
    Receipt(String),
    /// An MO.
    Mo,
}

/// A receipt or MO that came to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryBook {
    /// What it was.
    pub what: Delivered,
    /// Bind of the last attempt.
    pub bind: usize,
    /// How often it was sent.
    pub attempts: u32,
    /// command_status of the last deliver_sm_resp; `None` when none came.
    pub status: Option<u32>,
}

/// Something a peer should not have sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    /// The bind it came through, if there was one.
    pub bind: Option<usize>,
    /// command_id of the PDU; 0 when the framing was lost.
    pub command: u32,
    /// What was wrong.
    pub what: &'static str,
}

/// Counts over the simulator's whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SmscTotals {
    /// Connections accepted.
    pub connections: u64,
    /// Binds refused.
    pub binds_refused: u64,
    /// Submissions read.
    pub submitted: u64,
    /// Of these, accepted.
    pub accepted: u64,
    /// Answered ESME_RTHROTTLED.
    pub throttled: u64,
    /// Answered with another error.
    pub refused: u64,
    /// Left without an answer.
    pub unanswered: u64,
    /// Answered late by the fault of that name.
    pub late: u64,
    /// Connections dropped by the fault of that name.
    pub disconnected: u64,
    /// enquire_link read.
    pub enquired: u64,
    /// Receipts that became due or will.
    pub receipts: u64,
    /// Of these, acknowledged ESME_ROK.
    pub receipts_acknowledged: u64,
    /// Of these, refused for good or given up.
    pub receipts_lost: u64,
    /// MO injected.
    pub mo: u64,
    /// Of these, acknowledged ESME_ROK.
    pub mo_acknowledged: u64,
    /// Of these, refused for good or given up.
    pub mo_lost: u64,
    /// deliver_sm sent again.
    pub deliveries_repeated: u64,
    /// Things a peer should not have sent.
    pub protocol_errors: u64,
}

/// A snapshot of an SMSC's books; `Display` prints it as a table, without texts or addresses.
#[derive(Clone, Debug, Default)]
pub struct SmscBooks {
    /// Accepted messages in their order; empty with [`BookKeeping::CountsOnly`].
    pub messages: Vec<Message>,
    /// Binds in their order, those that are gone included.
    pub binds: Vec<BindBook>,
    /// Receipts and MO that came to their end; empty with [`BookKeeping::CountsOnly`].
    pub deliveries: Vec<DeliveryBook>,
    /// What peers did wrong.
    pub protocol_errors: Vec<ProtocolError>,
    /// Counts.
    pub totals: SmscTotals,
}

impl SmscBooks {
    /// The binds that stand.
    pub fn open_binds(&self) -> usize {
        self.binds.iter().filter(|bind| bind.open).count()
    }

    pub(super) fn bind_mut(&mut self, bind: usize) -> Option<&mut BindBook> {
        self.binds.get_mut(bind)
    }

    pub(super) fn wrong(&mut self, bind: Option<usize>, command: u32, what: &'static str) {
        self.totals.protocol_errors += 1;
        if self.protocol_errors.len() < PROTOCOL_ERRORS_KEPT_MAX {
            self.protocol_errors.push(ProtocolError {
                bind,
                command,
                what,
            });
        }
    }

    /// Enters the end of a delivery.
    pub(super) fn delivery_ended(&mut self, keeping: BookKeeping, ended: DeliveryBook) {
        let acknowledged = ended.status == Some(super::codes::status::ROK);
        let totals = &mut self.totals;
        let count = match (&ended.what, acknowledged) {
            (Delivered::Receipt(_), true) => &mut totals.receipts_acknowledged,
            (Delivered::Receipt(_), false) => &mut totals.receipts_lost,
            (Delivered::Mo, true) => &mut totals.mo_acknowledged,
            (Delivered::Mo, false) => &mut totals.mo_lost,
        };
        *count += 1;
        if keeping == BookKeeping::Full && self.deliveries.len() < MESSAGES_KEPT_MAX {
            self.deliveries.push(ended);
        }
    }
}

/// How an accepted message is entered.
pub(super) struct Entry<'a> {
    pub(super) message_id: &'a str,
    pub(super) command: Command,
    pub(super) bind: usize,
    pub(super) sequence: u32,
    pub(super) answered: bool,
    pub(super) settled: Settled,
    pub(super) settles_at: Instant,
}

impl SmscBooks {
    /// Enters an accepted message.
    pub(super) fn accepted(
        &mut self,
        keeping: BookKeeping,
        entry: &Entry<'_>,
        submission: &Submission<'_>,
    ) {
        self.totals.accepted += 1;
        if let Some(bind) = self.bind_mut(entry.bind) {
            bind.accepted += 1;
        }
        if keeping == BookKeeping::CountsOnly || self.messages.len() >= MESSAGES_KEPT_MAX {
            return;
        }
        self.messages.push(Message {
            message_id: entry.message_id.to_owned(),
            command: entry.command,
            bind: entry.bind,
            sequence: entry.sequence,
            source: submission.source,
            dest: submission.dest,
            more_dests: submission.more_dests.clone(),
            esm_class: submission.esm_class,
            registered_delivery: submission.registered_delivery,
            data_coding: submission.data_coding,
            short_message: Body(Bytes::copy_from_slice(submission.short_message)),
            payload: submission
                .payload
                .map(|octets| Body(Bytes::copy_from_slice(octets))),
            answered: entry.answered,
            replaced: false,
            settled: entry.settled,
            settles_at: entry.settles_at,
        });
    }
}

impl fmt::Display for SmscBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.totals;
        writeln!(
            f,
            "bind  system_id        kind         state   submitted  accepted  delivered"
        )?;
        for (index, bind) in self.binds.iter().enumerate() {
            writeln!(
                f,
                "{index:>4}  {:<15}  {:<11}  {:<6}  {:>9}  {:>8}  {:>9}",
                bind.system_id,
                format!("{:?}", bind.kind).to_lowercase(),
                if bind.open { "open" } else { "closed" },
                bind.submitted,
                bind.accepted,
                bind.delivered,
            )?;
        }
        for (name, count) in [
            ("connections", t.connections),
            ("binds refused", t.binds_refused),
            ("submitted", t.submitted),
            ("  accepted", t.accepted),
            ("  throttled", t.throttled),
            ("  refused", t.refused),
            ("  unanswered", t.unanswered),
            ("  answered late", t.late),
            ("connections dropped", t.disconnected),
            ("receipts", t.receipts),
            ("  acknowledged", t.receipts_acknowledged),
            ("  refused or given up", t.receipts_lost),
            ("MO", t.mo),
            ("  acknowledged", t.mo_acknowledged),
            ("  refused or given up", t.mo_lost),
            ("deliver_sm sent again", t.deliveries_repeated),
            ("protocol errors", t.protocol_errors),
        ] {
            writeln!(f, "{name:<22}{count:>10}")?;
        }
        for wrong in &self.protocol_errors {
            writeln!(f, "  command {:#010x}: {}", wrong.command, wrong.what)?;
        }
        Ok(())
    }
}
