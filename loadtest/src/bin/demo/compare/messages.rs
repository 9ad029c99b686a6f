//! Messages: each accepted part is on the books once, and nothing is that should not be.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use loadtest::smsc::{Smsc, SmscBooks, books::Message};
use sampan::rpc::proto::Outcome;

use super::{Comparison, Line, Section, counted};
use crate::{
    networks::Named,
    report::Grouped,
    traffic::{SentMessage, Told},
};

/// esm_class: the text begins with a user data header (SMPP 3.4 5.2.12).
const HAS_HEADER: u8 = 0x40;
/// Of the header that joins parts: length, element, its length, reference, parts, part.
const HEADER_OCTETS: usize = 6;

pub(super) fn compare(told: &Told, smscs: &[Named<Smsc>], comparison: &mut Comparison) {
    let books: Vec<SmscBooks> = smscs.iter().map(|own| own.simulator.books()).collect();
    for (smsc, books) in smscs.iter().zip(&books) {
        let page = Page::new(&smsc.name, told, books);
        comparison.missing.extend(page.missing());
        comparison.sections.push(page.section(smsc.temper));
    }
    comparison.sections.push(all(told, &books));
}

/// One SMSC's side and what was told of it.
struct Page<'a> {
    smsc: &'a str,
    told: &'a Told,
    books: &'a SmscBooks,
    /// Parts on the books by destination.
    arrived: HashMap<Cow<'a, str>, usize>,
}

impl<'a> Page<'a> {
    fn new(smsc: &'a str, told: &'a Told, books: &'a SmscBooks) -> Self {
        Self {
            smsc,
            told,
            books,
            arrived: arrived(books),
        }
    }

    fn section(&self, temper: &str) -> Section {
        Section {
            title: format!("SMSC {} ({temper})", self.smsc),
            lines: vec![
                self.accepted(),
                self.rejected(),
                self.unknown(),
                self.twice(),
                self.binds(),
                self.receipts(),
                self.mo(),
            ],
        }
    }

    fn with(&self, outcome: Outcome) -> impl Iterator<Item = &'a SentMessage> {
        self.told.messages.of(self.smsc, outcome)
    }

    fn arrived_of(&self, message: &SentMessage) -> usize {
        let arrived = self.arrived.get(message.destination.as_str());
        arrived.copied().unwrap_or_default()
    }

    fn accepted(&self) -> Line {
        let mut times: HashMap<&str, usize> = HashMap::new();
        for message in &self.books.messages {
            *times.entry(&message.message_id).or_default() += 1;
        }
        let messages = self.with(Outcome::Accepted).count();
        let ids = self
            .with(Outcome::Accepted)
            .flat_map(|own| &own.result.message_ids);
        let (mut parts, mut once) = (0, 0);
        for id in ids {
            parts += 1;
            once += usize::from(times.get(id.as_str()) == Some(&1));
        }
        let surplus = self
            .with(Outcome::Accepted)
            .filter(|own| self.arrived_of(own) != own.result.message_ids.len());
        let told = format!(
            "{}, {}",
            counted(messages, "messages"),
            counted(parts, "ids")
        );
        let books = counted(once, "of the ids, once each");
        Line::new("accepted", told, books)
            .equal(parts as u64, once as u64)
            .none(surplus.count(), "with other parts")
    }

    fn rejected(&self) -> Line {
        let rejected = self.with(Outcome::Rejected).count();
        let refused = self.books.totals.throttled + self.books.totals.refused;
        // Of several parts some may have been taken before one was refused; never all of them.
        let arrived = self
            .with(Outcome::Rejected)
            .filter(|own| self.arrived_of(own) >= own.result.parts.max(1) as usize);
        let books = format!("{} throttled or refused", Grouped(refused));
        Line::new("rejected", counted(rejected, "messages"), books)
            .none(rejected.saturating_sub(refused as usize), "more told")
            .none(arrived.count(), "arrived")
    }

    fn unknown(&self) -> Line {
        let unknown = self.with(Outcome::Unknown).count();
        let arrived = self
            .with(Outcome::Unknown)
            .filter(|own| self.arrived_of(own) > 0);
        let wrong = self
            .with(Outcome::Unknown)
            .filter(|own| self.arrived_of(own) > own.result.parts.max(1) as usize);
        let books = format!("{} arrived, any number may", arrived.count());
        Line::new("unknown", counted(unknown, "messages"), books).none(wrong.count(), "too often")
    }

    fn twice(&self) -> Line {
        let mut seen = HashSet::new();
        let again = self
            .books
            .messages
            .iter()
            .filter(|message| !seen.insert(text_of(message)));
        let again = again.count();
        let books = format!("{again} sent twice");
        Line::new("texts", "one per request", books).none(again, "sent twice")
    }

    fn binds(&self) -> Line {
        let used: Vec<u64> = self.submitted_by_link().collect();
        let submitted: u64 = used.iter().sum();
        let arrived = self.books.totals.submitted;
        let parts: u32 = self
            .with(Outcome::Unknown)
            .map(|own| own.result.parts.max(1))
            .sum();
        let lost = submitted.saturating_sub(arrived);
        let wrong = lost.saturating_sub(parts.into()) + arrived.saturating_sub(submitted);
        let shares: Vec<String> = used.iter().map(|own| Grouped(*own).to_string()).collect();
        let told = format!("{} submitted", shares.join(" + "));
        let read = Grouped(arrived);
        let books = match lost {
            0 => format!("{read} read"),
            _ => format!("{read} read, {lost} lost with a connection"),
        };
        Line::new("binds", told, books).none(wrong as usize, "not explained")
    }

    fn submitted_by_link(&self) -> impl Iterator<Item = u64> {
        let links = self.told.links.iter();
        let own = links.filter(|link| link.peer == self.smsc && link.submitted > 0);
        own.map(|link| link.submitted)
    }

    fn receipts(&self) -> Line {
        let totals = &self.books.totals;
        let got = of_smsc(&self.told.events.receipts, self.smsc);
        let books = acknowledged(totals.receipts_acknowledged, totals.receipts);
        Line::new("receipts", counted(got, "received"), books)
            .equal(got as u64, totals.receipts)
            .equal(totals.receipts_acknowledged, totals.receipts)
    }

    fn mo(&self) -> Line {
        let totals = &self.books.totals;
        let got = of_smsc(&self.told.events.messages, self.smsc);
        let books = acknowledged(totals.mo_acknowledged, totals.mo);
        Line::new("MO", counted(got, "received"), books)
            .equal(got as u64, totals.mo)
            .equal(totals.mo_acknowledged, totals.mo)
    }

    fn missing(&self) -> Option<String> {
        let accepted = self.with(Outcome::Accepted).next().is_some();
        let binds = self.submitted_by_link().count();
        (!accepted || binds < 2).then(|| {
            format!(
                "messages through several binds of {} (there were {binds})",
                self.smsc
            )
        })
    }
}

