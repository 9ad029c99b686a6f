//! An SMSC that misbehaves, as data: what it does on each PDU, what callers ask meanwhile, and what
//! they and the SMSC must see. One file each in `scenarios/smsc/`; nothing runs here.
//!
//! What no rule speaks of the SMSC does as the standard says, so a file holds the fault alone.

use std::collections::BTreeMap;

use serde::Deserialize;

/// The files, embedded so that the command line has them wherever it runs.
macro_rules! files {
    ($($name:literal)*) => {
        /// Name and text of every scenario, in alphabetical order.
        pub const FILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../scenarios/smsc/", $name, ".toml")))),*
        ];
    };
}

files! {
    "already-bound-after-drop"
    "already-bound-for-long"
    "answer-on-another-session"
    "bind-fails"
    "black-hole"
    "bodies-of-errors"
    "credentials-refused"
    "deliver-before-bind-resp"
    "deliver-flood"
    "deliver-glued-to-bind-resp"
    "duplicate-receipts"
    "duplicate-responses"
    "early-receipt"
    "enquire-link-unanswered"
    "forged-receipts"
    "half-a-response"
    "half-closed"
    "late-response-then-receipt"
    "late-responses"
    "length-0"
    "length-15"
    "length-16-mib"
    "nack-with-sequence"
    "nack-without-sequence"
    "off-spec-pdus"
    "off-spec-responses"
    "outbind"
    "outbind-dialled"
    "outbind-dialled-again"
    "outbind-refused"
    "queue-full"
    "receipt-of-another-account"
    "reordered-responses"
    "sequence-extremes"
    "shared-numbers"
    "silent-after-bind"
    "slow-but-in-time"
    "slow-loris"
    "slow-loris-bind"
    "stuck-number"
    "throttle-storm"
    "unanswered-slots"
    "unbind-in-the-window"
    "unknown-receipt"
    "wrong-kind"
    "wrong-receipts"
}

/// A file that is no scenario.
#[derive(Debug, thiserror::Error)]
#[error("scenario {name}: {why}")]
pub struct NotAScenario {
    name: String,
    why: String,
}

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// The file's name without its ending.
    #[serde(skip)]
    pub name: String,
    /// What the SMSC does and what must come of it, in a sentence.
    pub about: String,
    /// Whether the SMSC opens the connections, one after the other has ended, in place of listening.
    #[serde(default)]
    pub dials_in: bool,
    /// Keys of the router's section for this SMSC, as TOML.
    #[serde(default)]
    pub router: String,
    /// Sections of the router's configuration that are no SMSC's, such as `[receipts]`, as TOML.
    #[serde(default)]
    pub sections: String,
    /// What the SMSC does on its first connection, its second, …; the last holds for all further.
    #[serde(rename = "connection", default)]
    pub connections: Vec<Connection>,
    /// What callers do, one after the other.
    #[serde(default)]
    pub callers: Vec<Callers>,
    /// What is so at the end.
    #[serde(default)]
    pub expect: Expect,
}

impl Scenario {
    /// Reads a scenario and looks whether its octets and commands are such.
    ///
    /// # Errors
    /// What is wrong, with its place in the file.
    pub fn parse(name: &str, text: &str) -> Result<Self, NotAScenario> {
        let wrong = |why: String| NotAScenario {
            name: name.to_owned(),
            why,
        };
        let mut scenario: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        scenario.name = name.to_owned();
        let rules = scenario.connections.iter().flat_map(|c| &c.rules);
        for action in rules.flat_map(|rule| &rule.actions) {
            if let Some(octets) = action.octets() {
                octets_of(octets).map_err(wrong)?;
            }
        }
        Ok(scenario)
    }

    /// Every scenario of `scenarios/smsc/`.
    ///
    /// # Errors
    /// The first file that is none.
    pub fn all() -> Result<Vec<Self>, NotAScenario> {
        let parse = |(name, text): &(&str, &str)| Self::parse(name, text);
        FILES.iter().map(parse).collect()
    }

    /// The rules of the connection of this number, from 0.
    pub(super) fn rules(&self, connection: usize) -> &[Rule] {
        let last = self.connections.len().saturating_sub(1);
        self.connections
            .get(connection.min(last))
            .map_or(&[], |connection| &connection.rules)
    }
}

