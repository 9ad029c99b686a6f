//! What comes in is dealt with once, whatever comes twice and whoever ends in between.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering::SeqCst},
    },
    time::Duration,
};

use commerce::{
    intake::{
        self, Command, Delivery, GrammarWords, Handle, HandleError, Handled, Handling, Intake, Mo,
        Receipt, Settings,
    },
    moment::UnixMs,
    reseal::{Table, reseal},
    seal::Keys,
    store::{Store, StoreError, Write},
};
use sqlx::Row as _;
use tokio::{sync::Notify, task::JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::{
    books::NOW,
    databases::{on_both, postgres},
    fake_router::{FakeRouter, lock, proto},
    reseal::all_anew,
    shop::{id, keys, rotated_keys, second_keys},
};
use proto::{
    Address, BankEvent, BankEventKind, Event, MessageState, MobileOriginated, Money,
    PaymentReference, event::Kind,
};

const MINUTE_MS: i64 = 60_000;

/// Writes down what it is handed, in the change that it is handed, and fails as it is told.
#[derive(Default)]
struct Clerk {
    /// How the next messages fail.
    failures: Mutex<Vec<HandleError>>,
    handed: AtomicU32,
    receipts: Mutex<Vec<Receipt>>,
    commands: Mutex<Vec<Command>>,
    /// It waits in the middle of each message, for ever.
    is_stuck: bool,
    /// The same of this number's alone.
    is_stuck_with: Option<&'static str>,
    /// What each number has written, as it was handed over.
    texts: Mutex<BTreeMap<String, Vec<String>>>,
    stuck: Notify,
}

impl Handle for Clerk {
    fn message<'a>(
        &'a self,
        write: &'a mut Write,
        mo: &'a Mo,
        now: UnixMs,
    ) -> Handling<'a, Handled> {
        Box::pin(async move {
            self.handed.fetch_add(1, SeqCst);
            assert_eq!(now, NOW);
            // A wish that is granted by a row of another table.
            let insert = "INSERT INTO agent (id) VALUES ($1)";
            let done = sqlx::query(insert)
                .bind(mo.id.as_str())
                .execute(write.connection());
            done.await.unwrap();
            let (from, text) = (mo.from.to_string(), mo.text.to_string());
            let is_stuck = self.is_stuck || self.is_stuck_with == Some(&from);
            lock(&self.texts).entry(from).or_default().push(text);
            if is_stuck {
                self.stuck.notify_one();
                std::future::pending::<()>().await;
            }
            let failure = lock(&self.failures).pop();
            failure.map_or(Ok(()), Err)?;
            lock(&self.commands).push(mo.command.clone());
            Ok(Handled("granted"))
        })
    }

    fn receipt<'a>(
        &'a self,
        _: &'a mut Write,
        receipt: &'a Receipt,
        _: UnixMs,
    ) -> Handling<'a, ()> {
        lock(&self.receipts).push(receipt.clone());
        Box::pin(async { Ok(()) })
    }
}

/// A reception that runs until it is told to stop.
struct Running {
    stopping: CancellationToken,
    run: JoinHandle<()>,
}

impl Running {
    fn start(fake: &FakeRouter, store: &Store, clerk: &Arc<Clerk>) -> Self {
        Self::with(fake, store, clerk, keys())
    }

    fn with(fake: &FakeRouter, store: &Store, clerk: &Arc<Clerk>, keys: Keys) -> Self {
        let intake = Intake {
            router: fake.client(),
            store: store.clone(),
            keys,
            grammar: GrammarWords::default().try_into().unwrap(),
            handler: clerk.clone(),
            clock: Arc::new(|| NOW),
            settings: Settings {
                subscription: id("commerce"),
                repeat_window: Duration::from_secs(120),
                keep: Duration::from_secs(30 * 86_400),
            },
        };
        let stopping = CancellationToken::new();
        let until = stopping.clone();
        let run = tokio::spawn(async move { intake.run(&until).await });
        Self { stopping, run }
    }

    async fn stop(self) {
        self.stopping.cancel();
        self.run.await.unwrap();
    }
}

fn address(number: &str) -> Option<Address> {
    Some(Address {
        number: number.to_owned(),
        ..Address::default()
    })
}

