//! What the tests of purchases have in common: a bank that does what it is told and knows each charge by
//! its id, handsets that keep what they get, and a clock that stands still.

use std::{
    collections::{HashMap, VecDeque},
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex,
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
    port::{AccountToken, Answer, Banks, Charge, Charged, Message, Messages, Sent, Unheard},
    purchase::{
        self, Channel, Item, Order, Ordered, Purchase, PurchaseError, Rules, State, Who,
        sms::{self, Received},
    },
    seal::Keys,
    store::Store,
    word::Id,
};
use sqlx::Row as _;
use tokio::sync::Notify;

use crate::{
    books::{NOW, assert_balanced, balance},
    shop::{furnish, id, import, keys, type_id},
};

pub(crate) const ANNA: &str = "84912345678";
pub(crate) const BINH: &str = "84987654321";
pub(crate) const CHI: &str = "84900000001";

pub(crate) fn phone(text: &str) -> Phone {
    text.parse().unwrap()
}

pub(crate) fn approved() -> Charged {
    Charged::Approved {
        authorization: "A1".to_owned(),
    }
}

pub(crate) fn declined() -> Charged {
    Charged::Declined {
        response_code: "51".to_owned(),
    }
}

pub(crate) fn not_sent() -> Charged {
    Charged::NotSent {
        why: "no link".to_owned(),
    }
}

/// What the bank does at its next call.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// It gets the call, lets this be the outcome, and says so.
    Becomes(Charged),
    /// The same, and its answer is lost.
    BecomesUnheard(Charged),
    /// It does not get the call.
    Lost,
}

#[derive(Default)]
struct Books {
    charges: HashMap<String, (i64, Charged)>,
    acts: VecDeque<Act>,
    calls: Vec<&'static str>,
    gate: Option<Arc<Gate>>,
    /// Decides where there is no act, if the bank is one that nobody can rely on.
    chance: Option<fastrand::Rng>,
}

/// Holds an answer of the bank up, which has done what it was asked.
#[derive(Default)]
pub(crate) struct Gate {
    /// It has.
    pub(crate) reached: Notify,
    /// It may answer.
    pub(crate) open: Notify,
}

/// A bank behind a router: the same id is the same charge.
#[derive(Default)]
pub(crate) struct Bank(Mutex<Books>);

impl Bank {
    pub(crate) fn flaky(seed: u64) -> Self {
        let chance = Some(fastrand::Rng::with_seed(seed));
        Self(Mutex::new(Books {
            chance,
            ..Books::default()
        }))
    }

    pub(crate) fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.0.lock().unwrap().acts.extend(acts);
    }

    /// Holds its next answer to a charge up.
    pub(crate) fn holds_up(&self) -> Arc<Gate> {
        let gate: Arc<Gate> = Arc::default();
        self.0.lock().unwrap().gate = Some(gate.clone());
        gate
    }

    /// What was asked of it since this was asked last.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    pub(crate) fn outcome(&self, id: &Id) -> Option<Charged> {
        let books = self.0.lock().unwrap();
        let charge = books.charges.get(&format!("{id}-pay"));
        charge.map(|(_, outcome)| outcome.clone())
    }

    /// What customers are debited altogether.
    pub(crate) fn debited(&self) -> i64 {
        let books = self.0.lock().unwrap();
        let debits = books.charges.values();
        let debits = debits.filter(|(_, outcome)| matches!(outcome, Charged::Approved { .. }));
        debits.map(|(dong, _)| dong).sum()
    }

    pub(crate) fn forgets_all(&self) {
        self.0.lock().unwrap().charges.clear();
    }

    fn is_called(
        &self,
        call: &'static str,
        id: &Id,
        amount: Option<i64>,
    ) -> Result<Option<Charged>, Unheard> {
        let mut books = self.0.lock().unwrap();
        books.calls.push(call);
        let known = books.charges.get(id.as_str()).cloned();
        let act = match (books.acts.pop_front(), &mut books.chance) {
            (Some(act), _) => Some(act),
            (None, Some(chance)) => by_chance(chance, call, known.as_ref().map(|(_, one)| one)),
            (None, None) => None,
        };
        let unheard = || Err(Unheard("a test's wire is cut".to_owned()));
        let (becomes, is_heard) = match act {
            Some(Act::Lost) => return unheard(),
            Some(Act::Becomes(outcome)) => (Some(outcome), true),
            Some(Act::BecomesUnheard(outcome)) => (Some(outcome), false),
            None if call == "charge" => (Some(approved()), true),
            None if call == "reverse" => (Some(Charged::Reversed), true),
            None => (None, true),
        };
        let (dong, was) = match (known, amount) {
            (Some(known), _) => (known.0, Some(known.1)),
            (None, Some(dong)) => (dong, None),
            (None, None) => return Ok(None),
        };
        let is_open = match (&was, call) {
            (None, _) => true,
            // The same charge again is not another.
            (_, "charge") => false,
            (Some(Charged::Approved { .. }), call) => call == "reverse",
            (Some(Charged::Pending | Charged::Reversing), _) => true,
            (Some(_), _) => false,
        };
        let outcome = match becomes {
            Some(outcome) if is_open => outcome,
            _ => was.unwrap_or_else(approved),
        };
        books
            .charges
            .insert(id.to_string(), (dong, outcome.clone()));
        if is_heard {
            Ok(Some(outcome))
        } else {
            unheard()
        }
    }
}

