//! One connection of the SMSC: binding, unbinding, enquiring. What a message does is `submit`'s
//! affair, receipts and MO are `outgoing`'s.
//!
//! ```text
//! Open ──bind──► Bound ──unbind, either side──► Unbinding ──► closed
//! ```

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::sync::Notify;

use super::behaviour::{Accounts, Live};
use super::books::{BindBook, BindKind, SmscBooks};
use super::codes::{RESPONSE, command, status, tag};
use super::delivery::Deliveries;
use super::outgoing::Sent;
use super::wire::{self, Header};
use super::{SessionHandle, Shared, UNADDRESSED};
use crate::locked;
use crate::serve::{Flow, Outbox, Peer};

/// The interface version that bind responses name: 3.4 (5.2.4).
const INTERFACE_VERSION: u8 = 0x34;

pub(super) enum State {
    Open,
    Bound(Bound),
    /// Our unbind waits for its answer.
    Unbinding(Bound),
}

/// A bind that stands.
pub(super) struct Bound {
    pub(super) index: usize,
    pub(super) kind: BindKind,
    pub(super) deliveries: Arc<Deliveries>,
}

/// One connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    handle: Arc<SessionHandle>,
    pub(super) state: State,
    sequence: u32,
    pub(super) in_flight: VecDeque<Sent>,
    heard_at: Instant,
    enquired: bool,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, wake: Arc<Notify>) -> Self {
        let handle = Arc::new(SessionHandle {
            wake,
            unbind: AtomicBool::new(false),
        });
        locked(&shared.sessions).push(Arc::clone(&handle));
        locked(&shared.books).totals.connections += 1;
        Self {
            shared,
            handle,
            state: State::Open,
            sequence: 0,
            in_flight: VecDeque::new(),
            heard_at: Instant::now(),
            enquired: false,
        }
    }

    pub(super) fn bound(&self) -> Option<&Bound> {
        match &self.state {
            State::Bound(bound) | State::Unbinding(bound) => Some(bound),
            State::Open => None,
        }
    }

    pub(super) fn wrong(&self, books: &mut SmscBooks, command: u32, what: &'static str) {
        books.wrong(self.bound().map(|bound| bound.index), command, what);
    }

    pub(super) fn next_sequence(&mut self) -> u32 {
        self.sequence = if self.sequence >= 0x7FFF_FFFF {
            1
        } else {
            self.sequence + 1
        };
        self.sequence
    }

    fn on_pdu(&mut self, turn: &mut Turn<'_>, header: Header, body: &[u8]) -> Flow {
        let Header {
            command, sequence, ..
        } = header;
        if command & RESPONSE != 0 {
            return self.on_response(turn, header);
        }
        if !(1..=0x7FFF_FFFF).contains(&sequence) {
            self.wrong(turn.books, command, "sequence_number out of range");
        }
        let answer = command | RESPONSE;
        match command {
            command::BIND_TRANSMITTER => {
                self.on_bind(turn, header, body, BindKind::Transmitter);
            }
            command::BIND_RECEIVER => self.on_bind(turn, header, body, BindKind::Receiver),
            command::BIND_TRANSCEIVER => {
                self.on_bind(turn, header, body, BindKind::Transceiver);
            }
            command::ENQUIRE_LINK => {
                turn.books.totals.enquired += 1;
                if !turn.live.behaviour.ignore_enquire_link {
                    wire::put_header(turn.out.ready(), answer, status::ROK, sequence);
                }
            }
            command::UNBIND => return self.on_unbind(turn, sequence),
            command::SUBMIT_SM | command::SUBMIT_MULTI | command::DATA_SM => {
                return self.on_submission(turn, header, body);
            }
            command::QUERY_SM => self.on_query(turn, header, body),
            command::CANCEL_SM => self.on_cancel(turn, header, body),
            command::REPLACE_SM => self.on_replace(turn, header, body),
            _ => {
                self.wrong(turn.books, command, "unknown command_id");
                let nack = command::GENERIC_NACK;
                wire::put_header(turn.out.ready(), nack, status::RINVCMDID, sequence);
            }
        }
        Flow::Open
    }

    fn on_bind(&mut self, turn: &mut Turn<'_>, header: Header, body: &[u8], kind: BindKind) {
        let answer = header.command | RESPONSE;
        let (system_id, version) = match self.admit(turn, body) {
            Ok(admitted) => admitted,
            Err(refusal) => {
                turn.books.totals.binds_refused += 1;
                return wire::put_header(turn.out.ready(), answer, refusal, header.sequence);
            }
        };
        let deliveries = self.shared.deliveries(&system_id);
        if kind.receives() {
            self.claim_unaddressed(turn.now, &deliveries);
            deliveries.join(&self.handle.wake);
        }
        turn.books.binds.push(BindBook {
            system_id,
            kind,
            interface_version: version,
            open: true,
            submitted: 0,
            accepted: 0,
            delivered: 0,
        });
        self.state = State::Bound(Bound {
            index: turn.books.binds.len() - 1,
            kind,
            deliveries,
        });
        wire::put_pdu(
            turn.out.ready(),
            answer,
            status::ROK,
            header.sequence,
            |out| {
                wire::put_c_octets(out, b"SIMULATOR");
                wire::put_tlv(out, tag::SC_INTERFACE_VERSION, &[INTERFACE_VERSION]);
            },
        );
    }

    /// Gives MO that were injected before anybody had bound to the first account that receives.
    fn claim_unaddressed(&self, now: Instant, deliveries: &Deliveries) {
        let unaddressed = self.shared.deliveries(UNADDRESSED);
        while let Some(delivery) = unaddressed.pop_due(now) {
            if let Err(mut refused) = deliveries.push(now, delivery) {
                refused.tell();
            }
        }
    }

    /// The system_id and version of a bind that may stand, or the status that refuses it.
    fn admit(&self, turn: &mut Turn<'_>, body: &[u8]) -> Result<(String, u8), u32> {
        if self.bound().is_some() {
            return Err(status::RALYBND);
        }
        let bind = wire::read_bind(body).map_err(|malformed| {
            self.wrong(turn.books, command::BIND_TRANSCEIVER, malformed.what);
            malformed.status
        })?;
        let behaviour = &turn.live.behaviour;
        if let Some(refusal) = behaviour.refuse_binds {
            return Err(refusal);
        }
        let system_id = String::from_utf8_lossy(bind.system_id).into_owned();
        if let Accounts::Listed(listed) = &behaviour.accounts {
            let account = listed.iter().find(|account| account.system_id == system_id);
            let account = account.ok_or(status::RINVSYSID)?;
            if account.password.as_bytes() != bind.password {
                return Err(status::RINVPASWD);
            }
        }
        let standing = || {
            turn.books
                .binds
                .iter()
                .filter(|b| b.open && b.system_id == system_id)
        };
        if behaviour
            .binds_max
            .is_some_and(|max| standing().count() >= max)
        {
            return Err(status::RALYBND);
        }
        Ok((system_id, bind.interface_version))
    }

    fn on_unbind(&mut self, turn: &mut Turn<'_>, sequence: u32) -> Flow {
        let answer = command::UNBIND | RESPONSE;
        if self.bound().is_none() {
            self.wrong(turn.books, command::UNBIND, "unbind without a bind");
            wire::put_header(turn.out.ready(), answer, status::RINVBNDSTS, sequence);
            return Flow::Open;
        }
        wire::put_header(turn.out.ready(), answer, status::ROK, sequence);
        self.leave(turn.books);
        Flow::Close
    }

    fn on_response(&mut self, turn: &mut Turn<'_>, header: Header) -> Flow {
        match header.command {
            answer if answer == command::ENQUIRE_LINK | RESPONSE => {}
            answer if answer == command::UNBIND | RESPONSE => {
                if matches!(self.state, State::Unbinding(_)) {
                    self.leave(turn.books);
                    return Flow::Close;
                }
                self.wrong(turn.books, answer, "a response that answers nothing");
            }
            answer => {
                let fits =
                    answer == command::DELIVER_SM | RESPONSE || answer == command::GENERIC_NACK;
                let sent = self
                    .in_flight
                    .iter()
                    .position(|sent| sent.sequence == header.sequence);
                match sent
                    .filter(|_| fits)
                    .and_then(|at| self.in_flight.remove(at))
                {
                    Some(sent) => self.on_acknowledged(turn, sent.delivery, header.status),
                    None => self.wrong(turn.books, answer, "a response that answers nothing"),
                }
            }
        }
        Flow::Open
    }

    /// Enquires after a silent link; closes one that stays silent.
    fn enquire(&mut self, turn: &mut Turn<'_>) -> Flow {
        let Some(due) = self.enquire_due(turn.live) else {
            return Flow::Open;
        };
        if due > turn.now {
            return Flow::Open;
        }
        if self.enquired {
            self.wrong(
                turn.books,
                command::ENQUIRE_LINK,
                "enquire_link was not answered",
            );
            return Flow::Close;
        }
        self.enquired = true;
        let sequence = self.next_sequence();
        wire::put_header(turn.out.ready(), command::ENQUIRE_LINK, 0, sequence);
        Flow::Open
    }

    fn enquire_due(&self, live: &Live) -> Option<Instant> {
        self.bound()?;
        let period = Duration::from_millis(live.behaviour.enquire_link_ms?);
        Some(self.heard_at + period * (1 + u32::from(self.enquired)))
    }

    /// Sends our unbind when the simulator wants it.
    fn unbind_if_asked(&mut self, turn: &mut Turn<'_>) -> Flow {
        if !self.handle.unbind.swap(false, Ordering::Relaxed) {
            return Flow::Open;
        }
        match std::mem::replace(&mut self.state, State::Open) {
            // Nothing to unbind from: the connection just ends.
            State::Open => return Flow::Close,
            State::Bound(bound) | State::Unbinding(bound) => self.state = State::Unbinding(bound),
        }
        let sequence = self.next_sequence();
        wire::put_header(turn.out.ready(), command::UNBIND, 0, sequence);
        Flow::Open
    }

    /// Ends the bind: what it had in flight waits for another one.
    pub(super) fn leave(&mut self, books: &mut SmscBooks) {
        let (State::Bound(bound) | State::Unbinding(bound)) =
            std::mem::replace(&mut self.state, State::Open)
        else {
            return;
        };
        bound.deliveries.leave(&self.handle.wake);
        if let Some(book) = books.bind_mut(bound.index) {
            book.open = false;
        }
        let now = Instant::now();
        for mut sent in self.in_flight.drain(..) {
            sent.delivery.unanswered += 1;
            if let Err(mut refused) = bound.deliveries.push(now, sent.delivery) {
                refused.tell();
            }
        }
    }
}

