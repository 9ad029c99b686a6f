//! Ways to a router: a Unix socket, and TLS with a token.

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use sha2::{Digest, Sha256};

use crate::support::{NOBODY, Router, Scratch, command, config, sampan};

const TOKEN: &str = "a token of the shop";
const LISTEN: &str = "[rpc]\nlisten = \"127.0.0.1:0\"\n";

#[test]
fn a_router_on_a_unix_socket_is_asked_by_its_path() {
    let scratch = Scratch::new();
    let address = format!("unix:{}", scratch.path("sampan.sock"));
    let listen = format!("[rpc]\nlisten = \"{address}\"\n");
    let router = Router::start(&scratch, &config(NOBODY, NOBODY).replace(LISTEN, &listen));
    assert_eq!(router.rpc, address);
    let ended = sampan(&["links", "--address", &address, "--client", "ops"]);
    assert_eq!(ended.code, 0, "{ended:?}");
}

/// Writes the files of [rpc.tls] and of a client's root.
fn certify(scratch: &Scratch) {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    scratch.write("ca.pem", &ca.self_signed(&ca_key).unwrap().pem());
    let issuer = Issuer::new(ca, ca_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    scratch.write(
        "server.pem",
        &server.signed_by(&key, &issuer).unwrap().pem(),
    );
    scratch.write("server.key", &key.serialize_pem());
}

#[test]
fn over_tls_the_root_and_the_token_decide() {
    let scratch = Scratch::new();
    certify(&scratch);
    let hash: String = Sha256::digest(TOKEN)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let listen = format!(
        "[rpc]\nlisten = \"0.0.0.0:0\"\n[rpc.tls]\ncertificate = \"server.pem\"\n\
         key = \"server.key\"\n[[client]]\nname = \"shop\"\ntoken_sha256 = \"{hash}\"\n"
    );
    let router = Router::start(&scratch, &config(NOBODY, NOBODY).replace(LISTEN, &listen));
    let (_, port) = router.rpc.rsplit_once(':').unwrap();
    let address = format!("https://127.0.0.1:{port}");
    let links = |ca: &str, token: &str| {
        let ca = scratch.path(ca);
        let args = [
            "links",
            "--address",
            &address,
            "--ca",
            &ca,
            "--token-env",
            "TOKEN",
        ];
        let output = command(&args).env("TOKEN", token).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert!(!err.contains(token), "{err}");
        (output.status.code().unwrap(), err)
    };
    assert_eq!(links("ca.pem", TOKEN), (0, String::new()));
    let (code, err) = links("ca.pem", "a guess");
    assert_eq!(code, 1);
    assert!(err.contains("Unauthenticated"), "{err}");
    let (code, err) = links("server.pem", TOKEN);
    assert_eq!(code, 1);
    assert!(err.contains("cannot be reached"), "{err}");
    let ended = sampan(&["links", "--address", &address]);
    assert_eq!(ended.code, 64, "{ended:?}");
}
