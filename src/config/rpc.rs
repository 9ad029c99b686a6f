//! `[rpc]` and `[[client]]`: where the RPC listens, who may ask, and that nobody else can.

use super::{
    files::{Pem, Surroundings},
    form, peer,
    reader::{Document, Item, Place, Table},
    taken::Taken,
};
use crate::{
    client::ClientName,
    rpc::settings::{ClientSettings, Listen, RpcSettings, TlsFiles},
};

/// One day; a longer deadline in milliseconds is a mistaken unit.
const DEADLINE_MS_MAX: u64 = 86_400_000;
/// Requests in flight: at about 1 KiB each, 1 GiB.
const IN_FLIGHT_MAX: u32 = 1_000_000;

/// A client and what the rules between the sections have to know of it.
pub(super) struct ReadClient {
    place: Place,
    pub(super) settings: ClientSettings,
}

/// Reads `[rpc]`. `None` only with a fault recorded.
pub(super) fn read(table: &Table<'_>, surroundings: Surroundings<'_>) -> Option<RpcSettings> {
    let listen = table.text("listen", "127.0.0.1:7070", form::listen);
    let default_deadline = table.millis("default_deadline_ms", 5_000, 1..=DEADLINE_MS_MAX);
    let deadline_max = table.millis("deadline_max_ms", 600_000, 1..=DEADLINE_MS_MAX);
    let stream_in_flight_max = table.number("stream_in_flight_max", 8_192, 1..=IN_FLIGHT_MAX);
    super::peer::in_order(
        table,
        "default_deadline_ms",
        "deadline_max_ms",
        default_deadline <= deadline_max,
    );
    let tls = table.table_if_present("tls", |tls| read_tls(tls, surroundings));
    Some(RpcSettings {
        listen: listen?,
        tls: tls?,
        default_deadline,
        deadline_max,
        stream_in_flight_max,
    })
}

fn read_tls(table: &Table<'_>, surroundings: Surroundings<'_>) -> Option<TlsFiles> {
    let pem = |item: Item<'_>, holds| surroundings.pem(&item, holds);
    let certificate = table.required("certificate");
    let certificate = certificate.and_then(|item| pem(item, Pem::Certificate));
    let key = table.required("key");
    let key = key.and_then(|item| pem(item, Pem::PrivateKey));
    let client_ca = match table.get("client_ca") {
        Some(item) => Some(pem(item, Pem::Certificate)?),
        None => None,
    };
    Some(TlsFiles {
        certificate: certificate?,
        key: key?,
        client_ca,
    })
}

/// Names and proofs of the clients so far: whoever proves a name must prove one only.
#[derive(Default)]
pub(super) struct Credentials {
    /// Clients so far, faulty ones included.
    pub(super) clients: usize,
    names: Taken<ClientName>,
    tokens: Taken<[u8; 32]>,
    certificates: Taken<[u8; 32]>,
}

/// Reads one `[[client]]`. `None` only with a fault recorded.
pub(super) fn read_client(table: &Table<'_>, taken: &mut Credentials) -> Option<ReadClient> {
    taken.clients += 1;
    let name = table.required("name").and_then(|item| {
        let name = item.text(form::client_name)?;
        let shown = format!("{:?}", name.as_str());
        let is_free = taken.names.take(name.clone(), &shown, &item);
        is_free.then_some(name)
    });
    let token_sha256 = hash(table, "token_sha256", &mut taken.tokens);
    let certificate_sha256 = hash(table, "certificate_sha256", &mut taken.certificates);
    let is_operator = table.boolean("operator", false);
    let in_flight_max = table.number("in_flight_max", 8_192, 1..=IN_FLIGHT_MAX);
    // Refused is what is over the limit, so a service that works in beats of a second needs room
    // for one beat.
    let burst = peer::burst(table, 1_000);
    let rate = peer::rate(table, "tps", burst);
    Some(ReadClient {
        place: table.place().clone(),
        settings: ClientSettings {
            name: name?,
            token_sha256: token_sha256?,
            certificate_sha256: certificate_sha256?,
            is_operator,
            in_flight_max,
            rate,
        },
    })
}

/// A hash, which may be absent. `None` only with a fault recorded.
fn hash(
    table: &Table<'_>,
    key: &'static str,
    taken: &mut Taken<[u8; 32]>,
) -> Option<Option<[u8; 32]>> {
    let Some(item) = table.get(key) else {
        return Some(None);
    };
    let hash = item.secret(form::sha256)?;
    taken.take(hash, "the value", &item).then_some(Some(hash))
}

/// Holds the rules between `[rpc]` and `[[client]]`, and hands out the clients.
pub(super) fn settle(
    document: &Document,
    rpc_place: &Place,
    rpc: Option<&RpcSettings>,
    credentials: &Credentials,
    clients: Vec<ReadClient>,
) -> Vec<ClientSettings> {
    // Without a sound [rpc] nothing can be said of the rest.
    if let Some(rpc) = rpc {
        for client in &clients {
            refuse_certificates_unasked(document, rpc, client);
        }
        refuse_tls_on_a_unix_socket(document, rpc_place, rpc);
        if rpc.listen.is_open_to_the_network() {
            let all_are_sound = clients.len() == credentials.clients;
            guard_the_network(document, rpc_place, rpc, &clients, all_are_sound);
        }
    }
    clients.into_iter().map(|client| client.settings).collect()
}

fn refuse_certificates_unasked(document: &Document, rpc: &RpcSettings, client: &ReadClient) {
    let is_asked_for = rpc.tls.as_ref().is_some_and(|tls| tls.client_ca.is_some());
    if client.settings.certificate_sha256.is_some() && !is_asked_for {
        document.fault(
            &client.place,
            "has certificate_sha256, but no certificate is asked for",
            Some("set rpc.tls.client_ca".into()),
        );
    }
}

fn refuse_tls_on_a_unix_socket(document: &Document, place: &Place, rpc: &RpcSettings) {
    if matches!(rpc.listen, Listen::Unix(_)) && rpc.tls.is_some() {
        document.fault(
            place,
            "a Unix socket speaks no TLS",
            Some("remove [rpc.tls]; the permissions of its directory guard it".into()),
        );
    }
}

/// An address that others can reach takes requests for money only under TLS and from those who
/// prove who they are.
fn guard_the_network(
    document: &Document,
    place: &Place,
    rpc: &RpcSettings,
    clients: &[ReadClient],
    all_are_sound: bool,
) {
    let listen = &rpc.listen;
    if rpc.tls.is_none() {
        document.fault(
            place,
            format!("{listen} is open to the network and has no TLS"),
            Some("add [rpc.tls], or listen on 127.0.0.1".into()),
        );
    }
    let can_prove = |client: &ReadClient| {
        client.settings.token_sha256.is_some() || client.settings.certificate_sha256.is_some()
    };
    for client in clients.iter().filter(|client| !can_prove(client)) {
        document.warn(
            &client.place,
            "has neither token_sha256 nor certificate_sha256",
            Some("nobody can prove to be this client".into()),
        );
    }
    // A faulty client may be the one that could.
    if all_are_sound && !clients.iter().any(can_prove) {
        document.fault(
            place,
            format!("{listen} is open to the network and no client can prove who it is"),
            Some("add a [[client]] with token_sha256 or certificate_sha256".into()),
        );
    }
}
