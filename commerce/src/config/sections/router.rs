//! `[router]`: where the router is, and how it knows commerce. Without this section nothing is sold by
//! message, and agents are served all the same.

use std::{num::NonZeroU16, path::PathBuf};

use super::{super::Table, MILLIS_MAX, keys::source};
use crate::router::{Address, ClientFiles, Settings, TlsFiles, Token};

/// Calls at once; a router that takes as many of one client has little left for others.
const CALLS_MAX: u16 = 1_000;

pub(in super::super) fn read(table: &Table<'_>) -> Option<Option<Settings>> {
    if !table.is_present() {
        return Some(None);
    }
    // Each key is asked for before any is missed, so that no other one seems unknown.
    let tls = tls(table);
    let address = table.required("address");
    let client = table.text("client", "commerce");
    let token = token(table);
    let call_timeout = table.millis("call_timeout_ms", 40_000, 1_000..=MILLIS_MAX);
    let calls_max = NonZeroU16::new(table.number("calls_max", 64, 1..=CALLS_MAX));
    let sender = table.optional_text("sender");
    let urgent_route = table.optional_text("urgent_route");
    let route = table.optional_text("route");
    let tls = tls?;
    Some(Some(Settings {
        address: address?.text(|text| Address::parse(text, tls.clone()))?,
        client: client?,
        token: token?,
        call_timeout,
        calls_max: calls_max?,
        sender: sender?,
        urgent_route: urgent_route?,
        route: route?,
    }))
}

fn token(table: &Table<'_>) -> Option<Option<Token>> {
    let Some(item) = table.get("token") else {
        return Some(None);
    };
    let token = Token::read(&source(table, &item)?);
    token
        .inspect_err(|fault| item.fault(fault.to_string()))
        .ok()
        .map(Some)
}

/// The files of TLS, if there are any: a certificate without its key is a fault.
fn tls(table: &Table<'_>) -> Option<Option<TlsFiles>> {
    let file = |key| {
        let path: Option<Option<PathBuf>> = table.optional_text(key);
        path.map(|path| path.map(|path| table.path(path)))
    };
    let (ca, certificate, key) = (file("ca")?, file("certificate")?, file("key")?);
    let server_name = table.optional_text("server_name")?;
    let client = match (certificate, key) {
        (Some(certificate), Some(key)) => Some(ClientFiles { certificate, key }),
        (None, None) => None,
        _ => {
            table.fault("has one of certificate and key and not the other");
            return None;
        }
    };
    match ca {
        Some(ca) => Some(Some(TlsFiles {
            ca,
            client,
            server_name,
        })),
        None if client.is_none() && server_name.is_none() => Some(None),
        None => {
            table.fault("has keys for TLS without ca, the roots of the router's certificate");
            None
        }
    }
}
