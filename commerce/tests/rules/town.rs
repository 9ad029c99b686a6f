//! What the tests of purchases have in common: customers, cards, a bank, handsets, and a clock that stands
//! still.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering::SeqCst},
    },
    task::Poll,
};

use commerce::{
    clock::Clock,
    customers,
    intake::Command,
    moment::UnixMs,
    otp::Code,
    outgoing,
    phone::Phone,
    port::{AccountToken, Messages},
    purchase::{
        self, Channel, Item, Order, Ordered, Purchase, PurchaseError, Rules, State, Who,
        sms::{self, Received},
    },
    seal::Keys,
    store::Store,
    word::Id,
};
use sqlx::Row as _;

use crate::{
    books::{NOW, assert_balanced, balance, vnd},
    networks::{Bank, Handsets},
    shop::{furnish, id, import, keys, type_id},
};

pub(crate) const ANNA: &str = "84912345678";
pub(crate) const BINH: &str = "84987654321";
pub(crate) const CHI: &str = "84900000001";

pub(crate) fn phone(text: &str) -> Phone {
    text.parse().unwrap()
}

/// All of it.
#[derive(Clone)]
pub(crate) struct Town {
    pub(crate) store: Store,
    pub(crate) keys: Keys,
    pub(crate) rules: Rules,
    pub(crate) bank: Arc<Bank>,
    pub(crate) handsets: Arc<Handsets>,
    time: Arc<AtomicI64>,
}

impl Town {
    /// Three customers, and cards of ten and twenty thousand: so many of MOBI10.
    pub(crate) async fn found(store: Store, cards: usize) -> Self {
        Self::with_bank(store, cards, Bank::default()).await
    }

    pub(crate) async fn with_bank(store: Store, cards: usize, bank: Bank) -> Self {
        furnish(&store).await;
        let lines: Vec<String> = (0..cards)
            .map(|card| format!("S{card:03},55500{card:03},2027-12-31"))
            .collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        if cards > 0 {
            import(&store, "MOBI10", &lines).await.unwrap();
        }
        let mut write = store.write().await.unwrap();
        let account = AccountToken::parse("9704000000000001").unwrap();
        for one in [ANNA, BINH, CHI] {
            let bank = id("vcb");
            customers::register(&mut write, &keys(), &phone(one), &bank, &account, NOW)
                .await
                .unwrap();
        }
        write.commit().await.unwrap();
        Self {
            store,
            keys: keys(),
            rules: Rules::default(),
            bank: Arc::new(bank),
            handsets: Arc::default(),
            time: Arc::new(AtomicI64::new(NOW.0)),
        }
    }

    pub(crate) fn now(&self) -> UnixMs {
        UnixMs(self.time.load(SeqCst))
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.time.fetch_add(ms, SeqCst);
    }

    pub(crate) fn clock(&self) -> Clock {
        let time = self.time.clone();
        Arc::new(move || UnixMs(time.load(SeqCst)))
    }

    /// Lets customers buy without end.
    pub(crate) fn lift_limits(&mut self) {
        self.rules.open_max = 1_000;
        self.rules.day_orders_max = 1_000;
        self.rules.day_amount_max = vnd(1_000_000_000);
        self.rules.otp.day_max = 1_000;
    }

    /// A message of a subscriber, in a change of its own.
    pub(crate) async fn sms(
        &self,
        from: &str,
        message: &str,
        command: Command,
    ) -> Result<(), PurchaseError> {
        let received = Received {
            id: id(message),
            phone: phone(from),
            command,
        };
        let mut write = self.store.write().await?;
        sms::handle(&mut write, &self.keys, &self.rules, &received, self.now()).await?;
        Ok(write.commit().await?)
    }

    pub(crate) async fn buy(&self, from: &str, message: &str) {
        // No two orders at the same millisecond, so that one is the last.
        self.pass(1);
        let card_type = type_id("MOBI10");
        self.sms(from, message, Command::Buy { card_type })
            .await
            .unwrap();
        self.deliver().await;
    }

    /// Confirms with the last code that the phone got.
    pub(crate) async fn confirm(&self, from: &str, message: &str) {
        let code = self.handsets.code(from).unwrap();
        self.sms(from, message, Command::Confirm { code })
            .await
            .unwrap();
    }

    pub(crate) async fn order(
        &self,
        from: &str,
        channel: Channel,
        item: Item,
        key: Option<&str>,
    ) -> Result<Ordered, PurchaseError> {
        let is_order = matches!(item, Item::Order { .. });
        let order = Order {
            phone: phone(from),
            channel,
            item,
            amount: is_order.then(|| vnd(150_000)),
            idempotency_key: key.map(id),
        };
        purchase::order(&self.store, &self.keys, &self.rules, &order, self.now()).await
    }

