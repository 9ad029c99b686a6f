//! The router's configuration for a scenario, and the only place that knows how its keys are named.

use std::{fmt::Write as _, fs, io, net::SocketAddr, path::Path};

use super::{
    load::{DESTINATION_PREFIX, SERVICE, client_name},
    scenario::{PREFIXES_MAX, Scenario},
};

/// The configuration's own name in its folder.
pub(super) const FILE: &str = "sampan.toml";
const KEY: &str = "journal.key";
/// Of a journal that lives as long as its run; it protects nothing.
const KEY_DIGITS: &str = "6b65792d6f662d612d72756e2d6f662d62656e63683a70726f74656374736e6f";
/// A limit that is never met: what is measured is not how requests are refused.
const NEVER_MET: u32 = 1_000_000;

/// Routes that share the further prefixes.
const ROUTES_MAX: usize = 1_000;
/// Prefixes of two digits, which the SMSCs share.
const PREFIXES: usize = 100;

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
    for smsc in 0..router.smscs {
        let prefixes: Vec<String> = match router.smscs {
            1 => vec![String::new()],
            // Two digits behind what all destinations begin with, in turn.
            smscs => (smsc..PREFIXES)
                .step_by(smscs)
                .map(|digits| format!("{DESTINATION_PREFIX}{digits:02}"))
                .collect(),
        };
        route(&format!("to{smsc}"), &prefixes, smsc, text);
    }
    // The highest digits first, so that few prefixes take few destinations; and few routes with many
    // prefixes rather than many with one, because a configuration has at most 4 MiB.
    let tables = router.prefixes.min(ROUTES_MAX);
    for table in 0..tables {
        let prefixes: Vec<String> = (table..router.prefixes)
            .step_by(tables)
            .map(|further| format!("{DESTINATION_PREFIX}{:05}", PREFIXES_MAX - 1 - further))
            .collect();
        route(&format!("further{table}"), &prefixes, 0, text);
    }
}

fn route(name: &str, prefixes: &[String], smsc: usize, text: &mut String) {
    // A String takes everything.
    write!(
        text,
        r#"
[[message_route]]
name = "{name}"
prefixes = {prefixes:?}
smscs = ["smsc{smsc}"]
default_source = "{SERVICE}"
"#
    )
    .ok();
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

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::bench::scenario::FILES;

    fn read(scenario: &Scenario) -> toml::Table {
        let address = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 1)));
        let networks = Networks {
            smsc: address.filter(|_| scenario.router.smscs > 0),
            bank: address.filter(|_| scenario.payments.is_some()),
        };
        text(scenario, networks).parse().unwrap()
    }

    fn count(table: &toml::Table, name: &str) -> usize {
        table
            .get(name)
            .map_or(0, |found| found.as_array().unwrap().len())
    }

    #[test]
    fn the_configuration_of_every_scenario_has_what_it_speaks_of() {
        for (name, file) in FILES {
            let scenario = Scenario::parse(name, file).unwrap();
            let read = read(&scenario);
            let router = &scenario.router;
            assert_eq!(count(&read, "smsc"), router.smscs, "{name}");
            assert_eq!(count(&read, "client"), scenario.clients(), "{name}");
            assert_eq!(read.contains_key("store"), router.store, "{name}");
            assert_eq!(read.contains_key("journal"), router.journal, "{name}");
            let banks = usize::from(scenario.payments.is_some());
            assert_eq!(count(&read, "bank"), banks, "{name}");
        }
    }

    #[test]
    fn every_destination_has_its_smsc_and_no_prefix_comes_twice() {
        let (name, file) = FILES[0];
        let mut scenario = Scenario::parse(name, file).unwrap();
        (scenario.router.smscs, scenario.router.prefixes) = (7, 3_000);
        let read = read(&scenario);
        let routes = read["message_route"].as_array().unwrap();
        let prefixes = routes
            .iter()
            .flat_map(|route| route["prefixes"].as_array().unwrap());
        let mut prefixes: Vec<_> = prefixes.map(|prefix| prefix.as_str().unwrap()).collect();
        assert_eq!(prefixes.len(), PREFIXES + 3_000);
        prefixes.sort_unstable();
        prefixes.dedup();
        assert_eq!(prefixes.len(), PREFIXES + 3_000);
    }

    #[test]
    fn the_key_is_what_aes_256_wants() {
        assert_eq!(KEY_DIGITS.len(), 64);
        assert!(KEY_DIGITS.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }
}
