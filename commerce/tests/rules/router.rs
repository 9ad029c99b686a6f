//! What commerce says to the router, and how it takes each of its answers.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, atomic::Ordering::SeqCst},
    time::Duration,
};

use commerce::{
    port::{
        AccountToken, Banks as _, Charge, Charged, Message, Messages as _, Sent, Unheard, Urgency,
    },
    router::{Address, ClientFiles, Router, RouterFault, TlsFiles, Token},
};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code, Status,
    transport::{Certificate, Identity, Server, ServerTlsConfig},
};
use zeroize::Zeroizing;

use crate::{
    books::vnd,
    fake_router::{FakeRouter, Script, lock, over, proto, settings, write},
    shop::id,
};
use proto::{
    LookupResult, Outcome, PaymentKind, PaymentOutcome, PaymentResult, Reason, Rejection,
    SubmitResult, TrafficClass,
};

const ACCOUNT: &str = "9704001234567890";

fn charge() -> Charge {
    Charge {
        id: id("P1-pay"),
        bank: id("vcb"),
        account: AccountToken::parse(ACCOUNT).unwrap(),
        amount: vnd(100_000),
    }
}

fn message(urgency: Urgency) -> Message {
    Message {
        id: id("P1-otp-1"),
        to: "0912345678".parse().unwrap(),
        text: Zeroizing::new("Mã OTP: 123456".to_owned()),
        urgency,
        validity_s: 300,
    }
}

/// A payment's result as the router makes it.
fn payment(outcome: PaymentOutcome) -> PaymentResult {
    use PaymentOutcome as Told;
    PaymentResult {
        payment_id: "P1-pay".to_owned(),
        outcome: outcome.into(),
        retry_is_safe: matches!(
            outcome,
            Told::Declined | Told::NotSent | Told::Reversed | Told::Unknown
        ),
        response_code: "51".to_owned(),
        authorization_id: "A12345".to_owned(),
        detail: "in words".to_owned(),
        ..PaymentResult::default()
    }
}

fn not_sent(reason: Reason) -> PaymentResult {
    PaymentResult {
        reason: reason.into(),
        ..payment(PaymentOutcome::NotSent)
    }
}

fn submitted(outcome: Outcome) -> SubmitResult {
    SubmitResult {
        request_id: "P1-otp-1".to_owned(),
        outcome: outcome.into(),
        retry_is_safe: outcome == Outcome::NotSent,
        detail: "in words".to_owned(),
        smsc: "viettel".to_owned(),
        ..SubmitResult::default()
    }
}

fn found(payment: PaymentResult) -> LookupResult {
    LookupResult {
        found: true,
        payment: Some(payment),
        ..LookupResult::default()
    }
}

fn say<T>(to: &Mutex<VecDeque<T>>, answer: T) {
    lock(to).push_back(answer);
}

fn unheard<T: std::fmt::Debug>(answer: Result<T, Unheard>, why: &str) {
    let text = answer.unwrap_err().to_string();
    assert!(text.contains(why), "{text}");
}

#[tokio::test]
async fn a_charge_is_a_purchase_in_dong_by_our_name() {
    let fake = FakeRouter::started();
    say(&fake.script.transact, Ok(payment(PaymentOutcome::Approved)));
    let charged = fake.client().charge(&charge()).await;
    let authorization = "A12345".to_owned();
    assert_eq!(charged, Ok(Charged::Approved { authorization }));
    let asked = lock(&fake.script.payments).remove(0);
    assert_eq!(asked.payment_id, "P1-pay");
    assert_eq!(asked.kind(), PaymentKind::Purchase);
    assert_eq!((asked.bank.as_str(), asked.pan.as_str()), ("vcb", ACCOUNT));
    let amount = asked.amount.unwrap();
    assert_eq!(
        (amount.amount_minor, amount.currency.as_str()),
        (100_000, "VND")
    );
    assert_eq!(asked.deadline_ms, 15_000);
    let metadata = lock(&fake.script.metadata).remove(0);
    assert_eq!(metadata.get("sampan-client").unwrap(), "commerce");
    assert!(metadata.get("grpc-timeout").is_some());
    assert!(metadata.get("authorization").is_none());
}

