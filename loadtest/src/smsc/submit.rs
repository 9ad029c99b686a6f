//! What the SMSC does with a message: accepts or refuses it, and answers query_sm, cancel_sm and
//! replace_sm truthfully from the books.

use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};

use super::books::{Body, Command, Entry, Message, MessageState, Settled, SmscBooks};
use super::codes::{RESPONSE, command, status};
use super::delivery::{Cargo, Delivery, Receipt};
use super::session::{Session, Turn};
use super::wire::{self, Header, Malformed, Named, Submission};
use crate::fault::When;
use crate::serve::Flow;
use crate::utc::Utc;

impl Session {
    /// Answers submit_sm, submit_multi and data_sm.
    pub(super) fn on_submission(
        &mut self,
        turn: &mut Turn<'_>,
        header: Header,
        body: &[u8],
    ) -> Flow {
        turn.books.totals.submitted += 1;
        let bind = match self.transmitting(turn, header.command) {
            Ok(bind) => bind,
            Err(refusal) => return self.refuse(turn, header, refusal),
        };
        if let Some(book) = turn.books.bind_mut(bind) {
            book.submitted += 1;
        }
        let (command, read) = match header.command {
            command::SUBMIT_SM => (Command::SubmitSm, wire::read_submit_sm(body)),
            command::SUBMIT_MULTI => (Command::SubmitMulti, wire::read_submit_multi(body)),
            _ => (Command::DataSm, wire::read_data_sm(body)),
        };
        let submission = match read {
            Ok(submission) => submission,
            Err(Malformed { status, what }) => {
                self.wrong(turn.books, header.command, what);
                return self.refuse(turn, header, status);
            }
        };
        self.decide(turn, header, command, bind, &submission)
    }

    /// Lets the faults strike, and accepts what none of them took.
    fn decide(
        &mut self,
        turn: &mut Turn<'_>,
        header: Header,
        command: Command,
        bind: usize,
        submission: &Submission<'_>,
    ) -> Flow {
        let live = turn.live;
        if live.throttle.strikes() {
            turn.books.totals.throttled += 1;
            return self.answer_error(turn, header, status::RTHROTTLED);
        }
        if let Some(refusal) = live.behaviour.refuse
            && live.refuse.strikes()
        {
            return self.refuse(turn, header, refusal.status);
        }
        let silent = live.silent.strikes();
        if silent {
            turn.books.totals.unanswered += 1;
            if !live.behaviour.silent_accepts {
                return Flow::Open;
            }
        }
        // Ids count the accepted messages, so an id is also a place in the full books.
        let number = turn.books.totals.accepted + 1;
        let message_id = live.behaviour.message_ids.write(number);
        let settled = if live.undeliverable.strikes() {
            Settled::Undeliverable
        } else {
            Settled::Delivered
        };
        let settles_at = turn.now + live.behaviour.delivering.delay.draw();
        let sequence = header.sequence;
        let answered = !silent;
        let message_id = message_id.as_str();
        let entry = Entry {
            message_id,
            command,
            bind,
            sequence,
            answered,
            settled,
            settles_at,
        };
        turn.books.accepted(self.shared.keeping, &entry, submission);
        self.promise_receipts(turn, number, &entry, submission);
        if silent {
            return Flow::Open;
        }
        self.answer_accepted(turn, header, message_id)
    }

    fn answer_accepted(&mut self, turn: &mut Turn<'_>, header: Header, message_id: &str) -> Flow {
        let write = |out: &mut BytesMut| {
            wire::put_pdu(
                out,
                header.command | RESPONSE,
                status::ROK,
                header.sequence,
                |out| {
                    wire::put_c_octets(out, message_id.as_bytes());
                    if header.command == command::SUBMIT_MULTI {
                        // no_unsuccess: every destination was taken (4.5.2).
                        out.put_u8(0);
                    }
                },
            );
        };
        if turn.live.disconnect.strikes() {
            turn.books.totals.disconnected += 1;
            let mut answer = BytesMut::new();
            write(&mut answer);
            answer.truncate(answer.len() / 2);
            turn.out.send(When::Now, |out| out.put_slice(&answer));
            return Flow::Close;
        }
        let (when, late) = turn.live.pace.draw(turn.now);
        turn.books.totals.late += u64::from(late);
        turn.out.send(when, write);
        Flow::Open
    }

