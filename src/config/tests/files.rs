//! Files and variables that a configuration points to.

use std::{fs, path::PathBuf};

use time::Duration;

use super::*;
use crate::clock;

/// A directory of this test alone, removed at its end.
struct Dir(PathBuf);

impl Dir {
    fn new(test: &str) -> Self {
        let name = format!("sampan-config-{}-{test}", std::process::id());
        let dir = std::env::temp_dir().join(name);
        fs::create_dir_all(&dir).unwrap();
        Self(dir)
    }

    fn holds(self, file: &str, content: &str) -> Self {
        fs::write(self.0.join(file), content).unwrap();
        self
    }

    fn parse(&self, text: &str) -> Result<Config, Faults> {
        Config::parse(text, &self.0, &env)
    }

    /// What is printed, with the directory's own name left out.
    fn faults(&self, text: &str) -> Vec<String> {
        let printed = self.parse(text).unwrap_err().to_string();
        let printed = printed.replace(&format!("{}/", self.0.display()), "");
        printed.lines().map(ToOwned::to_owned).collect()
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n";

fn tls(listen: &str) -> String {
    with_before(
        "[[smsc]]",
        &format!(
            "[rpc]\nlisten = \"{listen}\"\n[rpc.tls]\ncertificate = \"server.pem\"\nkey = \"server.key\"\nclient_ca = \"server.pem\"\n[[client]]\nname = \"shop\"\ncertificate_sha256 = \"{}\"",
            "ab".repeat(32)
        ),
    )
}

#[test]
fn a_password_comes_from_a_variable() {
    let text = with("password = \"secret\"", "password_env = \"SMSC_PASSWORD\"");
    let env = |value: &'static str| {
        move |name: &str| match name {
            "SMSC_PASSWORD" => Some(value.to_owned()),
            name => env(name),
        }
    };
    assert!(Config::parse(&text, Path::new(""), &env("hunter2")).is_ok());
    let faults = |value| {
        let parsed = Config::parse(&text, Path::new(""), &env(value));
        parsed.unwrap_err().to_string()
    };
    assert_eq!(
        faults("hunter2-hunter2"),
        "configuration:5: smsc[0].password_env: the value of SMSC_PASSWORD has 15 characters; the field takes 8"
    );
    assert_eq!(
        faults(""),
        "configuration:5: smsc[0].password_env: the value of SMSC_PASSWORD is empty"
    );
    refused(
        &text,
        &[
            "configuration:5: smsc[0].password_env: the environment variable SMSC_PASSWORD is not set, or is not UTF-8",
        ],
    );
}

#[test]
fn a_password_comes_from_a_file_beside_the_configuration() {
    let text = with("password = \"secret\"", "password_file = \"password\"");
    for content in ["hunter2", "hunter2\n", "hunter2\r\n"] {
        let dir = Dir::new("password").holds("password", content);
        assert!(dir.parse(&text).is_ok(), "{content:?}");
    }
    let dir = Dir::new("password").holds("password", "hunter2 \nmore");
    assert_eq!(
        dir.faults(&text),
        [
            "configuration:5: smsc[0].password_file: the content of password has a character that is not printable ASCII"
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let dir = Dir::new("unreadable");
    let text = with("password = \"secret\"", "password_file = \"gone\"");
    assert_eq!(
        dir.faults(&text),
        [
            "configuration:5: smsc[0].password_file: gone cannot be read: No such file or directory (os error 2)"
        ]
    );
}

#[test]
fn tls_files_hold_a_certificate_and_a_key() {
    let dir = Dir::new("tls")
        .holds("server.pem", CERTIFICATE)
        .holds("server.key", KEY);
    let config = dir.parse(&tls("0.0.0.0:7070")).unwrap();
    let tls_files = config.rpc.tls.unwrap();
    assert_eq!(tls_files.key, dir.0.join("server.key"));
    assert!(tls_files.client_ca.is_some());
    assert!(config.warnings.is_empty());

    let dir = dir.holds("server.key", CERTIFICATE);
    assert_eq!(
        dir.faults(&tls("0.0.0.0:7070")),
        ["configuration:5: rpc.tls.key: server.key holds no PEM PRIVATE KEY"]
    );
}

#[test]
fn on_an_open_address_a_client_without_proof_is_warned_of() {
    let dir = Dir::new("proof")
        .holds("server.pem", CERTIFICATE)
        .holds("server.key", KEY);
    let text = tls("0.0.0.0:7070").replacen("[[smsc]]", "[[client]]\nname = \"crm\"\n[[smsc]]", 1);
    let config = dir.parse(&text).unwrap();
    let printed = config.display_warnings(Path::new("x.toml")).to_string();
    assert_eq!(
        printed,
        "x.toml:10: warning: client[1]: has neither token_sha256 nor certificate_sha256; nobody can prove to be this client\n"
    );
}

#[test]
fn a_unix_socket_speaks_no_tls() {
    let dir = Dir::new("unix")
        .holds("server.pem", CERTIFICATE)
        .holds("server.key", KEY);
    assert_eq!(
        dir.faults(&tls("unix:/run/sampan.sock")),
        [
            "configuration:2: rpc.listen: a Unix socket speaks no TLS; remove [rpc.tls]; the permissions of its directory guard it"
        ]
    );
}

#[test]
fn each_error_of_a_dialect_file_is_a_fault() {
    let dir = Dir::new("dialect").holds("bank.toml", "header = \"morse\"\n");
    let text = with_before("[[message_route]]", "dialect = \"bank.toml\"");
    let faults = dir.faults(&text);
    assert!(!faults.is_empty());
    for fault in faults {
        let told = fault.starts_with("configuration:12: bank[0].dialect: bank.toml:1: ");
        assert!(told, "{fault}");
    }
}

#[test]
fn a_built_in_dialect_is_known_by_its_name_and_brings_its_header() {
    let text = with_before("[[message_route]]", "dialect = \"iso8583-1987-bcd\"");
    let config = sound(&text);
    let bank = &config.banks[0];
    assert_eq!(bank.dialect.name(), "iso8583-1987-bcd");
    assert_eq!(bank.session.framing.header(), bank.dialect.header());
}

#[test]
fn a_dialect_that_cannot_write_network_management_is_refused_before_a_bank_is_called() {
    let all = crate::iso8583::Dialect::ISO8583_1987_ASCII_TEXT;
    let without_70: Vec<&str> = all
        .lines()
        .filter(|line| !line.starts_with("70 "))
        .collect();
    assert_eq!(without_70.len() + 1, all.lines().count());
    let dir = Dir::new("network").holds("bank.toml", &without_70.join("\n"));
    let faults = dir.faults(&with_before("[[message_route]]", "dialect = \"bank.toml\""));
    assert_eq!(faults.len(), 1);
    let told = "configuration:12: bank[0].dialect: the dialect cannot write an 0800: ";
    assert!(faults[0].starts_with(told), "{}", faults[0]);
    assert!(faults[0].contains("70"), "{}", faults[0]);
}

#[test]
fn a_configuration_that_cannot_be_read_is_named() {
    let faults = Config::load(Path::new("/nowhere/sampan.toml")).unwrap_err();
    assert_eq!(
        faults.to_string(),
        "/nowhere/sampan.toml: cannot be read: No such file or directory (os error 2)"
    );
}

#[test]
fn a_loaded_file_is_named_in_its_faults() {
    let dir = Dir::new("load").holds("sampan.toml", "[log]\nlevel = 1\n");
    let faults = Config::load(&dir.0.join("sampan.toml")).unwrap_err();
    let printed = faults.to_string();
    assert!(printed.ends_with("/sampan.toml:2: log.level: an integer where a string belongs"));
}

/// The SMSC's TLS section at lines 6 and on.
fn smsc_tls(keys: &str) -> String {
    with_before("[[bank]]", &format!("[smsc.tls]\n{keys}"))
}

fn issued() -> (String, String) {
    let issued = rcgen::generate_simple_self_signed(["smsc.test".to_owned()]).unwrap();
    (issued.cert.pem(), issued.signing_key.serialize_pem())
}

#[test]
fn the_files_of_an_smscs_tls_are_read_and_fit_together() {
    let (certificate, key) = issued();
    let dir = Dir::new("smsc-tls")
        .holds("ca.pem", &certificate)
        .holds("sampan.pem", &certificate)
        .holds("sampan.key", &key);
    let own = "certificate = \"sampan.pem\"\nkey = \"sampan.key\"";
    let config = dir
        .parse(&smsc_tls(&format!("ca = \"ca.pem\"\n{own}")))
        .unwrap();
    let shown = format!("{config:?}");
    assert!(config.smscs[0].link.reach.dials().unwrap().tls.is_some());
    assert!(
        shown.contains("smsc.test") && !shown.contains("PRIVATE KEY"),
        "{shown}"
    );

    let (_, another) = issued();
    let dir = dir.holds("sampan.key", &another);
    assert_eq!(
        dir.faults(&smsc_tls(&format!("ca = \"ca.pem\"\n{own}"))),
        ["configuration:9: smsc[0].tls.key: sampan.key is not the key of the certificate"]
    );
}

#[test]
fn each_fault_of_an_smscs_tls_is_told_with_its_line() {
    let (certificate, key) = issued();
    let dir = Dir::new("smsc-tls-faults")
        .holds("ca.pem", &certificate)
        .holds("sampan.key", &key);
    assert_eq!(
        dir.faults(&smsc_tls("")),
        ["configuration:6: smsc[0].tls.ca: is missing"]
    );
    assert_eq!(
        dir.faults(&smsc_tls("ca = \"sampan.key\"")),
        ["configuration:7: smsc[0].tls.ca: sampan.key holds no PEM CERTIFICATE"]
    );
    assert_eq!(
        dir.faults(&smsc_tls("ca = \"ca.pem\"\nkey = \"sampan.key\"")),
        ["configuration:8: smsc[0].tls.key: needs its certificate"]
    );
    assert_eq!(
        dir.faults(&smsc_tls(
            "ca = \"ca.pem\"\nserver_name = \"a b\"\nport = 1"
        )),
        [
            "configuration:8: smsc[0].tls.server_name: \"a b\" is no DNS name and no IP address",
            "configuration:9: smsc[0].tls.port: is no known key",
        ]
    );
    assert_eq!(
        dir.faults(&smsc_tls("ca = \"gone.pem\"")),
        [
            "configuration:7: smsc[0].tls.ca: gone.pem cannot be read: No such file or directory (os error 2)"
        ]
    );
}

/// A certificate that is good for so many days from now on, or ended so many days ago, and its key.
fn issued_for(days: i64) -> (String, String) {
    let mut params = rcgen::CertificateParams::new(["smsc.test".to_owned()]).unwrap();
    // Half a day more, so that the days that are left do not depend on how long the test takes.
    params.not_after = clock::now().utc + Duration::days(days) + Duration::hours(12);
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    (certificate.pem(), key.serialize_pem())
}

#[test]
fn a_certificate_that_has_expired_or_soon_will_is_warned_of() {
    let (good, _) = issued_for(31);
    let (soon, key) = issued_for(9);
    let (past, _) = issued_for(-3);
    let end = |days| (clock::now().utc + Duration::days(days) + Duration::hours(12)).date();
    let dir = Dir::new("smsc-tls-ends").holds("sampan.key", &key);
    let warnings = |dir: &Dir| {
        let own = "certificate = \"sampan.pem\"\nkey = \"sampan.key\"";
        let text = smsc_tls(&format!("ca = \"ca.pem\"\n{own}"));
        let config = dir.parse(&text).unwrap();
        let printed = config.display_warnings(Path::new("FILE")).to_string();
        let printed = printed.replace(&format!("{}/", dir.0.display()), "");
        printed.lines().map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    let dir = dir.holds("ca.pem", &past).holds("sampan.pem", &soon);
    let then = "put its successor there and start anew";
    assert_eq!(
        warnings(&dir),
        [
            format!(
                "FILE:7: warning: smsc[0].tls.ca: ca.pem has expired on {}; {then}",
                end(-3)
            ),
            format!(
                "FILE:8: warning: smsc[0].tls.certificate: sampan.pem expires on {}, in 9 days; {then}",
                end(9)
            ),
        ]
    );
    // One root that is good is enough; of our own chain all must be.
    let dir = dir
        .holds("ca.pem", &format!("{past}{good}"))
        .holds("sampan.pem", &format!("{soon}{past}"));
    assert_eq!(
        warnings(&dir),
        [format!(
            "FILE:8: warning: smsc[0].tls.certificate: sampan.pem has expired on {}; {then}",
            end(-3)
        )]
    );
}

#[test]
fn no_password_shows_in_debug_output() {
    let config = sound(&with("password = \"secret\"", "password = \"hunter22\""));
    assert!(!format!("{config:?}").contains("hunter22"));
    assert!(!format!("{:?}", config.smscs[0].session).contains("hunter22"));
}

#[test]
fn tls_where_a_peer_connects_needs_our_certificate_and_may_want_its_name() {
    let (certificate, key) = issued();
    let dir = Dir::new("bank-tls")
        .holds("ca.pem", &certificate)
        .holds("sampan.pem", &certificate)
        .holds("sampan.key", &key);
    let own = "certificate = \"sampan.pem\"\nkey = \"sampan.key\"";
    let bank = |reach: &str, keys: &str| {
        let text = with("address = \"bank.test:8583\"", reach);
        let section = format!("[bank.tls]\nca = \"ca.pem\"\n{keys}\n[[message_route]]");
        text.replacen("[[message_route]]", &section, 1)
    };
    // TLS tells the bank from a stranger, so that it may come from anywhere.
    let listen = "listen = \"0.0.0.0:8583\"";
    let sound = bank(listen, &format!("{own}\nclient_name = \"bank.test\""));
    let config = dir.parse(&sound).unwrap();
    let reach = &config.banks[0].link.reach;
    assert!(reach.dials().is_none() && reach.listens().unwrap().tls.is_some());
    assert!(!format!("{config:?}").contains("PRIVATE KEY"));
    let address = "address = \"bank.test:8583\"";
    let config = dir
        .parse(&bank(&format!("{address}\n{listen}"), own))
        .unwrap();
    let reach = &config.banks[0].link.reach;
    assert!(reach.dials().unwrap().tls.is_some() && reach.listens().unwrap().tls.is_some());
    assert_eq!(
        dir.faults(&bank(listen, "")),
        [
            "configuration:12: bank[0].tls: needs certificate and key, because the peer connects to us and wants to see them"
        ]
    );
    assert_eq!(
        dir.faults(&bank(
            listen,
            &format!("{own}\nserver_name = \"bank.test\"")
        )),
        ["configuration:16: bank[0].tls.server_name: needs address: there is no such connection"]
    );
    assert_eq!(
        dir.faults(&bank(address, "client_name = \"bank.test\"")),
        [
            "configuration:14: bank[0].tls.client_name: needs a port to listen on: there is no such connection"
        ]
    );
}
