//! `[[smsc]]` and `[[bank]]`.

use std::time::Duration;

use super::*;
use crate::{
    link::settings::ReversalStan,
    rate::Rate,
    smpp::{Address, CommandStatus, octets::Password, pdu::BindKind},
};

/// The sound text with a key more in its `[[smsc]]`, at line 6.
fn smsc_with(line: &str) -> String {
    with_before("[[bank]]", line)
}

/// The sound text with a key more in its `[[bank]]`, at line 12.
fn bank_with(line: &str) -> String {
    with_before("[[message_route]]", line)
}

#[test]
fn what_is_not_said_has_its_default() {
    let config = sound(SOUND);
    let smsc = &config.smscs[0];
    assert_eq!((smsc.link.links, smsc.link.window), (1, 10));
    assert_eq!(smsc.link.response_timeout, Duration::from_secs(10));
    assert_eq!(smsc.throttle_pause, Duration::from_secs(1));
    assert_eq!(smsc.throttle_pause_max, Duration::from_secs(30));
    let throttles = [0x58, 0x14].map(CommandStatus);
    assert_eq!(*smsc.throttle_statuses, throttles);
    assert_eq!((smsc.bind_rate, smsc.account_rate), (None, None));
    assert_eq!(smsc.already_bound_pause, Duration::from_secs(35));
    assert_eq!(smsc.session.limits.frame_octets_max, 65_536);
    let temporary = [0x08, 0x14, 0x58, 0x64].map(CommandStatus);
    assert_eq!(*smsc.temporary_statuses, temporary);
    let bank = &config.banks[0];
    assert_eq!((bank.link.links, bank.link.window), (1, 64));
    assert_eq!(bank.link.response_timeout, Duration::from_secs(30));
    assert_eq!(bank.approved_codes, ["00"]);
    assert_eq!(bank.reversal.timeout_code, "68");
    assert_eq!(bank.reversal.stan, ReversalStan::New);
    assert_eq!(bank.reversal.retry_codes, ["91", "96"]);
    assert_eq!(bank.retention, Duration::from_secs(86_400));
}

#[test]
fn the_rates_of_a_bind_and_of_the_account_have_the_same_burst() {
    let config = sound(&smsc_with(
        "tps = 300\ntps_per_bind = 100\ntps_burst_ms = 50",
    ));
    let rate = |per_second| {
        Some(Rate {
            per_second,
            burst: Duration::from_millis(50),
        })
    };
    let smsc = &config.smscs[0];
    assert_eq!((smsc.account_rate, smsc.bind_rate), (rate(300), rate(100)));
}

#[test]
fn a_clients_rate_is_in_its_own_section() {
    let text = format!("{SOUND}\n[[client]]\nname = \"shop\"\ntps = 50\n");
    let expected = Rate {
        per_second: 50,
        burst: Duration::from_secs(1),
    };
    assert_eq!(sound(&text).clients[0].rate, Some(expected));
}

#[test]
fn a_status_that_pauses_the_bind_is_temporary_whether_it_is_named_as_such_or_not() {
    let statuses = |keys: &str| sound(&smsc_with(keys)).smscs[0].temporary_statuses.to_vec();
    let own = "temporary_statuses = [0x58, 0x400]\nthrottle_statuses = [0x58, 0x14, 0x500]";
    assert_eq!(statuses(own), [0x58, 0x400, 0x14, 0x500].map(CommandStatus));
    let by_default = "temporary_statuses = [0x64]";
    assert_eq!(statuses(by_default), [0x64, 0x58, 0x14].map(CommandStatus));
    let none = "temporary_statuses = [0x64]\nthrottle_statuses = []";
    assert_eq!(statuses(none), [0x64].map(CommandStatus));
}

#[test]
fn the_first_pause_is_not_longer_than_the_longest() {
    refused(
        &smsc_with("throttle_pause_ms = 2000\nthrottle_pause_max_ms = 1000"),
        &[
            "configuration:6: smsc[0].throttle_pause_ms: throttle_pause_ms is more than throttle_pause_max_ms",
        ],
    );
}

#[test]
fn an_smsc_needs_a_name_an_address_and_credentials() {
    refused(
        "[[smsc]]",
        &[
            "configuration:1: smsc[0].name: is missing",
            "configuration:1: smsc[0].address: is missing",
            "configuration:1: smsc[0].system_id: is missing",
            "configuration:1: smsc[0]: needs exactly one of password, password_env and password_file",
        ],
    );
}

