//! How a peer is reached: the keys `address` and `listen`, who is let in there, and `[….tls]`.

use std::net::SocketAddr;

use super::{
    files::Surroundings,
    form,
    peer::Peers,
    reader::{Item, Table},
    tls,
};
use crate::link::settings::{Dial, Greeting, Listen, Network, Reach};

/// The keys of a port on which the peer connects to us, which banks and SMSCs call differently.
pub(super) struct ListenKeys {
    pub(super) listen: &'static str,
    pub(super) from: &'static str,
}

/// Reads how the peer is reached. `greeting` is what it says first when it has connected, and
/// whether no stranger can say so; `None` if that is faulty. `None` only with a fault recorded.
pub(super) fn read(
    table: &Table<'_>,
    keys: &ListenKeys,
    peers: &mut Peers,
    greeting: Option<(Greeting, bool)>,
    surroundings: Surroundings<'_>,
) -> Option<Reach> {
    let listen_item = table.get(keys.listen);
    // Without any way, what is missing is the one that nearly everybody has.
    let address_item = match listen_item {
        None => table.required("address"),
        Some(_) => table.get("address"),
    };
    let dials = address_item.is_some();
    let address = address_item.and_then(|item| item.text(form::address));
    let from = networks(table, keys.from);
    let ways = tls::Ways {
        dials,
        address: address.as_deref(),
        listens: listen_item.is_some(),
    };
    let tls = tls::read(table, ways, surroundings);
    let Some(listen_item) = listen_item else {
        if from.is_some_and(|from| !from.is_empty()) {
            let what = format!("needs {}", keys.listen);
            table
                .document()
                .fault(&table.place_of(keys.from), what, None);
        }
        let (address, tls) = (address?, tls?);
        return Some(Reach::Dial(Dial {
            address,
            tls: tls.dial,
        }));
    };
    let local = listen_item.text(form::socket_address)?;
    let (from, tls, (greeting, is_secret)) = (from?, tls?, greeting?);
    peers.listens(&listen_item, local);
    if !(is_secret || !from.is_empty() || tls.listen.is_some() || local.ip().is_loopback()) {
        let what = "lets in whoever connects, and takes it for the peer";
        let hint = format!("set {}, or add the section tls", keys.from);
        listen_item.fault(what, Some(hint));
        return None;
    }
    let listen = Listen {
        address: local,
        from,
        tls: tls.listen,
        greeting,
    };
    if !dials {
        return Some(Reach::Listen(listen));
    }
    let dial = Dial {
        address: address?,
        tls: tls.dial,
    };
    Some(Reach::Both(dial, listen))
}

/// `None` only with a fault recorded.
fn networks(table: &Table<'_>, key: &'static str) -> Option<Vec<Network>> {
    let elements = table.elements(key);
    let network = |item: &Item<'_>| item.text(|text| text.parse::<Network>());
    let networks: Vec<_> = elements.iter().filter_map(network).collect();
    // One that is left out would let in too few, and none at all everybody.
    (networks.len() == elements.len()).then_some(networks)
}

/// Whether two addresses of this machine are the same port. Port 0 is a free one, another each time.
pub(super) fn overlap(one: SocketAddr, other: SocketAddr) -> bool {
    let ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    ip && one.port() == other.port() && one.port() != 0
}
