//! How a link tells what became of the requests it was given.
//!
//! A job carries a [`Ticket`] instead of its caller's reply: the floor above keeps what it needs of
//! the request until the end, because an end may not be the last word (another SMSC may take it).
//! A ticket that is dropped by a fault of Sampan still tells its end. What is left of one that has timed
//! out, a [`LateTicket`], may tell the answer that comes after all, and owes nothing.

use std::{fmt, sync::Arc};

use crate::{message::MessageResult, outcome::Reason};

/// Who is told how requests ended.
pub trait Ends: Send + Sync + 'static {
    /// Stands for whoever is told in the end: what the same one is told may be told together.
    fn listener(&self) -> usize;

    /// Requests that went to this SMSC have ended. Called once per turn of a link, with all ends of
    /// the turn; takes them out of `ends`.
    fn ended(&self, smsc: &Arc<str>, ends: &mut Vec<(TicketNumber, MessageResult)>);

    /// Requests that had timed out, and were told so, were answered after all. What was told stands.
    /// Called as [`Ends::ended`] is, after it; takes the answers out of `answers`.
    fn answered_late(&self, smsc: &Arc<str>, answers: &mut Vec<(TicketNumber, MessageResult)>);

    /// A request has got lost, which is a fault of Sampan. It may have been sent.
    fn lost(&self, number: TicketNumber, result: MessageResult);
}

/// Which request of the floor above; it means nothing to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TicketNumber {
    /// Where that floor keeps the request until its end, and another one after it.
    pub place: u64,
    /// Tells the request from others that had this place lately, so that a late answer meets none of
    /// them.
    pub generation: u32,
}

/// The duty to tell the end of one request, once.
#[must_use = "a request is owed exactly one end"]
pub struct Ticket {
    ends: Option<Arc<dyn Ends>>,
    number: TicketNumber,
}

impl Ticket {
    /// The duty to tell `ends` about its request `number`.
    pub fn new(ends: Arc<dyn Ends>, number: TicketNumber) -> Self {
        Self {
            ends: Some(ends),
            number,
        }
    }

    /// What is left of it once its end, a timeout, is told; `None` if it was told before.
    pub(super) fn late(&self) -> Option<LateTicket> {
        Some(LateTicket {
            ends: Arc::clone(self.ends.as_ref()?),
            number: self.number,
        })
    }

    /// Takes the duty over: whoever calls this tells the end.
    pub fn redeem(mut self) -> TicketNumber {
        self.ends = None;
        self.number
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({:?})", self.number)
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if let Some(ends) = self.ends.take() {
            let result = MessageResult::Unknown {
                reason: Reason::Internal,
                detail: "Sampan lost track of the request; ask the SMSC before a retry".into(),
            };
            ends.lost(self.number, result);
        }
    }
}

/// The right to tell the answer to a request that has timed out, should one come.
pub(super) struct LateTicket {
    ends: Arc<dyn Ends>,
    number: TicketNumber,
}

/// The ends of one turn, and the answers that came late, told together.
pub(super) struct Gathered {
    smsc: Arc<str>,
    ends: Option<Arc<dyn Ends>>,
    told: Vec<(TicketNumber, MessageResult)>,
    late: Vec<(TicketNumber, MessageResult)>,
}

impl Gathered {
    pub(super) fn new(smsc: Arc<str>) -> Self {
        Self {
            smsc,
            ends: None,
            told: Vec::new(),
            late: Vec::new(),
        }
    }

    /// Adds an end; it is not told before [`Gathered::flush`].
    pub(super) fn push(&mut self, mut ticket: Ticket, result: MessageResult) {
        let Some(ends) = ticket.ends.take() else {
            return;
        };
        self.lead_to(ends);
        self.told.push((ticket.number, result));
    }

    /// Adds an answer that came late; it is not told before [`Gathered::flush`].
    pub(super) fn push_late(&mut self, ticket: LateTicket, result: MessageResult) {
        self.lead_to(ticket.ends);
        self.late.push((ticket.number, result));
    }

    /// All tickets of a router lead to one place; only tests have several.
    fn lead_to(&mut self, ends: Arc<dyn Ends>) {
        let is_other = |own: &Arc<dyn Ends>| own.listener() != ends.listener();
        if self.ends.as_ref().is_some_and(is_other) {
            self.flush();
        }
        self.ends = Some(ends);
    }

