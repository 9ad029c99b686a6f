//! The requests of one connection that were not answered in time, in case they are answered after all.
//! Pure. It must never let an answer meet another request: its numbers are not to be given again while
//! it has them, and it forgets all of them with the connection.

use std::time::{Duration, Instant};

use super::ticket::LateTicket;
use crate::{recent::Recent, smpp::CommandId};

/// Requests of one connection that are remembered; the oldest is forgotten for a new one. As many as a
/// bind with a window of a hundred leaves behind in [`LATE_FOR`] when its SMSC has fallen silent.
pub const LATE_MAX: usize = 4_096;

/// How long after its time an answer is still taken. SMSCs that are flooded answer minutes later; what
/// comes after more than that is most likely of nobody.
pub const LATE_FOR: Duration = Duration::from_secs(300);

/// Those requests, by their sequence numbers.
pub(super) struct Unanswered(Recent<u32, Request>);

struct Request {
    ticket: LateTicket,
    /// What answers it.
    response: CommandId,
}

impl Unanswered {
    pub(super) fn new() -> Self {
        Self(Recent::new(LATE_MAX, LATE_FOR))
    }

    /// A request has timed out.
    pub(super) fn add(
        &mut self,
        now: Instant,
        sequence: u32,
        response: CommandId,
        ticket: LateTicket,
    ) {
        self.0.insert(now, sequence, Request { ticket, response });
    }

    /// The request that an answer is of, which it then is no more; `command` is what the answer
    /// answers with, if it says.
    pub(super) fn take(
        &mut self,
        now: Instant,
        sequence: u32,
        command: Option<CommandId>,
    ) -> Option<LateTicket> {
        let request = self.0.get_mut(now, sequence)?;
        if command.is_some_and(|command| command != request.response) {
            return None;
        }
        self.0.remove(sequence).map(|request| request.ticket)
    }

    /// Whether an answer with this number would be of an earlier request.
    pub(super) fn holds(&self, sequence: u32) -> bool {
        self.0.holds(sequence)
    }

    /// The connection is over, and its numbers with it.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{
        super::ticket::{Ends, Remembered, Ticket, TicketNumber},
        *,
    };

    fn unanswered(now: Instant) -> Unanswered {
        let ends: Arc<dyn Ends> = Arc::new(Remembered::default());
        let ticket = Ticket::new(ends, TicketNumber::for_tests(7));
        let mut unanswered = Unanswered::new();
        let late = ticket.late().unwrap();
        unanswered.add(now, 1, CommandId::SUBMIT_SM_RESP, late);
        unanswered
    }

    #[test]
    fn a_late_answer_finds_its_request_once_and_only_by_its_number() {
        let now = Instant::now();
        let mut unanswered = unanswered(now);
        let response = Some(CommandId::SUBMIT_SM_RESP);
        assert!(unanswered.take(now, 2, response).is_none());
        assert!(unanswered.holds(1));
        assert!(unanswered.take(now, 1, response).is_some());
        assert!(unanswered.take(now, 1, response).is_none());
        assert!(!unanswered.holds(1));
    }

    #[test]
    fn an_answer_of_another_kind_is_of_no_request_and_a_nack_is_of_any() {
        let now = Instant::now();
        let mut unanswered = unanswered(now);
        let other = Some(CommandId::QUERY_SM_RESP);
        assert!(unanswered.take(now, 1, other).is_none());
        assert!(unanswered.take(now, 1, None).is_some());
    }

    #[test]
    fn a_request_is_forgotten_with_its_time_and_with_its_connection() {
        let now = Instant::now();
        let response = Some(CommandId::SUBMIT_SM_RESP);
        let mut after = unanswered(now);
        assert!(after.take(now + LATE_FOR, 1, response).is_none());
        let mut other = unanswered(now);
        other.clear();
        assert!(other.take(now, 1, response).is_none());
    }
}