#[tokio::test]
async fn each_outcome_of_a_payment_is_told_as_what_it_is() {
    let fake = FakeRouter::started();
    let router = fake.client();
    let how = "in words".to_owned();
    for (outcome, wanted) in [
        (
            PaymentOutcome::Declined,
            Charged::Declined {
                response_code: "51".to_owned(),
            },
        ),
        (PaymentOutcome::Pending, Charged::Pending),
        (PaymentOutcome::Reversing, Charged::Reversing),
        (PaymentOutcome::Reversed, Charged::Reversed),
        (PaymentOutcome::ReversalFailed, Charged::ReversalFailed),
        (PaymentOutcome::Resolved, Charged::Resolved { how }),
    ] {
        say(&fake.script.transact, Ok(payment(outcome)));
        assert_eq!(router.charge(&charge()).await, Ok(wanted.clone()));
        say(&fake.script.reverse, Ok(payment(outcome)));
        assert_eq!(router.reverse(&id("P1-pay")).await, Ok(wanted.clone()));
        say(&fake.script.lookup, Ok(found(payment(outcome))));
        assert_eq!(router.find(&id("P1-pay")).await, Ok(Some(wanted)));
    }
    say(&fake.script.lookup, Ok(LookupResult::default()));
    assert_eq!(router.find(&id("P1-pay")).await, Ok(None));
}

#[tokio::test]
async fn what_the_contract_excludes_is_never_guessed() {
    let fake = FakeRouter::started();
    let router = fake.client();
    let of_another = PaymentResult {
        payment_id: "P2-pay".to_owned(),
        ..payment(PaymentOutcome::Approved)
    };
    // The bank keeps a part of what was reversed.
    let in_part = PaymentResult {
        retry_is_safe: false,
        ..payment(PaymentOutcome::Reversed)
    };
    let later = PaymentResult {
        outcome: 99,
        ..payment(PaymentOutcome::Approved)
    };
    for (result, why) in [
        (payment(PaymentOutcome::Unspecified), "no outcome"),
        (payment(PaymentOutcome::Unknown), "moves money"),
        (of_another, "another payment"),
        (in_part, "another of a retry"),
        (later, "does not know"),
    ] {
        say(&fake.script.transact, Ok(result));
        unheard(router.charge(&charge()).await, why);
    }
    let nothing_found = LookupResult {
        found: true,
        ..LookupResult::default()
    };
    say(&fake.script.lookup, Ok(nothing_found));
    unheard(router.find(&id("P1-pay")).await, "not which");
}

#[tokio::test]
async fn a_charge_is_not_sent_only_once_the_router_has_nothing_else_of_it() {
    let fake = FakeRouter::started();
    let router = fake.client();
    let why = "in words (REASON_LIMIT)".to_owned();
    say(&fake.script.transact, Ok(not_sent(Reason::Limit)));
    say(&fake.script.lookup, Ok(LookupResult::default()));
    assert_eq!(router.charge(&charge()).await, Ok(Charged::NotSent { why }));
    // An earlier call that went unheard has reached the bank.
    say(&fake.script.transact, Ok(not_sent(Reason::Limit)));
    say(
        &fake.script.lookup,
        Ok(found(payment(PaymentOutcome::Pending))),
    );
    assert_eq!(router.charge(&charge()).await, Ok(Charged::Pending));
    say(&fake.script.transact, Ok(not_sent(Reason::Stopping)));
    say(&fake.script.lookup, Err(Status::unavailable("gone")));
    unheard(router.charge(&charge()).await, "gone");
    // A request that can never succeed.
    let why = "pan: must be digits".to_owned();
    say(&fake.script.transact, Err(Status::invalid_argument(&*why)));
    say(&fake.script.lookup, Ok(LookupResult::default()));
    assert_eq!(router.charge(&charge()).await, Ok(Charged::NotSent { why }));
}

#[tokio::test]
async fn an_id_that_stands_for_another_charge_is_a_persons_to_look_at() {
    let fake = FakeRouter::started();
    say(&fake.script.transact, Ok(not_sent(Reason::IdReused)));
    unheard(
        fake.client().charge(&charge()).await,
        "another charge under the id P1-pay",
    );
}

#[tokio::test]
async fn a_call_without_an_outcome_is_unheard_and_says_what_to_see_to() {
    let fake = FakeRouter::started();
    let router = fake.client();
    for code in 2..=16 {
        let code = Code::from_i32(code);
        if [Code::InvalidArgument, Code::OutOfRange].contains(&code) {
            continue;
        }
        say(&fake.script.transact, Err(Status::new(code, "said so")));
        unheard(router.charge(&charge()).await, "said so");
        say(&fake.script.submit, Err(Status::new(code, "said so")));
        unheard(router.send(&message(Urgency::Normal)).await, "said so");
    }
    say(
        &fake.script.reverse,
        Err(Status::not_found("no payment has this payment_id")),
    );
    unheard(
        router.reverse(&id("P1-pay")).await,
        "no payment has this payment_id",
    );
    say(
        &fake.script.reverse,
        Err(Status::invalid_argument("actual_amount_minor")),
    );
    unheard(router.reverse(&id("P1-pay")).await, "a fault of commerce");
}

