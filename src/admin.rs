//! The port for operators: `/live`, `/ready`, `/metrics`, and the list of links at `/`.
//!
//! It tells and changes nothing, and shows no number, card or text.

use std::{
    fmt::Write as _,
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use tokio::net::TcpListener;

use crate::{
    clock,
    journal::Durable,
    links::Links,
    metrics::Metrics,
    status::{LinkState, LinkStatus},
    store::Store,
};

/// What the port tells of.
pub struct Admin {
    /// All figures.
    pub metrics: Arc<Metrics>,
    /// All connections.
    pub links: Arc<Links>,
    /// What survives a restart.
    pub store: Store,
    /// The record of payments, if it is kept in a file.
    pub journal: Option<Arc<Durable>>,
    /// Set once the router stops: it is not ready any more, and still alive.
    pub stopping: Arc<AtomicBool>,
}

/// The port, bound and not serving yet.
pub struct Port(TcpListener);

impl Port {
    /// Binds it.
    ///
    /// # Errors
    /// The address is taken or not this machine's.
    pub async fn bind(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self)
    }

    /// Its address, with the port that was chosen.
    ///
    /// # Errors
    /// The system does not tell it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }

    /// Serves until `shutdown` completes.
    ///
    /// # Errors
    /// The listener failed.
    pub async fn serve(
        self,
        admin: Admin,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let router = Router::new()
            .route("/", get(status))
            .route("/live", get(live))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics))
            .with_state(Arc::new(admin));
        axum::serve(self.0, router)
            .with_graceful_shutdown(shutdown)
            .await
    }
}

/// The process turns its wheels.
async fn live() -> &'static str {
    "live\n"
}

/// Ready while every peer has at least one link up, store and journal take writes and the router is
/// not stopping; else the reasons, one per line.
async fn ready(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    let journal = admin.journal.as_ref();
    let failures = [
        ("store", admin.store.failure()),
        ("journal", journal.and_then(|journal| journal.failure())),
    ];
    let stopping = admin.stopping.load(Relaxed);
    let reasons = reasons(&admin.all_links(), &failures, stopping);
    match reasons.is_empty() {
        true => (StatusCode::OK, "ready\n".to_owned()),
        false => (StatusCode::SERVICE_UNAVAILABLE, reasons.concat()),
    }
}

async fn metrics(State(admin): State<Arc<Admin>>) -> impl IntoResponse {
    const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, PROMETHEUS)], admin.metrics.render())
}

async fn status(State(admin): State<Arc<Admin>>) -> String {
    let links = admin.all_links();
    table(&links) + &errors(&links)
}

impl Admin {
    fn all_links(&self) -> Vec<LinkStatus> {
        // Only a named peer can be unknown.
        self.links.list(None).unwrap_or_default()
    }
}

/// Why the router is not ready; empty if it is. `failures` are those of its files.
fn reasons(
    links: &[LinkStatus],
    failures: &[(&str, Option<Arc<str>>)],
    stopping: bool,
) -> Vec<String> {
    let mut reasons = Vec::new();
    if stopping {
        reasons.push("stopping\n".to_owned());
    }
    for (file, failure) in failures {
        if let Some(failure) = failure {
            reasons.push(format!("{file}: out of service: {failure}\n"));
        }
    }
    for of_peer in links.chunk_by(|a, b| a.peer == b.peer) {
        let is_up = of_peer.iter().any(|link| link.state == LinkState::Up);
        if let (false, Some(link)) = (is_up, of_peer.first()) {
            let kind = link.kind.as_str();
            let why = match link.last_error.as_str() {
                _ if of_peer.iter().any(|link| link.state == LinkState::Draining) => {
                    "drained; `sampan links resume` takes it back"
                }
                "" => "not connected yet",
                error => error,
            };
            reasons.push(format!("{kind} {}: no link is up: {why}\n", link.peer));
        }
    }
    reasons
}

/// The links as a table of fixed columns.
pub fn table(links: &[LinkStatus]) -> String {
    let mut text = format!(
        "{:<20} {:<5} {:<22} {:<11} {:>12} {:>7} {:>11} {:>11} {:>9} {:>10}  {}\n",
        "LINK",
        "KIND",
        "ADDRESS",
        "STATE",
        "IN FLIGHT",
        "QUEUED",
        "SUBMITTED",
        "ANSWERED",
        "TIMEOUTS",
        "RECONNECTS",
        "LAST ERROR"
    );
    for link in links {
        let in_flight = format!("{}/{}", link.in_flight, link.window);
        let written = writeln!(
            text,
            "{:<20} {:<5} {:<22} {:<11} {:>12} {:>7} {:>11} {:>11} {:>9} {:>10}  {}",
            link.name,
            link.kind.as_str(),
            link.address,
            state(link),
            in_flight,
            link.queued,
            link.submitted,
            link.answered,
            link.timed_out,
            link.reconnects,
            link.last_error
        );
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }
    text
}

