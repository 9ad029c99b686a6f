//! The router's configuration for a scenario, and the only place that knows how its keys are named.

use std::{fmt::Write as _, fs, io, net::SocketAddr, path::Path};

use super::{
    load::{SERVICE, client_name},
    scenario::Scenario,
};

/// The configuration's own name in its folder.
pub(super) const FILE: &str = "sampan.toml";
const KEY: &str = "journal.key";
/// Of a journal that lives as long as its run; it protects nothing.
const KEY_DIGITS: &str = "6b65792d6f662d612d72756e2d6f662d62656e63683a70726f74656374736e6f";
/// A limit that is never met: what is measured is not how requests are refused.
const NEVER_MET: u32 = 1_000_000;

/// Where the networks listen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Networks {
    pub(super) smsc: Option<SocketAddr>,
    pub(super) bank: Option<SocketAddr>,
}

/// Writes the configuration and what it names into the folder.
pub(super) fn write(folder: &Path, scenario: &Scenario, networks: Networks) -> io::Result<()> {
    if scenario.router.journal {
        fs::write(folder.join(KEY), KEY_DIGITS)?;
    }
    fs::write(folder.join(FILE), text(scenario, networks))
}

fn text(scenario: &Scenario, networks: Networks) -> String {
    let router = &scenario.router;
    let mut text = format!(
        r#"[rpc]
listen = "127.0.0.1:0"
stream_in_flight_max = {NEVER_MET}

[admin]
listen = "127.0.0.1:0"

[log]
level = "warn"
"#
    );
    if router.store {
        text += "\n[store]\npath = \"store.redb\"\n";
    }
    if router.journal {
        text += &format!("\n[journal]\npath = \"journal.redb\"\nkey_file = {KEY:?}\n");
    }
    text += "\n";
    text += router.sections.trim();
    text += "\n";
    for client in 0..scenario.clients() {
        let name = client_name(client);
        text += &format!("\n[[client]]\nname = {name:?}\nin_flight_max = {NEVER_MET}\n");
    }
    if let Some(address) = networks.smsc {
        smscs(scenario, address, &mut text);
    }
    if let Some(address) = networks.bank {
        banks(scenario, address, &mut text);
    }
    text
}

fn smscs(scenario: &Scenario, address: SocketAddr, text: &mut String) {
    let router = &scenario.router;
    let (binds, window) = (router.binds, router.window);
    for smsc in 0..router.smscs {
        *text += &format!(
            r#"
[[smsc]]
name = "smsc{smsc}"
address = "{address}"
binds = {binds}
system_id = "bench"
password = "secret"
window = {window}
queue_max = 100000
response_timeout_ms = 60000
"#
        );
    }
    // Without further routes there is one; with them, as many as SMSCs, each for its share of numbers.
    let serving = router.smscs.max(1);
    for smsc in 0..serving {
        let prefix = match serving {
            1 => String::new(),
            _ => format!("8498{smsc:02}"),
        };
        *text += &format!(
            r#"
[[message_route]]
name = "to{smsc}"
prefixes = ["{prefix}"]
smscs = ["smsc{smsc}"]
default_source = "{SERVICE}"
"#
        );
    }
}

fn banks(scenario: &Scenario, address: SocketAddr, text: &mut String) {
    let router = &scenario.router;
    let (links, window) = (router.links, router.bank_window);
    // A String takes everything.
    write!(
        text,
        r#"
[[bank]]
name = "bank"
address = "{address}"
links = {links}
window = {window}
queue_max = 100000
response_timeout_ms = 60000
currency = "VND"
terminal_id = "BENCH001"
merchant_id = "BENCHMARK000001"
acquirer_id = "970499"
records_max = 10000000

[[payment_route]]
card_prefixes = [""]
bank = "bank"
"#
    )
    .ok();
}
