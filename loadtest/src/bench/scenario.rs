//! A load as data: the router, what callers send it, what the networks do, and the bars that a run is
//! held against. One file each in `scenarios/bench/`; nothing runs here.

use std::{fmt::Display, num::NonZeroUsize, ops::RangeInclusive, time::Duration};

use serde::{Deserialize, Deserializer, Serialize, de::Error as _};

use super::{
    bar::Bar,
    load::{Kind, Load},
    sink::Delivering,
};

/// SMSCs of a router: as many as there are prefixes of two digits.
const SMSCS_MAX: usize = 100;
/// Further prefixes of routes: as many as there are of five digits.
pub(super) const PREFIXES_MAX: usize = 100_000;
/// Requests in one batch: what the contract allows.
const BATCH_MAX: usize = 1_000;
/// 255 parts of 153 characters, which is what a message may have.
const TEXT_CHARS_MAX: usize = 255 * 153;
/// More than any machine can.
const PER_S_MAX: f64 = 10_000_000.0;

/// The files, embedded so that the command line has them wherever it runs.
macro_rules! files {
    ($($name:literal)*) => {
        /// Name and text of every scenario, in the order of the report.
        pub(super) const FILES: &[(&str, &str)] = &[
            $(($name, include_str!(concat!("../../scenarios/bench/", $name, ".toml")))),*
        ];
    };
}

files! {
    "messages-1024"
    "messages-4096"
    "messages-one-by-one"
    "messages-half-load"
    "messages-store"
    "window-1"
    "window-10"
    "window-64"
    "window-256"
    "unary"
    "text-100"
    "parts-10"
    "clients-10"
    "clients-100"
    "slow-smsc"
    "memory"
    "mo"
    "receipts"
    "mixed"
    "payments-durable"
    "payments-memory"
    "payments-half-load"
    "both"
    "idle-500"
}

/// A file that is no scenario.
#[derive(Debug, thiserror::Error)]
#[error("scenario {name}: {why}")]
pub(super) struct NotAScenario {
    name: String,
    why: String,
}

/// One scenario.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Scenario {
    /// The file's name without its ending.
    #[serde(skip)]
    pub(super) name: String,
    /// What is measured, in a sentence.
    pub(super) about: String,
    /// The router.
    #[serde(default)]
    pub(super) router: RouterShape,
    /// Messages that callers send.
    pub(super) messages: Option<Traffic>,
    /// Payments that callers make.
    pub(super) payments: Option<Traffic>,
    /// What the SMSC delivers.
    pub(super) events: Option<Events>,
    /// How long the networks take for an answer, in milliseconds.
    #[serde(default)]
    pub(super) delay_ms: u64,
    /// What a run is held against.
    #[serde(rename = "bar", default)]
    pub(super) bars: Vec<Bar>,
}

/// What the router of a run is like.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct RouterShape {
    /// SMSCs; 0 is a router without messages. With several, each has its share of the destinations.
    #[serde(deserialize_with = "smscs")]
    pub(super) smscs: usize,
    /// Binds of each.
    pub(super) binds: u32,
    /// Requests in flight per bind.
    pub(super) window: u32,
    /// Links to the bank.
    pub(super) links: u32,
    /// Requests in flight per link.
    pub(super) bank_window: u32,
    /// Whether it has a `[store]`.
    pub(super) store: bool,
    /// Whether it has a `[journal]`.
    pub(super) journal: bool,
    /// Prefixes of routes besides those that every router here has.
    #[serde(deserialize_with = "prefixes")]
    pub(super) prefixes: usize,
    /// Further sections of its configuration, as TOML.
    pub(super) sections: String,
}

impl Default for RouterShape {
    fn default() -> Self {
        Self {
            smscs: 1,
            binds: 4,
            window: 256,
            links: 4,
            bank_window: 256,
            store: false,
            journal: false,
            prefixes: 0,
            sections: String::new(),
        }
    }
}

/// How callers call.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Call {
    /// Streams of batches.
    Stream,
    /// One call per request.
    Unary,
}

/// One kind of requests.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Traffic {
    /// How they come.
    #[serde(default = "stream")]
    pub(super) call: Call,
    /// Upstream services, each with its own connection.
    #[serde(default = "one")]
    pub(super) clients: NonZeroUsize,
    /// Requests without an answer, over all clients.
    pub(super) in_flight: NonZeroUsize,
    /// Requests in one batch.
    #[serde(default = "one", deserialize_with = "batch")]
    pub(super) batch: NonZeroUsize,
    /// Characters of a message's text.
    #[serde(default = "short_text", deserialize_with = "text_chars")]
    pub(super) text_chars: usize,
    /// Whether a receipt is asked for.
    #[serde(default)]
    pub(super) receipt: bool,
    /// Requests per second of an open loop.
    #[serde(default, deserialize_with = "per_s")]
    pub(super) per_s: Option<f64>,
    /// An open loop with this share of what a closed one reached just before.
    #[serde(default, deserialize_with = "share")]
    pub(super) load: Option<f64>,
}