/// What a bank and its router can say in that place, the unpleasant as often as the pleasant.
fn by_chance(
    chance: &mut fastrand::Rng,
    call: &'static str,
    known: Option<&Charged>,
) -> Option<Act> {
    let outcome = match (call, known) {
        ("charge", None) => match chance.u8(0..6) {
            0 => declined(),
            1 => not_sent(),
            2 => Charged::Pending,
            3 => Charged::Reversing,
            _ => approved(),
        },
        ("find", Some(Charged::Pending)) => match chance.u8(0..4) {
            0 => approved(),
            1 => declined(),
            2 => Charged::Reversing,
            _ => Charged::Pending,
        },
        ("reverse", Some(Charged::Approved { .. })) if chance.bool() => Charged::Reversing,
        ("find" | "reverse", Some(Charged::Reversing)) if chance.bool() => Charged::Reversing,
        ("find", Some(Charged::Reversing)) | ("reverse", _) => Charged::Reversed,
        (_, Some(known)) => known.clone(),
        (_, None) => approved(),
    };
    Some(match chance.u8(0..6) {
        0 => Act::Lost,
        1 => Act::BecomesUnheard(outcome),
        _ => Act::Becomes(outcome),
    })
}

impl Banks for Bank {
    fn charge<'a>(&'a self, charge: &'a Charge) -> Answer<'a, Charged> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert_eq!(charge.account.reveal(), "9704000000000001");
            let dong = charge.amount.dong();
            let said = self.is_called("charge", &charge.id, Some(dong));
            let gate = self.0.lock().unwrap().gate.take();
            if let Some(gate) = gate {
                gate.reached.notify_one();
                gate.open.notified().await;
            }
            Ok(said?.unwrap())
        })
    }

    fn find<'a>(&'a self, id: &'a Id) -> Answer<'a, Option<Charged>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.is_called("find", id, None)
        })
    }

    fn reverse<'a>(&'a self, id: &'a Id) -> Answer<'a, Charged> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let said = self.is_called("reverse", id, None)?;
            said.ok_or_else(|| Unheard("there is no such charge".to_owned()))
        })
    }
}

/// What handsets got, and what the router says next.
#[derive(Default)]
pub(crate) struct Handsets {
    got: Mutex<Vec<(String, String, String)>>,
    answers: Mutex<VecDeque<Result<Sent, Unheard>>>,
    calls: Mutex<Vec<Message>>,
    /// A message has arrived.
    pub(crate) arrived: Notify,
}

impl Handsets {
    pub(crate) fn will(&self, answers: impl IntoIterator<Item = Result<Sent, Unheard>>) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// The texts that a phone has, the oldest first.
    pub(crate) fn texts(&self, phone: &str) -> Vec<String> {
        let got = self.got.lock().unwrap();
        let own = got.iter().filter(|(_, to, _)| to == phone);
        own.map(|(_, _, text)| text.clone()).collect()
    }

    pub(crate) fn last(&self, phone: &str) -> String {
        self.texts(phone).pop().unwrap_or_default()
    }

    /// The last one-time password that a phone got.
    pub(crate) fn code(&self, phone: &str) -> Option<Code> {
        let texts = self.texts(phone);
        let codes = texts.iter().rev();
        let mut codes = codes.filter_map(|text| text.strip_prefix("Ma xac nhan "));
        codes.find_map(|rest| Code::parse(rest.get(..6)?))
    }

    pub(crate) fn calls(&self) -> Vec<Message> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Messages for Handsets {
    fn send<'a>(&'a self, message: &'a Message) -> Answer<'a, Sent> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.calls.lock().unwrap().push(message.clone());
            let answer = self.answers.lock().unwrap().pop_front();
            let answer = answer.unwrap_or(Ok(Sent::Accepted));
            let mut got = self.got.lock().unwrap();
            let is_known = got.iter().any(|(id, _, _)| id == message.id.as_str());
            if answer == Ok(Sent::Accepted) && !is_known {
                got.push((
                    message.id.to_string(),
                    message.to.to_string(),
                    message.text.to_string(),
                ));
                self.arrived.notify_one();
            }
            answer
        })
    }
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
        self.rules.day_amount_max = crate::books::vnd(1_000_000_000);
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
            amount: is_order.then(|| crate::books::vnd(150_000)),
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
