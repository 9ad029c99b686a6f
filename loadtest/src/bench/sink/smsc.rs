//! One connection of the message centre: it answers whatever came in one write, and delivers MO and
//! receipts as far as its window allows.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use bytes::{Buf, BytesMut};

use super::{
    Answers, Flow,
    smpp::{Asked, NoPdu, Pdu, put_mo, put_receipt, put_submit_answer},
};
use crate::bench::clock::now_ns;

/// Receipts that wait for the window of a connection. With more, messages wait for their answers, as
/// they do at a message centre that is full.
const RECEIPTS_WAITING_MAX: usize = 10_000;

/// What the message centre is to do besides answering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::bench) struct Delivering {
    /// deliver_sm without an answer, per connection; 0 delivers nothing.
    pub(in crate::bench) window: usize,
    /// MO as fast as the window allows.
    pub(in crate::bench) mo: bool,
    /// One MO for so many messages; 0 is none.
    pub(in crate::bench) mo_every: u64,
    /// A receipt for each message that asks for one.
    pub(in crate::bench) receipts: bool,
}

/// What all connections of the message centre have seen.
#[derive(Debug, Default)]
pub(in crate::bench) struct Counts {
    /// submit_sm answered.
    pub(in crate::bench) submits: AtomicU64,
    /// deliver_sm sent.
    pub(in crate::bench) delivered: AtomicU64,
    /// deliver_sm answered ESME_ROK.
    pub(in crate::bench) taken: AtomicU64,
    /// deliver_sm answered otherwise.
    pub(in crate::bench) refused: AtomicU64,
}

impl Counts {
    /// deliver_sm that were sent, taken and refused.
    pub(in crate::bench) fn seen(&self) -> (u64, u64, u64) {
        let seen = |count: &AtomicU64| count.load(Relaxed);
        (
            seen(&self.delivered),
            seen(&self.taken),
            seen(&self.refused),
        )
    }
}

/// A receipt that waits for the window.
struct Owed {
    id: u64,
    from: Vec<u8>,
    to: Vec<u8>,
}

/// A connection.
pub(super) struct Connection {
    delivering: Delivering,
    counts: Arc<Counts>,
    ids: Arc<AtomicU64>,
    owed: VecDeque<Owed>,
    /// Messages without an answer, by their sequence numbers and ids, until receipts have left.
    held: VecDeque<(u32, u64)>,
    mo_due: u64,
    undelivered: usize,
    sequence: u32,
    is_bound: bool,
    delivers: bool,
}

impl Connection {
    pub(super) fn new(delivering: Delivering, counts: Arc<Counts>, ids: Arc<AtomicU64>) -> Self {
        Self {
            delivering,
            counts,
            ids,
            owed: VecDeque::new(),
            held: VecDeque::new(),
            mo_due: 0,
            undelivered: 0,
            sequence: 0,
            is_bound: false,
            delivers: false,
        }
    }

    fn on_submits(&mut self, submits: u64) {
        if submits == 0 {
            return;
        }
        let before = self.counts.submits.fetch_add(submits, Relaxed);
        if self.delivering.mo_every > 0 {
            let every = self.delivering.mo_every;
            self.mo_due += (before + submits) / every - before / every;
        }
    }

    fn on_submit(&mut self, pdu: &Pdu<'_>, out: &mut BytesMut) {
        let id = self.ids.fetch_add(1, Relaxed);
        match self.owed.len() < RECEIPTS_WAITING_MAX {
            true => put_submit_answer(pdu.sequence, id, out),
            false => self.held.push_back((pdu.sequence, id)),
        }
        if !self.delivering.receipts {
            return;
        }
        if let Some((source, destination)) = pdu.receipt_wanted() {
            self.owed.push_back(Owed {
                id,
                from: destination.to_vec(),
                to: source.to_vec(),
            });
        }
    }

    fn release(&mut self, out: &mut BytesMut) {
        if self.owed.len() < RECEIPTS_WAITING_MAX {
            for (sequence, id) in self.held.drain(..) {
                put_submit_answer(sequence, id, out);
            }
        }
    }

    /// Fills the window with what is to be delivered.
    fn deliver(&mut self, out: &mut BytesMut) {
        if !self.is_bound || !self.delivers {
            return;
        }
        let at_ns = now_ns();
        let before = self.undelivered;
        while self.undelivered < self.delivering.window {
            // Sequence numbers run from 1 to 0x7FFFFFFF (3.2).
            self.sequence = self.sequence % 0x7FFF_FFFF + 1;
            if let Some(owed) = self.owed.pop_front() {
                put_receipt(owed.id, (&owed.from, &owed.to), self.sequence, at_ns, out);
            } else if self.delivering.mo || self.mo_due > 0 {
                self.mo_due = self.mo_due.saturating_sub(1);
                put_mo(self.ids.fetch_add(1, Relaxed), self.sequence, at_ns, out);
            } else {
                break;
            }
            self.undelivered += 1;
        }
        let delivered = (self.undelivered - before) as u64;
        self.counts.delivered.fetch_add(delivered, Relaxed);
    }
}

impl Answers for Connection {
    fn on_bytes(&mut self, input: &mut BytesMut, out: &mut BytesMut) -> Flow {
        let mut rest = &input[..];
        let mut flow = Flow::Open;
        let (mut submits, mut taken, mut refused) = (0, 0, 0);
        loop {
            let pdu = match Pdu::split(rest) {
                Ok(Some((pdu, behind))) => {
                    rest = behind;
                    pdu
                }
                Ok(None) => break,
                Err(NoPdu) => {
                    flow = Flow::Close;
                    break;
                }
            };
            match pdu.asked() {
                Asked::Submit => {
                    self.on_submit(&pdu, out);
                    submits += 1;
                }
                Asked::Delivered { is_taken: true } => taken += 1,
                Asked::Delivered { is_taken: false } => refused += 1,
                Asked::Nothing => {}
                Asked::Answer => {
                    pdu.answer(out);
                    self.is_bound = true;
                }
                Asked::Unbind => {
                    pdu.answer(out);
                    flow = Flow::Close;
                    break;
                }
            }
        }
        let read = input.len() - rest.len();
        input.advance(read);
        self.on_submits(submits);
        if taken + refused > 0 {
            self.counts.taken.fetch_add(taken, Relaxed);
            self.counts.refused.fetch_add(refused, Relaxed);
            self.undelivered = self.undelivered.saturating_sub((taken + refused) as usize);
        }
        if self.delivering.window > 0 {
            self.deliver(out);
            self.release(out);
        }
        flow
    }

    fn on_begin(&mut self, delivers: bool, out: &mut BytesMut) {
        self.delivers = delivers;
        self.deliver(out);
    }
}
