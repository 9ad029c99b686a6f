//! What the tests of pushes have in common: pages of partners on this machine, a clock that is set by hand,
//! and a worker.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, Method, Uri},
    response::{IntoResponse as _, Response},
};
use commerce::{
    deliveries::{self, Clock, Delivery, Retention, Worker},
    egress::{Egress, Rules},
    moment::UnixMs,
    phone::Phone,
    push::{self, Filter, Mo, PartnerKind, Pusher, Registration, Secret, Signing},
    seal::Keys,
    store::Store,
};
use tokio::{
    net::TcpListener,
    sync::{
        Notify,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
};

use crate::{
    books::NOW,
    shop::{id, keys},
};

pub(crate) const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// A text that no log, error or table may show.
pub(crate) const TEXT: &str = "ĐẶT 2 vé + mật khẩu&x=1";

/// A call that a page got.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Seen {
    pub(crate) fn parameter(&self, name: &str) -> String {
        let query = self.uri.query().unwrap_or_default().as_bytes();
        let mut parameters = form_urlencoded::parse(query);
        let found = parameters.find(|(own, _)| own == name);
        found.map(|(_, value)| value.into_owned()).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }
}

/// What a page answers.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// HTTP status, headers and body.
    Says(u16, Vec<(&'static str, String)>, &'static str),
    /// Nothing, ever.
    Silence,
    /// That it is done, once it is told to answer.
    Held(Arc<Notify>),
}

impl Reply {
    pub(crate) fn status(status: u16) -> Self {
        Self::Says(status, Vec::new(), "")
    }

    pub(crate) fn xml(body: &'static str) -> Self {
        Self::Says(200, Vec::new(), body)
    }
}

/// A page of a partner. It gives its answers in turn, and the last one for ever.
pub(crate) struct Page {
    pub(crate) address: SocketAddr,
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: UnboundedReceiver<Seen>,
}

#[derive(Clone)]
struct Told {
    replies: Arc<Mutex<VecDeque<Reply>>>,
    seen: UnboundedSender<Seen>,
}