/// What holds over all SMSCs.
fn all(told: &Told, books: &[SmscBooks]) -> Section {
    let sent = &told.messages.sent;
    let arrived: Vec<_> = books.iter().map(arrived).collect();
    let is_there = |own: &&SentMessage| {
        let mut books = arrived.iter();
        books.any(|arrived| arrived.contains_key(own.destination.as_str()))
    };
    let not_sent = || {
        sent.iter()
            .filter(|own| own.result.outcome() == Outcome::NotSent)
    };
    let wrong = not_sent().filter(is_there).count();
    let ours: HashSet<&str> = sent.iter().map(|own| own.destination.as_str()).collect();
    let foreign = arrived.iter().flat_map(|arrived| arrived.keys());
    let foreign = foreign.filter(|own| !ours.contains(own.as_ref())).count();
    let (requests, outcomes) = (told.messages.requested, sent.len() as u64);
    let requested = format!(
        "{} requests, {} outcomes",
        Grouped(requests.into()),
        Grouped(outcomes)
    );
    Section {
        title: "both SMSCs".to_owned(),
        lines: vec![
            Line::new(
                "not sent",
                counted(not_sent().count(), "messages"),
                format!("{wrong} arrived"),
            )
            .none(wrong, "arrived"),
            Line::new("messages", requested, format!("{foreign} that nobody sent"))
                .equal(outcomes, requests.into())
                .none(foreign, "that nobody sent"),
        ],
    }
}

fn arrived(books: &SmscBooks) -> HashMap<Cow<'_, str>, usize> {
    let mut arrived = HashMap::new();
    for message in &books.messages {
        *arrived.entry(message.dest.digits()).or_default() += 1;
    }
    arrived
}

/// What the subscriber reads, and on which phone: the number, the part, the text.
fn text_of(message: &Message) -> (Cow<'_, str>, Option<u8>, &[u8]) {
    let text = &message.short_message.0[..];
    let (part, text) = match text.split_at_checked(HEADER_OCTETS) {
        Some((header, text)) if message.esm_class & HAS_HEADER != 0 => (header.last(), text),
        _ => (None, text),
    };
    (message.dest.digits(), part.copied(), text)
}

fn acknowledged(acknowledged: u64, due: u64) -> String {
    format!("{} of {} acknowledged", Grouped(acknowledged), Grouped(due))
}

fn of_smsc(events: &HashSet<(String, String)>, smsc: &str) -> usize {
    events.iter().filter(|(own, _)| own == smsc).count()
}