/// What the SMSC delivers of its own accord.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Events {
    /// deliver_sm without an answer, per bind.
    pub(super) window: NonZeroUsize,
    /// MO as fast as the window allows.
    #[serde(default)]
    pub(super) mo: bool,
    /// One MO for so many messages; 0 is none.
    #[serde(default)]
    pub(super) mo_every: u64,
    /// Subscribers that share them.
    #[serde(default = "one")]
    pub(super) subscribers: NonZeroUsize,
}

/// A value that has to be in a range; what is not is told with its line, as everything is that is found
/// while the file is read.
fn within<'de, D: Deserializer<'de>, T: Deserialize<'de> + PartialOrd + Display>(
    deserializer: D,
    range: RangeInclusive<T>,
) -> Result<T, D::Error> {
    let value = T::deserialize(deserializer)?;
    match range.contains(&value) {
        true => Ok(value),
        false => Err(D::Error::custom(format_args!(
            "{value} is not within {} to {}",
            range.start(),
            range.end()
        ))),
    }
}

/// The prefixes of two digits are shared among them.
fn smscs<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    within(from, 0..=SMSCS_MAX)
}

fn prefixes<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    within(from, 0..=PREFIXES_MAX)
}

fn batch<'de, D: Deserializer<'de>>(from: D) -> Result<NonZeroUsize, D::Error> {
    let most = NonZeroUsize::new(BATCH_MAX).unwrap_or(NonZeroUsize::MIN);
    within(from, NonZeroUsize::MIN..=most)
}

fn text_chars<'de, D: Deserializer<'de>>(from: D) -> Result<usize, D::Error> {
    within(from, 1..=TEXT_CHARS_MAX)
}

fn per_s<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    within(from, 1.0..=PER_S_MAX).map(Some)
}

fn share<'de, D: Deserializer<'de>>(from: D) -> Result<Option<f64>, D::Error> {
    within(from, 0.01..=1.0).map(Some)
}

fn stream() -> Call {
    Call::Stream
}

fn one() -> NonZeroUsize {
    NonZeroUsize::MIN
}

fn short_text() -> usize {
    20
}

impl Scenario {
    /// Reads a scenario.
    ///
    /// # Errors
    /// What is wrong, with its line.
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, NotAScenario> {
        let wrong = |why: String| NotAScenario {
            name: name.to_owned(),
            why,
        };
        let mut scenario: Self = toml::from_str(text).map_err(|error| wrong(error.to_string()))?;
        scenario.name = name.to_owned();
        let kinds = [
            ("messages", &scenario.messages),
            ("payments", &scenario.payments),
        ];
        for (kind, traffic) in kinds {
            let Some(traffic) = traffic else { continue };
            let is_open = traffic.per_s.is_some() || traffic.load.is_some();
            if is_open && traffic.call == Call::Unary {
                return Err(wrong(format!("[{kind}]: an open loop needs a stream")));
            }
            if traffic.receipt && scenario.events.is_none() {
                return Err(wrong(format!(
                    "[{kind}]: receipts need [events], whose subscribers take them"
                )));
            }
            if traffic.per_s.is_some() && traffic.load.is_some() {
                return Err(wrong(format!("[{kind}]: per_s or load, not both")));
            }
        }
        Ok(scenario)
    }

    /// The scenario of this name, or the one in the file.
    ///
    /// # Errors
    /// When there is none, or what is wrong with it.
    pub(super) fn named(named: &str) -> Result<Self, NotAScenario> {
        if let Some((name, text)) = FILES.iter().find(|(name, _)| *name == named) {
            return Self::parse(name, text);
        }
        let text = std::fs::read_to_string(named).map_err(|error| NotAScenario {
            name: named.to_owned(),
            why: format!("neither in --list nor a file: {error}"),
        })?;
        let stem = std::path::Path::new(named).file_stem();
        let name = stem.map_or(named.into(), |stem| stem.to_string_lossy());
        Self::parse(&name, &text)
    }

    /// Clients of all kinds of requests.
    pub(super) fn clients(&self) -> usize {
        let traffic = [&self.messages, &self.payments];
        let clients = traffic.into_iter().flatten().map(|it| it.clients.get());
        clients.sum::<usize>().max(1)
    }

    /// The messages as the generator takes them.
    pub(super) fn message_load(&self) -> Option<Load> {
        let traffic = self.messages.as_ref()?;
        let kind = Kind::Message {
            text_chars: traffic.text_chars,
            receipt: traffic.receipt,
        };
        Some(traffic.load(kind, 0))
    }

    /// The payments as the generator takes them.
    pub(super) fn payment_load(&self) -> Option<Load> {
        let traffic = self.payments.as_ref()?;
        let first_client = self.messages.as_ref().map_or(0, |it| it.clients.get());
        Some(traffic.load(Kind::Payment, first_client))
    }

    /// What the message centre delivers.
    pub(super) fn delivering(&self) -> Delivering {
        let events = self.events.as_ref();
        Delivering {
            window: events.map_or(0, |events| events.window.get()),
            mo: events.is_some_and(|events| events.mo),
            mo_every: events.map_or(0, |events| events.mo_every),
            receipts: self.messages.as_ref().is_some_and(|it| it.receipt),
        }
    }