#[test]
fn a_bank_needs_a_name_an_address_a_currency_and_what_identifies_the_terminal() {
    refused(
        "[[bank]]",
        &[
            "configuration:1: bank[0].name: is missing",
            "configuration:1: bank[0].address: is missing",
            "configuration:1: bank[0].currency: is missing",
            "configuration:1: bank[0].terminal_id: is missing",
            "configuration:1: bank[0].merchant_id: is missing",
        ],
    );
}

#[test]
fn smscs_and_banks_share_no_name() {
    refused(
        &with("\"vault\"\naddress", "\"one\"\naddress").replace("bank = \"vault\"", ""),
        &[
            "configuration:7: bank[0].name: \"one\" is already the smsc[0].name of line 2",
            "configuration:16: payment_route[0].bank: is missing",
        ],
    );
}

#[test]
fn strings_are_no_longer_than_the_fields_of_a_bind() {
    refused(
        &with("\"sampan\"", "\"sixteen_letters_\""),
        &[
            "configuration:4: smsc[0].system_id: \"sixteen_letters_\" has 16 characters; the field takes 15",
        ],
    );
    refused(
        &with("\"sampan\"", "\"\""),
        &["configuration:4: smsc[0].system_id: \"\" is empty"],
    );
    refused(
        &smsc_with("system_type = \"thirteen_char\""),
        &[
            "configuration:6: smsc[0].system_type: \"thirteen_char\" has 13 characters; the field takes 12",
        ],
    );
    refused(
        &with("\"sampan\"", "\"sàmpan\""),
        &[
            "configuration:4: smsc[0].system_id: \"sàmpan\" has a character that is not printable ASCII",
        ],
    );
}

#[test]
fn a_password_is_in_no_fault() {
    refused(
        &with("\"secret\"", "\"very-secret\""),
        &["configuration:5: smsc[0].password: the value has 11 characters; the field takes 8"],
    );
    refused(
        &with("\"secret\"", "12345678"),
        &["configuration:5: smsc[0].password: an integer where a string belongs"],
    );
    refused(
        &with("\"secret\"", "hunter2"),
        &["configuration:5:12: not TOML: string values must be quoted, expected literal string"],
    );
}

#[test]
fn a_password_is_in_no_debug_output() {
    let text = with("\"secret\"", "\"hunter2\"");
    assert!(!format!("{:?}", sound(&text)).contains("hunter2"));
}

#[test]
fn a_password_is_given_once() {
    refused(
        &smsc_with("password_env = \"PASSWORD\""),
        &[
            "configuration:6: smsc[0].password_env: needs exactly one of password, password_env and password_file",
        ],
    );
}

#[test]
fn bind_and_coding_are_words_of_a_list() {
    refused(
        &smsc_with("bind = \"both\"\ndefault_coding = \"utf8\""),
        &[
            "configuration:6: smsc[0].bind: \"both\" is none of transceiver, transmitter, receiver",
            "configuration:7: smsc[0].default_coding: \"utf8\" is none of automatic, gsm7, latin1, ucs2",
        ],
    );
}

#[test]
fn the_shortest_pause_is_not_longer_than_the_longest() {
    refused(
        &smsc_with("reconnect_max_ms = 100"),
        &[
            "configuration:6: smsc[0].reconnect_max_ms: reconnect_min_ms is more than reconnect_max_ms",
        ],
    );
    refused(
        &bank_with("[bank.reversal]\nrepeat_min_ms = 5\nrepeat_max_ms = 4"),
        &[
            "configuration:13: bank[0].reversal.repeat_min_ms: repeat_min_ms is more than repeat_max_ms",
        ],
    );
}

#[test]
fn ok_is_no_temporary_status() {
    refused(
        &smsc_with("temporary_statuses = [0x58, 0]"),
        &["configuration:6: smsc[0].temporary_statuses[1]: 0 is not between 1 and 4294967295"],
    );
}

#[test]
fn an_address_is_a_host_and_a_port() {
    refused(
        &with("\"smsc.test:2775\"", "\"tcp://smsc.test:2775\""),
        &[
            "configuration:3: smsc[0].address: \"tcp://smsc.test:2775\" is not host:port, such as smsc.example.net:2775",
        ],
    );
}

