//! Each rule broken once, beside runs in which nothing is wrong.

use super::*;
use crate::chaos::caller::booklet::Fact;

const AMOUNT: u64 = 50_000;

/// A payment whose caller asked and was told so, one after the other.
fn payment(history: &[(Ask, Option<Knowledge>)]) -> Payment {
    let mut facts = Vec::new();
    for (ask, told) in history {
        let asked = facts.len();
        facts.push((0, Fact::Asked(*ask)));
        facts.push((
            0,
            match told {
                Some(knowledge) => Fact::Told {
                    asked,
                    knowledge: *knowledge,
                },
                None => Fact::Lost { asked },
            },
        ));
    }
    Payment {
        bank: 0,
        amount_minor: AMOUNT,
        facts,
    }
}

fn paid(knowledge: Knowledge) -> Payment {
    payment(&[(Ask::Pay, Some(knowledge)), (Ask::LookUp, Some(knowledge))])
}

fn debit(stands: bool) -> Seen {
    Seen {
        received: true,
        stands,
        amount_minor: AMOUNT,
        line: String::new(),
    }
}

fn row(state: State) -> Row {
    Row {
        state,
        line: String::new(),
    }
}

/// What is wrong with one payment.
fn found(payment: Payment, seen: Vec<Seen>, journal: Option<Vec<Row>>) -> Vec<Violation> {
    let books = Books {
        payments: [(1, payment)].into(),
        seen: [(1, seen)].into(),
        journal: journal.map(|rows| [(1, rows)].into()),
        complaints: Vec::new(),
    };
    let findings = reconcile(&books).into_iter();
    findings.map(|finding| finding.wrong).collect()
}

fn without_journal(payment: Payment, seen: Vec<Seen>) -> Vec<Violation> {
    found(payment, seen, None)
}

const NOTHING: [Violation; 0] = [];

#[test]
fn nothing_is_wrong_where_the_three_books_agree() {
    for (knowledge, state, stands) in [
        (Knowledge::Approved, State::Approved, true),
        (Knowledge::Declined, State::Declined, false),
        (Knowledge::NotSent, State::NotSent, false),
        (Knowledge::Reversed, State::Reversed, false),
    ] {
        let wrong = found(paid(knowledge), vec![debit(stands)], Some(vec![row(state)]));
        assert_eq!(wrong, NOTHING, "{knowledge:?}");
    }
}

#[test]
fn a_debit_that_stands_and_that_its_caller_cannot_know_of_is_an_orphan() {
    for known in [
        Some(Knowledge::NotFound),
        Some(Knowledge::Pending),
        Some(Knowledge::Reversing),
        Some(Knowledge::ReversalFailed),
        None,
    ] {
        let payment = payment(&[(Ask::Pay, None), (Ask::LookUp, known)]);
        let wrong = without_journal(payment, vec![debit(true)]);
        assert!(wrong.contains(&Violation::OrphanDebit), "{known:?}");
    }
}

#[test]
fn a_debit_that_nobody_asked_for_is_an_orphan() {
    let books = Books {
        payments: BTreeMap::new(),
        seen: [(9, vec![debit(true)])].into(),
        journal: None,
        complaints: Vec::new(),
    };
    assert_eq!(reconcile(&books)[0].wrong, Violation::OrphanDebit);
}

#[test]
fn a_caller_that_was_told_approved_knows_it_even_if_the_router_forgets() {
    let payment = payment(&[
        (Ask::Pay, Some(Knowledge::Approved)),
        (Ask::LookUp, Some(Knowledge::NotFound)),
    ]);
    let wrong = without_journal(payment, vec![debit(true)]);
    // That it was forgotten is wrong all the same.
    assert_eq!(wrong, [Violation::WrongOutcome]);
}

