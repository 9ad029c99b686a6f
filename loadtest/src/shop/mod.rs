//! A shop whose customers pay by commerce: signed links, the page they come back to, and IPNs by the contract
//! of `RspCode`. Its book says what it was told and believed, so that a test can hold it against the purchases.
//!
//! It must never believe what is not signed, nor a return: that is for display.

mod sign;

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode, Uri, header},
    response::{Html, IntoResponse as _, Response},
    routing::{get, post},
};
use serde::Deserialize;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};

use crate::locked;

pub use sign::{is_signed, sign};

/// What goes wrong at a shop.
#[derive(Clone, Copy, Debug, Default)]
pub struct ShopFaults {
    /// So many IPNs are answered HTTP 500 before it takes one; [`Shop::fail_ipns`] adds to them.
    pub ipns_failed: u32,
    /// How long it thinks about each.
    pub ipn_delay: Duration,
}

/// Who a shop is to commerce.
#[derive(Clone)]
pub struct ShopSettings {
    /// As it is registered.
    pub merchant: String,
    /// What both sign with.
    pub secret: String,
    /// Where commerce is, as `http://127.0.0.1:8480`.
    pub commerce: String,
    /// What goes wrong.
    pub faults: ShopFaults,
}

/// Where an order stands to its shop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OrderState {
    /// Nothing was heard of it.
    Open,
    /// It is paid.
    Paid,
    /// It came to nothing.
    Failed,
    /// The customer has his money again.
    Refunded,
}

/// An order in the book.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// What it costs.
    pub amount: i64,
    /// Where it stands.
    pub state: OrderState,
    /// How often its state has changed.
    pub changes: u32,
    /// What customers have brought back, by signed returns.
    pub returns: Vec<String>,
}

/// What came and was answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// IPNs that were failed on purpose.
    pub failed: u32,
    /// By `RspCode`: 00, 01, 02, 04, 97.
    pub taken: u32,
    /// 01.
    pub unknown: u32,
    /// 02.
    pub repeated: u32,
    /// 04.
    pub other_amount: u32,
    /// 97, and returns that nobody has signed.
    pub forged: u32,
}

#[derive(Default)]
struct Book {
    orders: BTreeMap<String, Placed>,
    counts: Counts,
    /// IPNs that are still to be failed on purpose.
    to_fail: u32,
}

struct Shared {
    settings: ShopSettings,
    address: SocketAddr,
    book: Mutex<Book>,
}

/// A running shop; it closes when it is dropped.
pub struct Shop {
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Shop {
    /// Opens one on this machine, at a port that the system chooses.
    ///
    /// # Errors
    /// No port can be bound.
    pub async fn open(settings: ShopSettings) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        Self::open_on(listener, settings)
    }

    /// Opens one where somebody listens already: commerce has to know a shop's port before a shop has its
    /// secret.
    ///
    /// # Errors
    /// The listener has no address.
    pub fn open_on(listener: TcpListener, settings: ShopSettings) -> io::Result<Self> {
        let book = Book {
            to_fail: settings.faults.ipns_failed,
            ..Book::default()
        };
        let shared = Arc::new(Shared {
            settings,
            address: listener.local_addr()?,
            book: Mutex::new(book),
        });
        let router = Router::new()
            .route("/ipn", post(ipn))
            .route("/return", get(come_back))
            .with_state(shared.clone());
        let task = tokio::spawn(async move {
            // It ends with its shop.
            axum::serve(listener, router).await.ok();
        });
        Ok(Self { shared, task })
    }

    /// Where IPNs go.
    pub fn ipn_url(&self) -> String {
        format!("http://{}/ipn", self.shared.address)
    }

    /// Where customers come back.
    pub fn return_url(&self) -> String {
        format!("http://{}/return", self.shared.address)
    }

    /// Places an order and gives the link that its customer pays by.
    pub fn place(&self, order: &str, amount: i64, description: &str, created_s: i64) -> String {
        let placed = Placed {
            amount,
            state: OrderState::Open,
            changes: 0,
            returns: Vec::new(),
        };
        let mut book = locked(&self.shared.book);
        book.orders.entry(order.to_owned()).or_insert(placed);
        drop(book);
        let settings = &self.shared.settings;
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("merchant", &settings.merchant)
            .append_pair("order", order)
            .append_pair("amount", &amount.to_string())
            .append_pair("description", description)
            .append_pair("return_url", &self.return_url())
            .append_pair("created", &created_s.to_string())
            .finish();
        let signature = sign(&settings.secret, &[query.as_bytes()]);
        format!("{}/pay?{query}&signature={signature}", settings.commerce)
    }