#[tokio::test]
async fn a_message_goes_by_the_route_of_its_urgency_and_asks_for_a_receipt() {
    let fake = FakeRouter::started();
    let router = fake.client();
    for urgency in [Urgency::Urgent, Urgency::Normal] {
        say(&fake.script.submit, Ok(submitted(Outcome::Accepted)));
        assert_eq!(router.send(&message(urgency)).await, Ok(Sent::Accepted));
    }
    let asked = std::mem::take(&mut *lock(&fake.script.messages));
    let routes = asked
        .iter()
        .map(|asked| (asked.traffic_class(), asked.route.as_str()));
    assert_eq!(
        routes.collect::<Vec<_>>(),
        [(TrafficClass::Urgent, "otp"), (TrafficClass::Normal, "")]
    );
    let asked = &asked[0];
    assert_eq!(asked.source.as_ref().unwrap().number, "8049");
    assert_eq!(asked.destination.as_ref().unwrap().number, "84912345678");
    let text = proto::submit_request::Body::Text("Mã OTP: 123456".to_owned());
    assert_eq!(asked.body, Some(text));
    assert!(asked.receipt && asked.validity_s == 300 && !asked.resend_after_unknown);
}

#[tokio::test]
async fn each_outcome_of_a_message_is_told_as_what_it_is() {
    let fake = FakeRouter::started();
    let router = fake.client();
    let rejected = |again, message_ids: &[&str]| SubmitResult {
        retry_is_safe: again,
        message_ids: message_ids.iter().map(|id| (*id).to_owned()).collect(),
        rejection: Some(Rejection {
            name: "ESME_RTHROTTLED".to_owned(),
            ..Rejection::default()
        }),
        ..submitted(Outcome::Rejected)
    };
    let not_sent = |reason: Reason| SubmitResult {
        reason: reason.into(),
        ..submitted(Outcome::NotSent)
    };
    let refused = |again, why: &str| Sent::Refused {
        again,
        why: why.to_owned(),
    };
    for (result, wanted) in [
        (submitted(Outcome::Accepted), Sent::Accepted),
        (submitted(Outcome::Unknown), Sent::Unknown),
        (
            rejected(true, &[]),
            refused(true, "SMSC viettel: ESME_RTHROTTLED"),
        ),
        (
            rejected(false, &["", ""]),
            refused(false, "SMSC viettel: ESME_RTHROTTLED"),
        ),
        // The SMSC has one of its parts.
        (rejected(false, &["", "7"]), Sent::Unknown),
        (
            not_sent(Reason::NoLink),
            refused(true, "in words (REASON_NO_LINK)"),
        ),
        (
            not_sent(Reason::Limit),
            refused(true, "in words (REASON_LIMIT)"),
        ),
        (
            not_sent(Reason::Invalid),
            refused(false, "in words (REASON_INVALID)"),
        ),
        (not_sent(Reason::IdReused), Sent::Unknown),
    ] {
        say(&fake.script.submit, Ok(result));
        assert_eq!(router.send(&message(Urgency::Normal)).await, Ok(wanted));
    }
    say(&fake.script.submit, Ok(submitted(Outcome::Unspecified)));
    unheard(router.send(&message(Urgency::Normal)).await, "no outcome");
    say(
        &fake.script.submit,
        Err(Status::invalid_argument("text: empty")),
    );
    assert_eq!(
        router.send(&message(Urgency::Normal)).await,
        Ok(refused(false, "text: empty"))
    );
}

#[tokio::test]
async fn a_router_that_comes_back_is_called_again() {
    let mut fake = FakeRouter::stopped();
    let router = fake.client();
    unheard(router.charge(&charge()).await, "Unavailable");
    for _ in 0..2 {
        fake.start();
        say(&fake.script.transact, Ok(payment(PaymentOutcome::Pending)));
        assert_eq!(router.charge(&charge()).await, Ok(Charged::Pending));
        fake.stop().await;
        router.charge(&charge()).await.unwrap_err();
    }
}

#[tokio::test]
async fn only_so_many_calls_are_made_at_once_and_the_others_wait() {
    let fake = FakeRouter::started();
    let gate = Arc::new(Semaphore::new(0));
    *lock(&fake.script.gate) = Some(Arc::clone(&gate));
    let mut settings = fake.settings();
    settings.calls_max = 3.try_into().unwrap();
    let router = Router::connect(settings).unwrap();
    let mut calls = JoinSet::new();
    for _ in 0..10 {
        say(&fake.script.submit, Ok(submitted(Outcome::Accepted)));
        let router = router.clone();
        calls.spawn(async move { router.send(&message(Urgency::Normal)).await });
    }
    fake.script.until_called(3).await;
    for _ in 0..10 {
        gate.add_permits(1);
        assert_eq!(
            calls.join_next().await.unwrap().unwrap(),
            Ok(Sent::Accepted)
        );
    }
    assert_eq!(fake.script.calls_most.load(SeqCst), 3);
}