/// What the SMSC does on one connection.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Connection {
    /// The first that fits decides; without one the SMSC does as the standard says.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// What it does on one kind of PDU.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// `connect`, `bind` of any kind, another command by its name, or `any` PDU.
    pub on: String,
    /// Which of them on this connection, from 1; without it, all.
    pub nth: Option<u64>,
    /// From which on.
    pub from: Option<u64>,
    /// Up to which, it included.
    pub to: Option<u64>,
    /// What, in this order. What is written without a pause leaves as one segment.
    #[serde(rename = "do")]
    pub actions: Vec<Action>,
}

impl Rule {
    /// Whether it speaks of the `count`th PDU of this name.
    pub(super) fn fits(&self, name: &str, count: u64) -> bool {
        let named = self.on == name || (self.on == "any" && name != "connect");
        named
            && self.nth.is_none_or(|nth| nth == count)
            && self.from.is_none_or(|from| from <= count)
            && self.to.is_none_or(|to| count <= to)
    }
}

/// One thing that the SMSC does.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Action {
    /// Answers the PDU that the rule is about.
    Respond(Respond),
    /// Keeps the right answer to it for a `release`.
    Hold,
    /// Writes the answers that are kept, in the order of their requests.
    Release,
    /// The same in the opposite order.
    ReleaseReversed,
    /// Sends a PDU of its own.
    Send(Send),
    /// Sends a message or a receipt.
    Deliver(Deliver),
    /// Writes these octets, in hexadecimal.
    Raw(String),
    /// Writes nothing more for so long.
    PauseMs(u64),
    /// From now on writes one octet at a time, with so long between them.
    TrickleMs(u64),
    /// Reads no more.
    Deaf,
    /// Closes its direction, and goes on reading.
    HalfClose,
    /// Closes the connection.
    Cut,
    /// Resets it, as a killed process does.
    Reset,
}

impl Action {
    fn octets(&self) -> Option<&str> {
        match self {
            Self::Respond(respond) => respond.body.as_deref(),
            Self::Send(send) => Some(&send.body),
            Self::Deliver(deliver) => Some(&deliver.tlvs),
            Self::Raw(octets) => Some(octets),
            _ => None,
        }
    }
}

/// An answer; what is not said is as it should be.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Respond {
    /// command_status. Without a body of its own, an error has none.
    #[serde(default)]
    pub status: u32,
    /// command_id, for an answer of the wrong kind.
    pub command: Option<u32>,
    /// sequence_number, for an answer to something else.
    pub sequence: Option<u32>,
    /// message_id.
    pub id: Option<String>,
    /// The whole body, in hexadecimal.
    pub body: Option<String>,
    /// How often it is written.
    #[serde(default = "once")]
    pub times: u32,
}

/// A PDU of the SMSC's own.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Send {
    /// command_id.
    pub command: u32,
    /// command_status.
    #[serde(default)]
    pub status: u32,
    /// sequence_number; without it, the next of the SMSC's own.
    pub sequence: Option<u32>,
    /// The body, in hexadecimal.
    #[serde(default)]
    pub body: String,
}

/// A deliver_sm.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deliver {
    /// The text in ASCII; `{id}` is the id last given, `{hex}` and `{padded}` the same in other forms.
    pub text: String,
    /// esm_class; 4 is a receipt.
    #[serde(default)]
    pub esm_class: u8,
    /// data_coding.
    #[serde(default)]
    pub data_coding: u8,
    /// The number that it comes from.
    #[serde(default = "subscriber")]
    pub source: String,
    /// TLVs, in hexadecimal.
    #[serde(default)]
    pub tlvs: String,
    /// sequence_number; without it, the next of the SMSC's own.
    pub sequence: Option<u32>,
    /// How often it is sent, each time under a number of its own.
    #[serde(default = "once")]
    pub times: u32,
}

fn once() -> u32 {
    1
}

fn subscriber() -> String {
    "84981234567".to_owned()
}

/// When callers begin.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum After {
    /// The bind is up.
    #[default]
    Up,
    /// A try to connect or to bind has failed, and no bind is up.
    Down,
    /// The bind was lost and is up again.
    Back,
    /// At once.
    Start,
}

