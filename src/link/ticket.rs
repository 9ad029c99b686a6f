//! How a link tells what became of the requests it was given.
//!
//! A job carries a [`Ticket`] instead of its caller's reply: the floor above keeps what it needs of
//! the request until the end, because an end may not be the last word (another SMSC may take it).
//! A ticket that is dropped by a fault of Sampan still tells its end.

use std::{fmt, sync::Arc};

use crate::{message::MessageResult, outcome::Reason};

/// Who is told how requests ended.
pub trait Ends: Send + Sync + 'static {
    /// Requests that went to this SMSC have ended. Called once per turn of a link, with all ends of
    /// the turn; takes them out of `ends`.
    fn ended(self: Arc<Self>, smsc: &Arc<str>, ends: &mut Vec<(TicketNumber, MessageResult)>);

    /// A request has got lost, which is a fault of Sampan. It may have been sent.
    fn lost(self: Arc<Self>, number: TicketNumber, result: MessageResult);
}

/// Which request of the floor above; it means nothing to a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct TicketNumber(pub u64);

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

    /// Takes the duty over: whoever calls this tells the end.
    pub fn redeem(mut self) -> TicketNumber {
        self.ends = None;
        self.number
    }
}

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Ticket({})", self.number.0)
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

/// The ends of one turn, told together.
pub(super) struct Gathered {
    smsc: Arc<str>,
    ends: Option<Arc<dyn Ends>>,
    told: Vec<(TicketNumber, MessageResult)>,
}

impl Gathered {
    pub(super) fn new(smsc: Arc<str>) -> Self {
        Self {
            smsc,
            ends: None,
            told: Vec::new(),
        }
    }

    /// Adds an end; it is not told before [`Gathered::flush`].
    pub(super) fn push(&mut self, mut ticket: Ticket, result: MessageResult) {
        let Some(ends) = ticket.ends.take() else {
            return;
        };
        // All tickets of a router lead to one place; only tests have several.
        let is_other = |own: &Arc<dyn Ends>| !Arc::ptr_eq(own, &ends);
        if self.ends.as_ref().is_some_and(is_other) {
            self.flush();
        }
        self.ends = Some(ends);
        self.told.push((ticket.number, result));
    }

    /// Tells everything.
    pub(super) fn flush(&mut self) {
        if self.told.is_empty() {
            return;
        }
        if let Some(ends) = self.ends.take() {
            ends.ended(&self.smsc, &mut self.told);
        }
        self.told.clear();
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
pub(crate) struct Remembered(std::sync::Mutex<Told>);

#[cfg(test)]
impl Remembered {
    pub(crate) fn take(&self) -> Told {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

#[cfg(test)]
impl Ends for Remembered {
    fn ended(self: Arc<Self>, _smsc: &Arc<str>, ends: &mut Told) {
        self.0.lock().unwrap().append(ends);
    }

    fn lost(self: Arc<Self>, number: TicketNumber, result: MessageResult) {
        self.0.lock().unwrap().push((number, result));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Acceptance;

    fn ticket(ends: &Arc<Remembered>, number: u64) -> Ticket {
        let ends: Arc<dyn Ends> = Arc::<Remembered>::clone(ends);
        Ticket::new(ends, TicketNumber(number))
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
        assert_eq!(
            ends.take(),
            [(TicketNumber(1), done()), (TicketNumber(2), done())]
        );
    }

    #[test]
    fn ends_that_were_gathered_are_told_even_if_the_link_ends() {
        let ends = Arc::new(Remembered::default());
        let mut gathered = Gathered::new("one".into());
        gathered.push(ticket(&ends, 1), done());
        drop(gathered);
        assert_eq!(ends.take(), [(TicketNumber(1), done())]);
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
                    TicketNumber(3),
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
}
