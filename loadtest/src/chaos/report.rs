//! What a run came to: the one line of JSON for machines, and the histories of what went wrong for
//! people.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use serde::Serialize;

use super::{
    books::{Books, Finding, Violation},
    caller::{booklet::Knowledge, request},
    router::Deaths,
};

/// Histories printed; all of them are in the folder.
const PRINTED_MAX: usize = 10;

/// The line. The last four must be 0.
#[derive(Debug, Serialize)]
pub(crate) struct Line {
    seed: u64,
    seconds: u64,
    kills: u64,
    cuts: u64,
    payments: usize,
    approved: usize,
    declined: usize,
    reversed: usize,
    unknown_resolved: usize,
    orphan_debits: usize,
    double_debits: usize,
    wrong_outcomes: usize,
    unresolved: usize,
}

impl Line {
    pub(crate) fn new(
        seed: u64,
        seconds: u64,
        deaths: &Deaths,
        cuts: u64,
        books: &Books,
        findings: &[Finding],
    ) -> Self {
        let payments = books.payments.values();
        let ended_in = |knowledge| {
            let those = payments.clone();
            those.filter(|own| own.known() == Some(knowledge)).count()
        };
        let wrong = |wrong| count(findings, wrong);
        Self {
            seed,
            seconds,
            kills: deaths.kills,
            cuts,
            payments: books.payments.len(),
            approved: ended_in(Knowledge::Approved),
            declined: ended_in(Knowledge::Declined),
            reversed: ended_in(Knowledge::Reversed),
            unknown_resolved: payments
                .clone()
                .filter(|own| own.was_uncertain() && own.is_settled())
                .count(),
            orphan_debits: wrong(Violation::OrphanDebit),
            double_debits: wrong(Violation::DoubleDebit),
            wrong_outcomes: wrong(Violation::WrongOutcome),
            unresolved: wrong(Violation::Unresolved),
        }
    }

    /// Whether no book contradicts another one.
    pub(crate) fn holds(&self) -> bool {
        self.orphan_debits + self.double_debits + self.wrong_outcomes + self.unresolved == 0
    }

    /// What a run has to have if it is to prove anything; empty if it has it.
    pub(crate) fn lacks(&self, spares_router: bool) -> Vec<&'static str> {
        [
            (self.kills > 0 || spares_router, "no router was killed"),
            (self.cuts > 0, "no connection was cut"),
            (self.approved > 0, "no payment was approved"),
            (self.reversed > 0, "no payment was reversed"),
        ]
        .into_iter()
        .filter_map(|(has, what)| (!has).then_some(what))
        .collect()
    }
}

/// How many payments are wrong in this way, each once.
fn count(findings: &[Finding], wrong: Violation) -> usize {
    let of_class = findings.iter().filter(|own| own.wrong == wrong);
    let numbers: BTreeSet<_> = of_class.map(|own| own.number).collect();
    numbers.len()
}

/// The histories of all payments that something is wrong with.
pub(crate) fn histories(books: &Books, findings: &[Finding]) -> Vec<String> {
    let mut by_number = BTreeMap::<Option<u32>, Vec<&Finding>>::new();
    for finding in findings {
        by_number.entry(finding.number).or_default().push(finding);
    }
    // The gravest first: a reader may stop after the first one.
    let mut by_gravity: Vec<_> = by_number.into_iter().collect();
    by_gravity.sort_by_key(|(_, findings)| findings.iter().map(|own| own.wrong).min());
    by_gravity
        .into_iter()
        .map(|(number, findings)| history(books, number, &findings))
        .collect()
}

fn history(books: &Books, number: Option<u32>, findings: &[&Finding]) -> String {
    let mut text = match number {
        Some(number) => format!("payment {}\n", request::id(number)),
        None => "no single payment\n".to_owned(),
    };
    let mut line = |line: std::fmt::Arguments<'_>| {
        // A String takes everything.
        text.write_fmt(line).ok();
    };
    for Finding { wrong, rule, .. } in findings {
        line(format_args!("  {wrong:?}: {rule}\n"));
    }
    let Some(number) = number else {
        return text;
    };
    if let Some(payment) = books.payments.get(&number) {
        line(format_args!(
            "  asked for {} minor units at bank {}\n{payment}",
            payment.amount_minor, payment.bank
        ));
    }
    for seen in books.seen.get(&number).into_iter().flatten() {
        line(format_args!("  bank    {}\n", seen.line));
    }
    let rows = books.journal.as_ref().and_then(|own| own.get(&number));
    for row in rows.into_iter().flatten() {
        line(format_args!("  journal {}\n", row.line));
    }
    text
}

/// The first of the histories, and how many more there are.
pub(crate) fn excerpt(histories: &[String]) -> String {
    let mut text = histories
        .iter()
        .take(PRINTED_MAX)
        .map(String::as_str)
        .collect::<Vec<_>>()
        .join("\n");
    let more = histories.len().saturating_sub(PRINTED_MAX);
    if more > 0 {
        text += &format!("\n… and {more} more\n");
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    fn line(findings: &[Finding]) -> Line {
        let books = Books {
            payments: BTreeMap::new(),
            seen: HashMap::new(),
            journal: None,
            complaints: Vec::new(),
        };
        Line::new(1, 20, &Deaths::default(), 3, &books, findings)
    }

    fn finding(number: u32, wrong: Violation) -> Finding {
        Finding {
            number: Some(number),
            wrong,
            rule: String::new(),
        }
    }

    #[test]
    fn the_line_has_its_fields_in_the_order_that_was_promised() {
        let printed = serde_json::to_string(&line(&[])).unwrap();
        assert_eq!(
            printed,
            r#"{"seed":1,"seconds":20,"kills":0,"cuts":3,"payments":0,"approved":0,"declined":0,"reversed":0,"unknown_resolved":0,"orphan_debits":0,"double_debits":0,"wrong_outcomes":0,"unresolved":0}"#
        );
    }

    #[test]
    fn each_of_the_last_four_fails_the_run_and_a_payment_counts_once_in_each() {
        assert!(line(&[]).holds());
        for wrong in [
            Violation::OrphanDebit,
            Violation::DoubleDebit,
            Violation::WrongOutcome,
            Violation::Unresolved,
        ] {
            assert!(!line(&[finding(1, wrong)]).holds(), "{wrong:?}");
        }
        let twice = [
            finding(1, Violation::WrongOutcome),
            finding(1, Violation::WrongOutcome),
            finding(2, Violation::WrongOutcome),
        ];
        assert_eq!(line(&twice).wrong_outcomes, 2);
    }

    #[test]
    fn a_run_in_which_nothing_happened_proves_nothing() {
        assert!(line(&[]).lacks(false).contains(&"no router was killed"));
        assert!(line(&[]).lacks(true).contains(&"no payment was approved"));
    }
}
