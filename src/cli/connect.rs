//! The way to a running router: its address, who asks, TLS. Shared by all commands that ask one.

use std::{env, error::Error, path::PathBuf, time::Duration};

use clap::Args;
use tonic::{
    Request, Status,
    metadata::AsciiMetadataValue,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Certificate, Channel, ClientTlsConfig, Endpoint, Identity},
};

use super::{Trouble, input};
use crate::client::ClientName;

/// Where a router with a default configuration listens.
const DEFAULT_ADDRESS: &str = "http://127.0.0.1:7070";

/// Names the address for all commands of a shell.
const ADDRESS_VARIABLE: &str = "SAMPAN_ADDRESS";

/// A router that is there answers in far less.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// After this silence the router is asked for a sign of life, and given up after as much again. A
/// payment may take long, but its router does not fall silent meanwhile.
const SILENCE: Duration = Duration::from_secs(10);

/// How to reach a router.
#[derive(Args)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// http://HOST:PORT, https://HOST:PORT or unix:PATH. Without it the variable SAMPAN_ADDRESS,
    /// and without that http://127.0.0.1:7070.
    #[arg(long, global = true, value_name = "ADDRESS")]
    address: Option<String>,
    /// The client's name, where the router trusts the machine.
    #[arg(long, global = true, value_name = "NAME", value_parser = client_name)]
    client: Option<ClientName>,
    /// The environment variable that holds the bearer token.
    #[arg(long, global = true, value_name = "NAME")]
    token_env: Option<String>,
    /// The roots that the router's certificate must lead to, PEM. Needed for https.
    #[arg(long, global = true, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The client's certificate, PEM.
    #[arg(long, global = true, value_name = "FILE")]
    certificate: Option<PathBuf>,
    /// The private key of the client's certificate, PEM.
    #[arg(long, global = true, value_name = "FILE")]
    key: Option<PathBuf>,
}

fn client_name(name: &str) -> Result<ClientName, String> {
    ClientName::parse(name).ok_or_else(|| {
        let most = ClientName::LENGTH_MAX;
        format!("must be 1 to {most} letters, digits, '.', '_' or '-'")
    })
}

impl Connection {
    /// Connects and asks. What comes before the question is settled without a byte sent.
    pub(super) fn ask<T>(
        &self,
        question: impl AsyncFnOnce(InterceptedService<Channel, Credentials>) -> Result<T, Trouble>,
    ) -> Result<T, Trouble> {
        let address = self.address();
        let endpoint = self.endpoint(&address)?;
        let credentials = self.credentials()?;
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| Trouble::Failure(format!("the system refuses a runtime: {error}")))?;
        runtime.block_on(async {
            let channel = endpoint
                .connect()
                .await
                .map_err(|error| unreachable_at(&address, &error))?;
            question(InterceptedService::new(channel, credentials)).await
        })
    }

    /// The name that the caller goes by, if one is given.
    pub(super) fn client(&self) -> Option<&ClientName> {
        self.client.as_ref()
    }

    fn address(&self) -> String {
        let given = self.address.clone();
        let set = || env::var(ADDRESS_VARIABLE).ok().filter(|it| !it.is_empty());
        given
            .or_else(set)
            .unwrap_or_else(|| DEFAULT_ADDRESS.to_owned())
    }

    fn endpoint(&self, address: &str) -> Result<Endpoint, Trouble> {
        let is_secured = address.starts_with("https://");
        if !is_secured && !address.starts_with("http://") && !address.starts_with("unix:") {
            return Err(Trouble::Usage(format!(
                "address {address:?}: must begin with http://, https:// or unix:"
            )));
        }
        let unusable =
            |error| Trouble::Usage(format!("address {address:?}: {}", innermost_cause(&error)));
        let endpoint = Endpoint::from_shared(address.to_owned())
            .map_err(unusable)?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(SILENCE)
            .keep_alive_timeout(SILENCE);
        match self.tls(is_secured)? {
            Some(tls) => endpoint.tls_config(tls).map_err(unusable),
            None => Ok(endpoint),
        }
    }

    fn tls(&self, is_secured: bool) -> Result<Option<ClientTlsConfig>, Trouble> {
        let usage = |why: &str| Err(Trouble::Usage(why.to_owned()));
        let ca = match (is_secured, &self.ca) {
            (true, Some(ca)) => ca,
            (true, None) => {
                return usage("https needs --ca, the roots of the router's certificate");
            }
            (false, None) if self.certificate.is_none() && self.key.is_none() => return Ok(None),
            (false, _) => return usage("--ca, --certificate and --key need an https address"),
        };
        let tls =
            ClientTlsConfig::new().ca_certificate(Certificate::from_pem(input::read_text(ca)?));
        match (&self.certificate, &self.key) {
            (None, None) => Ok(Some(tls)),
            (Some(certificate), Some(key)) => {
                let certificate = input::read_text(certificate)?;
                let identity = Identity::from_pem(certificate, input::read_text(key)?);
                Ok(Some(tls.identity(identity)))
            }
            (Some(_), None) => usage("--certificate needs its --key"),
            (None, Some(_)) => usage("--key needs its --certificate"),
        }
    }

    fn credentials(&self) -> Result<Credentials, Trouble> {
        let authorization = match &self.token_env {
            Some(variable) => Some(bearer(variable)?),
            None => None,
        };
        let client = self.client.as_ref().map(|name| name.as_str().parse());
        let client = client.transpose();
        Ok(Credentials {
            authorization,
            client: client.map_err(|_| Trouble::Usage("--client: is no metadata".to_owned()))?,
        })
    }
}

