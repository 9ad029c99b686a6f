//! A router made by hand from the contract, for what commerce says to one and hears from it. It shares
//! no code with the real one or with commerce.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use commerce::router::{Address, Router, Settings};
use tempfile::TempDir;
use tokio::{
    net::UnixListener,
    sync::{Notify, mpsc, watch},
    task::JoinHandle,
};
use tokio_stream::wrappers::{ReceiverStream, UnixListenerStream};
use tonic::{
    Request, Response, Status, Streaming, async_trait,
    metadata::MetadataMap,
    transport::{self, Server},
};

use crate::shop::id;

#[allow(
    missing_docs,
    unreachable_pub,
    dead_code,
    clippy::all,
    reason = "it is made by the compiler of the contract"
)]
pub(crate) mod proto {
    include!(concat!(env!("OUT_DIR"), "/servers/sampan.v1.rs"));
}

use proto::{
    Event, LookupRequest, LookupResult, PaymentResult, ReceiveBatch, ReceiveRequest,
    ReverseRequest, SubmitRequest, SubmitResult, TransactRequest, messaging_server,
    payments_server, receive_request,
};

/// What the router is asked and what it says, for as long as the test lives and whether it runs or not.
#[derive(Default)]
pub(crate) struct Script {
    pub(crate) transact: Mutex<VecDeque<Result<PaymentResult, Status>>>,
    pub(crate) lookup: Mutex<VecDeque<Result<LookupResult, Status>>>,
    pub(crate) reverse: Mutex<VecDeque<Result<PaymentResult, Status>>>,
    pub(crate) submit: Mutex<VecDeque<Result<SubmitResult, Status>>>,
    pub(crate) payments: Mutex<Vec<TransactRequest>>,
    pub(crate) messages: Mutex<Vec<SubmitRequest>>,
    pub(crate) metadata: Mutex<Vec<MetadataMap>>,
    /// Calls of `submit` wait for a permit, if there is such a gate.
    pub(crate) gate: Mutex<Option<Arc<tokio::sync::Semaphore>>>,
    pub(crate) calls: AtomicU32,
    pub(crate) calls_most: AtomicU32,
    /// Events that are not acknowledged, by their delivery id.
    events: Mutex<BTreeMap<u64, Event>>,
    acknowledged: Mutex<Vec<u64>>,
    receptions: AtomicU32,
    changed: Notify,
}

impl Script {
    /// Something that comes in under that delivery id.
    pub(crate) fn bring(&self, event: Event) {
        lock(&self.events).insert(event.delivery_id, event);
        self.changed.notify_waiters();
    }

    pub(crate) fn acknowledged(&self) -> Vec<u64> {
        lock(&self.acknowledged).clone()
    }

    pub(crate) fn receptions(&self) -> u32 {
        self.receptions.load(SeqCst)
    }

    /// Waits until so many events were acknowledged.
    pub(crate) async fn until_acknowledged(&self, count: usize) {
        self.until(|| lock(&self.acknowledged).len() >= count).await;
    }

