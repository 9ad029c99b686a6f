//! The books of a bank: which requests really reached it, whose money moved, what was reversed.
//! The truth that a caller's outcomes are held against. Cards are masked here and everywhere.

use std::fmt;

use super::behaviour::ResponseCode;

/// Shows at most the first six and the last four digits of a card (PCI DSS 3.4).
pub(super) fn masked(pan: &str) -> String {
    let digits = pan.len();
    let shown = |place: usize| digits >= 13 && (place < 6 || place + 4 >= digits);
    pan.chars()
        .enumerate()
        .map(|(place, digit)| if shown(place) { digit } else { '*' })
        .collect()
}

/// A short text kept inline: an entry of the books costs no allocation for its keys.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Text<const N: usize> {
    octets: [u8; N],
    length: u8,
}

impl<const N: usize> Text<N> {
    /// What does not fit is cut: the wire code has checked the lengths before.
    pub(super) fn new(from: &[u8]) -> Self {
        let mut octets = [b' '; N];
        let length = from.len().min(N);
        for (to, from) in octets.iter_mut().zip(from) {
            *to = *from;
        }
        Self {
            octets,
            length: length as u8,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.octets
            .get(..usize::from(self.length))
            .unwrap_or_default()
    }
}

impl<const N: usize> Default for Text<N> {
    fn default() -> Self {
        Self::new(b"")
    }
}

impl<const N: usize> fmt::Display for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl<const N: usize> fmt::Debug for Text<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A financial request that reached the bank, or a reversal of one that did not.
#[derive(Clone, Debug)]
pub struct Entry {
    /// MTI of the request.
    pub mti: Text<4>,
    /// DE3.
    pub processing_code: Text<6>,
    /// DE11.
    pub stan: Text<6>,
    /// DE7, MMDDhhmmss.
    pub transmitted: Text<10>,
    /// DE41.
    pub terminal: Text<8>,
    /// DE37.
    pub rrn: Text<12>,
    /// The card, masked.
    pub pan: Text<19>,
    /// DE4.
    pub amount_minor: u64,
    /// Whether the request itself came. An entry without it is a reversal that found no original.
    pub received: bool,
    /// Whether its money moved.
    pub debited: bool,
    /// DE39 that the bank decided on; `None` when it decided nothing.
    pub code: Option<ResponseCode>,
    /// Whether an answer was, or will be, written.
    pub answered: bool,
    /// Whether a reversal took effect.
    pub reversed: bool,
    /// Reversal messages that named it, repeats included.
    pub reversal_messages: u32,
    /// How often the request came again.
    pub repeats: u32,
}

impl Entry {
    /// Whether its money moved and did not move back. The caller must have been told APPROVED.
    pub fn stands(&self) -> bool {
        self.debited && !self.reversed
    }
}

/// What happened on one account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccountBook {
    /// The card, masked.
    pub pan: String,
    /// What it opened with.
    pub opening_minor: i64,
    /// What is on it.
    pub balance_minor: i64,
    /// The sum of what was taken off.
    pub debited_minor: u64,
    /// The sum of what was put on, reversals included.
    pub credited_minor: u64,
}

impl AccountBook {
    pub(super) fn new(pan: &str, opening_minor: i64) -> Self {
        Self {
            pan: masked(pan),
            opening_minor,
            balance_minor: opening_minor,
            debited_minor: 0,
            credited_minor: 0,
        }
    }

    /// Credits less debits.
    pub fn net_minor(&self) -> i64 {
        self.balance_minor - self.opening_minor
    }
}

/// Something a peer should not have sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtocolError {
    /// MTI of the message; empty when there was none to read.
    pub mti: Text<4>,
    /// The element; 0 for MTI and framing, 1 for the bitmaps.
    pub element: usize,
    /// Where in the message, after the header, in octets.
    pub position: usize,
    /// What was wrong.
    pub what: &'static str,
}

/// Counts over the simulator's whole life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BankTotals {
    /// Connections accepted.
    pub connections: u64,
    /// Sign-ons answered 00.
    pub sign_ons: u64,
    /// Echo tests read.
    pub echoes: u64,
    /// Financial requests read, repeats included.
    pub requests: u64,
    /// Decided with 00.
    pub approved: u64,
    /// Decided with another code.
    pub declined: u64,
    /// Left unanswered by the fault of that name.
    pub unanswered: u64,
    /// Answered late by the fault of that name.
    pub late: u64,
    /// Answered by another link than that of the request.
    pub elsewhere: u64,
    /// Connections dropped by the fault of that name.
    pub disconnected: u64,
    /// Answered with garbage.
    pub garbage: u64,
    /// Requests that came again, answered the same and not debited twice.
    pub duplicates: u64,
    /// Session keys given, asked for or not, and those that the other side has accepted.
    pub keys_given: u64,
    /// See [`Self::keys_given`].
    pub keys_accepted: u64,
    /// Chargebacks begun.
    pub chargebacks: u64,
    /// Violation: a financial or reversal message without its MAC, or with a wrong one.
    pub macs_wrong: u64,
    /// Requests before the sign-on of their link.
    pub before_sign_on: u64,
    /// Debits, and their sum in minor units.
    pub debits: u64,
    /// See [`Self::debits`].
    pub debited_minor: u64,
    /// Debits taken back by a reversal, and their sum in minor units.
    pub reversed: u64,
    /// See [`Self::reversed`].
    pub reversed_minor: u64,
    /// Reversal messages read, repeats included.
    pub reversal_messages: u64,
    /// Reversals whose original was not on the books.
    pub reversals_of_unknown: u64,
    /// Requests that came after their reversal, and were not debited.
    pub arrived_after_reversal: u64,
    /// Violation: an 0421 that differs from its 0420 in more than the MTI.
    pub repeats_changed: u64,
    /// Violation: a reversal whose DE90, card, amount or RRN is not what was received.
    pub reversals_mismatched: u64,
    /// Everything a peer should not have sent, violations included.
    pub protocol_errors: u64,
}