fn state(link: &LinkStatus) -> String {
    match (link.state, link.paused) {
        // Rounded up, so that nobody looks for what goes on before it does.
        (LinkState::Up, Some(paused)) => format!("paused {} s", paused.as_millis().div_ceil(1000)),
        (state, _) => state.as_str().to_owned(),
    }
}

/// The last errors of each link that has some, the newest first; empty if none has.
pub fn errors(links: &[LinkStatus]) -> String {
    let mut text = String::new();
    for link in links {
        for (index, error) in link.last_errors.iter().enumerate() {
            let head = match index {
                0 => format!("\nLAST ERRORS OF {}\n", link.name),
                _ => String::new(),
            };
            let at = clock::utc_text(error.at);
            let written = writeln!(text, "{head}{at}  {error}");
            debug_assert!(written.is_ok(), "writing to a String cannot fail");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::status::{LinkError, PeerKind};

    fn link(peer: &str, number: u8, state: LinkState, last_error: &str) -> LinkStatus {
        LinkStatus {
            peer: peer.into(),
            kind: PeerKind::Smsc,
            name: format!("{peer}/{number}").into(),
            address: "127.0.0.1:2775".into(),
            state,
            in_flight: 0,
            window: 10,
            queued: 0,
            submitted: 0,
            answered: 0,
            timed_out: 0,
            reconnects: 0,
            state_age: Duration::ZERO,
            last_error: last_error.into(),
            paused: None,
            last_errors: Vec::new(),
        }
    }

    #[test]
    fn it_is_ready_while_every_peer_has_a_link_that_is_up() {
        let links = [
            link("one", 1, LinkState::Up, ""),
            link("one", 2, LinkState::Down, "refused"),
            link("two", 1, LinkState::Up, ""),
        ];
        assert_eq!(reasons(&links, &[], false), Vec::<String>::new());
    }

    #[test]
    fn it_says_which_peer_has_no_link_and_why() {
        let links = [
            link("one", 1, LinkState::Up, ""),
            link("two", 1, LinkState::Down, "the SMSC refused the bind"),
        ];
        assert_eq!(
            reasons(&links, &[], false),
            ["smsc two: no link is up: the SMSC refused the bind\n"]
        );
    }

    #[test]
    fn a_peer_that_an_operator_drained_is_not_reported_with_an_old_error() {
        let links = [link("one", 1, LinkState::Draining, "refused yesterday")];
        assert_eq!(
            reasons(&links, &[], false),
            ["smsc one: no link is up: drained; `sampan links resume` takes it back\n"]
        );
    }

    #[test]
    fn a_bind_that_its_smsc_has_throttled_is_shown_with_the_time_that_is_left() {
        let mut paused = link("one", 1, LinkState::Up, "");
        paused.paused = Some(Duration::from_millis(1_200));
        let shown = table(&[paused, link("one", 2, LinkState::Up, "")]);
        let lines: Vec<&str> = shown.lines().collect();
        assert!(lines[1].contains(" paused 2 s "), "{shown}");
        assert!(lines[2].contains(" up "), "{shown}");
    }

    #[test]
    fn the_last_errors_are_told_with_their_times_for_links_that_have_some() {
        let mut troubled = link("two", 1, LinkState::Down, "refused");
        let error = |ms, what: &str, times| LinkError {
            at: UNIX_EPOCH + Duration::from_millis(ms),
            what: what.into(),
            times,
        };
        troubled.last_errors = vec![error(2_000, "refused", 3), error(1_500, "closed", 1)];
        assert_eq!(
            errors(&[link("one", 1, LinkState::Up, ""), troubled]),
            "\nLAST ERRORS OF two/1\n\
             1970-01-01T00:00:02.000000Z  refused (3 times in a row)\n\
             1970-01-01T00:00:01.500000Z  closed\n"
        );
    }

    #[test]
    fn it_is_not_ready_while_its_store_or_its_journal_is_out_of_service() {
        let links = [link("one", 1, LinkState::Up, "")];
        let failures = [("store", None), ("journal", Some("no space left".into()))];
        assert_eq!(
            reasons(&links, &failures, false),
            ["journal: out of service: no space left\n"]
        );
    }

    #[test]
    fn it_is_not_ready_while_it_stops() {
        let links = [link("one", 1, LinkState::Up, "")];
        assert_eq!(reasons(&links, &[], true), ["stopping\n"]);
    }
}