/// Messages that callers send together, and how they end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Callers {
    /// When.
    #[serde(default)]
    pub after: After,
    /// How many.
    pub messages: usize,
    /// Whether they ask for receipts.
    #[serde(default)]
    pub receipts: bool,
    /// Outcomes, such as `accepted`, or with the reason or status, such as `unknown:timeout` and
    /// `rejected:ESME_RMSGQFUL`. An outcome that is not named does not occur.
    pub outcomes: BTreeMap<String, Count>,
}

/// What is so at the end.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Expect {
    /// Whether the bind is up.
    pub up: Option<bool>,
    /// Connections made again.
    pub reconnects: Option<Count>,
    /// What the link's last error says.
    pub last_error: Option<String>,
    /// Metrics of this SMSC's links, summed, or of the process; a name may end with one label, as in
    /// `name{class="other"}`.
    #[serde(default)]
    pub metrics: BTreeMap<String, Count>,
    /// PDUs that the SMSC got, by name, those with an error as `name:status`; and `connections`.
    #[serde(default)]
    pub seen: BTreeMap<String, Count>,
    /// Sequence numbers of deliver_sm_resp and enquire_link_resp that the SMSC got.
    #[serde(default)]
    pub echoed: Vec<u32>,
    /// Events that a subscriber got: `message`, `receipt`, and `correlated`, which are the receipts that
    /// name a request of its callers.
    #[serde(default)]
    pub events: BTreeMap<String, Count>,
}

/// How many: a number, or `{ min = 1, max = 5 }`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(untagged)]
pub enum Count {
    /// So many.
    Exactly(u64),
    /// Between the two, both included.
    Between {
        /// At least.
        #[serde(default)]
        min: u64,
        /// At most.
        #[serde(default = "no_limit")]
        max: u64,
    },
}

fn no_limit() -> u64 {
    u64::MAX
}

impl Count {
    /// Whether `count` is so many.
    pub fn holds(self, count: u64) -> bool {
        match self {
            Self::Exactly(wanted) => count == wanted,
            Self::Between { min, max } => (min..=max).contains(&count),
        }
    }
}

/// Octets from pairs of hexadecimal digits, which spaces may part.
pub(super) fn octets_of(hex: &str) -> Result<Vec<u8>, String> {
    let digits: Vec<u8> = hex.bytes().filter(|digit| *digit != b' ').collect();
    let octet = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        match pair.len() {
            2 => u8::from_str_radix(pair, 16).ok(),
            _ => None,
        }
    };
    digits
        .chunks(2)
        .map(octet)
        .collect::<Option<_>>()
        .ok_or_else(|| format!("{hex:?} is not octets in hexadecimal"))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, path::Path};

    use super::*;

    #[test]
    fn every_file_of_the_folder_is_a_scenario_that_the_table_names() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/smsc");
        let files: BTreeSet<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let named: Vec<String> = FILES
            .iter()
            .map(|(name, _)| format!("{name}.toml"))
            .collect();
        assert!(FILES.is_sorted_by_key(|(name, _)| name));
        assert_eq!(named.into_iter().collect::<BTreeSet<_>>(), files);
        for scenario in Scenario::all().unwrap() {
            assert!(!scenario.callers.is_empty(), "{}", scenario.name);
        }
    }

    #[test]
    fn a_misspelt_key_or_octets_that_are_none_are_refused() {
        let unknown = "about = ''\n[[connection]]\nruls = []\n";
        assert!(Scenario::parse("x", unknown).is_err());
        for octets in ["0", "0g", "00 0"] {
            let text = format!(
                "about = ''\n[[connection]]\nrules = [{{ on = 'bind', do = [{{ raw = '{octets}' }}] }}]\n"
            );
            assert!(Scenario::parse("x", &text).is_err(), "{octets}");
        }
    }

    #[test]
    fn the_last_connection_holds_for_all_further() {
        let text = "about = ''\n[[connection]]\n[[connection]]\n\
            rules = [{ on = 'submit_sm', from = 2, to = 3, do = ['cut'] }]\n";
        let scenario = Scenario::parse("x", text).unwrap();
        assert!(scenario.rules(0).is_empty());
        let rule = &scenario.rules(7)[0];
        let fits: Vec<u64> = (1..=4).filter(|n| rule.fits("submit_sm", *n)).collect();
        assert_eq!(fits, [2, 3]);
    }
}
