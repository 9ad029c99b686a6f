//! A load as data: the router, what callers send it, what the networks do, and the bars that a run is
//! held against. One file each in `scenarios/bench/`; nothing runs here.

use std::{num::NonZeroUsize, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    load::{Kind, Load},
    sink::Delivering,
};

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
    /// SMSCs; 0 is a router without messages.
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
    #[serde(default = "one")]
    pub(super) batch: NonZeroUsize,
    /// Characters of a message's text.
    #[serde(default = "short_text")]
    pub(super) text_chars: usize,
    /// Whether a receipt is asked for.
    #[serde(default)]
    pub(super) receipt: bool,
    /// Requests per second of an open loop.
    pub(super) per_s: Option<f64>,
    /// An open loop with this share of what a closed one reached just before.
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

/// A figure and what it has to be.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bar {
    /// Which figure.
    pub(super) what: Figure,
    /// What it has to reach.
    pub(super) bar: f64,
    /// What is thought possible.
    pub(super) in_sight: Option<f64>,
}

/// A figure of a run that bars speak of.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Figure {
    /// Messages answered per second.
    MessagesPerS,
    /// Payments answered per second.
    PaymentsPerS,
    /// Events acknowledged per second.
    EventsPerS,
    /// The router's processor time for each of what was done, in microseconds.
    CpuUs,
    /// The share of what the bare exchange reached in the same run.
    OfFloor,
    /// The median latency, in milliseconds.
    P50Ms,
    /// The latency that one of a hundred exceeds, in milliseconds.
    P99Ms,
    /// The router's most memory, in MiB.
    PeakMib,
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
        if self.messages.is_some() || self.events.is_some() {
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

    /// Whether there is a message centre.
    pub(super) fn has_smsc(&self) -> bool {
        self.messages.is_some() || self.events.is_some()
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
