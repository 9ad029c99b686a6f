//! Unary calls: each worker has one request without an answer.

use std::sync::{Arc, Mutex};

use tonic::{Status, transport::Channel};

use super::{
    book::Book,
    lock,
    raw::{RawCodec, caller, path, request},
    stream::note_result,
    template::Batch,
};
use crate::bench::clock::now_ns;

/// Calls until the end of the window, one call after the other.
pub(super) async fn run(
    channel: Channel,
    client: usize,
    call: &'static str,
    mut batch: Batch,
    book: Arc<Mutex<Book>>,
    good_outcome: u64,
) -> Result<(), Status> {
    let end_ns = lock(&book).window.end_ns;
    let mut grpc = caller(channel);
    loop {
        let now = now_ns();
        if now >= end_ns {
            return Ok(());
        }
        let first = batch.made();
        let octets = batch.next(now);
        lock(&book).leaves(1, first, now, now);
        let ready = grpc.ready().await;
        ready.map_err(|error| Status::unavailable(error.to_string()))?;
        let answer = grpc
            .unary(request(client, octets), path(call), RawCodec)
            .await?;
        note_result(answer.get_ref(), now_ns(), &mut lock(&book), good_outcome);
    }
}
