//! `[smsc.tls]` and `[bank.tls]`: whom to trust at the other end of a link, and what to show it.

use time::OffsetDateTime;
use tokio_rustls::rustls::pki_types::ServerName;

use super::{
    files::Surroundings,
    reader::{Item, Table},
};
use crate::{
    clock,
    link::{
        expiry::EXPIRES_SOON,
        tls::{self, Identity, Tls, TlsAccept, TlsError},
    },
};

/// TLS in the ways in which the peer is reached.
#[derive(Default)]
pub(super) struct Ends {
    /// Where we dial.
    pub(super) dial: Option<Tls>,
    /// Where the peer does.
    pub(super) listen: Option<TlsAccept>,
}

/// The ways in which the peer is reached.
#[derive(Clone, Copy)]
pub(super) struct Ways<'a> {
    /// Whether we dial.
    pub(super) dials: bool,
    /// Where, whose host is the name of the peer's certificate by default; `None` also if it is
    /// faulty.
    pub(super) address: Option<&'a str>,
    /// Whether the peer dials.
    pub(super) listens: bool,
}

/// Reads the section, if there is one. `None` only with a fault recorded.
pub(super) fn read(
    table: &Table<'_>,
    ways: Ways<'_>,
    surroundings: Surroundings<'_>,
) -> Option<Ends> {
    let ends = table.table_if_present("tls", |table| section(table, ways, surroundings));
    ends.map(Option::unwrap_or_default)
}

fn section(table: &Table<'_>, ways: Ways<'_>, surroundings: Surroundings<'_>) -> Option<Ends> {
    let file = |key| {
        let item = table.get(key)?;
        surroundings.file(&item)
    };
    let ca = table
        .required("ca")
        .and_then(|item| surroundings.file(&item));
    let certificate = file("certificate");
    let key = file("key");
    let names = Names::read(table, ways);
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
    if ways.listens && !given("certificate") {
        let what =
            "needs certificate and key, because the peer connects to us and wants to see them";
        table.document().fault(table.place(), what, None);
        return None;
    }
    let (ca_path, ca) = ca?;
    let identity = match (given("certificate"), &certificate, &key) {
        (false, ..) => None,
        (true, Some((_, certificate)), Some((_, key))) => Some(Identity { certificate, key }),
        // A file that cannot be read has its fault.
        (true, ..) => return None,
    };
    let ends = names?
        .ends(&ca, identity)
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
        .ok()?;
    let (now, expiry) = (clock::now().utc, tls::expiry(&ca, identity));
    let paths = [Some(ca_path), certificate.map(|(path, _)| path)];
    for ((key, end), path) in [("ca", expiry.ca), ("certificate", expiry.certificate)]
        .into_iter()
        .zip(paths)
    {
        if let (Some(end), Some(path)) = (end, path)
            && let Some(when) = ends_soon(end, now)
        {
            let what = format!("{} {when}", path.display());
            let hint = "put its successor there and start anew";
            let place = table.place_of(key);
            table.document().warn(&place, what, Some(hint.into()));
        }
    }
    Some(ends)
}

/// When a certificate ends, in words, if that is soon or past.
fn ends_soon(end: OffsetDateTime, now: OffsetDateTime) -> Option<String> {
    let left = end - now;
    if left >= EXPIRES_SOON {
        return None;
    }
    let date = end.date();
    Some(match (left.is_negative(), left.whole_days()) {
        (true, _) => format!("has expired on {date}"),
        (false, 0) => format!("expires on {date}, within a day"),
        (false, 1) => format!("expires on {date}, in 1 day"),
        (false, days) => format!("expires on {date}, in {days} days"),
    })
}

/// Whose certificates are taken.
struct Names {
    /// Where we dial: that of this name.
    server: Option<ServerName<'static>>,
    /// Where the peer does: that of this name; without one, all that the roots have signed.
    client: Option<Option<ServerName<'static>>>,
}

impl Names {
    fn read(table: &Table<'_>, ways: Ways<'_>) -> Option<Self> {
        let needs = |item: &Item<'_>, key: &str| {
            item.fault(format!("needs {key}: there is no such connection"), None);
        };
        let (server, client) = (table.get("server_name"), table.get("client_name"));
        let server = match (server, ways.dials) {
            (Some(item), true) => Some(item.text(tls::server_name)?),
            (Some(item), false) => {
                needs(&item, "address");
                return None;
            }
            (None, true) => Some(by_address(table, ways.address?)?),
            (None, false) => None,
        };
        let client = match (client, ways.listens) {
            (Some(item), true) => Some(Some(item.text(tls::server_name)?)),
            (Some(item), false) => {
                needs(&item, "a port to listen on");
                return None;
            }
            (None, true) => Some(None),
            (None, false) => None,
        };
        Some(Self { server, client })
    }

    fn ends(self, ca: &str, identity: Option<Identity<'_>>) -> Result<Ends, TlsError> {
        let dial = self.server.map(|name| Tls::new(ca, identity, name));
        // Without an identity nothing listens, which is a fault already.
        let listen = self.client.zip(identity);
        let listen = listen.map(|(name, identity)| TlsAccept::new(ca, identity, name));
        Ok(Ends {
            dial: dial.transpose()?,
            listen: listen.transpose()?,
        })
    }
}

/// `None` only with a fault recorded.
fn by_address(table: &Table<'_>, address: &str) -> Option<ServerName<'static>> {
    let (host, _) = address.rsplit_once(':')?;
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
