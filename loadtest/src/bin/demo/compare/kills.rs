//! The peers that were killed: what the kill hit, and that their links came back by themselves.

use sampan::rpc::proto::{Link, LinkState, Outcome, PeerKind, Reason};

use super::{Comparison, Line, Section, counted};
use crate::{
    kill::{Kill, Mortal},
    networks::{Named, Networks},
    report::Grouped,
    traffic::Told,
};

/// What was to be killed.
const VICTIMS: [(PeerKind, &str); 2] = [(PeerKind::Smsc, "SMSC"), (PeerKind::Bank, "bank")];

pub(super) fn compare(told: &Told, networks: &Networks, comparison: &mut Comparison) {
    let Some(kills) = &told.kills else {
        return;
    };
    for (kind, noun) in VICTIMS {
        let Some(kill) = kills.iter().find(|kill| kill.kind == kind) else {
            let what = format!("the kill of a steady {noun} while requests were in flight");
            comparison.missing.push(what);
            continue;
        };
        let hit = match kind {
            PeerKind::Bank => reversed(told, &kill.peer),
            _ => unknown(told, &kill.peer),
        };
        if hit == 0 {
            let what = format!("an outcome LINK_LOST by the kill of {}", kill.peer);
            comparison.missing.push(what);
        }
        comparison.sections.push(Section {
            title: format!("{noun} {} (killed and started again)", kill.peer),
            lines: vec![
                lost(kill, hit),
                links(kill),
                traffic(kill, told, received(kill, networks)),
            ],
        });
    }
}

/// Requests that the peer has received in all.
fn received(kill: &Kill, networks: &Networks) -> u64 {
    fn of<S: Mortal>(peers: &[Named<S>], name: &str) -> u64 {
        let peer = peers.iter().find(|own| own.name == name);
        peer.map_or(0, |own| own.simulator.received())
    }
    of(&networks.smscs, &kill.peer) + of(&networks.banks, &kill.peer)
}

/// Messages that were lost with a link.
fn unknown(told: &Told, smsc: &str) -> usize {
    let unknown = told.messages.of(smsc, Outcome::Unknown);
    unknown
        .filter(|own| own.result.reason() == Reason::LinkLost)
        .count()
}

/// Payments that are taken back because they were lost with a link.
fn reversed(told: &Told, bank: &str) -> usize {
    let made = told.payments.made.iter();
    let reversals = made
        .filter(|own| own.result.bank == bank)
        .filter_map(|own| own.result.reversal.as_ref());
    reversals
        .filter(|own| own.reason() == Reason::LinkLost)
        .count()
}

fn lost(kill: &Kill, hit: usize) -> Line {
    let told = counted(hit, "lost with a link");
    let books = format!("{} taken and not answered", Grouped(kill.unanswered));
    Line::new("killed", told, books)
}

/// A link is back if it is up without anybody's doing, and was counted as connected again.
fn links(kill: &Kill) -> Line {
    let is_back = |link: &&Link| link.state() == LinkState::Up && link.reconnects > 0;
    let back = kill.returned.iter().filter(is_back).count();
    let reconnects: u64 = kill.returned.iter().map(|link| link.reconnects).sum();
    let all = kill.returned.len();
    let told = format!("{back} of {all} back by themselves");
    let books = counted(reconnects as usize, "reconnects");
    Line::new("links", told, books).equal(back as u64, all as u64)
}

/// Each link that came back has carried traffic since.
fn traffic(kill: &Kill, told: &Told, received: u64) -> Line {
    let since = |before: &Link| {
        let now = told.links.iter().find(|link| link.name == before.name);
        now.map_or(0, |now| now.answered.saturating_sub(before.answered))
    };
    let answered: Vec<u64> = kill.returned.iter().map(since).collect();
    let idle = answered.iter().filter(|count| **count == 0).count();
    let shares: Vec<String> = answered
        .iter()
        .map(|own| Grouped(*own).to_string())
        .collect();
    let received = received.saturating_sub(kill.received_before);
    let books = format!("{} requests received since", Grouped(received));
    Line::new(
        "traffic",
        format!("{} answered since", shares.join(" + ")),
        books,
    )
    .none(idle, "links without traffic")
    .none(usize::from(received == 0), "peer without traffic")
}
