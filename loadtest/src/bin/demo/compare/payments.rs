//! Payments: the money that moved is that of the approvals, and everything else came back.

use std::collections::{HashMap, HashSet};

use loadtest::bank::{Bank, BankBooks, books::Entry};
use sampan::rpc::proto::{PaymentOutcome, Reason};

use super::{Comparison, Line, Section, counted};
use crate::{
    networks::Named,
    report::Grouped,
    traffic::{MadePayment, PaymentBooklet},
};

pub(super) fn compare(told: &PaymentBooklet, banks: &[Named<Bank>], comparison: &mut Comparison) {
    let books: Vec<BankBooks> = banks.iter().map(|own| own.simulator.books()).collect();
    for (bank, books) in banks.iter().zip(&books) {
        let page = Page::new(&bank.name, told, books);
        comparison.sections.push(page.section(bank.temper));
    }
    comparison.sections.push(all(told, &books));
    comparison.missing.extend(missing(told, &books));
}

/// One bank's side and what was told of it.
struct Page<'a> {
    bank: &'a str,
    told: &'a PaymentBooklet,
    books: &'a BankBooks,
    /// The entries by retrieval reference number.
    entries: HashMap<&'a str, &'a Entry>,
}

impl<'a> Page<'a> {
    fn new(bank: &'a str, told: &'a PaymentBooklet, books: &'a BankBooks) -> Self {
        Self {
            bank,
            told,
            books,
            entries: by_reference(books),
        }
    }

    fn section(&self, temper: &str) -> Section {
        Section {
            title: format!("bank {} ({temper})", self.bank),
            lines: vec![
                self.approved(),
                self.declined(),
                self.reversed(),
                self.orphans(),
                self.money(),
            ],
        }
    }

    fn with(&self, outcome: PaymentOutcome) -> impl Iterator<Item = &'a MadePayment> {
        self.told.of(self.bank, outcome)
    }

    fn entry(&self, payment: &MadePayment) -> Option<&'a Entry> {
        self.entries
            .get(payment.retrieval_reference.as_str())
            .copied()
    }

    fn approved(&self) -> Line {
        let approved = self.with(PaymentOutcome::Approved).count();
        let standing = self.with(PaymentOutcome::Approved).filter(|own| {
            let entry = self.entry(own);
            entry.is_some_and(|entry| entry.stands() && entry.amount_minor == own.amount_minor)
        });
        let standing = standing.count();
        Line::new(
            "approved",
            counted(approved, "payments"),
            counted(standing, "of them debited"),
        )
        .equal(approved as u64, standing as u64)
    }

    fn declined(&self) -> Line {
        let declined = self.with(PaymentOutcome::Declined).count();
        let same = self.with(PaymentOutcome::Declined).filter(|own| {
            self.entry(own).is_some_and(|entry| {
                let code = entry.code.map(|code| code.to_string());
                !entry.debited && code.as_deref() == Some(&own.result.response_code)
            })
        });
        let same = same.count();
        Line::new(
            "declined",
            counted(declined, "payments"),
            counted(same, "of them with that code, not debited"),
        )
        .equal(declined as u64, same as u64)
    }

    fn reversed(&self) -> Line {
        let made = self
            .told
            .made
            .iter()
            .filter(|own| own.result.bank == self.bank);
        let reversing = made
            .filter(|own| own.first == PaymentOutcome::Reversing)
            .count();
        let (mut reversed, mut back, mut standing) = (0, 0, 0);
        for own in self.with(PaymentOutcome::Reversed) {
            reversed += 1;
            let entry = self.entry(own);
            back += usize::from(entry.is_some_and(|entry| entry.debited && entry.reversed));
            standing += usize::from(entry.is_some_and(Entry::stands));
        }
        let told = format!("{reversing} reversing, {reversed} reversed");
        let books = format!(
            "{back} debited and taken back, {} never debited",
            reversed - back - standing
        );
        Line::new("reversed", told, books)
            .none(reversing.abs_diff(reversed), "not reversed")
            .none(standing, "not taken back")
    }

    fn orphans(&self) -> Line {
        let approved: HashSet<&str> = self
            .with(PaymentOutcome::Approved)
            .map(|own| own.retrieval_reference.as_str())
            .collect();
        let orphans = self
            .books
            .orphans(|entry| approved.contains(entry.rrn.as_str()));
        let orphans = orphans.count();
        let twice = self
            .books
            .standing()
            .count()
            .saturating_sub(approved.len() + orphans);
        let books = format!("{orphans} debits that nobody was told, {twice} twice");
        Line::new("orphans", "none", books)
            .none(orphans, "orphan debits")
            .none(twice, "debited twice")
    }

    fn money(&self) -> Line {
        let approved: u64 = self
            .with(PaymentOutcome::Approved)
            .map(|own| own.amount_minor)
            .sum();
        let totals = &self.books.totals;
        let net = totals.debited_minor - totals.reversed_minor;
        let told = format!("{} VND approved", Grouped(approved));
        let books = format!(
            "{} VND: {} less {}",
            Grouped(net),
            Grouped(totals.debited_minor),
            Grouped(totals.reversed_minor)
        );
        Line::new("money", told, books).equal(approved, net)
    }
}

