//! What goes over a link to a bank, and how it ends. Messages are encoded already; whose they are, only
//! the floors above know.

use std::time::Instant;

use bytes::Bytes;

use crate::{
    iso8583::{MatchKey, Message},
    link::lanes::{Lane, Queued},
    outbox::{Outcome, Reply},
    outcome::Reason,
};

/// A message for a bank.
pub struct BankJob {
    /// What its answer is found by.
    pub key: MatchKey,
    /// Encoded, without the frame header. Card data: never shown.
    pub message: Bytes,
    /// What has not been dispatched by then is not sent.
    pub deadline: Instant,
    /// Who is told.
    pub reply: Reply<Exchange>,
}

/// No payment goes before another.
impl Queued for BankJob {
    fn lane(&self) -> Lane {
        Lane::ONLY
    }
}

/// How the exchange of one message ended.
#[derive(Debug)]
pub enum Exchange {
    /// No byte left.
    NotSent(Reason),
    /// The bank answered.
    Answered(Message),
    /// Bytes left, and no answer came in time.
    TimedOut,
    /// Bytes left, and the connection was lost before the answer.
    Lost,
    /// Bytes left, and Sampan stops without waiting any longer.
    GivenUp,
}

impl Outcome for Exchange {
    fn abandoned() -> Self {
        // The cautious reading: its bytes may have left.
        Self::Lost
    }
}

/// Who gets answers that nobody waits for any more.
pub trait Late: Send + Sync {
    /// Answers of one turn, by the keys under which their requests were sent.
    fn late(&self, answers: Vec<(MatchKey, Message)>);
}