    /// Tells everything.
    pub(super) fn flush(&mut self) {
        let Some(ends) = self.ends.take() else {
            return;
        };
        // A request may have timed out and been answered in one turn.
        if !self.told.is_empty() {
            ends.ended(&self.smsc, &mut self.told);
        }
        if !self.late.is_empty() {
            ends.answered_late(&self.smsc, &mut self.late);
        }
        self.told.clear();
        self.late.clear();
    }
}

impl Drop for Gathered {
    fn drop(&mut self) {
        // What is known must be told, also when the link's task ends in the middle of a turn.
        self.flush();
    }
}

impl fmt::Debug for Gathered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gathered({})", self.told.len())
    }
}

/// The numbers and results that were told, for tests.
#[cfg(test)]
pub(crate) type Told = Vec<(TicketNumber, MessageResult)>;

/// Remembers what it is told, for tests.
#[cfg(test)]
#[derive(Default)]
pub(crate) struct Remembered(std::sync::Mutex<Told>, std::sync::Mutex<Told>);

#[cfg(test)]
impl Remembered {
    pub(crate) fn take(&self) -> Told {
        std::mem::take(&mut self.0.lock().unwrap())
    }

    pub(crate) fn take_late(&self) -> Told {
        std::mem::take(&mut self.1.lock().unwrap())
    }
}

#[cfg(test)]
impl TicketNumber {
    pub(crate) fn for_tests(place: u64) -> Self {
        let generation = 0;
        Self { place, generation }
    }
}

#[cfg(test)]
impl Ends for Remembered {
    fn listener(&self) -> usize {
        std::ptr::from_ref(self).addr()
    }

    fn ended(&self, _smsc: &Arc<str>, ends: &mut Told) {
        self.0.lock().unwrap().append(ends);
    }

    fn answered_late(&self, _smsc: &Arc<str>, answers: &mut Told) {
        self.1.lock().unwrap().append(answers);
    }

    fn lost(&self, number: TicketNumber, result: MessageResult) {
        self.0.lock().unwrap().push((number, result));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Acceptance;

    fn number(place: u64) -> TicketNumber {
        TicketNumber::for_tests(place)
    }

    fn ticket(ends: &Arc<Remembered>, number: u64) -> Ticket {
        let ends: Arc<dyn Ends> = Arc::<Remembered>::clone(ends);
        Ticket::new(ends, TicketNumber::for_tests(number))
    }

    fn done() -> MessageResult {
        MessageResult::Accepted(Acceptance::Done)
    }

    #[test]
    fn the_ends_of_a_turn_are_told_together_and_none_before_the_flush() {
        let ends = Arc::new(Remembered::default());
        let mut gathered = Gathered::new("one".into());
        gathered.push(ticket(&ends, 1), done());
        gathered.push(ticket(&ends, 2), done());
        assert_eq!(ends.take(), []);
        gathered.flush();
        assert_eq!(ends.take(), [(number(1), done()), (number(2), done())]);
    }

    #[test]
    fn ends_that_were_gathered_are_told_even_if_the_link_ends() {
        let ends = Arc::new(Remembered::default());
        let mut gathered = Gathered::new("one".into());
        gathered.push(ticket(&ends, 1), done());
        drop(gathered);
        assert_eq!(ends.take(), [(number(1), done())]);
    }

    #[test]
    fn a_ticket_that_is_dropped_tells_that_the_end_is_unknown() {
        let ends = Arc::new(Remembered::default());
        drop(ticket(&ends, 3));
        let told = ends.take();
        assert!(
            matches!(
                told[..],
                [(
                    TicketNumber { place: 3, .. },
                    MessageResult::Unknown {
                        reason: Reason::Internal,
                        ..
                    }
                )]
            ),
            "{told:?}"
        );
        let _number = ticket(&ends, 4).redeem();
        assert_eq!(ends.take(), []);
    }

    #[test]
    fn a_late_answer_is_told_after_the_end_of_the_same_turn_and_not_instead_of_it() {
        let ends = Arc::new(Remembered::default());
        let mut gathered = Gathered::new("one".into());
        let timed_out = ticket(&ends, 1);
        let late = timed_out.late().unwrap();
        gathered.push_late(late, done());
        gathered.push(timed_out, done());
        assert_eq!(ends.take_late(), []);
        gathered.flush();
        assert_eq!(ends.take(), [(number(1), done())]);
        assert_eq!(ends.take_late(), [(number(1), done())]);
    }

    #[test]
    fn what_is_left_of_a_ticket_owes_nothing() {
        let ends = Arc::new(Remembered::default());
        let ticket = ticket(&ends, 1);
        drop(ticket.late());
        let _number = ticket.redeem();
        assert_eq!((ends.take(), ends.take_late()), (Vec::new(), Vec::new()));
    }
}
