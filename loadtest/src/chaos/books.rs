//! Holds three books against each other: what callers were told, what the banks saw, and what the
//! router's journal says. Pure; every rule is a line of its own and has a test in which it is broken.
//!
//! The banks' books are the truth about money. A payment is found in them by DE37, which its caller
//! chose, so that every attempt at a bank under whatever STAN is seen as the same payment's.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use loadtest::bank::books::{BankBooks, Entry};

use super::{
    caller::booklet::{Ask, Knowledge, Payment, Told},
    journal::{Row, State},
};

/// What must be nought.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Violation {
    /// Money has moved, has not moved back, and its caller cannot know.
    OrphanDebit,
    /// Money has moved twice for one id, and has not moved back.
    DoubleDebit,
    /// What its caller was told, or the journal says, is not so.
    WrongOutcome,
    /// Its caller still does not know its end, although everything has been well for long.
    Unresolved,
}

/// A request as a bank has seen it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    /// The request itself came.
    pub(crate) received: bool,
    /// Its money moved and did not move back.
    pub(crate) stands: bool,
    /// In minor units.
    pub(crate) amount_minor: u64,
    /// For a person; the card is masked.
    pub(crate) line: String,
}

impl From<&Entry> for Seen {
    fn from(entry: &Entry) -> Self {
        let code = match entry.code {
            Some(code) => code.to_string(),
            None => "none".to_owned(),
        };
        Self {
            received: entry.received,
            stands: entry.stands(),
            amount_minor: entry.amount_minor,
            line: format!(
                "{} STAN {} DE7 {} card {} amount {} debited {} code {code} answered {} reversed {} \
                 by {} messages, came {} times more",
                entry.mti,
                entry.stan,
                entry.transmitted,
                entry.pan,
                entry.amount_minor,
                entry.debited,
                entry.answered,
                entry.reversed,
                entry.reversal_messages,
                entry.repeats,
            ),
        }
    }
}

/// All books at the end of a run.
pub(crate) struct Books {
    /// The callers', by number.
    pub(crate) payments: BTreeMap<u32, Payment>,
    /// The banks', by number.
    pub(crate) seen: HashMap<u32, Vec<Seen>>,
    /// The router's, by number; `None` if it keeps none.
    pub(crate) journal: Option<HashMap<u32, Vec<Row>>>,
    /// What no payment is to blame for.
    pub(crate) complaints: Vec<String>,
}

/// What is wrong with one payment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its number; `None` for what the banks complain of.
    pub(crate) number: Option<u32>,
    /// The class.
    pub(crate) wrong: Violation,
    /// The rule that is broken.
    pub(crate) rule: String,
}

/// The banks' entries by the number in their DE37, and what in them is no payment of anybody's.
pub(crate) fn seen_by_number(banks: &[BankBooks]) -> (HashMap<u32, Vec<Seen>>, Vec<String>) {
    let (mut seen, mut complaints) = (HashMap::<u32, Vec<Seen>>::new(), Vec::new());
    for (place, books) in banks.iter().enumerate() {
        for entry in &books.entries {
            match entry.rrn.as_str().parse() {
                Ok(number) => seen.entry(number).or_default().push(Seen::from(entry)),
                Err(_) => complaints.push(format!(
                    "bank {place} has an entry whose DE37 nobody chose: {}",
                    Seen::from(entry).line
                )),
            }
        }
        let totals = &books.totals;
        for (count, what) in [
            (totals.repeats_changed, "an 0421 that differs from its 0420"),
            (
                totals.reversals_mismatched,
                "a reversal that is not of what came",
            ),
        ] {
            if count > 0 {
                complaints.push(format!("bank {place} got {what}, {count} times"));
            }
        }
    }
    (seen, complaints)
}

/// Everything that is wrong, in the order of the payments.
pub(crate) fn reconcile(books: &Books) -> Vec<Finding> {
    let mut findings = Findings::default();
    for complaint in &books.complaints {
        findings.add(None, Violation::WrongOutcome, complaint.clone());
    }
    let strangers: BTreeSet<_> = books.seen.keys().collect();
    for number in strangers {
        if !books.payments.contains_key(number) {
            findings.strange(*number, &books.seen[number]);
        }
    }
    for (number, payment) in &books.payments {
        let seen = books.seen.get(number).map_or(&[][..], Vec::as_slice);
        findings.number = Some(*number);
        findings.money(payment, seen);
        findings.told(payment);
        if let Some(journal) = &books.journal {
            let rows = journal.get(number).map_or(&[][..], Vec::as_slice);
            findings.journal(payment, seen, rows);
        }
    }
    findings.found
}

#[derive(Default)]
struct Findings {
    number: Option<u32>,
    found: Vec<Finding>,
}

impl Findings {
    fn add(&mut self, number: Option<u32>, wrong: Violation, rule: impl Into<String>) {
        let rule = rule.into();
        self.found.push(Finding {
            number,
            wrong,
            rule,
        });
    }

    fn wrong(&mut self, wrong: Violation, rule: impl Into<String>) {
        self.add(self.number, wrong, rule);
    }

    fn strange(&mut self, number: u32, seen: &[Seen]) {
        if seen.iter().any(|own| own.stands) {
            let rule = "a debit stands that no caller asked for";
            self.add(Some(number), Violation::OrphanDebit, rule);
        }
    }