#[test]
fn numbers_of_elements_have_their_digits() {
    refused(
        &bank_with(
            "acquirer_id = \"970499123456\"\nmerchant_category = \"541\"\npos_entry_mode = \"12\"\npos_condition = \"\"\nsign_on = \"1\"\necho = \"\"",
        ),
        &[
            "configuration:12: bank[0].acquirer_id: \"970499123456\" is not 1 to 11 digits",
            "configuration:13: bank[0].merchant_category: \"541\" is not 4 digits",
            "configuration:14: bank[0].pos_entry_mode: \"12\" is not 3 digits",
            "configuration:15: bank[0].pos_condition: \"\" is not 2 digits",
            "configuration:16: bank[0].sign_on: \"1\" is not 3 digits",
            "configuration:17: bank[0].echo: \"\" is not 3 digits",
        ],
    );
}

#[test]
fn response_codes_are_two_letters_or_digits_and_some_code_approves() {
    refused(
        &bank_with(
            "approved_codes = []\n[bank.reversal]\ntimeout_code = \"068\"\nfinal_codes = []",
        ),
        &[
            "configuration:12: bank[0].approved_codes: is empty",
            "configuration:14: bank[0].reversal.timeout_code: \"068\" does not fit DE39: DE39 cannot be encoded: 3 long, at most 2 are allowed",
            "configuration:15: bank[0].reversal.final_codes: is empty",
        ],
    );
}

#[test]
fn a_code_does_not_both_end_a_reversal_and_repeat_it() {
    refused(
        &bank_with("[bank.reversal]\nfinal_codes = [\"00\", \"91\"]"),
        &["configuration:12: bank[0].reversal: \"91\" is in retry_codes and in final_codes"],
    );
}

#[test]
fn a_reversal_belongs_to_the_bank_above_it() {
    let config = sound(&bank_with(
        "[bank.reversal]\nstan = \"original\"\nbudget_s = 60",
    ));
    assert_eq!(config.banks[0].reversal.stan, ReversalStan::Original);
    assert_eq!(config.banks[0].reversal.budget, Duration::from_secs(60));
}

#[test]
fn an_echo_period_of_0_sends_no_echo_and_an_empty_code_no_sign_on() {
    let bank = |lines: &str| sound(&bank_with(lines)).banks.remove(0).session;
    let session = bank("echo_ms = 0\nsign_on = \"\"\nsign_off = \"\"\ncutover = \"\"");
    assert_eq!(session.echo_period, None);
    assert_eq!(
        (session.sign_on, session.sign_off, session.cutover),
        (None, None, None)
    );
    let session = bank("sign_on = \"081\"");
    assert_eq!(session.echo_period, Some(Duration::from_secs(60)));
    assert_eq!(
        session.sign_on.map(|code| code.to_string()),
        Some("081".into())
    );
}

#[test]
fn an_0800_carries_the_elements_that_are_listed_with_the_values_of_the_bank() {
    let text = bank_with("acquirer_id = \"970499\"\nnetwork_elements = [32, 41]");
    let elements = sound(&text).banks.remove(0).session.elements;
    let expected: [(u8, Box<[u8]>); 2] = [(32, (*b"970499").into()), (41, (*b"T1").into())];
    assert_eq!(elements, expected);
    refused(
        &bank_with("network_elements = [2, 33, 129]"),
        &[
            "configuration:12: bank[0].network_elements[0]: 2 is none of 18, 32, 33, 41, 42",
            "configuration:12: bank[0].network_elements[1]: element 33 has no value in this bank",
            "configuration:12: bank[0].network_elements[2]: 129 is not between 1 and 128",
        ],
    );
}

#[test]
fn a_switch_is_true_or_false() {
    refused(
        &bank_with("keep_alive = \"yes\""),
        &["configuration:12: bank[0].keep_alive: a string where true or false belongs"],
    );
}

#[test]
fn the_bind_carries_what_the_file_says() {
    let text = smsc_with(
        "bind = \"transmitter\"\nsystem_type = \"VMA\"\naddress_ton = 1\naddress_npi = 1\naddress_range = \"^8049\"\ninterface_version = 0x33\npdu_max_bytes = 4096",
    );
    let session = sound(&text).smscs.remove(0).session;
    assert_eq!(session.bind.kind, BindKind::Transmitter);
    assert_eq!(session.bind.system_id.as_bytes(), b"sampan");
    assert_eq!(session.bind.password, Password::new("secret").unwrap());
    assert_eq!(session.bind.system_type.as_bytes(), b"VMA");
    assert_eq!(session.bind.interface_version, 0x33);
    assert_eq!(
        session.bind.address_range,
        Address::international("^8049").unwrap()
    );
    assert_eq!(session.limits.frame_octets_max, 4_096);
}