/// What holds over all banks.
fn all(told: &PaymentBooklet, books: &[BankBooks]) -> Section {
    let entries: Vec<_> = books.iter().map(by_reference).collect();
    let not_sent = || {
        let made = told.made.iter();
        made.filter(|own| own.result.outcome() == PaymentOutcome::NotSent)
    };
    let wrong = not_sent().filter(|own| {
        let mut books = entries.iter();
        books.any(|entries| entries.contains_key(own.retrieval_reference.as_str()))
    });
    let wrong = wrong.count();
    let violations: u64 = books.iter().map(|own| own.totals.protocol_errors).sum();
    let (requests, outcomes) = (told.requested, told.made.len() as u64);
    let requested = format!(
        "{} requests, {} outcomes",
        Grouped(requests.into()),
        Grouped(outcomes)
    );
    Section {
        title: "both banks".to_owned(),
        lines: vec![
            Line::new(
                "not sent",
                counted(not_sent().count(), "payments"),
                format!("{wrong} arrived"),
            )
            .none(wrong, "arrived"),
            Line::new(
                "payments",
                requested,
                format!("{violations} breaches of the protocol"),
            )
            .equal(outcomes, requests.into())
            .none(violations as usize, "breaches"),
        ],
    }
}

/// What the demo wants to show, and did not.
fn missing(told: &PaymentBooklet, books: &[BankBooks]) -> Vec<String> {
    let occurred = |outcome| told.made.iter().any(|own| own.result.outcome() == outcome);
    let timed_out = told.made.iter().any(|own| {
        let reversal = own.result.reversal.as_ref();
        let mut entries = books
            .iter()
            .filter_map(|books| books.by_rrn(&own.retrieval_reference));
        own.result.outcome() == PaymentOutcome::Reversed
            && reversal.is_some_and(|reversal| reversal.reason() == Reason::Timeout)
            && entries.any(|entry| entry.debited && entry.reversed)
    });
    let wanted = [
        (occurred(PaymentOutcome::Approved), "an approved payment"),
        (occurred(PaymentOutcome::Declined), "a declined payment"),
        (
            timed_out,
            "a payment that timed out after its debit and was reversed",
        ),
    ];
    let missing = wanted.into_iter().filter(|(occurred, _)| !occurred);
    missing.map(|(_, what)| what.to_owned()).collect()
}

fn by_reference(books: &BankBooks) -> HashMap<&str, &Entry> {
    let entries = books.entries.iter().filter(|entry| entry.received);
    entries.map(|entry| (entry.rrn.as_str(), entry)).collect()
}