impl Page {
    pub(crate) async fn start(replies: impl IntoIterator<Item = Reply>) -> Self {
        let replies: VecDeque<Reply> = replies.into_iter().collect();
        let replies = Arc::new(Mutex::new(replies));
        let (sender, seen) = unbounded_channel();
        let told = Told {
            replies: replies.clone(),
            seen: sender,
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(told);
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self {
            address,
            replies,
            seen,
        }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Waits for the next call.
    pub(crate) async fn next(&mut self) -> Seen {
        self.seen.recv().await.unwrap()
    }

    /// The calls that came since somebody looked.
    pub(crate) fn so_far(&mut self) -> Vec<Seen> {
        std::iter::from_fn(|| self.seen.try_recv().ok()).collect()
    }

    /// From now on it answers so.
    pub(crate) fn change(&self, reply: Reply) {
        *self.replies.lock().unwrap() = VecDeque::from([reply]);
    }
}

async fn answer(
    State(told): State<Told>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let reply = {
        let mut replies = told.replies.lock().unwrap();
        match replies.len() {
            1 => replies[0].clone(),
            _ => replies.pop_front().unwrap(),
        }
    };
    let body = String::from_utf8(body.to_vec()).unwrap();
    let seen = Seen {
        method,
        uri,
        headers,
        body,
    };
    // Nobody listens any more once a test is over.
    told.seen.send(seen).unwrap_or_default();
    let (status, headers, body) = match reply {
        Reply::Says(status, headers, body) => (status, headers, body),
        Reply::Silence => std::future::pending().await,
        Reply::Held(told) => {
            told.notified().await;
            (200, Vec::new(), "<Status>2</Status>")
        }
    };
    let mut response = body.into_response();
    *response.status_mut() = status.try_into().unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}

/// Calls on this machine, at the ports of these pages.
pub(crate) fn rules(pages: &[&Page]) -> Rules {
    Rules {
        networks: vec!["127.0.0.0/8".parse().unwrap()],
        ports: pages.iter().map(|page| page.address.port()).collect(),
        ..Rules::default()
    }
}

pub(crate) fn egress(pages: &[&Page]) -> Egress {
    Egress::new(rules(pages)).unwrap()
}

/// A partner who gets all messages.
pub(crate) fn registration(name: &str, kind: PartnerKind, url: &str) -> Registration {
    Registration {
        id: id(name),
        kind,
        url: url.parse().unwrap(),
        plain_http: true,
        networks: Vec::new(),
        filter: Filter::default(),
        service: "Private Number".parse().unwrap(),
        description: "Đặt vé".parse().unwrap(),
    }
}

/// A clock that is set by hand, a database with partners, and the calls of these.
pub(crate) struct Desk {
    pub(crate) store: Store,
    pub(crate) egress: Egress,
    now: Arc<AtomicI64>,
}

impl Desk {
    pub(crate) fn new(store: &Store, egress: Egress) -> Self {
        Self {
            store: store.clone(),
            egress,
            now: Arc::new(AtomicI64::new(NOW.0)),
        }
    }

    pub(crate) fn now(&self) -> UnixMs {
        UnixMs(self.now.load(Relaxed))
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Relaxed);
    }

    pub(crate) async fn add(&self, new: &Registration, signing: Signing) -> Option<Secret> {
        let mut write = self.store.write().await.unwrap();
        let now = self.now();
        let made = push::add(&mut write, &keys(), &self.egress, new, signing, now).await;
        write.commit().await.unwrap();
        made.unwrap()
    }

    /// A FiboSMS partner at that page, without a signature.
    pub(crate) async fn fibo(&self, name: &str, page: &Page) {
        let url = page.url("/sms?key=1");
        let new = registration(name, PartnerKind::Fibo, &url);
        assert_eq!(self.add(&new, Signing::None).await, None);
    }

    /// A webhook at that page, and its secret.
    pub(crate) async fn webhook(&self, name: &str, page: &Page) -> Secret {
        let new = registration(name, PartnerKind::Json, &page.url("/hook"));
        self.add(&new, Signing::New).await.unwrap()
    }

    /// A message of a subscriber, and how many partners it is queued for.
    pub(crate) async fn message(&self, guid: &str) -> usize {
        let mut write = self.store.write().await.unwrap();
        let (guid, from) = (id(guid), "84912345678".parse::<Phone>().unwrap());
        let mo = Mo {
            guid: &guid,
            from: &from,
            to: "8049",
            text: TEXT,
            received_at: self.now(),
        };
        let queued = push::route(&mut write, &keys(), &mo, self.now()).await;
        write.commit().await.unwrap();
        queued.unwrap()
    }

    pub(crate) fn worker(&self) -> Worker {
        self.worker_with(keys())
    }

    pub(crate) fn worker_with(&self, keys: Keys) -> Worker {
        let now = self.now.clone();
        let clock: Clock = Arc::new(move || UnixMs(now.load(Relaxed)));
        let pusher = Pusher::new(self.store.clone(), keys.clone(), self.egress.clone());
        Worker::new(
            self.store.clone(),
            keys,
            pusher.carriers(),
            Retention::default(),
            clock,
        )
    }

    /// Makes all calls that are due, one round of them, and says how many there were.
    pub(crate) async fn round(&self) -> usize {
        let mut worker = self.worker();
        let started = worker.start_due().await.unwrap();
        while worker.next_ended().await.is_some() {}
        started
    }

    /// All deliveries, the first queued first.
    pub(crate) async fn all(&self) -> Vec<Delivery> {
        let mut read = self.store.read().await.unwrap();
        let filter = deliveries::Filter::default();
        let all = deliveries::list(&mut read, &filter, deliveries::LIST_MAX).await;
        let mut all = all.unwrap();
        all.reverse();
        all
    }

    /// The only delivery.
    pub(crate) async fn one(&self) -> Delivery {
        let all = self.all().await;
        assert_eq!(all.len(), 1, "{all:?}");
        all.into_iter().next().unwrap()
    }

    pub(crate) async fn replay(&self, number: i64) -> bool {
        let mut write = self.store.write().await.unwrap();
        let replayed = deliveries::replay(&mut write, number, self.now()).await;
        write.commit().await.unwrap();
        replayed.unwrap()
    }
}

/// Far less than any call on this machine may take, for pages that never answer.
pub(crate) const IMPATIENT: Duration = Duration::from_millis(200);
