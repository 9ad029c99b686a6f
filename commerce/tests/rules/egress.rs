//! Calls of addresses that others have named reach nobody but them.

use std::{
    io,
    net::IpAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use commerce::{
    egress::{Answer, Call, CallUrl, Egress, EgressError, Looking, Names, Rules},
    push::{PartnerKind, Signing},
    store::Store,
};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{self, pki_types::PrivateKeyDer},
};

use crate::{
    databases::on_both,
    partners::{Desk, IMPATIENT, Page, Reply, TEXT, registration, rules},
};

/// Names that lead elsewhere at each look.
#[derive(Default)]
struct Changing {
    addresses: Mutex<Vec<IpAddr>>,
    looks: AtomicUsize,
}

impl Changing {
    fn new(addresses: &[&str]) -> Arc<Self> {
        let addresses = addresses.iter().map(|address| address.parse().unwrap());
        let addresses = Mutex::new(addresses.rev().collect());
        Arc::new(Self {
            addresses,
            looks: AtomicUsize::new(0),
        })
    }
}

impl Names for Changing {
    fn look_up<'a>(&'a self, _: &'a str) -> Looking<'a> {
        self.looks.fetch_add(1, Relaxed);
        let address = self.addresses.lock().unwrap().pop();
        let missing = || io::Error::other("no such name");
        Box::pin(async move { Ok(vec![address.ok_or_else(missing)?]) })
    }
}

fn call(url: &CallUrl) -> Call<'_> {
    Call {
        url,
        plain_http: true,
        only_networks: &[],
        headers: Vec::new(),
        json: None,
        body_bytes_max: 100,
    }
}

async fn get(egress: &Egress, url: &str) -> Result<Answer, EgressError> {
    egress.call(call(&url.parse().unwrap())).await
}

/// A server that says the same to everybody, whatever it is.
async fn says(octets: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 4096];
            stream.read(&mut request).await.unwrap_or_default();
            stream.write_all(octets).await.unwrap_or_default();
        }
    });
    port
}

fn local(port: u16) -> Egress {
    let rules = Rules {
        ports: vec![port],
        ..rules(&[])
    };
    Egress::new(rules).unwrap()
}

on_both! {
    async fn a_webhook_url_that_resolves_to_a_private_address_is_refused_at_connection_time(store: Store) {
        let mut page = Page::start([Reply::status(200)]).await;
        // The name is in order when it is registered, and when it is first called.
        let names = Changing::new(&["127.0.0.1", "10.0.0.1", "169.254.169.254", "::ffff:127.0.0.1"]);
        let egress = Egress::with_names(rules(&[&page]), names.clone()).unwrap();
        let desk = Desk::new(&store, egress);
        let url = format!("http://partner.example:{}/hook", page.address.port());
        let new = registration("shop", PartnerKind::Json, &url);
        desk.add(&new, Signing::New).await.unwrap();
        assert_eq!(names.looks.load(Relaxed), 0);
        for guid in ["mo-1", "mo-2", "mo-3", "mo-4"] {
            desk.message(guid).await;
            assert_eq!(desk.round().await, 1);
        }
        // One look for each call: what was looked at is what is connected to.
        assert_eq!(names.looks.load(Relaxed), 4);
        assert_eq!(page.so_far().len(), 1);
        let whys: Vec<String> = desk.all().await.into_iter().map(|one| one.why).collect();
        let wanted = [
            "",
            "partner.example is at 10.0.0.1, which is private; nothing was sent",
            "partner.example is at 169.254.169.254, which is link-local; nothing was sent",
            "partner.example is at ::ffff:127.0.0.1, which is an IPv4 address in the clothes of IPv6; \
             nothing was sent",
        ];
        assert_eq!(whys, wanted);
    }
}

#[tokio::test]
async fn this_machine_is_refused_under_each_of_its_names() {
    let mut page = Page::start([Reply::status(200)]).await;
    let port = page.address.port();
    let rules = Rules {
        ports: vec![port],
        ..Rules::default()
    };
    let egress = Egress::new(rules).unwrap();
    for host in [
        "localhost",
        "LOCALHOST",
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0.0.0.0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
    ] {
        let answer = get(&egress, &format!("http://{host}:{port}/")).await;
        let is_refused = matches!(answer, Err(EgressError::Refused { .. }));
        assert!(is_refused, "{host}: {answer:?}");
    }
    assert!(page.so_far().is_empty());
}