fn event(delivery_id: u64, source: &str, kind: Kind) -> Event {
    Event {
        delivery_id,
        smsc: "viettel".to_owned(),
        link: "viettel/1".to_owned(),
        source: address(source),
        destination: address("8049"),
        kind: Some(kind),
        received_at_ms: NOW.0,
        ..Event::default()
    }
}

/// A message to 8049.
fn mo(delivery_id: u64, source: &str, text: &str) -> Event {
    let message = MobileOriginated {
        text: Some(text.to_owned()),
        parts: 1,
        ..MobileOriginated::default()
    };
    event(delivery_id, source, Kind::Message(message))
}

fn later(event: Event, by_ms: i64) -> Event {
    Event {
        received_at_ms: event.received_at_ms + by_ms,
        ..event
    }
}

/// The messages in the order in which the router has them: command, state, outcome.
async fn rows(store: &Store) -> Vec<(String, String, String)> {
    let mut read = store.read().await.unwrap();
    let select = "SELECT command, state, outcome FROM mo ORDER BY delivery_id, number";
    let rows = sqlx::query(select).fetch_all(&mut *read).await.unwrap();
    let rows = rows.iter().map(|row| (row.get(0), row.get(1), row.get(2)));
    rows.collect()
}

async fn states(store: &Store) -> Vec<String> {
    let rows = rows(store).await;
    rows.into_iter().map(|(_, state, _)| state).collect()
}

async fn count(store: &Store, table: &str) -> i64 {
    let mut read = store.read().await.unwrap();
    let select = format!("SELECT COUNT(*) FROM {table}");
    let row = sqlx::query(&select).fetch_one(&mut *read).await.unwrap();
    row.get(0)
}

/// Wishes that were granted.
async fn granted(store: &Store) -> i64 {
    count(store, "agent").await
}

fn busy() -> HandleError {
    HandleError::Store(StoreError::Busy {
        table: "any",
        reason: "a test".to_owned(),
    })
}

/// On PostgreSQL, because a change of a SQLite file keeps back all others.
#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_takes_long_keeps_back_no_other_number() {
    let Some(location) = postgres().await else {
        return;
    };
    let store = Store::open(&location).await.unwrap();
    let fake = FakeRouter::started();
    let clerk = Arc::new(Clerk {
        is_stuck_with: Some("84912345678"),
        ..Clerk::default()
    });
    let running = Running::start(&fake, &store, &clerk);
    fake.script.bring(mo(1, "84912345678", "MUA MOBI100"));
    clerk.stuck.notified().await;
    for number in 2..=40 {
        let from = format!("849870000{number:02}");
        fake.script.bring(mo(number, &from, "MUA MOBI100"));
    }
    // Those of its own lane wait, and of 39 numbers not all are in that one.
    fake.script.until_acknowledged(10).await;
    assert!(!fake.script.acknowledged().contains(&1));
    running.stop().await;
    store.close().await;
}

