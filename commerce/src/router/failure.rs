//! Calls that bring no outcome, and what the router says of them. Its words are for people: they are cut
//! short and put on one line, because they come from elsewhere.

use tonic::{Code, Status};

use crate::port::Unheard;

/// Characters of the router's words that are kept; its longest sentences have about half of it.
const WORDS_MAX: usize = 400;

/// Why a call brought no outcome.
#[derive(Debug)]
pub(super) enum Failure {
    /// The request can never succeed as it is. Nothing came of it.
    Invalid(String),
    /// It may have been done or not.
    Unheard(Unheard),
}

impl Failure {
    pub(super) fn of(status: &Status) -> Self {
        let said = words(status.message());
        let todo = match status.code() {
            Code::InvalidArgument | Code::OutOfRange => return Self::Invalid(said),
            Code::Unauthenticated | Code::PermissionDenied => {
                "; see the client's name, token and certificate in both configurations"
            }
            Code::Unimplemented => "; it is of another version than this commerce",
            Code::NotFound => "; see whether it is the router that was asked before",
            Code::ResourceExhausted => "; see the client's limits in its configuration",
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => {
                "; see whether it runs and its /ready"
            }
            Code::Internal | Code::Unknown | Code::DataLoss => "; its log says more",
            Code::Ok | Code::AlreadyExists | Code::FailedPrecondition | Code::Aborted => {
                "; its contract has no such answer here"
            }
        };
        Self::unheard(format!("{:?}: {said}{todo}", status.code()))
    }

    pub(super) fn unheard(why: String) -> Self {
        Self::Unheard(Unheard(why))
    }

    /// Where a request that is not valid has nothing better to be told as.
    pub(super) fn into_unheard(self) -> Unheard {
        match self {
            Self::Invalid(why) => Unheard(format!(
                "it refuses the request, and always will: {why}; this is a fault of commerce"
            )),
            Self::Unheard(unheard) => unheard,
        }
    }
}

/// What the contract excludes. The router is of another version, or at fault.
pub(super) fn contradiction(what: &str) -> Unheard {
    Unheard(format!(
        "it said {what}, which its contract excludes; see whether it is of another version"
    ))
}

/// The router's words as one short line.
pub(super) fn words(text: &str) -> String {
    let line = text.chars().take(WORDS_MAX);
    line.map(|char| if char.is_control() { ' ' } else { char })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_request_that_is_not_valid_is_known_to_have_done_nothing() {
        for code in 1..=16 {
            let status = Status::new(Code::from_i32(code), "why");
            let is_known = matches!(Failure::of(&status), Failure::Invalid(_));
            let is_ours = [Code::InvalidArgument, Code::OutOfRange].contains(&status.code());
            assert_eq!(is_known, is_ours, "{:?}", status.code());
        }
    }

    #[test]
    fn the_routers_words_are_one_short_line() {
        assert_eq!(words("a\nb\u{1b}[31m"), "a b [31m");
        assert_eq!(words(&"é".repeat(1_000)).chars().count(), WORDS_MAX);
    }
}
