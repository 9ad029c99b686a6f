//! Words that both kinds of request share when they tell why they ended as they did.

/// Why a request was not sent, or why its end is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Reason {
    /// The caller's request was wrong.
    Invalid,
    /// No such route, SMSC or bank.
    NoRoute,
    /// No healthy link at the moment.
    NoLink,
    /// A queue or table was full.
    QueueFull,
    /// The caller's deadline passed before dispatch.
    Deadline,
    /// Sent, and not answered in time.
    Timeout,
    /// Sent, and the link was lost before the answer.
    LinkLost,
    /// Sampan is stopping, or the link is drained.
    Stopping,
    /// The caller's limit of requests in flight, or of parts per second, was reached.
    Limit,
    /// The record could not be made durable.
    Journal,
    /// The answer could not be understood.
    BadAnswer,
    /// The caller asked for it.
    Cancelled,
    /// The id was used before with another body.
    IdReused,
    /// A fault of Sampan itself.
    Internal,
}

impl Reason {
    /// A word for metrics and logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::NoRoute => "no_route",
            Self::NoLink => "no_link",
            Self::QueueFull => "queue_full",
            Self::Deadline => "deadline",
            Self::Timeout => "timeout",
            Self::LinkLost => "link_lost",
            Self::Stopping => "stopping",
            Self::Limit => "limit",
            Self::Journal => "journal",
            Self::BadAnswer => "bad_answer",
            Self::Cancelled => "cancelled",
            Self::IdReused => "id_reused",
            Self::Internal => "internal",
        }
    }
}
