//! Trace: the PDUs of SMSC links as they pass, told without texts and passwords.
//!
//! What a link hands over is unmasked; it is described and masked here, in the task of the call
//! that wants it, so that a link's task does no more than copy.

use std::{
    sync::Arc,
    time::{SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::{
    client::{Client, OpenStream},
    proto::{TraceBatch, TraceRequest, TracedPdu},
    unfold::{Step, Steps},
};
use crate::{
    links::Links,
    smpp::{describe, mask},
    tap::{Listener, Passed},
};

/// Traces at once: each of them makes the links that it follows copy their PDUs.
const TRACES_MAX: usize = 8;

/// PDUs of one batch: what is ready, and not so much that a message becomes large.
const BATCH_PDUS_MAX: usize = 256;

/// A number of SMPP has 20 characters at most (SMPP 3.4 5.2.8), and may be written with `+`.
const NUMBER_LENGTH_MAX: usize = 21;

/// What all traces share.
pub(super) struct Traces {
    room: Arc<Semaphore>,
    stopping: CancellationToken,
}

impl Traces {
    pub(super) fn new(stopping: CancellationToken) -> Self {
        Self {
            room: Arc::new(Semaphore::new(TRACES_MAX)),
            stopping,
        }
    }

    /// Begins to listen. The log says who listens to what, but no number.
    pub(super) fn open(
        &self,
        links: &Links,
        client: &Arc<Client>,
        request: &TraceRequest,
    ) -> Result<Trace, Status> {
        let number = &request.number;
        if number.len() > NUMBER_LENGTH_MAX || !number.chars().all(|c| c.is_ascii_graphic()) {
            return Err(Status::invalid_argument(
                "number: at most 20 digits, or the name of a sender, as the PDU has it",
            ));
        }
        let room = Arc::clone(&self.room).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(format!(
                "{TRACES_MAX} traces are open already; end one of them"
            ))
        })?;
        let link = Some(request.link.as_str()).filter(|link| !link.is_empty());
        let listener = links
            .trace(link, number)
            .map_err(|unknown| Status::not_found(unknown.to_string()))?;
        tracing::info!(
            client = %client.name(),
            link = link.unwrap_or("all"),
            by_number = !number.is_empty(),
            octets = request.octets,
            "a trace begins"
        );
        Ok(Trace {
            listener,
            with_octets: request.octets,
            stopping: self.stopping.clone(),
            is_over: false,
            _room: room,
            _open: OpenStream::new(client),
        })
    }
}

/// One call of Trace.
pub(super) struct Trace {
    listener: Arc<Listener>,
    with_octets: bool,
    stopping: CancellationToken,
    is_over: bool,
    _room: OwnedSemaphorePermit,
    _open: OpenStream,
}

impl Steps for Trace {
    type Item = Result<TraceBatch, Status>;

    async fn step(mut self) -> Step<Self> {
        if self.is_over {
            return None;
        }
        tokio::select! {
            () = self.stopping.cancelled() => {
                self.is_over = true;
                let status = Status::unavailable("Sampan is stopping; the trace ends");
                Some((Err(status), self))
            }
            (passed, missed) = self.listener.next(BATCH_PDUS_MAX) => {
                let pdus = passed.iter().map(|passed| self.told(passed)).collect();
                Some((Ok(TraceBatch { pdus, missed }), self))
            }
        }
    }
}

impl Trace {
    fn told(&self, passed: &Passed) -> TracedPdu {
        let frame = &passed.frame;
        TracedPdu {
            at_us: micros(passed.at),
            link: passed.link.to_string(),
            outgoing: passed.outgoing,
            command: frame.header.command_id.to_string(),
            command_status: frame.header.command_status.0,
            sequence: frame.header.sequence_number,
            description: describe::fields(frame),
            octets: match self.with_octets {
                true => mask::masked(frame).freeze(),
                false => Bytes::new(),
            },
            connection: passed.connection,
        }
    }
}

/// A clock before 1970 is told as 1970.
fn micros(at: SystemTime) -> i64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}