    /// Lets it answer HTTP 500 to so many IPNs more.
    pub fn fail_ipns(&self, count: u32) {
        locked(&self.shared.book).to_fail += count;
    }

    /// The orders, by their numbers.
    pub fn orders(&self) -> BTreeMap<String, Placed> {
        locked(&self.shared.book).orders.clone()
    }

    /// What came.
    pub fn counts(&self) -> Counts {
        locked(&self.shared.book).counts
    }
}

/// The answers of the contract.
#[derive(Clone, Copy)]
enum Rsp {
    Taken,
    Unknown,
    Repeated,
    OtherAmount,
    Forged,
}

impl Rsp {
    fn code(self) -> &'static str {
        match self {
            Self::Taken => "00",
            Self::Unknown => "01",
            Self::Repeated => "02",
            Self::OtherAmount => "04",
            Self::Forged => "97",
        }
    }

    fn count(self, counts: &mut Counts) {
        *match self {
            Self::Taken => &mut counts.taken,
            Self::Unknown => &mut counts.unknown,
            Self::Repeated => &mut counts.repeated,
            Self::OtherAmount => &mut counts.other_amount,
            Self::Forged => &mut counts.forged,
        } += 1;
    }
}

#[derive(Deserialize)]
struct Ipn {
    merchant: String,
    order: String,
    amount: i64,
    result: String,
}

async fn ipn(State(shared): State<Arc<Shared>>, headers: HeaderMap, body: Bytes) -> Response {
    let faults = shared.settings.faults;
    sleep(faults.ipn_delay).await;
    let mut book = locked(&shared.book);
    if book.to_fail > 0 {
        book.to_fail -= 1;
        book.counts.failed += 1;
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let rsp = judge(&shared.settings, &mut book, &headers, &body);
    rsp.count(&mut book.counts);
    let answer = serde_json::json!({"RspCode": rsp.code(), "Message": ""});
    let headers = [(header::CONTENT_TYPE, "application/json")];
    (headers, answer.to_string()).into_response()
}

/// Changes an order only for what is signed, known and for its amount.
fn judge(settings: &ShopSettings, book: &mut Book, headers: &HeaderMap, body: &[u8]) -> Rsp {
    let header = |name| headers.get(name).map_or(&b""[..], |value| value.as_bytes());
    let timestamp = header("x-sampan-timestamp");
    let content = [timestamp, b".", body].concat();
    if !is_signed(&settings.secret, &content, header("x-sampan-signature")) {
        return Rsp::Forged;
    }
    let Ok(ipn) = serde_json::from_slice::<Ipn>(body) else {
        return Rsp::Unknown;
    };
    let order = book.orders.get_mut(&ipn.order);
    let Some(order) = order.filter(|_| ipn.merchant == settings.merchant) else {
        return Rsp::Unknown;
    };
    if order.amount != ipn.amount {
        return Rsp::OtherAmount;
    }
    let state = match (order.state, ipn.result.as_str()) {
        (OrderState::Open, "PAID") => OrderState::Paid,
        (OrderState::Open, "FAILED") => OrderState::Failed,
        // A refund may overtake the payment.
        (OrderState::Open | OrderState::Paid, "REFUNDED") => OrderState::Refunded,
        _ => return Rsp::Repeated,
    };
    order.state = state;
    order.changes += 1;
    Rsp::Taken
}

/// Shows what a customer brings back, and notes it; it changes no order.
async fn come_back(State(shared): State<Arc<Shared>>, uri: Uri) -> Response {
    let query = uri.query().unwrap_or_default();
    let mut book = locked(&shared.book);
    let signed = query.rsplit_once("&signature=");
    let signed = signed.filter(|(signed, signature)| {
        is_signed(
            &shared.settings.secret,
            signed.as_bytes(),
            signature.as_bytes(),
        )
    });
    let Some((signed, _)) = signed else {
        book.counts.forged += 1;
        return (StatusCode::FORBIDDEN, page("Not signed")).into_response();
    };
    let field = |name: &str| {
        let mut fields = form_urlencoded::parse(signed.as_bytes());
        let found = fields.find(|(field, _)| field == name);
        found.map_or(String::new(), |(_, value)| value.into_owned())
    };
    let result = field("result");
    if let Some(order) = book.orders.get_mut(&field("order")) {
        order.returns.push(result.clone());
    }
    // It is signed, so it is one of four words.
    page(&result).into_response()
}

/// No browser has to ask for an icon of it.
fn page(heading: &str) -> Html<String> {
    Html(format!(
        "<!doctype html><html lang=en><meta name=viewport content=width=device-width>\
         <link rel=icon href=data:,><title>Shop</title><h1>{heading}</h1>"
    ))
}