    /// The index of the bind, if it may submit.
    fn transmitting(&self, turn: &mut Turn<'_>, command: u32) -> Result<usize, u32> {
        match self.bound() {
            Some(bound) if bound.kind.transmits() => Ok(bound.index),
            _ => {
                self.wrong(turn.books, command, "the session is not bound to transmit");
                Err(status::RINVBNDSTS)
            }
        }
    }

    fn refuse(&mut self, turn: &mut Turn<'_>, header: Header, refusal: u32) -> Flow {
        turn.books.totals.refused += 1;
        self.answer_error(turn, header, refusal)
    }

    fn answer_error(&mut self, turn: &mut Turn<'_>, header: Header, given: u32) -> Flow {
        let (when, late) = turn.live.pace.draw(turn.now);
        turn.books.totals.late += u64::from(late);
        let with_body = turn.live.behaviour.error_bodies;
        turn.out.send(when, |out| {
            wire::put_pdu(
                out,
                header.command | RESPONSE,
                given,
                header.sequence,
                |out| {
                    if with_body {
                        wire::put_c_octets(out, b"");
                    }
                },
            );
        });
        Flow::Open
    }

    /// Lets a receipt wait for each destination, where registered_delivery asks for it (5.2.17).
    fn promise_receipts(
        &self,
        turn: &mut Turn<'_>,
        number: u64,
        entry: &Entry<'_>,
        submission: &Submission<'_>,
    ) {
        let wanted = match submission.registered_delivery & 0x03 {
            1 => true,
            2 => entry.settled == Settled::Undeliverable,
            _ => false,
        };
        let Some(bound) = self.bound().filter(|_| wanted) else {
            return;
        };
        let submitted = Utc::now();
        let text = submission.payload.unwrap_or(submission.short_message);
        let quote = Receipt::quote_of(submission.data_coding, submission.esm_class, text);
        for dest in std::iter::once(&submission.dest).chain(&submission.more_dests) {
            turn.books.totals.receipts += 1;
            let receipt = Receipt {
                number,
                message_id: entry.message_id.to_owned(),
                source: submission.source,
                dest: *dest,
                submitted,
                state: match entry.settled {
                    Settled::Undeliverable => MessageState::Undeliverable,
                    _ => MessageState::Delivered,
                },
                quote: quote.clone(),
            };
            let delivery = Delivery::new(Cargo::Receipt(Box::new(receipt)));
            if let Err(refused) = bound.deliveries.push(entry.settles_at, delivery) {
                self.delivery_ended(turn.books, *refused);
            }
        }
    }

    /// Notes a body that could not be read, and gives the status to answer it with.
    fn refused_body(&self, turn: &mut Turn<'_>, header: Header, malformed: Malformed) -> u32 {
        self.wrong(turn.books, header.command, malformed.what);
        malformed.status
    }

    /// Answers query_sm (4.8).
    pub(super) fn on_query(&mut self, turn: &mut Turn<'_>, header: Header, body: &[u8]) {
        let found = self.transmitting(turn, header.command).and_then(|_| {
            let named = wire::read_query_sm(body)
                .map_err(|malformed| self.refused_body(turn, header, malformed))?;
            let now = turn.now;
            let message = find(turn, &named).ok_or(status::RQUERYFAIL)?;
            Ok((named.message_id, message.state(now)))
        });
        let answer = header.command | RESPONSE;
        match found {
            Err(refusal) => wire::put_header(turn.out.ready(), answer, refusal, header.sequence),
            Ok((message_id, state)) => {
                wire::put_pdu(
                    turn.out.ready(),
                    answer,
                    status::ROK,
                    header.sequence,
                    |out| {
                        wire::put_c_octets(out, message_id);
                        let done = match state {
                            MessageState::Enroute => String::new(),
                            _ => Utc::now().smpp_absolute(),
                        };
                        wire::put_c_octets(out, done.as_bytes());
                        out.put_u8(state as u8);
                        out.put_u8(u8::from(state == MessageState::Undeliverable));
                    },
                );
            }
        }
    }