    /// Waits until so many calls are being made at once.
    pub(crate) async fn until_called(&self, count: u32) {
        self.until(|| self.calls.load(SeqCst) >= count).await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        let waited = async {
            loop {
                let changed = self.changed.notified();
                let mut changed = std::pin::pin!(changed);
                changed.as_mut().enable();
                if is_so() {
                    return;
                }
                changed.await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), waited).await;
        waited.unwrap();
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

/// A router on a socket in a temporary folder. It can be stopped and started again.
pub(crate) struct FakeRouter {
    pub(crate) script: Arc<Script>,
    folder: TempDir,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl FakeRouter {
    /// One that does not run yet.
    pub(crate) fn stopped() -> Self {
        Self {
            script: Arc::default(),
            folder: tempfile::tempdir().unwrap(),
            running: None,
        }
    }

    pub(crate) fn started() -> Self {
        let mut router = Self::stopped();
        router.start();
        router
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("rpc.sock")
    }

    pub(crate) fn start(&mut self) {
        let listener = UnixListener::bind(self.socket()).unwrap();
        let (stop, stopping) = watch::channel(false);
        let service = Service {
            script: Arc::clone(&self.script),
            stopping: stopping.clone(),
        };
        let served = tokio::spawn(async move {
            let incoming = UnixListenerStream::new(listener);
            let served = server(Server::builder(), service)
                .serve_with_incoming_shutdown(incoming, stopped(stopping));
            served.await.unwrap();
        });
        self.running = Some((stop, served));
    }

    /// Ends it with all its connections.
    pub(crate) async fn stop(&mut self) {
        let (stop, served) = self.running.take().unwrap();
        stop.send(true).unwrap();
        served.await.unwrap();
        std::fs::remove_file(self.socket()).unwrap();
    }

    pub(crate) fn settings(&self) -> Settings {
        settings(&format!("unix:{}", self.socket().display()))
    }

    pub(crate) fn client(&self) -> Router {
        Router::connect(self.settings()).unwrap()
    }
}

pub(crate) fn settings(address: &str) -> Settings {
    Settings {
        address: Address::parse(address, None).unwrap(),
        client: id("commerce"),
        token: None,
        call_timeout: Duration::from_secs(30),
        calls_max: 8.try_into().unwrap(),
        sender: Some("8049".parse().unwrap()),
        urgent_route: Some(id("otp")),
        route: None,
    }
}

/// A router that acts by a script, over a transport of the test's choice.
pub(crate) fn over(builder: Server, script: &Arc<Script>) -> transport::server::Router {
    let (stop, stopping) = watch::channel(false);
    // Nobody tells it to stop, and it would if nobody could.
    std::mem::forget(stop);
    let script = Arc::clone(script);
    server(builder, Service { script, stopping })
}

fn server(mut builder: Server, service: Service) -> transport::server::Router {
    builder
        .add_service(payments_server::PaymentsServer::new(service.clone()))
        .add_service(messaging_server::MessagingServer::new(service))
}

async fn stopped(mut stopping: watch::Receiver<bool>) {
    stopping.wait_for(|stop| *stop).await.unwrap();
}

#[derive(Clone)]
struct Service {
    script: Arc<Script>,
    stopping: watch::Receiver<bool>,
}

impl Service {
    /// The next answer of a script that has one for each call.
    fn next<T>(
        &self,
        of: &Mutex<VecDeque<Result<T, Status>>>,
        metadata: &MetadataMap,
    ) -> Result<Response<T>, Status> {
        lock(&self.script.metadata).push(metadata.clone());
        let next = lock(of).pop_front();
        let next = next.unwrap_or_else(|| Err(Status::unimplemented("not in the script")));
        next.map(Response::new)
    }
}

#[async_trait]
impl payments_server::Payments for Service {
    async fn transact(
        &self,
        request: Request<TransactRequest>,
    ) -> Result<Response<PaymentResult>, Status> {
        let (metadata, _, request) = request.into_parts();
        lock(&self.script.payments).push(request);
        self.next(&self.script.transact, &metadata)
    }

    type TransactStreamStream = ReceiverStream<Result<proto::PaymentResults, Status>>;

    async fn transact_stream(
        &self,
        _: Request<Streaming<proto::TransactBatch>>,
    ) -> Result<Response<Self::TransactStreamStream>, Status> {
        Err(Status::unimplemented("not called"))
    }

    async fn reverse(
        &self,
        request: Request<ReverseRequest>,
    ) -> Result<Response<PaymentResult>, Status> {
        assert_eq!(request.get_ref().actual_amount_minor, 0);
        self.next(&self.script.reverse, request.metadata())
    }

    async fn lookup(
        &self,
        request: Request<LookupRequest>,
    ) -> Result<Response<LookupResult>, Status> {
        self.next(&self.script.lookup, request.metadata())
    }
}

#[async_trait]
impl messaging_server::Messaging for Service {
    async fn submit(
        &self,
        request: Request<SubmitRequest>,
    ) -> Result<Response<SubmitResult>, Status> {
        let script = &self.script;
        let calls = script.calls.fetch_add(1, SeqCst) + 1;
        script.calls_most.fetch_max(calls, SeqCst);
        script.changed.notify_waiters();
        let gate = lock(&script.gate).clone();
        if let Some(gate) = gate {
            gate.acquire().await.unwrap().forget();
        }
        script.calls.fetch_sub(1, SeqCst);
        let (metadata, _, request) = request.into_parts();
        lock(&script.messages).push(request);
        self.next(&script.submit, &metadata)
    }

    type SubmitStreamStream = ReceiverStream<Result<proto::SubmitResults, Status>>;

    async fn submit_stream(
        &self,
        _: Request<Streaming<proto::SubmitBatch>>,
    ) -> Result<Response<Self::SubmitStreamStream>, Status> {
        Err(Status::unimplemented("not called"))
    }

    async fn query(
        &self,
        _: Request<proto::QueryRequest>,
    ) -> Result<Response<proto::QueryResult>, Status> {
        Err(Status::unimplemented("not called"))
    }

    async fn cancel(
        &self,
        _: Request<proto::CancelRequest>,
    ) -> Result<Response<proto::OperationResult>, Status> {
        Err(Status::unimplemented("not called"))
    }

    async fn replace(
        &self,
        _: Request<proto::ReplaceRequest>,
    ) -> Result<Response<proto::OperationResult>, Status> {
        Err(Status::unimplemented("not called"))
    }

    async fn preview(
        &self,
        _: Request<proto::PreviewRequest>,
    ) -> Result<Response<proto::PreviewResult>, Status> {
        Err(Status::unimplemented("not called"))
    }

    async fn explain_route(
        &self,
        _: Request<proto::ExplainRouteRequest>,
    ) -> Result<Response<proto::RouteExplanation>, Status> {
        Err(Status::unimplemented("not called"))
    }

    type ReceiveStream = ReceiverStream<Result<ReceiveBatch, Status>>;

    async fn receive(
        &self,
        request: Request<Streaming<ReceiveRequest>>,
    ) -> Result<Response<Self::ReceiveStream>, Status> {
        lock(&self.script.metadata).push(request.metadata().clone());
        let mut requests = request.into_inner();
        let first = requests.message().await?.and_then(|first| first.request);
        match first {
            Some(receive_request::Request::Subscribe(subscribe))
                if subscribe.subscription == "commerce" => {}
            _ => return Err(Status::not_found("no [[subscription]] is named so")),
        }
        self.script.receptions.fetch_add(1, SeqCst);
        self.script.changed.notify_waiters();
        let (batches, receiver) = mpsc::channel(1);
        tokio::spawn(hand_over(
            Arc::clone(&self.script),
            batches,
            requests,
            self.stopping.clone(),
        ));
        Ok(Response::new(ReceiverStream::new(receiver)))
    }
}

/// Hands over in the order of the ids what this call was not given yet, until one side ends.
async fn hand_over(
    script: Arc<Script>,
    batches: mpsc::Sender<Result<ReceiveBatch, Status>>,
    mut requests: Streaming<ReceiveRequest>,
    stopping: watch::Receiver<bool>,
) {
    let mut given = 0;
    let mut stopped = std::pin::pin!(stopped(stopping));
    loop {
        let changed = script.changed.notified();
        let mut changed = std::pin::pin!(changed);
        changed.as_mut().enable();
        let events: Vec<Event> = {
            let waiting = lock(&script.events);
            waiting
                .range(given + 1..)
                .map(|(_, event)| event.clone())
                .collect()
        };
        if let Some(last) = events.last() {
            given = last.delivery_id;
            if batches.send(Ok(ReceiveBatch { events })).await.is_err() {
                return;
            }
        }
        tokio::select! {
            () = &mut stopped => return,
            () = &mut changed => {}
            request = requests.message() => match request {
                Ok(Some(request)) => acknowledge(&script, request),
                Ok(None) | Err(_) => return,
            },
        }
    }
}

fn acknowledge(script: &Script, request: ReceiveRequest) {
    let Some(receive_request::Request::Acknowledge(acknowledge)) = request.request else {
        panic!("an acknowledgement is wanted");
    };
    for delivery_id in acknowledge.delivery_ids {
        if lock(&script.events).remove(&delivery_id).is_some() {
            lock(&script.acknowledged).push(delivery_id);
        }
    }
    script.changed.notify_waiters();
}

/// Where a test's own files are.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}
