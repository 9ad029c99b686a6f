//! What a gRPC stream costs beside the same protobuf on bare TCP: batches of requests one way and of
//! results the other, over loopback, in one process. Neither end does anything else with them.

#![allow(clippy::unwrap_used, reason = "a benchmark fails by panicking")]
#![allow(missing_docs, reason = "criterion_group makes a public function")]

use std::{
    convert::Infallible,
    future::{Future, Ready, ready},
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::{Buf as _, BufMut as _, BytesMut};
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use prost::Message;
use sampan::rpc::proto::{
    Address, SubmitBatch, SubmitRequest, SubmitResult, SubmitResults, submit_request::Body,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    sync::mpsc,
};
use tokio_stream::{Stream, StreamExt as _, wrappers::ReceiverStream};
use tonic::{
    Request, Response, Status, Streaming,
    body::Body as HttpBody,
    client::Grpc as Calls,
    codegen::{
        Service,
        http::{self, uri::PathAndQuery},
    },
    server::{Grpc, NamedService},
    transport::{Channel, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;

/// One message at a time, and the batches of a busy stream.
const BATCHES: [usize; 2] = [1, 64];

/// Batches that are on their way at a time.
const IN_FLIGHT: usize = 16;

fn requests(count: usize) -> SubmitBatch {
    let request = |nth: usize| SubmitRequest {
        request_id: format!("order-{nth:08}"),
        destination: Some(Address {
            number: "84901234567".into(),
            ..Address::default()
        }),
        body: Some(Body::Text(
            "Your one-time password is 123456. Do not tell it anybody.".into(),
        )),
        ..SubmitRequest::default()
    };
    SubmitBatch {
        requests: (0..count).map(request).collect(),
    }
}

fn results(batch: SubmitBatch) -> SubmitResults {
    let result = |request: SubmitRequest| SubmitResult {
        request_id: request.request_id,
        ..SubmitResult::default()
    };
    SubmitResults {
        results: batch.requests.into_iter().map(result).collect(),
    }
}

/// A server that answers each batch.
#[derive(Clone, Copy)]
struct Answering;

impl NamedService for Answering {
    const NAME: &'static str = "bench.Answering";
}

type Pinned<T> = Pin<Box<T>>;
type Answers = Pinned<dyn Stream<Item = Result<SubmitResults, Status>> + Send>;

impl Service<Request<Streaming<SubmitBatch>>> for Answering {
    type Response = Response<Answers>;
    type Error = Status;
    type Future = Ready<Result<Self::Response, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Streaming<SubmitBatch>>) -> Self::Future {
        let answers = request.into_inner().map(|batch| batch.map(results));
        ready(Ok(Response::new(Box::pin(answers))))
    }
}

impl Service<http::Request<HttpBody>> for Answering {
    type Response = http::Response<HttpBody>;
    type Error = Infallible;
    type Future = Pinned<dyn Future<Output = Result<Self::Response, Infallible>> + Send>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<HttpBody>) -> Self::Future {
        Box::pin(async {
            let codec = ProstCodec::<SubmitResults, SubmitBatch>::default();
            Ok(Grpc::new(codec).streaming(Self, request).await)
        })
    }
}

/// One stream over gRPC.
struct Called {
    requests: mpsc::Sender<SubmitBatch>,
    results: Streaming<SubmitResults>,
}

impl Called {
    async fn open() -> Self {
        let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = incoming.local_addr().unwrap();
        tokio::spawn(
            Server::builder()
                .add_service(Answering)
                .serve_with_incoming(incoming.with_nodelay(Some(true))),
        );
        let channel = Channel::from_shared(format!("http://{address}")).unwrap();
        let mut calls = Calls::new(channel.connect().await.unwrap());
        calls.ready().await.unwrap();
        let (requests, read) = mpsc::channel(IN_FLIGHT);
        let path = PathAndQuery::from_static("/bench.Answering/Exchange");
        let codec = ProstCodec::<SubmitBatch, SubmitResults>::default();
        let request = Request::new(ReceiverStream::new(read));
        let results = calls.streaming(request, path, codec).await.unwrap();
        let results = results.into_inner();
        Self { requests, results }
    }

    async fn exchange(&mut self, batch: &SubmitBatch, times: u64) {
        let (mut sent, mut answered) = (0, 0);
        while answered < times {
            while sent < times && sent - answered < IN_FLIGHT as u64 {
                self.requests.send(batch.clone()).await.unwrap();
                sent += 1;
            }
            let told = self.results.message().await.unwrap().unwrap();
            assert_eq!(told.results.len(), batch.requests.len());
            answered += 1;
        }
    }
}

/// Messages with their lengths before them, on a connection.
struct Framed {
    stream: TcpStream,
    input: BytesMut,
    output: BytesMut,
}

impl Framed {
    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).unwrap();
        Self {
            stream,
            input: BytesMut::new(),
            output: BytesMut::new(),
        }
    }

    fn put(&mut self, message: &impl Message) {
        self.output
            .put_u32(u32::try_from(message.encoded_len()).unwrap());
        message.encode(&mut self.output).unwrap();
    }

    async fn flush(&mut self) {
        self.stream.write_all(&self.output).await.unwrap();
        self.output.clear();
    }

    /// The next message that is here already.
    fn take<M: Message + Default>(&mut self) -> Option<M> {
        let length = self.input.first_chunk().copied().map(u32::from_be_bytes)?;
        let end = 4 + length as usize;
        (self.input.len() >= end).then(|| {
            let mut message = self.input.split_to(end);
            message.advance(4);
            M::decode(message).unwrap()
        })
    }

    /// Reads more; false at the end.
    async fn fill(&mut self) -> bool {
        self.stream.read_buf(&mut self.input).await.unwrap() > 0
    }
}

/// One stream on bare TCP.
struct Bare(Framed);

impl Bare {
    async fn open() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            let mut server = Framed::new(listener.accept().await.unwrap().0);
            while server.fill().await {
                while let Some(batch) = server.take() {
                    server.put(&results(batch));
                }
                server.flush().await;
            }
        });
        Self(Framed::new(TcpStream::connect(address).await.unwrap()))
    }

    async fn exchange(&mut self, batch: &SubmitBatch, times: u64) {
        let (mut sent, mut answered) = (0, 0);
        while answered < times {
            while sent < times && sent - answered < IN_FLIGHT as u64 {
                self.0.put(&batch.clone());
                sent += 1;
            }
            self.0.flush().await;
            assert!(self.0.fill().await);
            while let Some(told) = self.0.take::<SubmitResults>() {
                assert_eq!(told.results.len(), batch.requests.len());
                answered += 1;
            }
        }
    }
}

async fn timed(exchange: impl Future<Output = ()>) -> Duration {
    let began = Instant::now();
    exchange.await;
    began.elapsed()
}

fn streams(c: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for size in BATCHES {
        let batch = requests(size);
        let mut group = c.benchmark_group(format!("stream, batches of {size}"));
        group.throughput(Throughput::Elements(size as u64));
        let mut called = runtime.block_on(Called::open());
        group.bench_function("gRPC", |b| {
            b.iter_custom(|times| runtime.block_on(timed(called.exchange(&batch, times))));
        });
        let mut bare = runtime.block_on(Bare::open());
        group.bench_function("bare", |b| {
            b.iter_custom(|times| runtime.block_on(timed(bare.exchange(&batch, times))));
        });
        group.finish();
    }
}

criterion_group!(benches, streams);
criterion_main!(benches);
