//! What the tests of checkout and merchants have in common: a shop, a linked phone, a bank that follows a
//! script, the messages that went out, and a clock that is set by hand.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, Ordering::Relaxed},
    },
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, StatusCode},
};
use commerce::{
    checkout::{self, Checkout},
    clock::Clock,
    customers,
    deliveries::{self, Delivery, Retention, Worker},
    egress::Egress,
    merchants::{self, Amounts, Api, Ipn, Registration, Secret},
    moment::UnixMs,
    outgoing,
    phone::Phone,
    port::{AccountToken, Answer, Banks, Charge, Charged, Message, Messages, Sent, Unheard},
    purchase::{self, Purchase, Rules},
    rate::Rate,
    store::Store,
    word::Id,
};
use tower::ServiceExt as _;

use crate::{
    books::{NOW, vnd},
    partners::{Page, egress},
    shop::{id, keys},
};

pub(crate) const PHONE: &str = "0912345678";
pub(crate) const MERCHANT: &str = "shop-1";
const RATE: Rate = Rate {
    requests_per_s: 1_000,
    burst: 1_000,
};

/// What a bank says, the last for ever; nothing is "unheard".
pub(crate) type Says = Option<Charged>;

pub(crate) fn approved() -> Says {
    Some(Charged::Approved {
        authorization: "123456".to_owned(),
    })
}

/// A bank that follows a script, and counts what it was asked.
pub(crate) struct Script {
    says: Mutex<VecDeque<Says>>,
    charges: Mutex<Vec<Charge>>,
}

impl Script {
    fn next(&self) -> Result<Charged, Unheard> {
        let mut says = self.says.lock().unwrap();
        let next = match says.len() {
            1 => says[0].clone(),
            _ => says.pop_front().unwrap(),
        };
        next.ok_or_else(|| Unheard("the script is silent".to_owned()))
    }
}

impl Banks for Script {
    fn charge<'a>(&'a self, charge: &'a Charge) -> Answer<'a, Charged> {
        self.charges.lock().unwrap().push(charge.clone());
        Box::pin(async { self.next() })
    }

    fn find<'a>(&'a self, _: &'a Id) -> Answer<'a, Option<Charged>> {
        Box::pin(async { self.next().map(Some) })
    }

    fn reverse<'a>(&'a self, _: &'a Id) -> Answer<'a, Charged> {
        Box::pin(async { self.next() })
    }
}

/// An SMSC that takes everything.
#[derive(Default)]
struct Handset(Mutex<Vec<String>>);

impl Messages for Handset {
    fn send<'a>(&'a self, message: &'a Message) -> Answer<'a, Sent> {
        self.0.lock().unwrap().push(message.text.to_string());
        Box::pin(async { Ok(Sent::Accepted) })
    }
}

/// An answer of the pages or of the API.
#[derive(Debug)]
pub(crate) struct Got {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Got {
    pub(crate) fn location(&self) -> &str {
        assert_eq!(self.status, StatusCode::SEE_OTHER, "{}", self.body);
        self.headers["location"].to_str().unwrap()
    }

    fn form_key(&self) -> &str {
        let (_, rest) = self.body.split_once("name=\"form\" value=\"").unwrap();
        rest.split_once('"').unwrap().0
    }
}

/// Everything that a customer and a merchant meet.
pub(crate) struct Till {
    pub(crate) store: Store,
    pub(crate) secret: Secret,
    bank: Arc<Script>,
    handset: Arc<Handset>,
    egress: Egress,
    now: Arc<AtomicI64>,
    pub(crate) router: Router,
}

impl Till {
    /// With a shop whose IPNs go to that page, and a linked phone.
    pub(crate) async fn new(store: &Store, page: &Page) -> Self {
        let egress = egress(&[page]);
        let mut write = store.write().await.unwrap();
        let registered = registration(MERCHANT, page);
        let secret = merchants::add(&mut write, &keys(), &egress, &registered, NOW).await;
        let account = AccountToken::parse("1234567890123456").unwrap();
        let phone: Phone = PHONE.parse().unwrap();
        customers::register(&mut write, &keys(), &phone, &id("vcb"), &account, NOW)
            .await
            .unwrap();
        write.commit().await.unwrap();
        let now = Arc::new(AtomicI64::new(NOW.0));
        let clock = clock(&now);
        let pages = Checkout::new(store.clone(), keys(), clock.clone(), Rules::default(), RATE);
        let api = Api::new(store.clone(), keys(), clock, RATE);
        Self {
            store: store.clone(),
            secret: secret.unwrap(),
            bank: Arc::new(Script {
                says: Mutex::new(VecDeque::from([approved()])),
                charges: Mutex::default(),
            }),
            handset: Arc::default(),
            egress,
            now,
            router: checkout::router(pages).merge(merchants::router(api)),
        }
    }

    pub(crate) fn now(&self) -> UnixMs {
        UnixMs(self.now.load(Relaxed))
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now.fetch_add(ms, Relaxed);
    }

    pub(crate) fn bank_says(&self, says: impl IntoIterator<Item = Says>) {
        *self.bank.says.lock().unwrap() = says.into_iter().collect();
    }

    pub(crate) fn charges(&self) -> usize {
        self.bank.charges.lock().unwrap().len()
    }