on_both! {
    async fn messages_of_a_number_are_dealt_with_in_their_order(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::<Clerk>::default();
        let numbers = ["84912345678", "84987654321", "84900000001", "84900000002"];
        for delivery in 0..60 {
            let from = numbers[delivery % numbers.len()];
            fake.script.bring(mo(delivery as u64 + 1, from, &format!("hoi {delivery}")));
        }
        let running = Running::start(&fake, &store, &clerk);
        fake.script.until_acknowledged(60).await;
        running.stop().await;
        for (at, from) in numbers.into_iter().enumerate() {
            let wanted = (at..60).step_by(numbers.len()).map(|delivery| format!("hoi {delivery}"));
            assert_eq!(lock(&clerk.texts)[from], wanted.collect::<Vec<_>>());
        }
    }

    async fn a_message_is_acknowledged_once_what_it_causes_is_committed(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        fake.script.bring(mo(1, "84912345678", "MUA MOBI100"));
        fake.script.bring(mo(2, "84987654321", "hỏi gì đó"));
        fake.script.until_acknowledged(2).await;
        running.stop().await;
        let mut acknowledged = fake.script.acknowledged();
        acknowledged.sort_unstable();
        assert_eq!(acknowledged, [1, 2]);
        assert_eq!(granted(&store).await, 2);
        let row = |command: &str| (command.to_owned(), "handled".to_owned(), "granted".to_owned());
        assert_eq!(rows(&store).await, [row("buy"), row("unknown")]);
        let card_type = "MOBI100".parse().unwrap();
        assert!(lock(&clerk.commands).contains(&Command::Buy { card_type }));
    }

    async fn what_the_database_prevents_is_not_acknowledged_and_done_when_it_comes_again(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::new(Clerk {
            failures: Mutex::new(vec![busy(), busy()]),
            ..Clerk::default()
        });
        let running = Running::start(&fake, &store, &clerk);
        fake.script.bring(mo(1, "84912345678", "MUA MOBI100"));
        fake.script.until_acknowledged(1).await;
        running.stop().await;
        assert_eq!(fake.script.receptions(), 3);
        assert_eq!(clerk.handed.load(SeqCst), 3);
        assert_eq!(granted(&store).await, 1);
        assert_eq!(states(&store).await, ["handled"]);
    }

    async fn who_ends_in_the_middle_leaves_the_message_to_another(store: Store) {
        let fake = FakeRouter::started();
        let stuck = Arc::new(Clerk { is_stuck: true, ..Clerk::default() });
        let running = Running::start(&fake, &store, &stuck);
        fake.script.bring(mo(1, "84912345678", "MUA MOBI100"));
        stuck.stuck.notified().await;
        assert_eq!(fake.script.acknowledged(), [0; 0]);
        running.run.abort();
        running.run.await.unwrap_err();
        assert_eq!(granted(&store).await, 0);
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        fake.script.until_acknowledged(1).await;
        running.stop().await;
        assert_eq!(granted(&store).await, 1);
    }

    async fn a_message_whose_acknowledgement_was_lost_is_not_done_again(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        // A question may be repeated, but a delivery is the same one for ever.
        let question = mo(1, "84912345678", "TC");
        fake.script.bring(question.clone());
        fake.script.until_acknowledged(1).await;
        fake.script.bring(Event { redelivered: true, ..question });
        running.stop().await;
        let running = Running::start(&fake, &store, &clerk);
        fake.script.until_acknowledged(2).await;
        running.stop().await;
        assert_eq!(states(&store).await, ["handled"]);
        assert_eq!(granted(&store).await, 1);
    }

    async fn a_delivery_id_that_a_new_store_of_the_router_counts_anew_is_another_message(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        fake.script.bring(mo(1, "84912345678", "MUA MOBI100"));
        fake.script.until_acknowledged(1).await;
        running.stop().await;
        fake.script.bring(later(mo(1, "84912345678", "MUA MOBI100"), 60 * MINUTE_MS));
        let running = Running::start(&fake, &store, &clerk);
        fake.script.until_acknowledged(2).await;
        running.stop().await;
        assert_eq!(granted(&store).await, 2);
    }

    async fn a_message_that_an_smsc_repeats_is_done_once(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        let buys = |delivery_id| mo(delivery_id, "84912345678", "MUA MOBI100");
        for event in [
            buys(1),
            later(buys(2), MINUTE_MS),
            // It goes on as long as each comes soon after the one before.
            later(buys(3), 3 * MINUTE_MS),
            later(buys(4), 5 * MINUTE_MS + 1),
            mo(5, "84912345678", "MUA MOBI20"),
            mo(6, "84987654321", "MUA MOBI100"),
            Event { destination: address("8050"), ..buys(7) },
        ] {
            fake.script.bring(event);
        }
        fake.script.until_acknowledged(7).await;
        running.stop().await;
        assert_eq!(
            states(&store).await,
            ["handled", "repeated", "repeated", "handled", "handled", "handled", "handled"]
        );
        assert_eq!(granted(&store).await, 5);
    }

    async fn who_asks_twice_is_answered_twice(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        for (delivery_id, text) in [(1, "TC"), (2, "TC"), (3, "HD"), (4, "HD"), (5, "HUY"), (6, "HUY")] {
            fake.script.bring(mo(delivery_id, "84912345678", text));
        }
        fake.script.until_acknowledged(6).await;
        running.stop().await;
        assert_eq!(granted(&store).await, 5);
    }

    async fn who_gave_up_may_ask_for_the_same_at_once(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        for (delivery_id, text) in (1..).zip(["MUA MOBI100", "HUY", "MUA MOBI100", "MUA MOBI100"]) {
            fake.script.bring(mo(delivery_id, "84912345678", text));
        }
        fake.script.until_acknowledged(4).await;
        running.stop().await;
        assert_eq!(states(&store).await, ["handled", "handled", "handled", "repeated"]);
    }

    async fn two_instances_that_have_the_same_message_do_it_once(store: Store) {
        let fakes = [FakeRouter::started(), FakeRouter::started()];
        let clerk = Arc::default();
        let running = [0, 1].map(|at| Running::start(&fakes[at], &store, &clerk));
        for (delivery_id, text) in (1..).zip(["MUA MOBI100", "MUA MOBI20", "123456", "HUY"]) {
            for fake in &fakes {
                fake.script.bring(mo(delivery_id, "84912345678", text));
            }
        }
        for fake in &fakes {
            fake.script.until_acknowledged(4).await;
        }
        for running in running {
            running.stop().await;
        }
        assert_eq!(granted(&store).await, 4);
        assert_eq!(states(&store).await, ["handled"; 4]);
    }

    async fn a_message_that_cannot_be_done_is_set_aside_and_keeps_back_no_other(store: Store) {
        let fake = FakeRouter::started();
        let fault = HandleError::Fault("out of ideas".to_owned());
        let clerk = Arc::new(Clerk {
            failures: Mutex::new(vec![fault; 3]),
            ..Clerk::default()
        });
        let running = Running::start(&fake, &store, &clerk);
        fake.script.bring(mo(1, "84912345678", "MUA MOBI100"));
        fake.script.bring(mo(2, "84912345678", "MUA MOBI20"));
        fake.script.until_acknowledged(2).await;
        running.stop().await;
        let row = |state: &str, outcome: &str| ("buy".to_owned(), state.to_owned(), outcome.to_owned());
        assert_eq!(rows(&store).await, [row("failed", "out of ideas"), row("handled", "granted")]);
        assert_eq!(granted(&store).await, 1);
    }

    async fn a_reception_goes_on_when_the_router_comes_back(store: Store) {
        let mut fake = FakeRouter::stopped();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        for turn in 1..4_u32 {
            fake.start();
            fake.script.bring(mo(turn.into(), "84912345678", &format!("MUA MOBI{turn}")));
            fake.script.until_acknowledged(turn as usize).await;
            fake.stop().await;
        }
        running.stop().await;
        assert_eq!(granted(&store).await, 3);
        assert_eq!(fake.script.receptions(), 3);
    }

    async fn a_text_is_in_the_database_under_its_seal_alone(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        fake.script.bring(mo(1, "84912345678", "123456"));
        fake.script.until_acknowledged(1).await;
        running.stop().await;
        let mut read = store.read().await.unwrap();
        let row = sqlx::query("SELECT text FROM mo").fetch_one(&mut *read).await.unwrap();
        let sealed: Vec<u8> = row.get(0);
        assert!(!sealed.windows(6).any(|octets| octets == b"123456"));
        assert!(sealed.len() > 6);
        assert!(matches!(lock(&clerk.commands)[0], Command::Confirm { .. }));
    }

    async fn what_nobody_can_be_answered_for_is_kept_and_left(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        let binary = MobileOriginated { data: vec![0, 1], ..MobileOriginated::default() };
        fake.script.bring(event(1, "84912345678", Kind::Message(binary)));
        fake.script.bring(mo(2, "Viettel\0", "MUA MOBI100"));
        let holes = MobileOriginated {
            text: Some("MUA MOBI100".to_owned()),
            parts: 2,
            missing_parts: vec![2],
            ..MobileOriginated::default()
        };
        fake.script.bring(event(3, "84912345678", Kind::Message(holes)));
        fake.script.bring(Event { kind: None, ..mo(4, "84912345678", "") });
        fake.script.until_acknowledged(4).await;
        running.stop().await;
        assert_eq!(states(&store).await, ["unread", "unread", "handled"]);
        assert_eq!(lock(&clerk.commands)[..], [Command::Unknown]);
    }

    async fn a_receipt_tells_of_the_whole_message_by_our_own_id(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        for (delivery_id, state) in (1..).zip([
            MessageState::Enroute,
            MessageState::Delivered,
            MessageState::Undeliverable,
        ]) {
            let receipt = proto::Receipt {
                request_id: "P1-otp-1".to_owned(),
                state: MessageState::Delivered.into(),
                whole_state: state.into(),
                error: "000".to_owned(),
                ..proto::Receipt::default()
            };
            fake.script.bring(event(delivery_id, "84912345678", Kind::Receipt(receipt)));
        }
        let unknown = Kind::Receipt(proto::Receipt::default());
        fake.script.bring(event(4, "84912345678", unknown));
        fake.script.until_acknowledged(4).await;
        running.stop().await;
        let receipts = lock(&clerk.receipts);
        let told = receipts.iter().map(|receipt| (receipt.message.as_str(), receipt.delivery));
        assert_eq!(
            told.collect::<Vec<_>>(),
            [
                ("P1-otp-1", Delivery::Enroute),
                ("P1-otp-1", Delivery::Delivered),
                ("P1-otp-1", Delivery::Failed),
            ]
        );
    }

    async fn what_a_bank_takes_back_is_kept_once_and_without_its_card_number(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let chargeback = BankEvent {
            bank: "vcb".to_owned(),
            kind: BankEventKind::Chargeback.into(),
            message_type: "0422".to_owned(),
            masked_pan: "9704001234567890".to_owned(),
            amount: Some(Money { amount_minor: 100_000, currency: "VND".to_owned() }),
            payment: Some(PaymentReference {
                client: "commerce".to_owned(),
                payment_id: "P1-pay".to_owned(),
            }),
            ..BankEvent::default()
        };
        let chargeback = event(1, "", Kind::Bank(chargeback));
        let running = Running::start(&fake, &store, &clerk);
        fake.script.bring(chargeback.clone());
        fake.script.until_acknowledged(1).await;
        running.stop().await;
        fake.script.bring(chargeback);
        let running = Running::start(&fake, &store, &clerk);
        fake.script.until_acknowledged(2).await;
        running.stop().await;
        assert_eq!(count(&store, "bank_event").await, 1);
        let mut read = store.read().await.unwrap();
        let select = "SELECT kind, masked_pan, amount_minor, payment_id FROM bank_event";
        let row = sqlx::query(select).fetch_one(&mut *read).await.unwrap();
        assert_eq!(row.get::<String, _>(0), "chargeback");
        assert_eq!(row.get::<String, _>(1), "970400******7890");
        assert_eq!(row.get::<i64, _>(2), 100_000);
        assert_eq!(row.get::<String, _>(3), "P1-pay");
    }

    async fn a_message_that_cannot_be_compared_for_want_of_a_key_is_a_persons_to_look_at(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        fake.script.bring(mo(1, "84912345678", "MUA MOBI100"));
        fake.script.until_acknowledged(1).await;
        running.stop().await;
        let running = Running::with(&fake, &store, &clerk, second_keys());
        fake.script.bring(mo(2, "84912345678", "MUA MOBI20"));
        fake.script.until_acknowledged(2).await;
        running.stop().await;
        let rows = rows(&store).await;
        assert_eq!(rows[1].1, "failed");
        assert!(rows[1].2.contains("add it as a previous key"), "{}", rows[1].2);
    }

    async fn messages_are_compared_after_a_change_of_the_key(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        fake.script.bring(mo(1, "84912345678", "MUA MOBI100"));
        fake.script.until_acknowledged(1).await;
        running.stop().await;
        let came_of = reseal(&store, &rotated_keys(), Table::Received).await;
        assert_eq!(came_of, Ok(all_anew(1)));
        let running = Running::with(&fake, &store, &clerk, second_keys());
        fake.script.bring(mo(2, "84912345678", "MUA MOBI20"));
        fake.script.until_acknowledged(2).await;
        running.stop().await;
        let rows = rows(&store).await;
        assert_eq!(rows[1].1, "handled", "{}", rows[1].2);
    }

    async fn messages_are_forgotten_after_their_time(store: Store) {
        let fake = FakeRouter::started();
        let clerk = Arc::default();
        let running = Running::start(&fake, &store, &clerk);
        for delivery_id in 1..=3 {
            fake.script.bring(mo(delivery_id, "84912345678", &format!("MUA MOBI{delivery_id}")));
        }
        fake.script.until_acknowledged(3).await;
        running.stop().await;
        let forget = async |before, rows_max| {
            let mut write = store.write().await.unwrap();
            let forgotten = intake::forget(&mut write, before, rows_max).await.unwrap();
            write.commit().await.unwrap();
            forgotten
        };
        assert_eq!(forget(NOW, 10).await, 0);
        let after = UnixMs(NOW.0 + 1);
        assert_eq!(forget(after, 2).await, 2);
        assert_eq!(forget(after, 2).await, 1);
        assert_eq!(forget(after, 2).await, 0);
        assert_eq!((count(&store, "mo").await, count(&store, "mo_source").await), (0, 0));
    }
}
