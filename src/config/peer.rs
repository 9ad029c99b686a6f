//! What SMSCs and banks have in common: the keys of a link, and names that are unique among both.

use std::{cell::Cell, collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use super::{
    form,
    reach::overlap,
    reader::{Document, Item, Place, Table},
};
use crate::{
    link::settings::{LinkSettings, Reach},
    rate::Rate,
};

/// Connections to one peer; no SMSC or bank grants more.
const LINKS_MAX: u16 = 500;
/// Requests in flight per connection, as many as the window's ring may have slots.
const WINDOW_MAX: u32 = 65_536;
/// Requests that wait, per connection: at 1 KiB each, 1 GiB.
const QUEUE_MAX: usize = 1_000_000;
/// One hour. A longer timer in milliseconds is a mistaken unit.
pub(super) const MILLIS_MAX: u64 = 3_600_000;

/// Requests per second; no link of this router carries more.
const TPS_MAX: u32 = 10_000_000;
/// One minute's worth at once is no rate any more.
const BURST_MS_MAX: u64 = 60_000;

/// What a peer is called in messages to a person, and what it is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// An SMSC that messages can be sent to.
    Smsc,
    /// An SMSC that is bound as receiver: messages come from it only.
    ReceivingSmsc,
    /// A bank.
    Bank,
}

/// The names of all peers, those with other faults included: a route to one of them is not
/// dangling.
#[derive(Default)]
pub(super) struct Peers {
    by_name: BTreeMap<Arc<str>, Peer>,
    /// The ports on which peers connect to us, and where they stand.
    ports: Vec<(Place, SocketAddr)>,
}

struct Peer {
    kind: Kind,
    place: Place,
    is_reached: Cell<bool>,
}

impl Peers {
    /// Reads the name of a peer and takes it down.
    pub(super) fn name(&mut self, table: &Table<'_>, kind: Kind) -> Option<Arc<str>> {
        let item = table.required("name")?;
        let name = item.text(form::name)?;
        if let Some(other) = self.by_name.get(&name) {
            let (key, line) = (other.place.key(), other.place.line());
            item.fault(
                format!("{name:?} is already the {key} of line {line}"),
                None,
            );
            return None;
        }
        let peer = Peer {
            kind,
            place: item.place().clone(),
            is_reached: Cell::new(false),
        };
        self.by_name.insert(Arc::clone(&name), peer);
        Some(name)
    }

    /// Takes down a port on which a peer connects to us; each has its own, because it tells the peer.
    pub(super) fn listens(&mut self, item: &Item<'_>, address: SocketAddr) {
        if let Some((place, other)) = self.ports.iter().find(|(_, own)| overlap(*own, address)) {
            let (key, line) = (place.key(), place.line());
            item.fault(format!("{other} is already the {key} of line {line}"), None);
        }
        self.ports.push((item.place().clone(), address));
    }

    /// Records a fault of each such port that is that of `other`, which `name` has taken.
    pub(super) fn refuse_port(&self, document: &Document, name: &str, other: SocketAddr) {
        for (place, address) in &self.ports {
            if overlap(*address, other) {
                let what = format!("{address} and {name} {other} are the same port");
                document.fault(place, what, None);
            }
        }
    }

    /// The SMSC that a route names.
    pub(super) fn smsc(&self, item: &Item<'_>) -> Option<Arc<str>> {
        item.text(|name| match self.reach(name, "[[smsc]]")? {
            (name, Kind::Smsc) => Ok(name),
            (_, Kind::ReceivingSmsc) => Err("is bound as receiver and takes no messages".into()),
            (_, Kind::Bank) => Err("is a bank, not an SMSC".into()),
        })
    }

    /// The bank that a route names.
    pub(super) fn bank(&self, item: &Item<'_>) -> Option<Arc<str>> {
        item.text(|name| match self.reach(name, "[[bank]]")? {
            (name, Kind::Bank) => Ok(name),
            (_, Kind::Smsc | Kind::ReceivingSmsc) => Err("is an SMSC, not a bank".into()),
        })
    }

