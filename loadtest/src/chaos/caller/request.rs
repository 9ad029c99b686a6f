//! The payments that callers want, each made from the seed and its number alone, and what they do to
//! them besides. Pure.

use sampan::rpc::proto::{
    LookupResult, Money, PaymentKind, PaymentOutcome, PaymentResult, TransactRequest,
};

use super::booklet::Knowledge;
use crate::chaos::config::PREFIXES;

/// Cards of each bank.
const CARDS: u32 = 500;
/// Longer than a bank's links need to come back, so that requests outlive a cut now and then.
const DEADLINE_MS: u32 = 2_000;

/// What a caller does with a payment besides paying.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Habit {
    /// Nothing.
    Plain,
    /// Takes it back while it is pending.
    CancelPending,
    /// Takes it back once it was approved.
    CancelApproved,
    /// Sends it again once it has its outcome.
    Repeat,
    /// Uses its id for another payment once it has its outcome.
    Reuse,
}

impl Habit {
    /// The same for a number in every run.
    pub(super) fn of(number: u32) -> Self {
        // The multiplication spreads neighbours, so that all workers have all habits.
        match number.wrapping_mul(2_654_435_761) >> 16 & 0xFF {
            0..6 => Self::CancelPending,
            6..14 => Self::CancelApproved,
            14..24 => Self::Repeat,
            24..28 => Self::Reuse,
            _ => Self::Plain,
        }
    }
}

/// The id of a payment.
pub(crate) fn id(number: u32) -> String {
    format!("chaos-{number}")
}

/// The number of an id.
pub(crate) fn number(id: &str) -> Option<u32> {
    id.strip_prefix("chaos-")?.parse().ok()
}

/// DE37 of a payment, by which the bank's entries are found.
pub(crate) fn retrieval_reference(number: u32) -> String {
    format!("{number:012}")
}

/// A payment's request.
pub(crate) fn request(seed: u64, number: u32, bank: usize) -> TransactRequest {
    let mut dice = fastrand::Rng::with_seed(seed.wrapping_mul(1_000_003) ^ u64::from(number));
    let prefix = PREFIXES.get(bank).copied().unwrap_or_default();
    let kind = match dice.u32(0..20) {
        0 => PaymentKind::Balance,
        1..6 => PaymentKind::Withdrawal,
        _ => PaymentKind::Purchase,
    };
    let amount = (kind != PaymentKind::Balance).then(|| Money {
        amount_minor: dice.u64(10..=600) * 1_000,
        currency: "VND".to_owned(),
    });
    TransactRequest {
        payment_id: id(number),
        kind: kind.into(),
        pan: format!("{prefix}{:010}", dice.u32(0..CARDS)),
        amount,
        retrieval_reference: retrieval_reference(number),
        deadline_ms: DEADLINE_MS,
        ..TransactRequest::default()
    }
}

/// Another payment under the same id.
pub(super) fn altered(mut request: TransactRequest) -> TransactRequest {
    request.kind = PaymentKind::Purchase.into();
    request.amount = Some(Money {
        amount_minor: 999_999,
        currency: "VND".to_owned(),
    });
    request
}

/// What a result says.
pub(super) fn knowledge(result: &PaymentResult) -> Knowledge {
    match result.outcome() {
        PaymentOutcome::Approved => Knowledge::Approved,
        PaymentOutcome::Declined => Knowledge::Declined,
        PaymentOutcome::NotSent => Knowledge::NotSent,
        PaymentOutcome::Reversing => Knowledge::Reversing,
        PaymentOutcome::Reversed => Knowledge::Reversed,
        PaymentOutcome::ReversalFailed => Knowledge::ReversalFailed,
        PaymentOutcome::Resolved => Knowledge::Resolved,
        PaymentOutcome::Unknown => Knowledge::Unknown,
        PaymentOutcome::Pending | PaymentOutcome::Unspecified => Knowledge::Pending,
    }
}

/// What a look-up says.
pub(super) fn looked_up(result: &LookupResult) -> Knowledge {
    match &result.payment {
        Some(payment) if result.found => knowledge(payment),
        _ => Knowledge::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payment_is_the_same_in_every_run_of_its_seed() {
        assert_eq!(request(1, 77, 0), request(1, 77, 0));
        assert_ne!(request(1, 77, 0).pan, request(2, 77, 0).pan);
        assert_eq!(number(&id(77)), Some(77));
    }

    #[test]
    fn most_payments_are_plain_and_every_habit_occurs() {
        let habits: Vec<_> = (0..1_000).map(Habit::of).collect();
        let count = |habit| habits.iter().filter(|own| **own == habit).count();
        assert!(count(Habit::Plain) > 800);
        for habit in [
            Habit::CancelPending,
            Habit::CancelApproved,
            Habit::Repeat,
            Habit::Reuse,
        ] {
            assert!(count(habit) > 5, "{habit:?}");
        }
    }
}
