//! The Links service: the connections, for operators and their tools.

use std::{sync::Arc, time::UNIX_EPOCH};

use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

use super::{
    auth,
    proto::{self, LinkRequest, ListLinksRequest, ListLinksResult},
    trace::{Trace, Traces},
    unfold::Unfold,
};
use crate::{
    links::{Links, UnknownLink},
    status::{LinkError, LinkState, LinkStatus, PeerKind},
};

/// `sampan.v1.Links`
pub(super) struct LinksService {
    links: Arc<Links>,
    traces: Traces,
}

impl LinksService {
    pub(super) fn new(links: Arc<Links>, stopping: CancellationToken) -> Self {
        Self {
            links,
            traces: Traces::new(stopping),
        }
    }
}

#[tonic::async_trait]
impl proto::links_server::Links for LinksService {
    async fn list(
        &self,
        request: Request<ListLinksRequest>,
    ) -> Result<Response<ListLinksResult>, Status> {
        let peer = request.into_inner().peer;
        respond(self.links.list(some(&peer)))
    }

    async fn drain(
        &self,
        request: Request<LinkRequest>,
    ) -> Result<Response<ListLinksResult>, Status> {
        let client = auth::caller(&request)?;
        let LinkRequest { peer, link } = named(request)?;
        let drained = self.links.drain(&peer, some(&link));
        if drained.is_ok() {
            tracing::info!(client = %client.name(), peer, link, "drained by request");
        }
        respond(drained)
    }

    type TraceStream = Unfold<Trace>;

    async fn trace(
        &self,
        request: Request<proto::TraceRequest>,
    ) -> Result<Response<Self::TraceStream>, Status> {
        let client = auth::caller(&request)?;
        let trace = self.traces.open(&self.links, &client, request.get_ref())?;
        Ok(Response::new(Unfold::new(trace)))
    }

    async fn resume(
        &self,
        request: Request<LinkRequest>,
    ) -> Result<Response<ListLinksResult>, Status> {
        let client = auth::caller(&request)?;
        let LinkRequest { peer, link } = named(request)?;
        let resumed = self.links.resume(&peer, some(&link));
        if resumed.is_ok() {
            tracing::info!(client = %client.name(), peer, link, "resumed by request");
        }
        respond(resumed)
    }
}

/// An empty name means all, which is right for a list and a mishap for anything else.
fn named(request: Request<LinkRequest>) -> Result<LinkRequest, Status> {
    let request = request.into_inner();
    if request.peer.is_empty() {
        return Err(Status::invalid_argument(
            "peer: empty; name an SMSC or bank",
        ));
    }
    Ok(request)
}

fn some(name: &str) -> Option<&str> {
    (!name.is_empty()).then_some(name)
}

fn respond(
    links: Result<Vec<LinkStatus>, UnknownLink>,
) -> Result<Response<ListLinksResult>, Status> {
    match links {
        Ok(links) => Ok(Response::new(ListLinksResult {
            links: links.into_iter().map(proto::Link::from).collect(),
        })),
        Err(unknown) => Err(Status::not_found(unknown.to_string())),
    }
}

impl From<LinkStatus> for proto::Link {
    fn from(link: LinkStatus) -> Self {
        Self {
            peer: link.peer.to_string(),
            kind: proto::PeerKind::from(link.kind).into(),
            name: link.name.to_string(),
            address: link.address,
            state: proto::LinkState::from(link.state).into(),
            in_flight: link.in_flight,
            window: link.window,
            queued: link.queued,
            submitted: link.submitted,
            answered: link.answered,
            timed_out: link.timed_out,
            reconnects: link.reconnects,
            state_age_ms: u64::try_from(link.state_age.as_millis()).unwrap_or(u64::MAX),
            last_error: link.last_error,
            last_errors: link.last_errors.iter().map(Into::into).collect(),
            paused_ms: link.paused.map_or(0, |paused| {
                // A pause that is nearly over is still one.
                u64::try_from(paused.as_millis()).unwrap_or(u64::MAX).max(1)
            }),
        }
    }
}

impl From<&LinkError> for proto::LinkError {
    fn from(error: &LinkError) -> Self {
        // A clock before 1970 is told as 1970.
        let since = error.at.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            at_ms: i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            what: error.to_string(),
        }
    }
}

impl From<PeerKind> for proto::PeerKind {
    fn from(kind: PeerKind) -> Self {
        match kind {
            PeerKind::Smsc => Self::Smsc,
            PeerKind::Bank => Self::Bank,
        }
    }
}

impl From<LinkState> for proto::LinkState {
    fn from(state: LinkState) -> Self {
        match state {
            LinkState::Down => Self::Down,
            LinkState::Connecting => Self::Connecting,
            LinkState::Up => Self::Up,
            LinkState::Draining => Self::Draining,
            LinkState::Stopped => Self::Stopped,
        }
    }
}
