//! `[rpc]` and `[[client]]`: nobody from the network asks without proof.

use super::*;

const HASH: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

#[test]
fn an_address_open_to_the_network_needs_tls_and_a_client_with_proof() {
    refused(
        &with_before("[[smsc]]", "[rpc]\nlisten = \"0.0.0.0:7070\""),
        &[
            "configuration:2: rpc.listen: 0.0.0.0:7070 is open to the network and has no TLS; add [rpc.tls], or listen on 127.0.0.1",
            "configuration:2: rpc.listen: 0.0.0.0:7070 is open to the network and no client can prove who it is; add a [[client]] with token_sha256 or certificate_sha256",
        ],
    );
    refused(
        &with_before(
            "[[smsc]]",
            &format!(
                "[rpc]\nlisten = \"10.1.2.3:7070\"\n[[client]]\nname = \"shop\"\ntoken_sha256 = \"{HASH}\""
            ),
        ),
        &[
            "configuration:2: rpc.listen: 10.1.2.3:7070 is open to the network and has no TLS; add [rpc.tls], or listen on 127.0.0.1",
        ],
    );
}

#[test]
fn a_client_with_a_fault_of_its_own_is_not_taken_for_one_without_proof() {
    refused(
        &with_before(
            "[[smsc]]",
            "[rpc]\nlisten = \"10.1.2.3:7070\"\n[[client]]\nname = \"shop\"\ntoken_sha256 = \"short\"",
        ),
        &[
            "configuration:2: rpc.listen: 10.1.2.3:7070 is open to the network and has no TLS; add [rpc.tls], or listen on 127.0.0.1",
            "configuration:5: client[0].token_sha256: the value is not 64 hex digits; `printf %s TOKEN | sha256sum` prints them",
        ],
    );
}

#[test]
fn loopback_and_a_unix_socket_need_neither() {
    for listen in ["127.0.0.1:0", "[::1]:7070", "unix:/run/sampan.sock"] {
        sound(&with_before(
            "[[smsc]]",
            &format!("[rpc]\nlisten = \"{listen}\""),
        ));
    }
}

#[test]
fn a_hash_is_64_hex_digits_and_never_repeated() {
    refused(
        &with_before(
            "[[smsc]]",
            "[[client]]\nname = \"shop\"\ntoken_sha256 = \"my-token\"",
        ),
        &[
            "configuration:3: client[0].token_sha256: the value is not 64 hex digits; `printf %s TOKEN | sha256sum` prints them",
        ],
    );
}

#[test]
fn a_hash_is_read_byte_by_byte() {
    let config = sound(&with_before(
        "[[smsc]]",
        &format!("[[client]]\nname = \"shop\"\ntoken_sha256 = \"{HASH}\""),
    ));
    let expected: [u8; 32] = std::array::from_fn(|index| index as u8);
    assert_eq!(config.clients[0].token_sha256, Some(expected));
    assert_eq!(config.clients[0].name.as_str(), "shop");
}

#[test]
fn two_clients_share_no_name_and_no_proof() {
    let client = |hash: &str| format!("[[client]]\nname = \"shop\"\ntoken_sha256 = \"{hash}\"\n");
    let both = client(HASH) + &client(&HASH.to_uppercase());
    refused(
        &with_before("[[smsc]]", &both),
        &[
            "configuration:5: client[1].name: \"shop\" is taken already in line 2",
            "configuration:6: client[1].token_sha256: the value is taken already in line 3",
        ],
    );
}

#[test]
fn a_certificate_proves_nothing_if_none_is_asked_for() {
    refused(
        &with_before(
            "[[smsc]]",
            &format!("[[client]]\nname = \"shop\"\ncertificate_sha256 = \"{HASH}\""),
        ),
        &[
            "configuration:1: client[0]: has certificate_sha256, but no certificate is asked for; set rpc.tls.client_ca",
        ],
    );
}

#[test]
fn on_loopback_a_client_names_itself_and_needs_no_proof() {
    let text = with_before("[[smsc]]", "[[client]]\nname = \"shop\"\nin_flight_max = 5");
    warned(&text, &[]);
    assert_eq!(sound(&text).clients[0].in_flight_max, 5);
}

#[test]
fn the_default_deadline_is_not_longer_than_the_longest() {
    refused(
        &with_before("[[smsc]]", "[rpc]\ndeadline_max_ms = 100"),
        &["configuration:2: rpc.deadline_max_ms: default_deadline_ms is more than deadline_max_ms"],
    );
}

#[test]
fn tls_needs_a_certificate_and_a_key() {
    refused(
        &with_before("[[smsc]]", "[rpc.tls]"),
        &[
            "configuration:1: rpc.tls.certificate: is missing",
            "configuration:1: rpc.tls.key: is missing",
        ],
    );
}
