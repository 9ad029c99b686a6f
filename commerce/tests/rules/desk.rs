//! What the tests of the back office have in common: the office over a shop, three operators, and the
//! browsers that they use.

use std::sync::{
    Arc,
    atomic::{AtomicI64, Ordering::Relaxed},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    http::{HeaderMap, Request, header},
};
use commerce::{
    agents,
    audit::{self, AuditFilter, Who},
    moment::UnixMs,
    office::{self, Cookies, Hardness, Hasher, Office, Password, Role, operators},
    sales::{self, BuyCount, Purchase},
    store::Store,
    views::Viewer,
};
use tower::ServiceExt as _;

use crate::{
    books::{NOW, entry, post},
    shop::{furnish, id, import, keys, type_id},
};

/// Every operator's.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The PIN code of the first card that is sold.
pub(crate) const PIN: &str = "8412345671";

/// An answer, read to its end.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Page {
    pub(crate) fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }
}

/// The office, whose operators are anna the admin, clara the clerk and victor the viewer.
pub(crate) struct Desk {
    pub(crate) store: Store,
    router: Router,
    clock: Arc<AtomicI64>,
}

impl Desk {
    pub(crate) async fn open(store: &Store) -> Self {
        hire(store).await;
        let clock = Arc::new(AtomicI64::new(NOW.0));
        let now = clock.clone();
        let office = Office {
            store: store.clone(),
            keys: keys(),
            hasher: Hasher::new(Hardness::FOR_TESTS),
            cookies: Cookies::SECURE,
            clock: Arc::new(move || UnixMs(now.load(Relaxed))),
        };
        Self {
            store: store.clone(),
            router: office::router(office),
            clock,
        }
    }

    pub(crate) fn wait(&self, ms: i64) {
        self.clock.fetch_add(ms, Relaxed);
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Page {
        let answer = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = answer.into_parts();
        let body = to_bytes(body, 4 << 20).await.unwrap();
        Page {
            status: parts.status.as_u16(),
            headers: parts.headers,
            text: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    pub(crate) async fn try_to_log_in(&self, name: &str, password: &str) -> Page {
        let form = form(&[("name", name), ("password", password)]);
        let request = Request::post("/office/login");
        self.send(request.body(Body::from(form)).unwrap()).await
    }

    pub(crate) async fn log_in(&self, name: &str) -> Browser<'_> {
        let page = self.try_to_log_in(name, PASSWORD).await;
        assert_eq!(page.status, 303, "{}", page.text);
        assert_eq!(page.header("location"), "/office");
        let cookie = page.header("set-cookie").split(';').next().unwrap();
        let mut browser = Browser {
            desk: self,
            cookie: cookie.to_owned(),
            form_token: String::new(),
        };
        let me = browser.get("/office/me").await;
        assert_eq!(me.status, 200, "{}", me.text);
        let (_, rest) = me.text.split_once("name=\"form_token\" value=\"").unwrap();
        rest.split('"')
            .next()
            .unwrap()
            .clone_into(&mut browser.form_token);
        browser
    }

    /// What was done, as `who what subject detail`, the last first; logins are left out.
    pub(crate) async fn told(&self) -> Vec<String> {
        let mut read = self.store.read().await.unwrap();
        let filter = AuditFilter::default();
        let lines = audit::list(&mut read, &filter, None, 200).await.unwrap();
        let lines = lines.iter().filter(|line| line.what != "login");
        let lines = lines.filter(|line| !line.who.starts_with("console:"));
        lines
            .map(|line| {
                format!(
                    "{} {} {} {}",
                    line.who, line.what, line.subject, line.detail
                )
            })
            .collect()
    }
}

/// A browser in which somebody is logged in.
pub(crate) struct Browser<'a> {
    pub(crate) desk: &'a Desk,
    pub(crate) cookie: String,
    pub(crate) form_token: String,
}

impl Browser<'_> {
    pub(crate) async fn get(&self, path: &str) -> Page {
        let request = Request::get(path).header(header::COOKIE, &self.cookie);
        self.desk.send(request.body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let token = [("form_token", self.form_token.as_str())];
        self.post_bare(path, &[&token, fields].concat()).await
    }

    /// Without the form's token.
    pub(crate) async fn post_bare(&self, path: &str, fields: &[(&str, &str)]) -> Page {
        let request = Request::post(path).header(header::COOKIE, &self.cookie);
        let body = Body::from(form(fields));
        self.desk.send(request.body(body).unwrap()).await
    }

    pub(crate) async fn upload(&self, path: &str, form_token: &str, file: &str) -> Page {
        let body = format!(
            "--cut\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{form_token}\r\n\
             --cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cards.csv\"\r\n\
             Content-Type: text/csv\r\n\r\n{file}\r\n--cut--\r\n"
        );
        let request = Request::post(path)
            .header(header::COOKIE, &self.cookie)
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=cut");
        self.desk
            .send(request.body(Body::from(body)).unwrap())
            .await
    }
}

fn form(fields: &[(&str, &str)]) -> String {
    let form = form_urlencoded::Serializer::new(String::new());
    { form }.extend_pairs(fields).finish()
}

/// Makes the three operators.
pub(crate) async fn hire(store: &Store) {
    let password = Password::parse(PASSWORD).unwrap();
    let hashed = Hasher::new(Hardness::FOR_TESTS).hash(&password).await;
    let hashed = hashed.unwrap();
    let mut write = store.write().await.unwrap();
    for (name, role) in [
        ("anna", Role::Admin),
        ("clara", Role::Clerk),
        ("victor", Role::Viewer),
    ] {
        let name = name.parse().unwrap();
        operators::add(&mut write, Who::Console, &name, role, &hashed, NOW)
            .await
            .unwrap();
    }
    write.commit().await.unwrap();
}

/// Three cards in stock, an agent with a deposit, and so many sales of one card each.
pub(crate) async fn trade(store: &Store, sold: u32) {
    furnish(store).await;
    let lines: Vec<_> = (1..=sold + 3)
        .map(|n| format!("S-{n:04},{},2030-12-30", 8_412_345_670_u64 + u64::from(n)))
        .collect();
    let lines: Vec<_> = lines.iter().map(String::as_str).collect();
    import(store, "MOBI10", &lines).await.unwrap();
    let mut write = store.write().await.unwrap();
    agents::add(&mut write, &id("shop-1")).await.unwrap();
    write.commit().await.unwrap();
    let deposit = entry(
        "d",
        "bank:vcb:settlement",
        "agent:shop-1:deposit",
        10_000_000,
    );
    post(store, &deposit).await.unwrap();
    for n in 1..=sold {
        let purchase = Purchase {
            buyer: Viewer {
                agent: id("shop-1"),
                key_prefix: "ABCDEF01".to_owned(),
                address: None,
            },
            card_type: type_id("MOBI10"),
            count: BuyCount::new(1).unwrap(),
            sell_dest_no: Some(format!("order-{n}").parse().unwrap()),
            idempotency_key: None,
        };
        sales::buy(store, &keys(), &purchase, NOW).await.unwrap();
    }
}