/// The sound text with an SMSC that is reached by these lines in place of its address, from line 3 on.
fn smsc_reached(lines: &str) -> String {
    with("address = \"smsc.test:2775\"", lines)
}

/// The same with its bank, from line 8 on.
fn bank_reached(lines: &str) -> String {
    with("address = \"bank.test:8583\"", lines)
}

#[test]
fn a_peer_is_dialled_or_dials_in_or_both() {
    let shown = |text: &str| {
        let config = sound(text);
        let (smsc, bank) = (&config.smscs[0].link.reach, &config.banks[0].link.reach);
        (smsc.to_string(), bank.to_string())
    };
    assert_eq!(
        shown(SOUND),
        ("smsc.test:2775".into(), "bank.test:8583".into())
    );
    let listens = smsc_reached("outbind_listen = \"10.0.0.5:2776\"\noutbind_password = \"pw\"");
    assert_eq!(shown(&listens).0, "listens on 10.0.0.5:2776");
    let both =
        "address = \"bank.test:8583\"\nlisten = \"10.0.0.5:8583\"\nlisten_from = [\"10.1.0.0/16\"]";
    assert_eq!(
        shown(&bank_reached(both)).1,
        "bank.test:8583, listens on 10.0.0.5:8583"
    );
}

#[test]
fn a_port_that_takes_every_stranger_for_the_peer_is_refused() {
    let open = "lets in whoever connects, and takes it for the peer; set";
    refused(
        &bank_reached("listen = \"0.0.0.0:8583\""),
        &[&format!(
            "configuration:8: bank[0].listen: {open} listen_from, or add the section tls"
        )],
    );
    for without_secret in [
        "",
        "outbind_system_id = \"SMSC\"",
        "outbind_password = \"\"",
    ] {
        refused(
            &smsc_reached(&format!(
                "outbind_listen = \"0.0.0.0:2776\"\n{without_secret}"
            )),
            &[&format!(
                "configuration:3: smsc[0].outbind_listen: {open} outbind_from, or add the section tls"
            )],
        );
    }
    sound(&bank_reached("listen = \"127.0.0.1:8583\""));
    sound(&bank_reached(
        "listen = \"0.0.0.0:8583\"\nlisten_from = [\"192.0.2.7\"]",
    ));
}

#[test]
fn what_is_said_of_a_port_needs_the_port() {
    refused(
        &smsc_with("outbind_from = [\"10.0.0.1\"]\noutbind_password = \"pw\""),
        &[
            "configuration:6: smsc[0].outbind_from: needs outbind_listen",
            "configuration:7: smsc[0].outbind_password: needs outbind_listen",
        ],
    );
    refused(
        &bank_with("listen_from = [\"10.0.0.1\"]"),
        &["configuration:12: bank[0].listen_from: needs listen"],
    );
    refused(
        &bank_reached("listen = \"10.0.0.5:8583\"\nlisten_from = [\"10.1.2.3/16\"]"),
        &[
            "configuration:9: bank[0].listen_from[0]: \"10.1.2.3/16\" has bits set behind its first 16",
        ],
    );
}

#[test]
fn each_port_is_one_peers_alone() {
    let text = bank_reached("listen = \"127.0.0.1:9470\"");
    refused(
        &text,
        &[
            "configuration:8: bank[0].listen: 127.0.0.1:9470 and admin.listen 127.0.0.1:9470 are the same port",
        ],
    );
    let text = text.replacen(
        "address = \"smsc.test:2775\"",
        "outbind_listen = \"127.0.0.1:8583\"",
        1,
    );
    refused(
        &text.replacen("127.0.0.1:9470", "127.0.0.1:8583", 1),
        &[
            "configuration:8: bank[0].listen: 127.0.0.1:8583 is already the smsc[0].outbind_listen of line 3",
        ],
    );
}

#[test]
fn a_bank_signs_on_only_with_a_code() {
    let config = sound(&bank_with("sign_on_by = \"bank\""));
    let by = crate::iso8583::session::SignOnBy::Bank;
    assert_eq!(config.banks[0].session.sign_on_by, by);
    refused(
        &bank_with("sign_on = \"\"\nsign_on_by = \"bank\""),
        &[
            "configuration:13: bank[0].sign_on_by: the bank cannot sign on without a code; set sign_on to DE70 of its 0800",
        ],
    );
}