#[tokio::test]
async fn a_call_that_is_not_answered_in_time_is_unheard() {
    let fake = FakeRouter::started();
    *lock(&fake.script.gate) = Some(Arc::new(Semaphore::new(0)));
    let mut settings = fake.settings();
    settings.call_timeout = Duration::from_millis(50);
    let router = Router::connect(settings).unwrap();
    router.send(&message(Urgency::Normal)).await.unwrap_err();
}

#[tokio::test]
async fn neither_token_nor_account_nor_text_is_shown_by_accident() {
    let mut settings = settings("http://127.0.0.1:1");
    settings.token = Some(Token::parse("open-sesame").unwrap());
    let shown = format!("{settings:?} {:?} {:?}", charge(), message(Urgency::Urgent));
    for secret in ["sesame", ACCOUNT, "123456", "84912345678"] {
        assert!(!shown.contains(secret), "{shown}");
    }
}

/// A root and what it has signed, as PEM files.
struct Authority {
    certificate: rcgen::Certificate,
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        Self {
            certificate: params.self_signed(&key).unwrap(),
            issuer: rcgen::Issuer::new(params, key),
        }
    }

    /// A certificate and its key.
    fn sign(&self, name: &str) -> (String, String) {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new([name.to_owned()]).unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        (signed.pem(), key.serialize_pem())
    }
}

#[tokio::test]
async fn over_a_network_the_router_is_known_by_its_certificate_and_we_by_token_and_certificate() {
    let (authority, other) = (Authority::new(), Authority::new());
    let folder = tempfile::tempdir().unwrap();
    let ca = write(folder.path(), "ca.pem", &authority.certificate.pem());
    let wrong_ca = write(folder.path(), "other.pem", &other.certificate.pem());
    let (certificate, key) = authority.sign("commerce");
    let client = ClientFiles {
        certificate: write(folder.path(), "client.pem", &certificate),
        key: write(folder.path(), "client.key", &key),
    };
    let script = Arc::new(Script::default());
    let (certificate, key) = authority.sign("router.example");
    let tls = ServerTlsConfig::new()
        .identity(Identity::from_pem(certificate, key))
        .client_ca_root(Certificate::from_pem(authority.certificate.pem()));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("https://{}", listener.local_addr().unwrap());
    let server = over(Server::builder().tls_config(tls).unwrap(), &script);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));

    let connect = |ca, client| {
        let files = TlsFiles {
            ca,
            client,
            server_name: Some("router.example".to_owned()),
        };
        let mut settings = settings("http://127.0.0.1:1");
        settings.address = Address::parse(&address, Some(files)).unwrap();
        settings.token = Some(Token::parse("open-sesame").unwrap());
        Router::connect(settings)
    };
    for (ca, client) in [(wrong_ca, Some(client.clone())), (ca.clone(), None)] {
        let router = connect(ca, client).unwrap();
        router.charge(&charge()).await.unwrap_err();
    }
    let router = connect(ca.clone(), Some(client.clone())).unwrap();
    say(&script.transact, Ok(payment(PaymentOutcome::Pending)));
    assert_eq!(router.charge(&charge()).await, Ok(Charged::Pending));
    let metadata = lock(&script.metadata).remove(0);
    assert_eq!(metadata.get("authorization").unwrap(), "Bearer open-sesame");
    assert_eq!(lock(&script.payments).len(), 1);

    let missing = folder.path().join("missing.pem");
    let fault = connect(missing, None).err().unwrap();
    assert!(matches!(&fault, RouterFault::File { .. }), "{fault}");
    let no_key = ClientFiles {
        key: ca.clone(),
        ..client
    };
    let fault = connect(ca, Some(no_key)).err().unwrap();
    assert!(matches!(&fault, RouterFault::Tls(_)), "{fault}");
}

#[tokio::test]
async fn a_router_on_a_port_of_this_machine_is_called_too() {
    let script = Arc::new(Script::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let server = over(Server::builder(), &script);
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    say(&script.transact, Ok(payment(PaymentOutcome::Pending)));
    let router = Router::connect(settings(&address)).unwrap();
    assert_eq!(router.charge(&charge()).await, Ok(Charged::Pending));
}