fn bearer(variable: &str) -> Result<AsciiMetadataValue, Trouble> {
    let token = env::var(variable)
        .map_err(|_| Trouble::Usage(format!("the variable {variable} is not set to a token")))?;
    let mut value: AsciiMetadataValue = format!("Bearer {token}")
        .parse()
        .map_err(|_| Trouble::Usage(format!("the value of {variable} is no token")))?;
    value.set_sensitive(true);
    Ok(value)
}

/// Who asks, put on each call.
#[derive(Clone)]
pub(super) struct Credentials {
    authorization: Option<AsciiMetadataValue>,
    client: Option<AsciiMetadataValue>,
}

impl Interceptor for Credentials {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        if let Some(value) = &self.authorization {
            metadata.insert("authorization", value.clone());
        }
        if let Some(value) = &self.client {
            metadata.insert("sampan-client", value.clone());
        }
        Ok(request)
    }
}

fn unreachable_at(address: &str, error: &tonic::transport::Error) -> Trouble {
    Trouble::Failure(format!(
        "Sampan cannot be reached at {address}: {}; does it run there? --address and the variable \
         {ADDRESS_VARIABLE} say where to ask",
        innermost_cause(error)
    ))
}

/// A call that the router refused or that got lost on the way.
pub(super) fn refused(status: &Status) -> Trouble {
    let (code, message) = (status.code(), status.message());
    Trouble::Failure(format!("the call failed: {code:?}: {message}"))
}

/// The innermost cause alone: the layers around it only say that they failed.
fn innermost_cause(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(cause) = innermost.source() {
        innermost = cause;
    }
    innermost.to_string()
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        connection: Connection,
    }

    fn endpoint(words: &[&str]) -> Result<Endpoint, String> {
        let line = Line::parse_from([&["x"], words].concat());
        let connection = line.connection;
        match connection.endpoint(&connection.address()) {
            Ok(endpoint) => Ok(endpoint),
            Err(Trouble::Usage(why)) => Err(why),
            Err(Trouble::Failure(why)) => panic!("no fault of the user: {why}"),
        }
    }

    #[tokio::test]
    async fn each_form_of_an_address_is_taken() {
        for address in [
            "http://127.0.0.1:1",
            "http://[::1]:1",
            "unix:/run/sampan.sock",
        ] {
            assert!(endpoint(&["--address", address]).is_ok(), "{address}");
        }
    }

    #[test]
    fn an_address_that_cannot_be_one_is_wrong_usage() {
        for address in ["127.0.0.1:7070", "ftp://x", "http://", "", "http://a b"] {
            assert!(endpoint(&["--address", address]).is_err(), "{address:?}");
        }
    }

    #[test]
    fn tls_needs_a_root_and_a_root_needs_tls() {
        let refusal = |words: &[&str]| endpoint(words).unwrap_err();
        assert!(refusal(&["--address", "https://sampan:7070"]).contains("--ca"));
        for option in ["--ca", "--certificate", "--key"] {
            let words = ["--address", "http://127.0.0.1:1", option, "x.pem"];
            assert!(
                refusal(&words).contains("need an https address"),
                "{option}"
            );
        }
    }

    #[test]
    fn a_token_is_not_shown_by_what_carries_it() {
        // A variable that every system has stands for the token's.
        let value = bearer("PATH").unwrap();
        assert_eq!(format!("{value:?}"), "Sensitive");
        let trouble = bearer("SAMPAN_NO_SUCH_VARIABLE").unwrap_err();
        assert!(trouble.to_string().contains("SAMPAN_NO_SUCH_VARIABLE"));
    }
}
