//! The handles of what only banks have: requests of the bank's own, MACs and keys, and what became of
//! what it asked. They are fetched as a link or a bank comes into being, never per message.

use metrics::{Counter, counter};

use super::{
    Metrics,
    names::{
        BANK_ANSWERS_HANDED_OVER, BANK_ASKED, BANK_KEYS, BANK_MAC_FAILURES, BANK_RECONCILIATIONS,
        BANK_REQUESTS,
    },
};
use crate::iso8583::{Mti, mti::Class};

impl Metrics {
    /// The handles of one link to a bank.
    pub fn bank_link(&self, bank: &str, link: &str) -> BankLinkMetrics {
        let fetch = |name, label: &'static str, value: &'static str| {
            let labels = [
                ("bank", bank.to_owned()),
                ("link", link.to_owned()),
                (label, value.to_owned()),
            ];
            counter!(name, &labels)
        };
        let request = |request| fetch(BANK_REQUESTS, "request", request);
        let failure = |why| fetch(BANK_MAC_FAILURES, "why", why);
        let key = |outcome| fetch(BANK_KEYS, "outcome", outcome);
        self.with(|| BankLinkMetrics {
            sign_ons: request("sign_on"),
            sign_offs: request("sign_off"),
            echoes: request("echo"),
            cutovers: request("cutover"),
            other_network: request("other_network"),
            authorizations: request("authorization"),
            financials: request("financial"),
            file_actions: request("file_action"),
            reversals: request("reversal"),
            reconciliations: request("reconciliation"),
            administratives: request("administrative"),
            fee_collections: request("fee_collection"),
            macs_missing: failure("missing"),
            macs_wrong: failure("wrong"),
            macs_without_key: failure("no_key"),
            keys_accepted: key("accepted"),
            keys_refused: key("refused"),
            keys_denied: key("denied"),
            answers_handed_over: counter!(
                BANK_ANSWERS_HANDED_OVER, "bank" => bank.to_owned(), "link" => link.to_owned()
            ),
        })
    }
}

impl Metrics {
    /// The handles of what one bank begins.
    pub fn bank_asked(&self, bank: &str) -> BankAskedMetrics {
        let of = |kind: &'static str| {
            let fetch = |outcome: &'static str| {
                let labels = [
                    ("bank", bank.to_owned()),
                    ("kind", kind.to_owned()),
                    ("outcome", outcome.to_owned()),
                ];
                counter!(BANK_ASKED, &labels)
            };
            AskedMetrics {
                durable: fetch("durable"),
                repeated: fetch("repeated"),
                later: fetch("later"),
                declined: fetch("declined"),
            }
        };
        let reconciled = |outcome: &'static str| counter!(BANK_RECONCILIATIONS, "bank" => bank.to_owned(), "outcome" => outcome);
        self.with(|| BankAskedMetrics {
            chargebacks: of("chargeback"),
            reconciliations: of("reconciliation"),
            others: of("other"),
            in_balance: reconciled("in_balance"),
            out_of_balance: reconciled("out_of_balance"),
            incomparable: reconciled("incomparable"),
        })
    }
}

/// What one bank begins, network management apart.
#[derive(Clone)]
pub struct BankAskedMetrics {
    chargebacks: AskedMetrics,
    reconciliations: AskedMetrics,
    others: AskedMetrics,
    in_balance: Counter,
    out_of_balance: Counter,
    incomparable: Counter,
}

impl BankAskedMetrics {
    /// Those of a message's kind.
    pub fn of(&self, mti: Mti) -> &AskedMetrics {
        match mti.class {
            _ if mti.is_chargeback() => &self.chargebacks,
            Class::Reconciliation => &self.reconciliations,
            _ => &self.others,
        }
    }

    /// Reconciliations that ended so; see the words of the metric.
    pub fn reconciled(&self, outcome: &str) -> &Counter {
        match outcome {
            "in_balance" => &self.in_balance,
            "out_of_balance" => &self.out_of_balance,
            _ => &self.incomparable,
        }
    }
}

/// The same of one kind, by what became of it.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct AskedMetrics {
    pub durable: Counter,
    pub repeated: Counter,
    pub later: Counter,
    pub declined: Counter,
}

/// The handles of one link to a bank.
#[allow(
    missing_docs,
    reason = "the metrics' meanings stand in one place, COUNTERS and GAUGES"
)]
#[derive(Clone)]
pub struct BankLinkMetrics {
    pub sign_ons: Counter,
    pub sign_offs: Counter,
    pub echoes: Counter,
    pub cutovers: Counter,
    pub other_network: Counter,
    pub authorizations: Counter,
    pub financials: Counter,
    pub file_actions: Counter,
    pub reversals: Counter,
    pub reconciliations: Counter,
    pub administratives: Counter,
    pub fee_collections: Counter,
    pub macs_missing: Counter,
    pub macs_wrong: Counter,
    pub macs_without_key: Counter,
    pub keys_accepted: Counter,
    pub keys_refused: Counter,
    pub keys_denied: Counter,
    pub answers_handed_over: Counter,
}