    /// The path of a link over these fields, in the order of the specification, signed with that secret.
    pub(crate) fn signed_by(&self, secret: &Secret, fields: &[(&str, &str)]) -> String {
        let query = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(fields)
            .finish();
        let signature = secret.sign(&[query.as_bytes()]);
        format!("/pay?{query}&signature={signature}")
    }

    pub(crate) fn link(&self, order: &str, amount: &str, return_url: &str) -> String {
        let created = (self.now().0 / 1_000).to_string();
        let fields = [
            ("merchant", MERCHANT),
            ("order", order),
            ("amount", amount),
            ("description", "Áo thun <b>đỏ</b> & \"quần\""),
            ("return_url", return_url),
            ("created", &created),
        ];
        self.signed_by(&self.secret, &fields)
    }

    /// Follows a good link and gives the path of the order's page.
    pub(crate) async fn open(&self, order: &str) -> String {
        let link = self.link(order, "150000", "https://shop.example/return");
        self.get(&link).await.location().to_owned()
    }

    pub(crate) async fn get(&self, path: &str) -> Got {
        let request = Request::get(path).body(Body::empty()).unwrap();
        self.ask(request).await
    }

    async fn ask(&self, request: Request<Body>) -> Got {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 1 << 20).await.unwrap();
        Got {
            status: parts.status,
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    /// Posts a form to that page as it stands.
    pub(crate) async fn post(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Got {
        let key = self.get(page).await.form_key().to_owned();
        self.post_with(&key, page, action, fields).await
    }

    pub(crate) async fn post_with(
        &self,
        key: &str,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
    ) -> Got {
        let body = form_urlencoded::Serializer::new(String::new())
            .append_pair("form", key)
            .extend_pairs(fields)
            .finish();
        let request = Request::post(format!("{page}/{action}"));
        self.ask(request.body(body.into()).unwrap()).await
    }

    /// A call of the merchant's, signed with that secret.
    pub(crate) async fn call(&self, secret: &Secret, path: &str, body: &str) -> (u16, String) {
        let timestamp = (self.now().0 / 1_000).to_string();
        let signature = secret.sign(&[timestamp.as_bytes(), b".", body.as_bytes()]);
        let request = Request::post(path)
            .header("x-sampan-timestamp", timestamp)
            .header("x-sampan-signature", signature)
            .body(body.to_owned().into())
            .unwrap();
        let got = self.ask(request).await;
        (got.status.as_u16(), got.body)
    }

    /// The last code that went out.
    pub(crate) async fn code(&self) -> String {
        self.send().await;
        let texts = self.handset.0.lock().unwrap();
        let text = texts.iter().rfind(|text| text.starts_with("Ma xac nhan "));
        text.unwrap()["Ma xac nhan ".len()..][..6].to_owned()
    }

    pub(crate) async fn send(&self) {
        let messages: Arc<dyn Messages> = self.handset.clone();
        let sent = outgoing::work(&self.store, &keys(), &messages, &clock(&self.now)).await;
        sent.unwrap();
    }

    /// One round of the saga.
    pub(crate) async fn work(&self) {
        let banks: Arc<dyn Banks> = self.bank.clone();
        let worked = purchase::work(&self.store, &keys(), &*banks, &clock(&self.now)).await;
        worked.unwrap();
    }

    /// Gives the phone and the right code, and lets the bank be asked once.
    pub(crate) async fn pay(&self, page: &str) {
        let asked = self.post(page, "phone", &[("phone", PHONE)]).await;
        assert_eq!(asked.location(), page);
        let code = self.code().await;
        let confirmed = self.post(page, "code", &[("code", &code)]).await;
        assert_eq!(confirmed.location(), page);
        self.work().await;
    }

    /// All purchases, the last first.
    pub(crate) async fn purchases(&self) -> Vec<Purchase> {
        let mut read = self.store.read().await.unwrap();
        let all = purchase::list(&mut read, &purchase::Filter::default(), 100).await;
        all.unwrap()
    }

    /// Makes the IPNs that are due.
    pub(crate) async fn deliver(&self) -> usize {
        let ipn = Ipn::new(self.store.clone(), keys(), self.egress.clone());
        let mut worker = Worker::new(
            self.store.clone(),
            keys(),
            ipn.carriers(),
            Retention::default(),
            clock(&self.now),
        );
        let started = worker.start_due().await.unwrap();
        while worker.next_ended().await.is_some() {}
        started
    }

    /// All deliveries, the last first.
    pub(crate) async fn deliveries(&self) -> Vec<Delivery> {
        let mut read = self.store.read().await.unwrap();
        let filter = deliveries::Filter::default();
        let all = deliveries::list(&mut read, &filter, deliveries::LIST_MAX).await;
        all.unwrap()
    }
}

fn clock(now: &Arc<AtomicI64>) -> Clock {
    let now = now.clone();
    Arc::new(move || UnixMs(now.load(Relaxed)))
}

pub(crate) fn registration(name: &str, page: &Page) -> Registration {
    Registration {
        id: id(name),
        name: "Chợ Nổi".parse().unwrap(),
        ipn_url: page.url("/ipn").parse().unwrap(),
        plain_http: true,
        return_prefixes: vec!["https://shop.example/return".parse().unwrap()],
        amounts: Amounts::new(vnd(1_000), vnd(2_000_000)).unwrap(),
    }
}
