//! `[smsc.tls]`: whom to trust at the other end of a link, and what to show it.

use super::{files::Surroundings, reader::Table};
use crate::link::tls::{self, Identity, Tls, TlsError};

/// Reads the section; `address` is the peer's, whose host is the name of its certificate by default.
/// The outer `None` only with a fault recorded, the inner one if there is no such section.
pub(super) fn read(
    table: &Table<'_>,
    address: Option<&str>,
    surroundings: Surroundings<'_>,
) -> Option<Option<Tls>> {
    table.table_if_present("tls", |table| section(table, address, surroundings))
}

fn section(
    table: &Table<'_>,
    address: Option<&str>,
    surroundings: Surroundings<'_>,
) -> Option<Tls> {
    let file = |key| {
        let item = table.get(key)?;
        surroundings.file(&item)
    };
    let ca = table
        .required("ca")
        .and_then(|item| surroundings.file(&item));
    let certificate = file("certificate");
    let key = file("key");
    let name = match table.get("server_name") {
        Some(item) => item.text(tls::server_name),
        None => by_address(table, address),
    };
    let given = |key| table.get(key).is_some();
    if given("certificate") != given("key") {
        let (there, missing) = match given("key") {
            true => ("key", "certificate"),
            false => ("certificate", "key"),
        };
        let what = format!("needs its {missing}");
        table.document().fault(&table.place_of(there), what, None);
        return None;
    }
    let (ca_path, ca) = ca?;
    let identity = match (given("certificate"), &certificate, &key) {
        (false, ..) => None,
        (true, Some((_, certificate)), Some((_, key))) => Some(Identity { certificate, key }),
        // A file that cannot be read has its fault.
        (true, ..) => return None,
    };
    Tls::new(&ca, identity, name?)
        .inspect_err(|error| {
            let (blamed, path) = match error {
                TlsError::Ca(_) => ("ca", Some(&ca_path)),
                TlsError::Certificate(_) => ("certificate", certificate.as_ref().map(|it| &it.0)),
                TlsError::Key(_) => ("key", key.as_ref().map(|it| &it.0)),
            };
            let path = path.map(|path| path.display().to_string());
            let what = format!("{} {error}", path.unwrap_or_default());
            table.document().fault(&table.place_of(blamed), what, None);
        })
        .ok()
}

/// `None` without a fault only if the address has one.
fn by_address(
    table: &Table<'_>,
    address: Option<&str>,
) -> Option<tokio_rustls::rustls::pki_types::ServerName<'static>> {
    let (host, _) = address?.rsplit_once(':')?;
    tls::server_name(host)
        .inspect_err(|what| {
            let what = format!("the host of address, {host:?}, {what}");
            let hint = "set server_name to the name in the peer's certificate";
            table
                .document()
                .fault(table.place(), what, Some(hint.into()));
        })
        .ok()
}