/// A snapshot of a bank's books; `Display` prints it as a table.
#[derive(Clone, Debug, Default)]
pub struct BankBooks {
    /// Requests in the order of their arrival.
    pub entries: Vec<Entry>,
    /// Accounts in the order of their opening.
    pub accounts: Vec<AccountBook>,
    /// What peers did wrong.
    pub protocol_errors: Vec<ProtocolError>,
    /// Counts.
    pub totals: BankTotals,
}

impl BankBooks {
    /// The entries whose money moved and did not move back.
    pub fn standing(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter().filter(|entry| entry.stands())
    }

    /// The orphan debits: entries that stand although, by the callers' side, nobody was told
    /// APPROVED. `approved` says so of an entry, most simply by its RRN.
    pub fn orphans(&self, approved: impl Fn(&Entry) -> bool) -> impl Iterator<Item = &Entry> {
        self.standing().filter(move |entry| !approved(entry))
    }

    /// The standing entries to which no approval was ever sent: orphans whatever callers say.
    pub fn unanswered_debits(&self) -> impl Iterator<Item = &Entry> {
        self.orphans(|entry| entry.answered && entry.code == Some(ResponseCode::APPROVED))
    }

    /// The entry of a retrieval reference number.
    pub fn by_rrn(&self, rrn: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.rrn.as_str() == rrn)
    }
}

/// Entries that the table prints; the rest is in the counts.
const ENTRIES_PRINTED_MAX: usize = 50;

impl fmt::Display for BankBooks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fmt_entries(f)?;
        writeln!(
            f,
            "{:<19}  {:>15}  {:>15}  {:>15}",
            "account", "opening", "balance", "net"
        )?;
        for account in self.accounts.iter().take(ENTRIES_PRINTED_MAX) {
            let AccountBook {
                pan,
                opening_minor,
                balance_minor,
                ..
            } = account;
            let net = account.net_minor();
            writeln!(
                f,
                "{pan:<19}  {opening_minor:>15}  {balance_minor:>15}  {net:>15}"
            )?;
        }
        self.fmt_totals(f)?;
        for wrong in &self.protocol_errors {
            let ProtocolError {
                mti,
                element,
                position,
                what,
            } = wrong;
            writeln!(f, "  {mti:<4} DE{element} at octet {position}: {what}")?;
        }
        Ok(())
    }
}

impl BankBooks {
    fn fmt_entries(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "mti   code    stan    transmitted  rrn           card                 \
             {:>12}  debited  answer  reversed  0420s",
            "amount"
        )?;
        for entry in self.entries.iter().take(ENTRIES_PRINTED_MAX) {
            let answer = match entry.code {
                Some(code) if entry.answered => code.to_string(),
                _ => "none".to_owned(),
            };
            let yes_or_no = |holds: bool| if holds { "yes" } else { "no" };
            writeln!(
                f,
                "{:<4}  {:<6}  {:<6}  {:<11}  {:<12}  {:<19}  {:>12}  {:<7}  {answer:<6}  {:<8}  {:>5}",
                entry.mti,
                entry.processing_code,
                entry.stan,
                entry.transmitted,
                entry.rrn,
                entry.pan,
                entry.amount_minor,
                yes_or_no(entry.debited),
                yes_or_no(entry.reversed),
                entry.reversal_messages,
            )?;
        }
        match self.entries.len().saturating_sub(ENTRIES_PRINTED_MAX) {
            0 => Ok(()),
            more => writeln!(f, "… and {more} more"),
        }
    }

    fn fmt_totals(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.totals;
        for (name, count) in [
            ("connections", t.connections),
            ("sign-ons", t.sign_ons),
            ("requests", t.requests),
            ("  approved", t.approved),
            ("  declined", t.declined),
            ("  unanswered", t.unanswered),
            ("  answered late", t.late),
            ("  answered elsewhere", t.elsewhere),
            ("  answered with garbage", t.garbage),
            ("  duplicates", t.duplicates),
            ("  before sign-on", t.before_sign_on),
            ("connections dropped", t.disconnected),
            ("debits", t.debits),
            ("  minor units", t.debited_minor),
            ("  reversed", t.reversed),
            ("  reversed minor units", t.reversed_minor),
            ("  standing", self.standing().count() as u64),
            ("  unanswered", self.unanswered_debits().count() as u64),
            ("reversal messages", t.reversal_messages),
            ("  of unknown originals", t.reversals_of_unknown),
            ("  before their original", t.arrived_after_reversal),
            ("  0421 unlike its 0420", t.repeats_changed),
            ("  unlike their original", t.reversals_mismatched),
            ("protocol errors", t.protocol_errors),
        ] {
            writeln!(f, "{name:<25}{count:>15}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_shows_its_first_six_and_last_four_and_a_short_one_nothing() {
        assert_eq!(masked("9704000000000001"), "970400******0001");
        assert_eq!(masked("123456789012"), "************");
    }
}