    /// What is set, for a person.
    pub(super) fn settings(&self) -> String {
        let router = &self.router;
        let mut parts = Vec::new();
        if router.smscs > 0 {
            let binds = router.binds as usize * router.smscs;
            parts.push(format!("{binds} binds x {}", router.window));
        }
        if self.payments.is_some() {
            parts.push(format!("{} links x {}", router.links, router.bank_window));
        }
        for (name, traffic) in [("messages", &self.messages), ("payments", &self.payments)] {
            if let Some(traffic) = traffic {
                parts.push(format!("{name}: {}", traffic.settings()));
            }
        }
        if router.store {
            parts.push("store".to_owned());
        }
        if router.journal {
            parts.push("journal".to_owned());
        }
        parts.join("; ")
    }

    /// Subscribers; 0 if nothing comes in.
    pub(super) fn subscribers(&self) -> usize {
        self.events.map_or(0, |events| events.subscribers.get())
    }

    /// submit_sm of each message.
    pub(super) fn parts(&self) -> usize {
        self.messages.as_ref().map_or(1, Traffic::parts)
    }

    /// How late the networks answer.
    pub(super) fn delay(&self) -> Duration {
        Duration::from_millis(self.delay_ms)
    }
}

impl Traffic {
    /// Parts of a message in GSM 7 bit: 160 characters, or 153 for each of several (3GPP TS 23.040).
    fn parts(&self) -> usize {
        match self.text_chars {
            0..=160 => 1,
            chars => chars.div_ceil(153),
        }
    }

    /// Octets of the text of one part, with its header if there are several.
    pub(super) fn part_chars(&self) -> usize {
        match self.parts() {
            1 => self.text_chars,
            _ => 153 + 6,
        }
    }

    fn settings(&self) -> String {
        let pace = match (self.per_s, self.load) {
            (Some(per_s), _) => format!(", {per_s:.0}/s"),
            (None, Some(load)) => format!(", {:.0} % load", load * 100.0),
            (None, None) => String::new(),
        };
        let call = match self.call {
            Call::Stream => format!("batches of {}", self.batch),
            Call::Unary => "unary".to_owned(),
        };
        let (clients, in_flight) = (self.clients, self.in_flight);
        format!("{clients} clients, {in_flight} in flight, {call}{pace}")
    }

    fn load(&self, kind: Kind, first_client: usize) -> Load {
        Load {
            kind,
            call: self.call,
            clients: self.clients.get(),
            in_flight: self.in_flight.get(),
            batch: self.batch.get(),
            per_s: self.per_s,
            share: self.load,
            first_client,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::*;

    #[test]
    fn every_file_is_a_scenario_and_none_is_left_out() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/bench");
        let found = fs::read_dir(folder)
            .unwrap()
            .map(|file| file.unwrap().path());
        let mut found: Vec<_> = found
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect();
        let mut listed: Vec<_> = FILES.iter().map(|(name, _)| (*name).to_owned()).collect();
        found.sort();
        listed.sort();
        assert_eq!(found, listed);
        for (name, text) in FILES {
            let scenario = Scenario::parse(name, text).unwrap();
            assert!(!scenario.about.is_empty() && !scenario.settings().is_empty());
        }
    }

    #[test]
    fn a_fault_is_told_with_its_line() {
        for (fault, told) in [
            ("in_flight = 0", "line 4"),
            (
                "in_flight = 1\nbatch = 1_001",
                "1001 is not within 1 to 1000",
            ),
            ("in_flight = 1\nbatch = 1_001", "line 5"),
            ("in_flight = 1\nload = 1.5", "line 5"),
            ("in_flight = 1\ntext_chars = 0", "line 5"),
            ("in_flight = 1\nflight = 2", "unknown field `flight`"),
            (
                "in_flight = 1\ncall = \"unary\"\nper_s = 5.0",
                "an open loop needs a stream",
            ),
            ("in_flight = 1\nload = 0.5\nper_s = 5.0", "not both"),
            ("in_flight = 1\nreceipt = true", "receipts need [events]"),
        ] {
            let text = format!("about = \"a\"\n\n[messages]\n{fault}\n");
            let why = Scenario::parse("x", &text).unwrap_err().to_string();
            assert!(why.contains(told), "{why}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_told() {
        let why = Scenario::named("no/such.toml").unwrap_err().to_string();
        assert!(why.contains("neither in --list nor a file"), "{why}");
    }

    #[test]
    fn a_text_has_as_many_parts_as_gsm_7_bit_needs() {
        let parts = |chars: usize| {
            let text = format!("about = \"\"\n[messages]\nin_flight = 1\ntext_chars = {chars}\n");
            Scenario::parse("x", &text).unwrap().parts()
        };
        assert_eq!([160, 161, 306, 307, 1_530].map(parts), [1, 2, 2, 3, 10]);
    }
}