    /// Answers cancel_sm (4.9): by id, or without one everything from the source to the destination.
    pub(super) fn on_cancel(&mut self, turn: &mut Turn<'_>, header: Header, body: &[u8]) {
        let done = self.transmitting(turn, header.command).and_then(|_| {
            let (named, dest) = wire::read_cancel_sm(body)
                .map_err(|malformed| self.refused_body(turn, header, malformed))?;
            let now = turn.now;
            let cancel = |message: &mut Message| {
                let enroute = message.state(now) == MessageState::Enroute;
                if enroute {
                    message.settled = Settled::Deleted;
                }
                enroute
            };
            let cancelled = if named.message_id.is_empty() {
                let between =
                    |m: &&mut Message| same(&m.source, &named.source) && same(&m.dest, &dest);
                turn.books
                    .messages
                    .iter_mut()
                    .filter(between)
                    .map(cancel)
                    .filter(|c| *c)
                    .count()
            } else {
                usize::from(find(turn, &named).is_some_and(cancel))
            };
            if cancelled > 0 {
                Ok(())
            } else {
                Err(status::RCANCELFAIL)
            }
        });
        let given = done.err().unwrap_or(status::ROK);
        wire::put_header(
            turn.out.ready(),
            header.command | RESPONSE,
            given,
            header.sequence,
        );
    }

    /// Answers replace_sm (4.10).
    pub(super) fn on_replace(&mut self, turn: &mut Turn<'_>, header: Header, body: &[u8]) {
        let done = self.transmitting(turn, header.command).and_then(|_| {
            let (named, text) = wire::read_replace_sm(body)
                .map_err(|malformed| self.refused_body(turn, header, malformed))?;
            let now = turn.now;
            let message = find(turn, &named)
                .filter(|message| message.state(now) == MessageState::Enroute)
                .ok_or(status::RREPLACEFAIL)?;
            message.short_message = Body(Bytes::copy_from_slice(text));
            message.replaced = true;
            Ok(())
        });
        let given = done.err().unwrap_or(status::ROK);
        wire::put_header(
            turn.out.ready(),
            header.command | RESPONSE,
            given,
            header.sequence,
        );
    }
}

/// The message that an ESME names, if its source matches.
fn find<'a>(turn: &'a mut Turn<'_>, named: &Named<'_>) -> Option<&'a mut Message> {
    let number = turn.live.behaviour.message_ids.read(named.message_id)?;
    let place = usize::try_from(number.checked_sub(1)?).ok()?;
    let message = turn.books.messages.get_mut(place)?;
    (message.message_id.as_bytes() == named.message_id && same(&message.source, &named.source))
        .then_some(message)
}

/// Addresses are one when their digits are: ESMEs often leave type and plan out when they query.
fn same(one: &wire::Address, other: &wire::Address) -> bool {
    one.digits() == other.digits()
}

/// Brings a receipt's state up to date before it is sent: its message may have been cancelled.
pub(super) fn settle_receipt(books: &SmscBooks, delivery: &mut Delivery, now: Instant) {
    if let Cargo::Receipt(receipt) = &mut delivery.cargo
        && let Some(place) = receipt
            .number
            .checked_sub(1)
            .and_then(|n| usize::try_from(n).ok())
        && let Some(message) = books.messages.get(place)
    {
        // A receipt is due when its message settles, so a hair's breadth early is still settled.
        receipt.state = message.state(now + Duration::from_millis(1));
    }
}
