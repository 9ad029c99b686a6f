//! Receipts and MO on one bind: sending what is due as far as the window allows, and judging the
//! responses. What still waits belongs to the account, so that another bind can take it over.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::books::{DeliveryBook, SmscBooks};
use super::codes::{command, status};
use super::delivery::Delivery;
use super::session::{Bound, Session, State, Turn};
use super::wire;

/// Deliveries taken in one turn, so that answers to submissions are not held up by them.
const DELIVERIES_PER_TURN: usize = 64;
/// A delivery that waits for its deliver_sm_resp.
pub(super) struct Sent {
    pub(super) sequence: u32,
    pub(super) deadline: Instant,
    pub(super) delivery: Delivery,
}

impl Session {
    /// A deliver_sm_resp came: the delivery ends, or waits to be sent again.
    pub(super) fn on_acknowledged(
        &mut self,
        turn: &mut Turn<'_>,
        mut delivery: Delivery,
        given: u32,
    ) {
        delivery.status = Some(given);
        let temporary = [
            status::RX_T_APPN,
            status::RMSGQFUL,
            status::RTHROTTLED,
            status::RSYSERR,
        ];
        let how = &turn.live.behaviour.delivering;
        if temporary.contains(&given) && delivery.attempts < how.attempts_max {
            let again = turn.now + Duration::from_millis(how.retry_ms);
            self.put_back(turn.books, again, delivery);
        } else {
            self.delivery_ended(turn.books, delivery);
        }
    }

    fn put_back(&self, books: &mut SmscBooks, due: Instant, delivery: Delivery) {
        let Some(bound) = self.bound() else { return };
        if let Err(refused) = bound.deliveries.push(due, delivery) {
            self.delivery_ended(books, *refused);
        }
    }

    /// Enters the end of a delivery.
    pub(super) fn delivery_ended(&self, books: &mut SmscBooks, mut delivery: Delivery) {
        let bind = self.bound().map_or(0, |bound| bound.index);
        let (attempts, status) = (delivery.attempts, delivery.status);
        let ended = DeliveryBook {
            what: delivery.what(),
            bind,
            attempts,
            status,
        };
        books.delivery_ended(self.shared.keeping, ended);
        delivery.tell();
    }

    /// Sends what is due, as far as the window allows.
    pub(super) fn deliver(&mut self, turn: &mut Turn<'_>) {
        let live = turn.live;
        let how = &live.behaviour.delivering;
        for _ in 0..DELIVERIES_PER_TURN {
            let Some(bound) = self.receiving() else {
                return;
            };
            let (index, deliveries) = (bound.index, Arc::clone(&bound.deliveries));
            if self.in_flight.len() >= how.window {
                return;
            }
            let Some(mut delivery) = deliveries.pop_due(turn.now) else {
                return;
            };
            turn.books.totals.deliveries_repeated += u64::from(delivery.attempts > 0);
            delivery.attempts += 1;
            delivery.status = None;
            if let Some(book) = turn.books.bind_mut(index) {
                book.delivered += 1;
            }
            super::submit::settle_receipt(turn.books, &mut delivery, turn.now);
            let sequence = self.next_sequence();
            wire::put_pdu(turn.out.ready(), command::DELIVER_SM, 0, sequence, |out| {
                delivery.write(how, out);
            });
            let deadline = turn.now + Duration::from_millis(how.response_timeout_ms);
            self.in_flight.push_back(Sent {
                sequence,
                deadline,
                delivery,
            });
        }
    }

    /// The bind, if deliveries may be sent over it.
    pub(super) fn receiving(&self) -> Option<&Bound> {
        match &self.state {
            State::Bound(bound) if bound.kind.receives() => Some(bound),
            _ => None,
        }
    }

    /// Takes back deliveries whose response did not come in time.
    pub(super) fn expire(&mut self, turn: &mut Turn<'_>) {
        while self
            .in_flight
            .front()
            .is_some_and(|sent| sent.deadline <= turn.now)
        {
            let Some(mut sent) = self.in_flight.pop_front() else {
                return;
            };
            sent.delivery.unanswered += 1;
            if sent.delivery.attempts < turn.live.behaviour.delivering.attempts_max {
                self.put_back(turn.books, turn.now, sent.delivery);
            } else {
                self.delivery_ended(turn.books, sent.delivery);
            }
        }
    }
}