    /// A card ordered on a page, and the code that was sent for it.
    pub(crate) async fn order_card(&self, from: &str) -> (Purchase, Code) {
        self.pass(1);
        let item = Item::Card(type_id("MOBI10"));
        let ordered = self.order(from, Channel::Web, item, None).await.unwrap();
        self.deliver().await;
        (ordered.purchase, self.handsets.code(from).unwrap())
    }

    pub(crate) async fn confirm_with(
        &self,
        purchase: &Purchase,
        code: &Code,
    ) -> Result<purchase::Confirmed, PurchaseError> {
        let who = Who::Purchase(purchase.id.clone());
        purchase::confirm(&self.store, &self.keys, &self.rules, &who, code, self.now()).await
    }

    /// A card that is ordered and confirmed.
    pub(crate) async fn confirmed(&self, from: &str) -> Id {
        let (purchase, code) = self.order_card(from).await;
        self.confirm_with(&purchase, &code).await.unwrap();
        purchase.id
    }

    /// One round of a worker.
    pub(crate) async fn work(&self) -> usize {
        let clock = self.clock();
        let worked = purchase::work(&self.store, &self.keys, &*self.bank, &clock).await;
        worked.unwrap()
    }

    /// Sends what waits.
    pub(crate) async fn deliver(&self) -> usize {
        let handsets: Arc<dyn Messages> = self.handsets.clone();
        let sent = outgoing::work(&self.store, &self.keys, &handsets, &self.clock()).await;
        sent.unwrap()
    }

    /// Works and lets time pass until nothing is due any more.
    pub(crate) async fn until_quiet(&self) {
        for _ in 0..5_000 {
            if self.work().await + self.deliver().await > 0 {
                continue;
            }
            let Some(due) = self.next_due().await else {
                return;
            };
            let wait = due - self.now().0;
            self.pass(wait.max(1));
        }
        panic!("it never comes to rest");
    }

    async fn next_due(&self) -> Option<i64> {
        let mut read = self.store.read().await.unwrap();
        let select = "SELECT MIN(due_at_ms) FROM (
            SELECT due_at_ms FROM purchase UNION ALL SELECT due_at_ms FROM outgoing) AS due";
        let row = sqlx::query(select).fetch_one(&mut *read).await.unwrap();
        row.try_get(0).unwrap()
    }

    pub(crate) async fn find(&self, id: &Id) -> Purchase {
        let mut read = self.store.read().await.unwrap();
        purchase::find(&mut read, id).await.unwrap().unwrap()
    }

    pub(crate) async fn state(&self, id: &Id) -> State {
        self.find(id).await.state
    }

    pub(crate) async fn last(&self, of: &str) -> Purchase {
        let mut read = self.store.read().await.unwrap();
        let last = purchase::last_of(&mut read, &phone(of)).await;
        last.unwrap().unwrap()
    }

    pub(crate) async fn count(&self, select: &str) -> i64 {
        let mut read = self.store.read().await.unwrap();
        let row = sqlx::query(select).fetch_one(&mut *read).await.unwrap();
        row.try_get(0).unwrap()
    }

    pub(crate) async fn change(&self, statement: &str) {
        let mut write = self.store.write().await.unwrap();
        let changed = sqlx::query(statement).execute(write.connection()).await;
        changed.unwrap();
        write.commit().await.unwrap();
    }

    pub(crate) async fn cards(&self, state: &str) -> i64 {
        let select = format!("SELECT COUNT(*) FROM card WHERE state = '{state}'");
        self.count(&select).await
    }

    /// What must hold whatever happened: the books balance, and no purchase is what it must not be.
    pub(crate) async fn assert_sound(&self) {
        assert_balanced(&self.store).await;
        let mut read = self.store.read().await.unwrap();
        assert_eq!(purchase::verdict(&mut read).await.unwrap(), [""; 0]);
    }

    /// And once all is ended: the bank's debits are what the books say.
    pub(crate) async fn assert_bank_agrees(&self) {
        self.assert_sound().await;
        let settlement = balance(&self.store, "bank:vcb:settlement").await;
        assert_eq!(self.bank.debited(), settlement);
    }
}

/// Lets something go on for so many polls and then takes it away, as a crash does.
pub(crate) async fn crash_after<T>(polls: usize, doing: impl Future<Output = T>) -> Option<T> {
    let mut doing: Pin<&mut _> = pin!(doing);
    let mut left = polls;
    std::future::poll_fn(move |context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        doing.as_mut().poll(context).map(Some)
    })
    .await
}