#[test]
fn two_debits_that_stand_for_one_id_are_a_double_debit() {
    let twice = vec![debit(true), debit(true)];
    assert_eq!(
        without_journal(paid(Knowledge::Approved), twice),
        [Violation::DoubleDebit]
    );
    let once_reversed = vec![debit(false), debit(true)];
    assert_eq!(
        without_journal(paid(Knowledge::Approved), once_reversed),
        NOTHING
    );
}

#[test]
fn an_approval_without_a_debit_that_stands_is_wrong() {
    for seen in [vec![], vec![debit(false)]] {
        assert_eq!(
            without_journal(paid(Knowledge::Approved), seen),
            [Violation::WrongOutcome]
        );
    }
}

#[test]
fn an_approval_of_what_moves_no_money_needs_no_debit() {
    let balance = Payment {
        amount_minor: 0,
        ..paid(Knowledge::Approved)
    };
    assert_eq!(without_journal(balance, vec![debit(false)]), NOTHING);
}

#[test]
fn a_debit_that_stands_against_what_was_told_is_wrong() {
    for told in [Knowledge::Declined, Knowledge::NotSent, Knowledge::Reversed] {
        assert_eq!(
            without_journal(paid(told), vec![debit(true)]),
            [Violation::WrongOutcome],
            "{told:?}"
        );
    }
}

#[test]
fn a_debit_of_another_amount_is_wrong() {
    let other = Seen {
        amount_minor: AMOUNT + 1,
        ..debit(true)
    };
    assert_eq!(
        without_journal(paid(Knowledge::Approved), vec![other]),
        [Violation::WrongOutcome]
    );
}

#[test]
fn what_is_final_may_not_change() {
    let finals = [
        Knowledge::Approved,
        Knowledge::Declined,
        Knowledge::NotSent,
        Knowledge::Reversed,
        Knowledge::Unknown,
    ];
    for earlier in finals {
        for later in finals {
            let payment = payment(&[(Ask::Pay, Some(earlier)), (Ask::LookUp, Some(later))]);
            let stands = later == Knowledge::Approved;
            let wrong = without_journal(payment, vec![debit(stands)]);
            assert_eq!(wrong.is_empty(), earlier == later, "{earlier:?}, {later:?}");
        }
    }
}

#[test]
fn an_approved_payment_is_reversed_only_if_its_caller_asked() {
    let asked = payment(&[
        (Ask::Pay, Some(Knowledge::Approved)),
        (Ask::TakeBack, Some(Knowledge::Reversing)),
        (Ask::LookUp, Some(Knowledge::Reversed)),
    ]);
    assert_eq!(without_journal(asked, vec![debit(false)]), NOTHING);
    let not_written_down = payment(&[
        (Ask::Pay, Some(Knowledge::Approved)),
        (Ask::TakeBack, Some(Knowledge::Pending)),
        (Ask::LookUp, Some(Knowledge::Approved)),
    ]);
    assert_eq!(
        without_journal(not_written_down, vec![debit(true)]),
        NOTHING
    );
    let not_asked = payment(&[
        (Ask::Pay, Some(Knowledge::Approved)),
        (Ask::LookUp, Some(Knowledge::Reversed)),
    ]);
    assert_eq!(
        without_journal(not_asked, vec![debit(false)]),
        [Violation::WrongOutcome]
    );
}

#[test]
fn a_reversal_that_was_told_does_not_end_in_an_approval() {
    let payment = payment(&[
        (Ask::Pay, Some(Knowledge::Reversing)),
        (Ask::LookUp, Some(Knowledge::Approved)),
    ]);
    assert_eq!(
        without_journal(payment, vec![debit(true)]),
        [Violation::WrongOutcome]
    );
}

#[test]
fn answers_that_crossed_are_not_held_against_each_other() {
    // The look-up was asked before the payment's own answer came, and told after it.
    let facts = [
        Fact::Asked(Ask::Pay),
        Fact::Asked(Ask::LookUp),
        Fact::Told {
            asked: 0,
            knowledge: Knowledge::Approved,
        },
        Fact::Told {
            asked: 1,
            knowledge: Knowledge::Pending,
        },
        Fact::Asked(Ask::LookUp),
        Fact::Told {
            asked: 4,
            knowledge: Knowledge::Approved,
        },
    ];
    let payment = Payment {
        bank: 0,
        amount_minor: AMOUNT,
        facts: facts.map(|fact| (0, fact)).into(),
    };
    assert_eq!(without_journal(payment, vec![debit(true)]), NOTHING);
}

