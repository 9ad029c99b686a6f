//! The messages and operations that are on their way, until each has its end.
//!
//! A flight keeps what its message was, because a request that one SMSC did not take may go to
//! another. The table needs no limit of its own: a flight is a request in flight of an upstream
//! service, and those are limited (`in_flight_max`). It decides nothing.

use std::{
    hint::black_box,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use bytes::Bytes;
use slab::Slab;

use super::{
    failover::{self, Situation, Verdict},
    late::Unanswered,
    parts::{self, Parts},
};
use crate::{
    client::ClientName,
    link::{Lane, TicketNumber},
    message::{Message, MessageOutcome, MessageResult, TrafficClass},
    outbox::Reply,
    outcome::Reason,
    receipts::OnItsWay,
    requests::IdHandle,
    route::Plan,
};

/// A request on its way. It changes hands often, so it stands in a box from the start.
pub(super) struct Flight {
    /// Whom to tell.
    pub(super) reply: Reply<MessageOutcome>,
    /// What has not been dispatched by then is not sent.
    pub(super) deadline: Instant,
    /// The deadline is the end of the message's validity.
    ends_with_validity: bool,
    /// What it is.
    pub(super) errand: Errand,
    /// SMSCs that it was given to.
    pub(super) attempts: u8,
    /// The SMSCs that it may still be given to; `None` before a route is chosen, and for an
    /// operation.
    pub(super) plan: Option<Plan>,
    /// An SMSC that may have it although another one was tried after it, and why.
    pub(super) doubt: Option<Box<(Arc<str>, MessageResult)>>,
    /// Messages on the air that it makes.
    pub(super) cost: u8,
    /// Has receipts held that may be its own; `None` if it wants none.
    pub(super) on_its_way: Option<OnItsWay>,
    /// Tells it from flights that had its place in the table before.
    generation: u32,
    /// How many PDUs it has now, and how they ended.
    progress: Progress,
}

/// What a flight carries.
pub(super) enum Errand {
    /// A message.
    Message(Submission),
    /// query_sm, cancel_sm or replace_sm, which belong to one SMSC.
    Operation,
}

/// A message that was submitted, and by whom.
pub(super) struct Submission {
    /// Who asked.
    pub(super) client: ClientName,
    /// Where its PDUs wait.
    pub(super) lane: Lane,
    /// The caller's id.
    pub(super) id: Arc<str>,
    /// The message.
    pub(super) message: Box<Message>,
    /// What the parts of this message have in common.
    pub(super) reference: u16,
    /// Its place among the request ids, which is owed the outcome.
    pub(super) id_handle: IdHandle,
}

enum Progress {
    Whole,
    /// Boxed, because it is rare.
    Parts(Box<Parts>),
}

impl Flight {
    /// A request that no SMSC was given yet.
    pub(super) fn new(
        reply: Reply<MessageOutcome>,
        deadline: Instant,
        errand: Errand,
    ) -> Box<Self> {
        Box::new(Self {
            reply,
            deadline,
            ends_with_validity: false,
            errand,
            attempts: 0,
            plan: None,
            doubt: None,
            cost: 1,
            on_its_way: None,
            generation: 0,
            progress: Progress::Whole,
        })
    }

    /// A message is not sent once its validity has passed, counted from `received`.
    pub(super) fn while_valid(mut self: Box<Self>, received: Instant) -> Box<Self> {
        let Some(end) = self
            .validity()
            .and_then(|validity| received.checked_add(validity))
        else {
            return self;
        };
        if end < self.deadline {
            self.deadline = end;
            self.ends_with_validity = true;
        }
        self
    }

    fn validity(&self) -> Option<Duration> {
        match &self.errand {
            Errand::Message(own) if own.message.validity_s > 0 => {
                Some(Duration::from_secs(own.message.validity_s.into()))
            }
            _ => None,
        }
    }

    /// Tells a validity that has passed from the caller's own deadline.
    fn explain(&self, result: MessageResult) -> MessageResult {
        let passed = match &result {
            MessageResult::NotSent {
                reason: Reason::Deadline,
                ..
            } if self.ends_with_validity => self.validity(),
            _ => None,
        };
        match passed {
            None => result,
            Some(validity) => MessageResult::NotSent {
                reason: Reason::Deadline,
                detail: format!(
                    "validity_s: its {} s passed while it waited to be sent; the subscriber would \
                     get it too late",
                    validity.as_secs()
                ),
            },
        }
    }

    /// It is given to a further SMSC in so many PDUs.
    pub(super) fn depart(&mut self, pdus: usize) {
        self.attempts = self.attempts.saturating_add(1);
        self.progress = match pdus {
            0 | 1 => Progress::Whole,
            count => Progress::Parts(Box::new(Parts::new(count))),
        };
    }

    /// Whether its caller awaits receipts.
    pub(super) fn wants_receipts(&self) -> bool {
        matches!(&self.errand, Errand::Message(own) if own.message.receipt)
    }

    /// What is to be remembered of it and its generation, if it wants receipts and the SMSC may still
    /// answer, `result` being its end.
    pub(super) fn unanswered(&self, result: &MessageResult) -> Option<(u32, Unanswered)> {
        let Errand::Message(own) = &self.errand else {
            return None;
        };
        let has_timed_out = match &self.progress {
            Progress::Whole => parts::has_timed_out(result),
            Progress::Parts(parts) => parts.ends().iter().any(parts::has_timed_out),
        };
        if !own.message.receipt || !has_timed_out {
            return None;
        }
        let mut message_ids = self.parts_accepted();
        message_ids.resize(self.pdus().into(), Bytes::new());
        let unanswered = Unanswered {
            client: own.client.clone(),
            id: Arc::clone(&own.id),
            destination: own.message.destination.addr,
            message_ids,
        };
        Some((self.generation, unanswered))
    }

    /// Where its PDUs wait.
    pub(super) fn lane(&self) -> Lane {
        match &self.errand {
            Errand::Message(own) => own.lane,
            // An operator's or a service's single question: one line for all of them.
            Errand::Operation => Lane::of(TrafficClass::Normal, ""),
        }
    }

    /// Where its outcome is to be kept; operations have no such place.
    pub(super) fn id_handle(&self) -> Option<IdHandle> {
        match &self.errand {
            Errand::Message(submission) => Some(submission.id_handle),
            Errand::Operation => None,
        }
    }

    /// The number of PDUs; at least one.
    pub(super) fn pdus(&self) -> u8 {
        match &self.progress {
            Progress::Whole => 1,
            Progress::Parts(parts) => u8::try_from(parts.count()).unwrap_or(u8::MAX),
        }
    }

    /// The ids of the parts that the SMSC has accepted, as [`Parts::accepted`] gives them.
    pub(super) fn parts_accepted(&self) -> Vec<Bytes> {
        match &self.progress {
            Progress::Whole => Vec::new(),
            Progress::Parts(parts) => parts.accepted(),
        }
    }

    /// What follows from its end at an SMSC.
    pub(super) fn verdict(&self, result: &MessageResult, situation: Situation<'_>) -> Verdict {
        match &self.progress {
            Progress::Whole => failover::decide(std::iter::once(result), situation),
            Progress::Parts(parts) => failover::decide(parts.ends().iter(), situation),
        }
    }

    /// What the SMSC did not take is given to it again: the indices of those PDUs.
    pub(super) fn reopen(&mut self) -> Vec<usize> {
        match &mut self.progress {
            Progress::Whole => vec![0],
            Progress::Parts(parts) => parts.reopen(),
        }
    }

    fn conclude(&mut self, part: usize, result: MessageResult) -> Option<MessageResult> {
        match &mut self.progress {
            Progress::Whole => Some(result),
            Progress::Parts(parts) => parts.conclude(part, result),
        }
    }
}

/// All of them.
#[derive(Default)]
pub(super) struct Flights(Mutex<Table>);

#[derive(Default)]
struct Table {
    flights: Slab<Box<Flight>>,
    /// Begins anew after 4 billion flights. At a million a second that is an hour later than the links
    /// have forgotten those that had the numbers before.
    next_generation: u32,
}

impl Flights {
    /// Opens the table for a batch.
    pub(super) fn open(&self) -> Open<'_> {
        // Every change leaves the table whole, so a panic elsewhere does not spoil it.
        Open(self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The table, locked for a batch.
pub(super) struct Open<'a>(MutexGuard<'a, Table>);

/// Parts are told apart by the low bits of a ticket's place; a message has at most 255.
const PART_BITS: u32 = 8;

/// The place in the table, and the part.
fn place_and_part(number: TicketNumber) -> Option<(usize, usize)> {
    let place = usize::try_from(number.place >> PART_BITS).ok()?;
    Some((place, part(number)))
}

/// Which part of its message a ticket is for.
pub(super) fn part(number: TicketNumber) -> usize {
    (number.place & ((1 << PART_BITS) - 1)) as usize
}

impl Open<'_> {
    /// Takes the flight of a single PDU in, and gives its ticket number.
    pub(super) fn insert_whole(&mut self, flight: Box<Flight>) -> TicketNumber {
        let (place, generation) = self.take_place(flight);
        TicketNumber { place, generation }
    }

    /// Takes a flight in, and gives the ticket numbers of its parts, in their order.
    pub(super) fn insert(
        &mut self,
        flight: Box<Flight>,
    ) -> impl Iterator<Item = TicketNumber> + use<> {
        let parts = 0..usize::from(flight.pdus());
        self.insert_parts(flight, parts)
    }

    /// Takes a flight in of which only some parts are open, and gives their ticket numbers.
    pub(super) fn insert_parts<I: IntoIterator<Item = usize>>(
        &mut self,
        flight: Box<Flight>,
        parts: I,
    ) -> impl Iterator<Item = TicketNumber> + use<I> {
        let (place, generation) = self.take_place(flight);
        parts.into_iter().map(move |part| TicketNumber {
            place: place | part as u64,
            generation,
        })
    }

    /// The ticket's place of its first part, and its generation.
    fn take_place(&mut self, mut flight: Box<Flight>) -> (u64, u32) {
        let table = &mut *self.0;
        let generation = table.next_generation;
        table.next_generation = generation.wrapping_add(1);
        flight.generation = generation;
        let place = (table.flights.insert(flight) as u64) << PART_BITS;
        (place, generation)
    }

    /// Looks at flights that are about to be [concluded](Self::conclude). One after the other they would
    /// each wait for memory; here they wait together.
    pub(super) fn look_ahead(&self, numbers: impl Iterator<Item = TicketNumber>) {
        let flights = &self.0.flights;
        let places = numbers.filter_map(place_and_part);
        let flights = places.filter_map(|(place, _)| flights.get(place));
        black_box(flights.fold(0, |all, flight| all | flight.generation));
    }

    /// A request has ended, or one part of it. Gives the flight and its end if that was the last.
    pub(super) fn conclude(
        &mut self,
        number: TicketNumber,
        result: MessageResult,
    ) -> Option<(Box<Flight>, MessageResult)> {
        let (place, part) = place_and_part(number)?;
        let end = self.get_mut(number)?.conclude(part, result)?;
        let flight = self.0.flights.try_remove(place)?;
        let end = flight.explain(end);
        Some((flight, end))
    }

    /// A part that had timed out was answered while others are still on their way; nothing was told yet.
    /// False if that is not so.
    pub(super) fn answer_late(&mut self, number: TicketNumber, result: &MessageResult) -> bool {
        let flight = self.get_mut(number);
        match flight.map(|flight| &mut flight.progress) {
            Some(Progress::Parts(parts)) => parts.answer_late(part(number), result.clone()),
            Some(Progress::Whole) | None => false,
        }
    }

    fn get_mut(&mut self, number: TicketNumber) -> Option<&mut Flight> {
        let (place, _) = place_and_part(number)?;
        let flight = self.0.flights.get_mut(place)?;
        // Another one may have the place by now.
        (flight.generation == number.generation).then_some(flight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        message::{Acceptance, Body},
        outbox::Outbox,
        smpp::Address,
    };

    /// A message that is valid for so long and has a deadline in 60 s.
    fn flight(validity_s: u32, now: Instant) -> Box<Flight> {
        let address = Address::international("84981234567").unwrap();
        let message = Message {
            validity_s,
            ..Message::new(address, Body::text("hello"))
        };
        let submission = Submission {
            client: ClientName::parse("shop").unwrap(),
            lane: Lane::ONLY,
            id: "1".into(),
            message: Box::new(message),
            reference: 0,
            id_handle: IdHandle::for_tests(),
        };
        let errand = Errand::Message(submission);
        let deadline = now + Duration::from_secs(60);
        Flight::new(Outbox::new().reply(1), deadline, errand).while_valid(now)
    }

    /// The detail that the caller gets when the link says that the deadline passed.
    fn detail(flight: Box<Flight>) -> String {
        let flights = Flights::default();
        let mut open = flights.open();
        let number = open.insert(flight).next().unwrap();
        let refused = MessageResult::NotSent {
            reason: Reason::Deadline,
            detail: "the deadline passed".into(),
        };
        match open.conclude(number, refused).unwrap().1 {
            MessageResult::NotSent {
                reason: Reason::Deadline,
                detail,
            } => detail,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_message_whose_validity_passes_before_its_deadline_is_not_sent_and_told_so() {
        let now = Instant::now();
        let short = flight(30, now);
        assert_eq!(short.deadline, now + Duration::from_secs(30));
        let detail = detail(short);
        assert!(detail.starts_with("validity_s: its 30 s"), "{detail}");
    }

    #[test]
    fn a_longer_validity_or_none_leaves_the_callers_deadline_and_its_words() {
        let now = Instant::now();
        for validity_s in [0, 61, u32::MAX] {
            let flight = flight(validity_s, now);
            assert_eq!(flight.deadline, now + Duration::from_secs(60));
            assert_eq!(detail(flight), "the deadline passed");
        }
    }

    fn timeout() -> MessageResult {
        MessageResult::Unknown {
            reason: Reason::Timeout,
            detail: String::new(),
        }
    }

    fn accepted(id: &'static str) -> MessageResult {
        MessageResult::Accepted(Acceptance::Id(Bytes::from_static(id.as_bytes())))
    }

    fn with_receipts(parts: usize) -> Box<Flight> {
        let mut flight = flight(0, Instant::now());
        if let Errand::Message(own) = &mut flight.errand {
            own.message.receipt = true;
        }
        flight.depart(parts);
        flight
    }

    #[test]
    fn a_late_answer_meets_no_other_flight_that_has_the_place_by_now() {
        let flights = Flights::default();
        let mut open = flights.open();
        let first: Vec<_> = open.insert(with_receipts(2)).collect();
        for number in &first {
            open.conclude(*number, timeout());
        }
        let second: Vec<_> = open.insert(with_receipts(2)).collect();
        assert_eq!(second[0].place, first[0].place, "the place is the same");
        open.conclude(second[0], timeout());
        assert!(!open.answer_late(first[0], &accepted("a")));
        assert!(open.conclude(first[1], accepted("b")).is_none());
        let (flight, _) = open.conclude(second[1], timeout()).unwrap();
        assert_eq!(flight.parts_accepted(), [""; 0]);
    }

    #[test]
    fn of_a_message_that_timed_out_its_request_and_the_ids_that_it_has_are_remembered() {
        let flights = Flights::default();
        let mut open = flights.open();
        let numbers: Vec<_> = open.insert(with_receipts(3)).collect();
        open.conclude(numbers[0], accepted("a"));
        open.conclude(numbers[1], timeout());
        let (flight, result) = open.conclude(numbers[2], timeout()).unwrap();
        let (generation, unanswered) = flight.unanswered(&result).unwrap();
        assert_eq!(generation, numbers[0].generation);
        assert_eq!(&*unanswered.id, "1");
        assert_eq!(unanswered.message_ids, ["a", "", ""]);
    }

    #[test]
    fn what_was_answered_or_wants_no_receipt_is_not_remembered() {
        let flights = Flights::default();
        let mut open = flights.open();
        let mut end = |flight, end| {
            let number = open.insert(flight).next().unwrap();
            let (flight, result) = open.conclude(number, end).unwrap();
            flight.unanswered(&result).is_some()
        };
        let lost = MessageResult::Unknown {
            reason: Reason::LinkLost,
            detail: String::new(),
        };
        assert!(end(with_receipts(1), timeout()));
        assert!(!end(with_receipts(1), accepted("a")));
        assert!(!end(with_receipts(1), lost));
        assert!(!end(flight(0, Instant::now()), timeout()));
    }
}
