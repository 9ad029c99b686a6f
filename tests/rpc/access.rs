//! Who may call: loopback, Unix socket, TLS with a certificate or a token, and nobody else.

use std::os::unix::net::UnixListener;

use rcgen::{BasicConstraints, Certificate as Issued, CertificateParams, IsCa, Issuer, KeyPair};
use sampan::rpc::{
    RpcError, Server,
    proto::{LookupRequest, payments_client::PaymentsClient},
    settings::{ClientSettings, Listen, RpcSettings, TlsFiles},
};
use sha2::{Digest, Sha256};
use tonic::{
    Code, Request,
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use crate::support::{Running, Scratch, client, services, settings};

const TOKEN: &str = "a token of the shop";

fn shop_with_token() -> ClientSettings {
    ClientSettings {
        token_sha256: Some(Sha256::digest(TOKEN).into()),
        ..client("shop")
    }
}

/// The code of a harmless call with that metadata; `Ok` is that of a call that came through.
async fn call(channel: Channel, metadata: &[(&'static str, &str)]) -> Code {
    let mut request = Request::new(LookupRequest {
        payment_id: "p-1".into(),
    });
    for (key, value) in metadata {
        request.metadata_mut().insert(*key, value.parse().unwrap());
    }
    match PaymentsClient::new(channel).lookup(request).await {
        Ok(_) => Code::Ok,
        Err(status) => status.code(),
    }
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[tokio::test]
async fn on_loopback_no_credentials_are_needed_and_the_caller_names_itself() {
    let server = Running::start().await;
    assert_eq!(call(server.channel().await, &[]).await, Code::Ok);
    let named = [("sampan-client", "crm")];
    assert_eq!(call(server.channel().await, &named).await, Code::Ok);
    let mut names: Vec<_> = server
        .counts
        .clients()
        .into_iter()
        .map(|c| c.name.to_string())
        .collect();
    names.sort();
    assert_eq!(names, ["crm", "local"]);
}

#[tokio::test]
async fn on_loopback_a_wrong_token_is_refused_once_there_are_tokens() {
    let server = Running::start_with(&settings("127.0.0.1:0"), &[shop_with_token()]).await;
    let channel = server.channel().await;
    let wrong = bearer("guess");
    assert_eq!(
        call(channel.clone(), &[("authorization", &wrong)]).await,
        Code::Unauthenticated
    );
    let right = bearer(TOKEN);
    assert_eq!(
        call(channel.clone(), &[("authorization", &right)]).await,
        Code::Ok
    );
    assert_eq!(call(channel, &[]).await, Code::Ok);
}

/// A certificate authority with one server and one client.
struct Authority {
    scratch: Scratch,
    ca: Issued,
    client: Issued,
    client_key: KeyPair,
}

impl Authority {
    fn new() -> Self {
        let scratch = Scratch::new();
        let ca_key = KeyPair::generate().unwrap();
        let mut ca_params = CertificateParams::new(Vec::new()).unwrap();
        ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = ca_params.self_signed(&ca_key).unwrap();
        let issuer = Issuer::new(ca_params, ca_key);
        let issue = |name: &str| {
            let key = KeyPair::generate().unwrap();
            let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
            (params.signed_by(&key, &issuer).unwrap(), key)
        };
        let (server, server_key) = issue("localhost");
        let (client, client_key) = issue("shop");
        scratch.write("ca.pem", &ca.pem());
        scratch.write("server.pem", &server.pem());
        scratch.write("server.key", &server_key.serialize_pem());
        Self {
            scratch,
            ca,
            client,
            client_key,
        }
    }

    /// All interfaces, so that credentials are needed.
    fn settings(&self) -> RpcSettings {
        RpcSettings {
            tls: Some(TlsFiles {
                certificate: self.scratch.path("server.pem"),
                key: self.scratch.path("server.key"),
                client_ca: Some(self.scratch.path("ca.pem")),
            }),
            ..settings("0.0.0.0:0")
        }
    }

    fn client_settings(&self) -> ClientSettings {
        ClientSettings {
            certificate_sha256: Some(Sha256::digest(self.client.der()).into()),
            ..shop_with_token()
        }
    }

    async fn connect(&self, server: &Running, with_certificate: bool) -> Channel {
        let mut tls = ClientTlsConfig::new()
            .ca_certificate(Certificate::from_pem(self.ca.pem()))
            .domain_name("localhost");
        if with_certificate {
            let key = self.client_key.serialize_pem();
            tls = tls.identity(Identity::from_pem(self.client.pem(), key));
        }
        let uri = format!("https://127.0.0.1:{}", server.port());
        let endpoint = Endpoint::from_shared(uri).unwrap().tls_config(tls).unwrap();
        endpoint.connect().await.unwrap()
    }
}

#[tokio::test]
async fn beyond_loopback_a_call_without_credentials_is_refused() {
    let authority = Authority::new();
    let server = Running::start_with(&authority.settings(), &[authority.client_settings()]).await;
    let channel = authority.connect(&server, false).await;
    let named = [("sampan-client", "shop")];
    assert_eq!(call(channel.clone(), &named).await, Code::Unauthenticated);
    let wrong = bearer("guess");
    let with_token = [("authorization", wrong.as_str())];
    assert_eq!(call(channel, &with_token).await, Code::Unauthenticated);
}

#[tokio::test]
async fn beyond_loopback_a_token_proves_who_calls() {
    let authority = Authority::new();
    let server = Running::start_with(&authority.settings(), &[authority.client_settings()]).await;
    let channel = authority.connect(&server, false).await;
    let token = bearer(TOKEN);
    assert_eq!(call(channel, &[("authorization", &token)]).await, Code::Ok);
}

#[tokio::test]
async fn beyond_loopback_a_client_certificate_proves_who_calls() {
    let authority = Authority::new();
    let server = Running::start_with(&authority.settings(), &[authority.client_settings()]).await;
    let channel = authority.connect(&server, true).await;
    assert_eq!(call(channel, &[]).await, Code::Ok);
}

#[tokio::test]
async fn a_certificate_of_the_same_authority_that_is_nobodys_is_refused() {
    let authority = Authority::new();
    let stranger = ClientSettings {
        certificate_sha256: Some([0; 32]),
        ..client("shop")
    };
    let server = Running::start_with(&authority.settings(), &[stranger]).await;
    let channel = authority.connect(&server, true).await;
    assert_eq!(call(channel, &[]).await, Code::Unauthenticated);
}

async fn refusal(settings: &RpcSettings, clients: &[ClientSettings]) -> RpcError {
    match Server::bind(settings, clients, services()).await {
        Ok(_) => panic!("it was bound"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn beyond_loopback_nothing_is_bound_without_tls_and_credentials() {
    let open = settings("0.0.0.0:0");
    let error = refusal(&open, &[shop_with_token()]).await;
    assert!(matches!(error, RpcError::TlsNeeded(_)), "{error}");
    let authority = Authority::new();
    let error = refusal(&authority.settings(), &[client("shop")]).await;
    assert!(matches!(error, RpcError::CredentialsNeeded(_)), "{error}");
}

#[tokio::test]
async fn a_client_certificate_needs_an_authority_to_ask_for_it() {
    let authority = Authority::new();
    let mut settings = authority.settings();
    settings.tls.as_mut().unwrap().client_ca = None;
    let error = refusal(&settings, &[authority.client_settings()]).await;
    assert!(matches!(error, RpcError::ClientCaNeeded(_)), "{error}");
}

fn unix(scratch: &Scratch) -> RpcSettings {
    RpcSettings {
        listen: Listen::Unix(scratch.path("sampan.sock")),
        ..settings("127.0.0.1:0")
    }
}

#[tokio::test]
async fn a_unix_socket_serves_without_credentials_and_is_removed_at_the_stop() {
    let scratch = Scratch::new();
    let server = Running::start_with(&unix(&scratch), &[]).await;
    let path = scratch.path("sampan.sock");
    let uri = format!("unix://{}", path.display());
    let channel = Endpoint::from_shared(uri).unwrap().connect().await.unwrap();
    assert_eq!(call(channel, &[]).await, Code::Ok);
    server.stop().await.unwrap().unwrap();
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_file_is_taken_over_only_if_nobody_answers_on_it() {
    let scratch = Scratch::new();
    let path = scratch.path("sampan.sock");
    let other = UnixListener::bind(&path).unwrap();
    let error = refusal(&unix(&scratch), &[]).await;
    assert!(
        error.to_string().contains("another process answers"),
        "{error}"
    );
    // Closing the socket leaves its file, as a killed process does.
    drop(other);
    Server::bind(&unix(&scratch), &[], services())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_file_that_is_no_socket_is_never_removed() {
    let scratch = Scratch::new();
    let path = scratch.write("sampan.sock", "precious");
    refusal(&unix(&scratch), &[]).await;
    assert_eq!(std::fs::read_to_string(path).unwrap(), "precious");
}