#[test]
fn a_payment_that_was_told_may_not_be_forgotten() {
    for (told, may_be_forgotten) in [
        (Knowledge::Declined, false),
        (Knowledge::Reversed, false),
        (Knowledge::Pending, false),
        (Knowledge::NotSent, true),
    ] {
        let payment = payment(&[
            (Ask::Pay, Some(told)),
            (Ask::LookUp, Some(Knowledge::NotFound)),
        ]);
        let wrong = without_journal(payment, vec![]);
        assert_eq!(wrong.is_empty(), may_be_forgotten, "{told:?}");
    }
}

#[test]
fn another_payment_under_the_same_id_must_be_refused() {
    for (told, is_wrong) in [(Knowledge::NotSent, false), (Knowledge::Approved, true)] {
        let payment = payment(&[
            (Ask::Pay, Some(Knowledge::Approved)),
            (Ask::PayAltered, Some(told)),
            (Ask::LookUp, Some(Knowledge::Approved)),
        ]);
        let wrong = without_journal(payment, vec![debit(true)]);
        assert_eq!(!wrong.is_empty(), is_wrong, "{told:?}");
    }
}

#[test]
fn what_has_no_end_is_unresolved() {
    for known in [
        Some(Knowledge::Pending),
        Some(Knowledge::Reversing),
        Some(Knowledge::ReversalFailed),
        None,
    ] {
        let payment = payment(&[(Ask::Pay, None), (Ask::LookUp, known)]);
        assert_eq!(
            without_journal(payment, vec![debit(false)]),
            [Violation::Unresolved],
            "{known:?}"
        );
    }
}

#[test]
fn a_payment_that_the_router_never_got_is_resolved() {
    let payment = payment(&[(Ask::Pay, None), (Ask::LookUp, Some(Knowledge::NotFound))]);
    assert_eq!(without_journal(payment, vec![]), NOTHING);
}

#[test]
fn what_the_bank_has_seen_the_journal_must_know() {
    let wrong = found(paid(Knowledge::Approved), vec![debit(true)], Some(vec![]));
    assert_eq!(wrong, [Violation::WrongOutcome]);
}

#[test]
fn the_journal_must_say_what_the_bank_says() {
    for (state, stands) in [
        (State::Approved, false),
        (State::Declined, true),
        (State::NotSent, true),
        (State::Reversed, true),
    ] {
        // The caller was told nothing that could be wrong by itself.
        let payment = payment(&[(Ask::Pay, None)]);
        let wrong = found(payment, vec![debit(stands)], Some(vec![row(state)]));
        assert!(wrong.contains(&Violation::WrongOutcome), "{state:?}");
    }
}

#[test]
fn the_journal_must_say_what_the_caller_was_told() {
    let wrong = found(
        paid(Knowledge::Declined),
        vec![debit(false)],
        Some(vec![row(State::Reversed)]),
    );
    assert_eq!(wrong, [Violation::WrongOutcome]);
}

#[test]
fn the_journal_must_have_a_payment_once() {
    let wrong = found(
        paid(Knowledge::Approved),
        vec![debit(true)],
        Some(vec![row(State::Approved), row(State::Approved)]),
    );
    assert_eq!(wrong, [Violation::WrongOutcome]);
}

#[test]
fn what_a_bank_complains_of_is_wrong() {
    let books = Books {
        payments: BTreeMap::new(),
        seen: HashMap::new(),
        journal: None,
        complaints: vec!["an 0421 that differs from its 0420".to_owned()],
    };
    assert_eq!(reconcile(&books)[0].wrong, Violation::WrongOutcome);
}
