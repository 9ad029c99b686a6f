//! Customers who are made up, and what they buy of a bank and from a network that are made up too; and
//! what partners are told. All of it goes through commerce as it does in earnest.

use std::sync::{Arc, Mutex};

use commerce::{
    clock::Clock,
    customers,
    deliveries::{self, Attempt, Carried, Carrier, Kind, Parcel, Retention, Verdict, Worker},
    moment::UnixMs,
    money::Vnd,
    otp::Code,
    outgoing,
    phone::Phone,
    port::{AccountToken, Answer, Banks, Charge, Charged, Message, Messages, Sent},
    purchase::{self, Channel, Item, Order, Rules, Who},
    seal::Keys,
    store::Store,
    word::Id,
};

const HOUR_MS: i64 = 3_600_000;

/// How many purchases there are, the last of them of the last hours.
const PURCHASES: i64 = 36;

/// The bank and the network.
#[derive(Default)]
struct World {
    last_text: Mutex<String>,
    bank_says: Mutex<Option<Charged>>,
}

impl World {
    fn said(&self) -> Charged {
        self.bank_says.lock().unwrap().clone().unwrap()
    }

    fn code(&self) -> Code {
        let text = self.last_text.lock().unwrap().clone();
        let digits = text.strip_prefix("Ma xac nhan ").unwrap().get(..6).unwrap();
        Code::parse(digits).unwrap()
    }
}

impl Banks for World {
    fn charge<'a>(&'a self, _: &'a Charge) -> Answer<'a, Charged> {
        Box::pin(async { Ok(self.said()) })
    }

    fn find<'a>(&'a self, _: &'a Id) -> Answer<'a, Option<Charged>> {
        Box::pin(async { Ok(Some(self.said())) })
    }

    fn reverse<'a>(&'a self, _: &'a Id) -> Answer<'a, Charged> {
        Box::pin(async { Ok(Charged::Reversed) })
    }
}

impl Messages for World {
    fn send<'a>(&'a self, message: &'a Message) -> Answer<'a, Sent> {
        *self.last_text.lock().unwrap() = message.text.to_string();
        Box::pin(async { Ok(Sent::Accepted) })
    }
}

/// Lets them buy in the days before that time.
pub(crate) async fn buy(store: &Store, keys: &Keys, now: UnixMs) {
    let world = Arc::new(World::default());
    for n in 0..PURCHASES {
        let at = now.plus_ms((n - PURCHASES) * 19 * HOUR_MS);
        let phone: Phone = format!("8491234{n:04}").parse().unwrap();
        register(store, keys, &phone, n, at).await;
        *world.bank_says.lock().unwrap() = Some(match n {
            33 | 35 => Charged::ReversalFailed,
            n if n % 9 == 4 => Charged::Declined {
                response_code: "51".to_owned(),
            },
            _ => Charged::Approved {
                authorization: "A1".to_owned(),
            },
        });
        buy_one(store, keys, &world, phone, n, at).await;
    }
}

async fn register(store: &Store, keys: &Keys, phone: &Phone, n: i64, at: UnixMs) {
    let account = AccountToken::parse(&format!("97040000000{n:05}")).unwrap();
    let bank: Id = if n % 3 == 0 { "bidv" } else { "vcb" }.parse().unwrap();
    let mut write = store.write().await.unwrap();
    customers::register(&mut write, keys, phone, &bank, &account, at)
        .await
        .unwrap();
    write.commit().await.unwrap();
}

async fn buy_one(store: &Store, keys: &Keys, world: &Arc<World>, phone: Phone, n: i64, at: UnixMs) {
    let (rules, clock): (_, Clock) = (Rules::default(), Arc::new(move || at));
    let messages: Arc<dyn Messages> = world.clone();
    let order = match n % 7 {
        6 => Item::Order {
            merchant: "vemaybay".parse().unwrap(),
            reference: format!("VE-{n:06}").parse().unwrap(),
        },
        _ => Item::Card(
            ["MOBI100", "VINA20", "VIET50"][n as usize % 3]
                .parse()
                .unwrap(),
        ),
    };
    let order = Order {
        phone,
        channel: if n % 4 == 0 {
            Channel::Web
        } else {
            Channel::Sms
        },
        amount: matches!(order, Item::Order { .. }).then(|| Vnd::new(1_250_000).unwrap()),
        item: order,
        idempotency_key: None,
    };
    let ordered = purchase::order(store, keys, &rules, &order, at)
        .await
        .unwrap();
    outgoing::work(store, keys, &messages, &clock)
        .await
        .unwrap();
    let who = Who::Purchase(ordered.purchase.id);
    purchase::confirm(store, keys, &rules, &who, &world.code(), at)
        .await
        .unwrap();
    while purchase::work(store, keys, &**world, &clock).await.unwrap() > 0 {}
    outgoing::work(store, keys, &messages, &clock)
        .await
        .unwrap();
}

/// Answers as a partner whose page is down at times.
struct Partner;

impl Carrier for Partner {
    fn carry<'a>(&'a self, attempt: &'a Attempt, _: UnixMs) -> Carried<'a> {
        let is_down = attempt.guid.as_str().ends_with(['1', '6']);
        Box::pin(async move {
            match is_down {
                true => Verdict::Undeliverable {
                    why: "status 502 in place of an answer".to_owned(),
                },
                false => Verdict::Done,
            }
        })
    }
}

/// Lets partners be told of some messages, or not.
pub(crate) async fn tell(store: &Store, keys: &Keys, now: UnixMs) {
    let mut write = store.write().await.unwrap();
    for n in 0..12 {
        let parcel = Parcel {
            kind: [Kind::Fibo, Kind::Webhook][n % 2],
            target: &["fibo-demo", "quiz-show"][n % 2].parse().unwrap(),
            guid: &format!("mo-5f3a{n:02}{}", n % 10).parse().unwrap(),
            payload: "a message",
        };
        deliveries::queue(&mut write, keys, parcel, now)
            .await
            .unwrap();
    }
    write.commit().await.unwrap();
    let partner = Arc::new(Partner);
    let carriers: Vec<(Kind, Arc<dyn Carrier>)> =
        vec![(Kind::Fibo, partner.clone()), (Kind::Webhook, partner)];
    let clock: Clock = Arc::new(move || now);
    let mut worker = Worker::new(
        store.clone(),
        keys.clone(),
        carriers,
        Retention::default(),
        clock,
    );
    worker.start_due().await.unwrap();
    while worker.next_ended().await.is_some() {}
}
