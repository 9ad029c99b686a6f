//! What callers were told, held against the books of the networks.

use std::collections::{HashMap, HashSet};

use loadtest::{bank::BankBooks, smsc::SmscBooks};
use sampan::rpc::proto::{Outcome, PaymentOutcome, PaymentResult, SubmitResult};

/// Every accepted id is on the books exactly once, and nothing is on them that was rejected or not
/// sent. What is unknown may be there or not.
pub(crate) fn assert_messages_agree(told: &HashMap<String, SubmitResult>, books: &SmscBooks) {
    let mut on_the_books = HashSet::new();
    for message in &books.messages {
        let first = on_the_books.insert(message.message_id.as_str());
        assert!(first, "an id is on the books twice");
    }
    let with = |outcome| told.values().filter(move |own| own.outcome() == outcome);
    let mut accepted = 0;
    for id in with(Outcome::Accepted).flat_map(|own| &own.message_ids) {
        assert!(
            on_the_books.contains(id.as_str()),
            "{id} is not on the books"
        );
        accepted += 1;
    }
    let unknown = with(Outcome::Unknown).count();
    assert!(
        (accepted..=accepted + unknown).contains(&books.messages.len()),
        "{accepted} accepted and {unknown} unknown, but {} on the books",
        books.messages.len()
    );
    assert_eq!(books.protocol_errors, []);
}

/// The money that stands on the bank's books is that of the approvals, payment by payment.
/// `settled` are the outcomes after all reversals.
pub(crate) fn assert_payments_agree<'a>(
    settled: impl IntoIterator<Item = &'a PaymentResult>,
    books: &BankBooks,
) {
    let approved: HashSet<&str> = settled
        .into_iter()
        .filter(|own| own.outcome() == PaymentOutcome::Approved)
        .map(|own| own.retrieval_reference.as_str())
        .collect();
    let standing: HashSet<&str> = books.standing().map(|entry| entry.rrn.as_str()).collect();
    let orphans: Vec<_> = standing.difference(&approved).collect();
    assert!(
        orphans.is_empty(),
        "debits without an approval: {orphans:?}"
    );
    let missing: Vec<_> = approved.difference(&standing).collect();
    assert!(missing.is_empty(), "approvals without a debit: {missing:?}");
    assert_eq!(books.unanswered_debits().count(), 0);
    assert_eq!(books.protocol_errors, []);
}
