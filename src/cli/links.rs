//! `sampan links`: the connections of a running router, and taking them out of and into service.

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use clap::{Args, Subcommand};

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
};
use crate::{
    admin,
    rpc::proto::{self, LinkRequest, ListLinksRequest, links_client::LinksClient},
    status::{LinkError, LinkState, LinkStatus, PeerKind},
};

/// What to do with links, and how to reach the router.
#[derive(Args)]
pub(super) struct LinksArgs {
    /// List only this SMSC or bank.
    #[arg(long, value_name = "PEER")]
    peer: Option<String>,
    /// Show the last errors of each link too, with their times.
    #[arg(long)]
    errors: bool,
    #[command(subcommand)]
    change: Option<Change>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Subcommand)]
enum Change {
    /// Stop new traffic on a link, or on all of a peer. What is in flight is finished.
    Drain(Chosen),
    /// Take a link, or all of a peer, back into service.
    Resume(Chosen),
}

#[derive(Args)]
struct Chosen {
    /// An SMSC or bank.
    peer: String,
    /// One of its links, such as viettel/2; all of them if left out.
    link: Option<String>,
}

impl From<Chosen> for LinkRequest {
    fn from(chosen: Chosen) -> Self {
        Self {
            peer: chosen.peer,
            link: chosen.link.unwrap_or_default(),
        }
    }
}

/// Lists or changes links, and prints those that were asked about as they are then.
pub(super) fn links(args: LinksArgs) -> Result<Exit, Trouble> {
    let LinksArgs {
        peer,
        errors,
        change,
        connection,
    } = args;
    if peer.is_some() && change.is_some() {
        let why = "--peer is for the list; drain and resume name their peer behind them";
        return Err(Trouble::Usage(why.to_owned()));
    }
    let answered = connection.ask(async move |sampan| {
        let mut sampan = LinksClient::new(sampan);
        let answered = match change {
            None => {
                let peer = peer.unwrap_or_default();
                sampan.list(ListLinksRequest { peer }).await
            }
            Some(Change::Drain(chosen)) => sampan.drain(LinkRequest::from(chosen)).await,
            Some(Change::Resume(chosen)) => sampan.resume(LinkRequest::from(chosen)).await,
        };
        answered.map_err(|status| refused(&status))
    })?;
    let links = answered.into_inner().links.into_iter();
    let links = links.map(status).collect::<Result<Vec<_>, _>>()?;
    let mut text = admin::table(&links);
    if errors {
        text.push_str(&admin::errors(&links));
    }
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}

fn status(link: proto::Link) -> Result<LinkStatus, Trouble> {
    let newer = |what| {
        let name = &link.name;
        Trouble::Failure(format!(
            "link {name}: its {what} is none that this program knows; is the router newer?"
        ))
    };
    let kind = match link.kind() {
        proto::PeerKind::Smsc => PeerKind::Smsc,
        proto::PeerKind::Bank => PeerKind::Bank,
        proto::PeerKind::Unspecified => return Err(newer("kind")),
    };
    let state = match link.state() {
        proto::LinkState::Down => LinkState::Down,
        proto::LinkState::Connecting => LinkState::Connecting,
        proto::LinkState::Up => LinkState::Up,
        proto::LinkState::Draining => LinkState::Draining,
        proto::LinkState::Stopped => LinkState::Stopped,
        proto::LinkState::Unspecified => return Err(newer("state")),
    };
    Ok(LinkStatus {
        peer: link.peer.into(),
        kind,
        name: link.name.into(),
        address: link.address,
        state,
        in_flight: link.in_flight,
        window: link.window,
        queued: link.queued,
        submitted: link.submitted,
        answered: link.answered,
        timed_out: link.timed_out,
        reconnects: link.reconnects,
        state_age: Duration::from_millis(link.state_age_ms),
        last_error: link.last_error,
        paused: (link.paused_ms > 0).then(|| Duration::from_millis(link.paused_ms)),
        last_errors: link.last_errors.into_iter().map(error).collect(),
    })
}

/// How often it happened in a row stands in its text.
fn error(error: proto::LinkError) -> LinkError {
    let at_ms = u64::try_from(error.at_ms).unwrap_or_default();
    LinkError {
        at: UNIX_EPOCH + Duration::from_millis(at_ms),
        what: error.what,
        times: 1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_arrives_as_the_router_knows_it() {
        let known = LinkStatus {
            peer: "viettel".into(),
            kind: PeerKind::Smsc,
            name: "viettel/2".into(),
            address: "127.0.0.1:2775".into(),
            state: LinkState::Draining,
            in_flight: 1,
            window: 2,
            queued: 3,
            submitted: 4,
            answered: 5,
            timed_out: 6,
            reconnects: 7,
            state_age: Duration::from_millis(8),
            last_error: "refused".into(),
            paused: Some(Duration::from_millis(9)),
            last_errors: vec![LinkError {
                at: UNIX_EPOCH + Duration::from_millis(9),
                what: "refused".into(),
                times: 1,
            }],
        };
        let arrived = status(proto::Link::from(known.clone())).unwrap();
        assert_eq!(format!("{arrived:?}"), format!("{known:?}"));
    }

    #[test]
    fn a_state_of_a_newer_router_is_told_and_not_guessed() {
        let link = proto::Link {
            name: "viettel/2".into(),
            kind: proto::PeerKind::Smsc.into(),
            state: 99,
            ..proto::Link::default()
        };
        let trouble = status(link).unwrap_err().to_string();
        assert!(
            trouble.starts_with("link viettel/2: its state"),
            "{trouble}"
        );
    }
}
