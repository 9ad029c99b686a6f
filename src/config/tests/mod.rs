//! Each rule of the file, with the line that a person gets to read.

mod bank_match;
mod bank_security;
mod events;
mod files;
mod journal;
mod peers;
mod reference;
mod routes;
mod rpc;
mod toml;

use std::path::Path;

use super::*;

/// The least that is sound, one of each.
const SOUND: &str = r#"[[smsc]]
name = "one"
address = "smsc.test:2775"
system_id = "sampan"
password = "secret"
[[bank]]
name = "vault"
address = "bank.test:8583"
currency = "VND"
terminal_id = "T1"
merchant_id = "M1"
[[message_route]]
name = "all"
prefixes = ["84"]
smscs = ["one"]
[[payment_route]]
card_prefixes = ["9704"]
bank = "vault"
[store]
path = "sampan.redb"
[journal]
path = "journal.redb"
key_env = "SAMPAN_JOURNAL_KEY"
"#;

/// The key of the journal, in the one environment variable that there is.
const KEY: &str = "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

fn env(name: &str) -> Option<String> {
    (name == "SAMPAN_JOURNAL_KEY").then(|| KEY.to_owned())
}

/// The sound text with one part replaced.
fn with(part: &str, replacement: &str) -> String {
    assert!(SOUND.contains(part), "no {part} to replace");
    SOUND.replacen(part, replacement, 1)
}

/// The sound text with lines put in before a part; mostly a table's keys before the next header.
fn with_before(part: &str, lines: &str) -> String {
    with(part, &format!("{lines}\n{part}"))
}

fn parse(text: &str) -> Result<Config, Faults> {
    Config::parse(text, Path::new("/nowhere"), &env)
}

fn sound(text: &str) -> Config {
    parse(text).unwrap_or_else(|faults| panic!("not sound:\n{faults}"))
}

/// The text has exactly these faults, printed like this.
#[track_caller]
fn refused(text: &str, lines: &[&str]) {
    let faults = parse(text).err().map(|faults| faults.to_string());
    assert_eq!(faults.as_deref(), Some(lines.join("\n").as_str()));
}

/// The text is sound and has exactly these warnings, printed like this.
#[track_caller]
fn warned(text: &str, lines: &[&str]) {
    let config = sound(text);
    let printed = config.display_warnings(Path::new("x.toml")).to_string();
    assert_eq!(printed.lines().collect::<Vec<_>>(), lines);
}

#[test]
fn the_least_sound_file_has_no_warning() {
    warned(SOUND, &[]);
}

#[test]
fn a_subscription_is_warned_of_what_it_never_looks_at_and_of_clients_that_there_are_not() {
    let text = format!(
        "{SOUND}\n[[client]]\nname = \"shop\"\ntoken_sha256 = \"{}\"\n\
         [[subscription]]\nname = \"one\"\nclient = \"shob\"\nmessages = false\nkeywords = [\"otp\"]\n",
        "00".repeat(32)
    );
    let config = sound(&text);
    let printed = config.display_warnings(Path::new("x.toml")).to_string();
    assert_eq!(printed.lines().count(), 2, "{printed}");
    assert!(printed.contains("subscription[0].client: \"shob\" is the name of no [[client]]"));
    assert!(printed.contains("subscription[0].keywords: is not looked at"));
}

#[test]
fn twelve_faults_are_reported_together_in_the_order_of_their_lines() {
    refused(
        r#"[rpc]
listen = "localhost"
colour = "red"
[[smsc]]
name = "one two"
address = "smsc.test"
window = 0
response_timeout_ms = "10s"
[[bank]]
name = "vault"
address = "bank.test:8583"
currency = "dong"
terminal_id = "TERMINAL9"
merchant_id = "M1"
[[payment_route]]
card_prefixes = ["97O4"]
bank = "volt"
"#,
        &[
            "configuration:2: rpc.listen: \"localhost\" is not an IP address and port, such as 127.0.0.1:7070, nor unix: and a path",
            "configuration:3: rpc.colour: is no known key",
            "configuration:4: smsc[0].system_id: is missing",
            "configuration:4: smsc[0]: needs exactly one of password, password_env and password_file",
            "configuration:5: smsc[0].name: \"one two\" is no name of 1 to 64 letters, digits, '.', '_' and '-'",
            "configuration:6: smsc[0].address: \"smsc.test\" is not host:port, such as smsc.example.net:2775",
            "configuration:7: smsc[0].window: 0 is not between 1 and 65536",
            "configuration:8: smsc[0].response_timeout_ms: a string where an integer belongs; write milliseconds without quotes or unit",
            "configuration:12: bank[0].currency: \"dong\" is no currency of ISO 4217, three capital letters such as VND",
            "configuration:13: bank[0].terminal_id: \"TERMINAL9\" has 9 characters; the field takes 8",
            "configuration:16: payment_route[0].card_prefixes[0]: \"97O4\" is not 0 to 19 digits",
            "configuration:17: payment_route[0].bank: \"volt\" is the name of no [[bank]]",
        ],
    );
}

#[test]
fn an_empty_file_is_sound_but_useless() {
    warned(
        "",
        &["x.toml:1: warning: there is no [[smsc]] and no [[bank]]; nothing can be sent"],
    );
}

#[test]
fn a_port_is_not_given_to_rpc_and_admin_both() {
    refused(
        &with_before("[[smsc]]", "[admin]\nlisten = \"127.0.0.1:7070\""),
        &[
            "configuration:2: admin.listen: admin.listen 127.0.0.1:7070 and rpc.listen 127.0.0.1:7070 are the same port",
        ],
    );
    refused(
        &with_before("[[smsc]]", "[admin]\nlisten = \"0.0.0.0:7070\""),
        &[
            "configuration:2: admin.listen: admin.listen 0.0.0.0:7070 and rpc.listen 127.0.0.1:7070 are the same port",
        ],
    );
}

#[test]
fn the_line_that_names_the_port_is_blamed_for_it() {
    refused(
        &with_before("[[smsc]]", "[rpc]\nlisten = \"127.0.0.1:9470\""),
        &[
            "configuration:2: rpc.listen: admin.listen 127.0.0.1:9470 and rpc.listen 127.0.0.1:9470 are the same port",
        ],
    );
}

#[test]
fn port_0_may_be_given_twice_because_it_is_another_each_time() {
    let listen = "listen = \"127.0.0.1:0\"";
    sound(&with_before(
        "[[smsc]]",
        &format!("[rpc]\n{listen}\n[admin]\n{listen}"),
    ));
}

#[test]
fn log_level_and_format_are_words_of_a_list() {
    refused(
        &with_before("[[smsc]]", "[log]\nlevel = \"loud\"\nformat = \"xml\""),
        &[
            "configuration:2: log.level: \"loud\" is none of error, warn, info, debug, trace",
            "configuration:3: log.format: \"xml\" is none of text, json",
        ],
    );
}

#[test]
fn timers_are_read_in_the_unit_of_their_key() {
    let config = sound(&with_before(
        "[[smsc]]",
        "[inbox]\nredeliver_after_ms = 1_500\n[stop]\ntimeout_ms = 0",
    ));
    assert_eq!(config.inbox.redeliver_after.as_millis(), 1_500);
    assert_eq!(config.stop.timeout.as_millis(), 0);
}