    fn reach(&self, name: &str, section: &str) -> Result<(Arc<str>, Kind), String> {
        let (name, peer) = self
            .by_name
            .get_key_value(name)
            .ok_or_else(|| format!("is the name of no {section}"))?;
        peer.is_reached.set(true);
        Ok((Arc::clone(name), peer.kind))
    }

    /// Whether there is none.
    pub(super) fn is_empty(&self) -> bool {
        self.by_name.is_empty()
    }

    /// Warns of the peers that no route leads to.
    pub(super) fn warn_of_unreached(&self, document: &Document) {
        for (name, peer) in &self.by_name {
            if peer.is_reached.get() {
                continue;
            }
            match peer.kind {
                Kind::Smsc => document.warn(
                    &peer.place,
                    format!("no [[message_route]] leads to {name:?}"),
                    Some("it gets no messages".into()),
                ),
                Kind::Bank => document.warn(
                    &peer.place,
                    format!("no [[payment_route]] leads to {name:?}"),
                    Some("it gets only payments that name it".into()),
                ),
                Kind::ReceivingSmsc => {}
            }
        }
    }
}

/// The defaults in which the links to SMSCs and those to banks differ.
pub(super) struct LinkDefaults {
    /// The key of the number of connections.
    pub(super) links_key: &'static str,
    pub(super) window: u32,
    pub(super) response_timeout_ms: u64,
}

/// The keys of a link. `None` only with a fault recorded.
pub(super) fn link(
    table: &Table<'_>,
    peer: Option<Arc<str>>,
    reach: Option<Reach>,
    defaults: &LinkDefaults,
) -> Option<LinkSettings> {
    let millis = |key, default_ms| table.millis(key, default_ms, 1..=MILLIS_MAX);
    let links = table.number(defaults.links_key, 1, 1..=LINKS_MAX);
    let window = table.number("window", defaults.window, 1..=WINDOW_MAX);
    let queue_max = table.number("queue_max", 10_000, 0..=QUEUE_MAX);
    let response_timeout = millis("response_timeout_ms", defaults.response_timeout_ms);
    let connect_timeout = millis("connect_timeout_ms", 5_000);
    let reconnect_min = millis("reconnect_min_ms", 500);
    let reconnect_max = millis("reconnect_max_ms", 30_000);
    let refused_pause = millis("refused_pause_ms", 60_000);
    let drain_timeout = table.millis("drain_timeout_ms", 10_000, 0..=MILLIS_MAX);
    in_order(
        table,
        "reconnect_min_ms",
        "reconnect_max_ms",
        reconnect_min <= reconnect_max,
    );
    Some(LinkSettings {
        peer: peer?,
        reach: reach?,
        links,
        window,
        queue_max,
        response_timeout,
        connect_timeout,
        reconnect_min,
        reconnect_max,
        refused_pause,
        drain_timeout,
    })
}

/// How much of a rate may go at once.
pub(super) fn burst(table: &Table<'_>, default_ms: u64) -> Duration {
    table.millis("tps_burst_ms", default_ms, 0..=BURST_MS_MAX)
}

/// A rate per second, 0 being none.
pub(super) fn rate(table: &Table<'_>, key: &'static str, burst: Duration) -> Option<Rate> {
    let per_second = table.number(key, 0, 0..=TPS_MAX);
    (per_second > 0).then_some(Rate { per_second, burst })
}

/// Records a fault of two keys of which the first must not exceed the second.
pub(super) fn in_order(
    table: &Table<'_>,
    low: &'static str,
    high: &'static str,
    is_in_order: bool,
) {
    if is_in_order {
        return;
    }
    // One of them may have its default, which no line of the file is to blame for.
    let blamed = if table.get(low).is_some() { low } else { high };
    table.document().fault(
        &table.place_of(blamed),
        format!("{low} is more than {high}"),
        None,
    );
}