/// What one turn of a session works with. The books are locked once for all PDUs of a read.
pub(super) struct Turn<'a> {
    pub(super) now: Instant,
    pub(super) live: &'a Live,
    pub(super) books: &'a mut SmscBooks,
    pub(super) out: &'a mut Outbox,
}

impl Peer for Session {
    fn on_bytes(&mut self, input: &mut BytesMut, now: Instant, out: &mut Outbox) -> Flow {
        self.heard_at = now;
        self.enquired = false;
        let shared = Arc::clone(&self.shared);
        let live = shared.live();
        if live.behaviour.black_hole {
            input.clear();
            return Flow::Open;
        }
        let mut books = locked(&shared.books);
        let mut turn = Turn {
            now,
            live: &live,
            books: &mut books,
            out,
        };
        let mut used = 0;
        let mut flow = Flow::Open;
        while flow == Flow::Open {
            match wire::frame(input.get(used..).unwrap_or_default()) {
                Ok(None) => break,
                Ok(Some((header, body))) => {
                    used += wire::HEADER_BYTES + body.len();
                    flow = self.on_pdu(&mut turn, header, body);
                }
                Err(malformed) => {
                    self.wrong(turn.books, 0, malformed.what);
                    let nack = command::GENERIC_NACK;
                    wire::put_header(turn.out.ready(), nack, malformed.status, 0);
                    flow = Flow::Close;
                }
            }
        }
        input.advance(used);
        if flow == Flow::Open {
            self.deliver(&mut turn);
        }
        flow
    }