    /// What the callers know against where the money is.
    fn money(&mut self, payment: &Payment, seen: &[Seen]) {
        let standing: Vec<_> = seen.iter().filter(|own| own.stands).collect();
        if standing.len() > 1 {
            self.wrong(
                Violation::DoubleDebit,
                format!("{} debits stand for one id", standing.len()),
            );
        }
        if standing
            .iter()
            .any(|own| own.amount_minor != payment.amount_minor)
        {
            self.wrong(
                Violation::WrongOutcome,
                "a debit stands with another amount than was asked for",
            );
        }
        let stands = !standing.is_empty();
        match best_known(payment) {
            Some(Knowledge::Approved) if payment.moves_money() && !stands => self.wrong(
                Violation::WrongOutcome,
                "told APPROVED, and no debit stands at the bank",
            ),
            Some(Knowledge::Approved) => {}
            Some(told @ (Knowledge::Declined | Knowledge::NotSent | Knowledge::Reversed))
                if stands =>
            {
                self.wrong(
                    Violation::WrongOutcome,
                    format!("told {told:?}, and a debit stands at the bank"),
                );
            }
            known if stands => self.wrong(
                Violation::OrphanDebit,
                format!("a debit stands, and its caller knows {known:?}"),
            ),
            _ => {}
        }
        if !payment.is_settled() {
            self.wrong(
                Violation::Unresolved,
                format!("at the end its caller knows {:?}", payment.known()),
            );
        }
    }

    /// What the callers were told against what they were told before.
    fn told(&mut self, payment: &Payment) {
        let answers: Vec<_> = payment.told().collect();
        let altered = answers.iter().filter(|told| told.ask == Ask::PayAltered);
        if let Some(told) = altered
            .clone()
            .find(|told| told.knowledge != Knowledge::NotSent)
        {
            self.wrong(
                Violation::WrongOutcome,
                format!(
                    "another payment under the same id was told {:?}",
                    told.knowledge
                ),
            );
        }
        let own: Vec<_> = answers
            .iter()
            .filter(|told| told.ask != Ask::PayAltered)
            .collect();
        let changed = own.iter().find_map(|earlier| {
            // What was asked before the earlier answer came may have been answered before it, too.
            let mut later = own.iter().filter(|later| later.asked > earlier.at);
            later
                .find(|later| !may_follow(payment, earlier, later))
                .map(|later| (earlier, later))
        });
        if let Some((earlier, later)) = changed {
            self.wrong(
                Violation::WrongOutcome,
                format!(
                    "told {:?}, and later {:?}",
                    earlier.knowledge, later.knowledge
                ),
            );
        }
    }

    /// The journal against both.
    fn journal(&mut self, payment: &Payment, seen: &[Seen], rows: &[Row]) {
        if !payment.moves_money() {
            return;
        }
        let row = match rows {
            [] => {
                if seen.iter().any(|own| own.received) {
                    self.wrong(
                        Violation::WrongOutcome,
                        "the bank has seen it, and the journal does not know it",
                    );
                }
                return;
            }
            [row] => row,
            _ => {
                self.wrong(
                    Violation::WrongOutcome,
                    format!("the journal has it {} times", rows.len()),
                );
                return;
            }
        };
        let stands = seen.iter().any(|own| own.stands);
        if stands != (row.state == State::Approved) && row.state.is_settled() {
            self.wrong(
                Violation::WrongOutcome,
                format!(
                    "the journal says {:?}, and a debit {} at the bank",
                    row.state,
                    if stands { "stands" } else { "does not stand" }
                ),
            );
        }
        if let Some(known) = payment.known()
            && known.is_settled()
            && !agree(known, row.state)
        {
            self.wrong(
                Violation::WrongOutcome,
                format!("told {known:?}, and the journal says {:?}", row.state),
            );
        }
    }
}

/// What its caller can rely on: the last thing that it was told, except that the router has forgotten
/// it, which takes nothing away from what was told before.
fn best_known(payment: &Payment) -> Option<Knowledge> {
    let own = payment.told().filter(|told| told.ask != Ask::PayAltered);
    let (mut known, mut last) = (None, None);
    for told in own {
        last = Some(told.knowledge);
        if told.knowledge != Knowledge::NotFound {
            known = last;
        }
    }
    known.or(last)
}

/// Whether one answer may come after another one that was told before it was asked for.
fn may_follow(payment: &Payment, earlier: &Told, later: &Told) -> bool {
    use Knowledge as K;
    match earlier.knowledge {
        K::Approved => match later.knowledge {
            K::Approved => true,
            // PENDING as long as the router cannot write down that its caller wants it back.
            K::Pending | K::Reversing | K::Reversed | K::ReversalFailed => {
                payment.was_taken_back_before(later.at)
            }
            _ => false,
        },
        K::Reversing => matches!(
            later.knowledge,
            K::Reversing | K::Reversed | K::ReversalFailed
        ),
        // Nothing was sent, and nothing need be remembered of it.
        K::NotSent => matches!(later.knowledge, K::NotSent | K::NotFound),
        K::Declined | K::Reversed | K::ReversalFailed | K::Resolved | K::Unknown => {
            later.knowledge == earlier.knowledge
        }
        K::Pending => later.knowledge != K::NotFound,
        // A request may be on its way still, and a caller may send it again.
        K::NotFound => true,
    }
}

fn agree(known: Knowledge, state: State) -> bool {
    matches!(
        (known, state),
        (Knowledge::Approved, State::Approved)
            | (Knowledge::Declined, State::Declined)
            | (Knowledge::NotSent, State::NotSent)
            | (Knowledge::Reversed, State::Reversed)
            | (Knowledge::Unknown, State::Unknown)
    )
}

#[cfg(test)]
mod tests;
