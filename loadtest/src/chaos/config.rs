//! The router's configuration, and the only place that knows how its keys, files and commands are named.

use std::{fs, io, net::SocketAddr, path::Path};

use super::plan::BANKS;

/// The banks' names.
pub(crate) const NAMES: [&str; BANKS] = ["vietcom", "dongabank"];
/// The prefixes of their cards.
pub(crate) const PREFIXES: [&str; BANKS] = ["970436", "970406"];
/// From a payment's bytes to its answer.
pub(crate) const RESPONSE_TIMEOUT_MS: u64 = 1_000;
/// How long a stop may take before what is left is given up.
pub(crate) const STOP_TIMEOUT_MS: u64 = 3_000;
/// The configuration's own name in its folder.
pub(crate) const FILE: &str = "sampan.toml";
/// How the router's journal is printed; the configuration's path follows.
pub(crate) const JOURNAL_EXPORT: [&str; 3] = ["journal", "export", "--config"];

const JOURNAL: &str = "journal.redb";
const KEY: &str = "journal.key";
/// Of a journal that lives as long as its run; it protects nothing.
const KEY_DIGITS: &str = "6b65792d6f662d612d72756e2d6f662d6368616f733a70726f7465637473206e";
const LINKS: u32 = 3;

/// Writes the configuration and what it names into the folder.
pub(crate) fn write(
    folder: &Path,
    banks: [SocketAddr; BANKS],
    has_journal: bool,
) -> io::Result<()> {
    if has_journal {
        fs::write(folder.join(KEY), KEY_DIGITS)?;
    }
    fs::write(folder.join(FILE), text(banks, has_journal))
}

fn text(banks: [SocketAddr; BANKS], has_journal: bool) -> String {
    let mut text = format!(
        r#"[rpc]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"

[log]
level = "info"

[stop]
timeout_ms = {STOP_TIMEOUT_MS}
"#
    );
    if has_journal {
        text += &format!("\n[journal]\npath = {JOURNAL:?}\nkey_file = {KEY:?}\n");
    }
    // One of each kind: the two differ in what a router could confuse.
    let stans = ["new", "original"];
    let matched = [
        r#"match = ["stan"]"#,
        "match = [\"stan\", \"terminal\"]\nstan_per = \"terminal\"",
    ];
    for (place, address) in banks.into_iter().enumerate() {
        let (name, prefix) = (NAMES[place], PREFIXES[place]);
        let (terminal, stan, matched) = (place + 1, stans[place], matched[place]);
        text += &format!(
            r#"
[[bank]]
name = "{name}"
address = "{address}"
links = {LINKS}
answers_on = "any-link"
{matched}
currency = "VND"
terminal_id = "CHAOS00{terminal}"
merchant_id = "CHAOSMART000001"
acquirer_id = "970499"
local_offset = "+07:00"
response_timeout_ms = {RESPONSE_TIMEOUT_MS}
connect_timeout_ms = 1000
sign_on_timeout_ms = 1000
echo_ms = 1000
echo_timeout_ms = 1000
reconnect_min_ms = 50
reconnect_max_ms = 500
refused_pause_ms = 300
drain_timeout_ms = 1500
# By the wall clock, which is moved by up to two days: nothing of a run may be forgotten by right.
retention_s = 1000000

[bank.reversal]
stan = "{stan}"
repeat_min_ms = 100
repeat_max_ms = 1000
# These banks debit nothing that comes after its own reversal.
final_codes = ["00", "25"]

[[payment_route]]
card_prefixes = ["{prefix}"]
bank = "{name}"
"#
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn the_configuration_is_toml_with_both_banks_and_the_journal_where_it_is_wanted() {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8583));
        for has_journal in [false, true] {
            let read: toml::Table = text([address; BANKS], has_journal).parse().unwrap();
            assert_eq!(read["bank"].as_array().unwrap().len(), BANKS);
            assert_eq!(read.contains_key("journal"), has_journal);
        }
    }

    #[test]
    fn the_key_is_what_aes_256_wants() {
        assert_eq!(KEY_DIGITS.len(), 64);
        assert!(KEY_DIGITS.bytes().all(|digit| digit.is_ascii_hexdigit()));
    }
}