    fn on_wake(&mut self, now: Instant, out: &mut Outbox) -> Flow {
        let shared = Arc::clone(&self.shared);
        let live = shared.live();
        if live.behaviour.black_hole {
            return Flow::Open;
        }
        let mut books = locked(&shared.books);
        let mut turn = Turn {
            now,
            live: &live,
            books: &mut books,
            out,
        };
        self.expire(&mut turn);
        self.deliver(&mut turn);
        match self.unbind_if_asked(&mut turn) {
            Flow::Open => self.enquire(&mut turn),
            Flow::Close => Flow::Close,
        }
    }

    fn next_wake(&self) -> Option<Instant> {
        let live = self.shared.live();
        if live.behaviour.black_hole {
            return None;
        }
        let room = self.in_flight.len() < live.behaviour.delivering.window;
        let deliver = self
            .receiving()
            .filter(|_| room)
            .and_then(|b| b.deliveries.next_due());
        let expire = self.in_flight.front().map(|sent| sent.deadline);
        [deliver, expire, self.enquire_due(&live)]
            .into_iter()
            .flatten()
            .min()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let shared = Arc::clone(&self.shared);
        self.leave(&mut locked(&shared.books));
        locked(&shared.sessions).retain(|other| !Arc::ptr_eq(other, &self.handle));
    }
}
