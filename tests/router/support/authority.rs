//! Certificates of this test's own, and an end of TLS in front of a simulator that speaks none.

use std::{
    env, fs,
    net::SocketAddr,
    path::PathBuf,
    process,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    task::JoinHandle,
};
use tokio_rustls::{
    TlsAcceptor, TlsConnector,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        crypto::ring,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
        server::WebPkiClientVerifier,
    },
};

/// A certificate and its key as PEM.
pub(crate) struct Issued {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// Signs certificates, and has a directory for what the configuration reads.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pub(crate) root: String,
    dir: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = env::temp_dir().join(format!("sampan-tls-{}-{number}", process::id()));
        fs::create_dir_all(&dir).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let root = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        Self { issuer, root, dir }
    }

    pub(crate) fn issue(&self, name: &str) -> Issued {
        self.sign(CertificateParams::new([name.to_owned()]).unwrap())
    }

    pub(crate) fn issue_expired(&self, name: &str) -> Issued {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = date_time_ymd(2019, 1, 1);
        params.not_after = date_time_ymd(2020, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Issued {
        let key = KeyPair::generate().unwrap();
        Issued {
            certificate: params.signed_by(&key, &self.issuer).unwrap().pem(),
            key: key.serialize_pem(),
        }
    }

    /// The section of a configuration that trusts this authority.
    pub(crate) fn section(&self, more: &str) -> String {
        self.section_of("smsc", more)
    }

    /// As [`Self::section`], of a bank.
    pub(crate) fn bank_section(&self, more: &str) -> String {
        self.section_of("bank", more)
    }

    fn section_of(&self, peer: &str, more: &str) -> String {
        let ca = self.write("ca.pem", &self.root);
        format!("[{peer}.tls]\nca = {ca:?}\n{more}\n")
    }

    /// The two keys of a certificate that we show.
    pub(crate) fn identity(&self, issued: &Issued) -> String {
        let certificate = self.write("client.pem", &issued.certificate);
        let key = self.write("client.key", &issued.key);
        format!("certificate = {certificate:?}\nkey = {key:?}")
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        let path = self.dir.join(name);
        fs::write(&path, content).unwrap();
        path.into_os_string().into_string().unwrap()
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // A left-over of a test harms nobody.
        fs::remove_dir_all(&self.dir).ok();
    }
}

/// A peer that dials in by TLS, in front of a simulator that listens in plain TCP.
pub(crate) struct TlsClient {
    task: JoinHandle<()>,
}

impl TlsClient {
    /// From `behind` to the router at `address`, which has to show a certificate for `name` that
    /// `root` leads to; shows `client`, if it has one.
    pub(crate) async fn start(
        root: &str,
        client: Option<&Issued>,
        name: &str,
        address: SocketAddr,
        behind: SocketAddr,
    ) -> Self {
        let mut roots = RootCertStore::empty();
        let root = CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
        roots.add(root).unwrap();
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let config = match client {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let certificate =
                    CertificateDer::from_pem_slice(client.certificate.as_bytes()).unwrap();
                let key = PrivateKeyDer::from_pem_slice(client.key.as_bytes()).unwrap();
                builder
                    .with_client_auth_cert(vec![certificate], key)
                    .unwrap()
            }
        };
        let connector = TlsConnector::from(Arc::new(config));
        let name = ServerName::try_from(name.to_owned()).unwrap();
        let stream = TcpStream::connect(address).await.unwrap();
        let task = tokio::spawn(async move {
            // How a connection ends is told by the router, which is what is tested.
            if let Ok(mut front) = connector.connect(name, stream).await
                && let Ok(mut back) = TcpStream::connect(behind).await
            {
                copy_bidirectional(&mut front, &mut back).await.ok();
            }
        });
        Self { task }
    }
}

impl Drop for TlsClient {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Takes TLS off and hands the bytes on, until it is dropped.
pub(crate) struct TlsFront {
    pub(crate) address: SocketAddr,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// In front of `behind`. With `clients`, it wants a certificate that these roots lead to.
    pub(crate) async fn start(server: &Issued, clients: Option<&str>, behind: SocketAddr) -> Self {
        let provider = Arc::new(ring::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(root) => {
                let mut roots = RootCertStore::empty();
                let root = CertificateDer::from_pem_slice(root.as_bytes()).unwrap();
                roots.add(root).unwrap();
                let verifier =
                    WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let certificate = CertificateDer::from_pem_slice(server.certificate.as_bytes()).unwrap();
        let key = PrivateKeyDer::from_pem_slice(server.key.as_bytes()).unwrap();
        let config = builder.with_single_cert(vec![certificate], key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // How a connection ends is told by the router, which is what is tested.
                    if let Ok(mut front) = acceptor.accept(stream).await
                        && let Ok(mut back) = TcpStream::connect(behind).await
                    {
                        copy_bidirectional(&mut front, &mut back).await.ok();
                    }
                });
            }
        });
        Self { address, task }
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}
