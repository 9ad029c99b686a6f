//! The reasons in the words of the contract.

use super::proto;
use crate::outcome::Reason;

impl From<Reason> for proto::Reason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Invalid => Self::Invalid,
            Reason::NoRoute => Self::NoRoute,
            Reason::NoLink => Self::NoLink,
            Reason::QueueFull => Self::QueueFull,
            Reason::Deadline => Self::Deadline,
            Reason::Timeout => Self::Timeout,
            Reason::LinkLost => Self::LinkLost,
            Reason::Stopping => Self::Stopping,
            Reason::Limit => Self::Limit,
            Reason::Journal => Self::Journal,
            Reason::BadAnswer => Self::BadAnswer,
            Reason::Cancelled => Self::Cancelled,
            Reason::IdReused => Self::IdReused,
            Reason::Internal => Self::Internal,
        }
    }
}