#[tokio::test]
async fn a_partner_is_called_in_his_own_networks_alone() {
    let mut page = Page::start([Reply::status(200)]).await;
    let egress = Egress::new(rules(&[&page])).unwrap();
    let url = page.url("/").parse().unwrap();
    for (network, may) in [("127.0.0.1/32", true), ("127.0.0.2/32", false)] {
        let networks = [network.parse().unwrap()];
        let call = Call {
            only_networks: &networks,
            ..call(&url)
        };
        assert_eq!(egress.call(call).await.is_ok(), may, "{network}");
    }
    assert_eq!(page.so_far().len(), 1);
}

#[tokio::test]
async fn a_port_that_nobody_has_allowed_is_not_called() {
    let mut page = Page::start([Reply::status(200)]).await;
    let egress = Egress::new(rules(&[])).unwrap();
    let answer = get(&egress, &page.url("/")).await;
    assert!(matches!(answer, Err(EgressError::Url(_))), "{answer:?}");
    assert!(page.so_far().is_empty());
}

#[tokio::test]
async fn an_answer_is_read_up_to_its_limit() {
    let exact = Page::start([Reply::Says(200, Vec::new(), "0123456789")]).await;
    let egress = Egress::new(rules(&[&exact])).unwrap();
    let url: CallUrl = exact.url("/").parse().unwrap();
    for (limit, wanted) in [(10, Ok("0123456789")), (9, Err(9)), (0, Ok(""))] {
        let call = Call {
            body_bytes_max: limit,
            ..call(&url)
        };
        match (egress.call(call).await, wanted) {
            (Ok(answer), Ok(body)) => assert_eq!(answer.body, body.as_bytes()),
            (Err(EgressError::Long { limit, .. }), Err(wanted)) => assert_eq!(limit, wanted),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn what_is_no_http_is_an_error_that_shows_no_message() {
    for octets in [
        &b"220 mail.example ESMTP\r\n"[..],
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n<Status>2</Status>",
    ] {
        let port = says(octets).await;
        let url: CallUrl = format!("http://127.0.0.1:{port}/token").parse().unwrap();
        let url = url.with_parameters(&[("message", TEXT)]);
        let error = local(port).call(call(&url)).await.unwrap_err();
        assert!(matches!(error, EgressError::Unread { .. }), "{error:?}");
        let shown = format!("{error} {error:?}");
        for secret in ["token", "message=", "%C4", "ESMTP", "Status"] {
            assert!(!shown.contains(secret), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_body_that_never_ends_is_late() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let slow = listener.local_addr().unwrap().port();
    let accepted = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 4096];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let head = b"HTTP/1.1 200 OK\r\ncontent-length: 50\r\n\r\n";
        stream.write_all(head).await.unwrap();
        stream
    });
    let rules = Rules {
        ports: vec![slow],
        total_timeout: IMPATIENT,
        ..rules(&[])
    };
    let answer = get(
        &Egress::new(rules).unwrap(),
        &format!("http://127.0.0.1:{slow}/"),
    )
    .await;
    assert!(
        matches!(answer, Err(EgressError::Late { .. })),
        "{answer:?}"
    );
    drop(accepted.await.unwrap());
}

#[tokio::test]
async fn https_is_believed_only_under_a_certificate_that_is_trusted() {
    let names = vec!["partner.example".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let acceptor = TlsAcceptor::from(Arc::new(server));
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let Ok(mut stream) = acceptor.accept(stream).await else {
                continue;
            };
            let mut request = [0; 4096];
            stream.read(&mut request).await.unwrap_or_default();
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            stream.write_all(answer).await.unwrap_or_default();
            stream.shutdown().await.unwrap_or_default();
        }
    });
    let egress = |roots_pem: Vec<u8>, addresses: &[&str]| {
        let rules = Rules {
            ports: vec![port],
            roots_pem,
            ..rules(&[])
        };
        Egress::with_names(rules, Changing::new(addresses)).unwrap()
    };
    let trusting = egress(cert.pem().into_bytes(), &["127.0.0.1", "127.0.0.1"]);
    let answer = get(&trusting, &format!("https://partner.example:{port}/")).await;
    assert_eq!(answer.unwrap().body, b"ok");
    let other_name = get(&trusting, &format!("https://other.example:{port}/")).await;
    let unknown = egress(Vec::new(), &["127.0.0.1"]);
    let unknown = get(&unknown, &format!("https://partner.example:{port}/")).await;
    for answer in [other_name, unknown] {
        let Err(EgressError::Unreached { reason, .. }) = answer else {
            panic!("{answer:?}");
        };
        assert!(reason.contains("certificate"), "{reason}");
    }
    let nonsense = Rules {
        roots_pem: b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n".to_vec(),
        ..Rules::default()
    };
    assert!(Egress::new(nonsense).is_err());
}
