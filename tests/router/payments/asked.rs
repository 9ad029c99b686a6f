//! What banks begin of their own accord: chargebacks, advices, requests. Their books are held against
//! what a subscriber got.

use std::path::PathBuf;

use loadtest::{
    bank::{Bank, BankBehaviour, Question},
    fault::Trigger,
};
use sampan::rpc::proto::{
    Balance, BankEvent, BankEventKind, GetTotalsRequest, PaymentOutcome, ReverseRequest,
    element::Value, event::Kind,
};

use super::{generous, router_for};
use crate::support::{Router, Setup, Subscriber, charge, eventually, lookup_settled, purchase};

/// The elements of an 0422 whose original Sampan has never seen.
const OF_A_STRANGER: [(usize, &str); 8] = [
    (2, "9704361234561234"),
    (4, "000000010000"),
    (7, "1122091500"),
    (37, "632607000124"),
    (39, "53"),
    (42, "VNMART000000001"),
    (49, "704"),
    (90, "020000012411220732440000097049900000000000"),
];

fn events(subscriber: &Subscriber) -> Vec<BankEvent> {
    let bank_event = |event: sampan::rpc::proto::Event| match event.kind {
        Some(Kind::Bank(event)) => Some(event),
        _ => None,
    };
    subscriber
        .events("")
        .into_iter()
        .filter_map(bank_event)
        .collect()
}

async fn until_answered(bank: &Bank, holds: impl Fn(&[Question]) -> bool) {
    eventually("the bank is answered", async || holds(&bank.asked())).await;
}

fn codes(bank: &Bank) -> Vec<Vec<String>> {
    bank.asked().into_iter().map(|own| own.codes).collect()
}

/// A store of its own, which is gone with it.
struct StoreFile(PathBuf);

impl StoreFile {
    fn new(name: &str) -> Self {
        let file = format!("sampan-asked-{name}-{}.redb", std::process::id());
        let own = Self(std::env::temp_dir().join(file));
        std::fs::remove_file(&own.0).ok();
        own
    }

    async fn router(&self, bank: &Bank) -> Router {
        Setup::new(&format!("[store]\npath = {:?}", self.0))
            .bank("vietcom", bank, "")
            .payment_route("vietcom")
            .start_up()
            .await
    }
}

impl Drop for StoreFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[tokio::test]
async fn a_chargeback_is_an_event_that_names_its_payment_and_shows_no_card() {
    let behaviour = BankBehaviour {
        chargebacks: Trigger::First(1),
        ..generous()
    };
    let bank = Bank::start(behaviour).await.unwrap();
    let router = router_for(&bank, "").await;
    let subscriber = Subscriber::new(router.messaging()).await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Approved);
    until_answered(&bank, |asked| asked.iter().any(|own| own.codes == ["00"])).await;
    eventually("the event", async || !events(&subscriber).is_empty()).await;

    let [event] = &events(&subscriber)[..] else {
        panic!("one event")
    };
    assert_eq!(
        (event.bank.as_str(), event.kind()),
        ("vietcom", BankEventKind::Chargeback)
    );
    assert_eq!(
        (event.message_type.as_str(), event.reason_code.as_str()),
        ("0422", "53")
    );
    assert_eq!(event.retrieval_reference, told.retrieval_reference);
    assert_eq!(event.original.as_ref().unwrap().stan, told.stan);
    let payment = event.payment.as_ref().unwrap();
    assert_eq!(
        (payment.client.as_str(), &payment.payment_id),
        ("local", &told.payment_id)
    );
    let whole = purchase(1);
    let amount = event.amount.as_ref().unwrap();
    assert_eq!(Some(amount), whole.amount.as_ref());
    let masked = format!(
        "{}******{}",
        &whole.pan[..6],
        &whole.pan[whole.pan.len() - 4..]
    );
    assert_eq!(event.masked_pan, masked);
    for element in &event.elements {
        if let Some(Value::Text(text)) = &element.value {
            assert!(!text.contains(&whole.pan), "DE{}", element.number);
        }
    }
    assert_eq!(bank.totals().protocol_errors, 0);
}

#[tokio::test]
async fn a_chargeback_of_an_unknown_payment_is_an_event_that_names_none() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "").await;
    let subscriber = Subscriber::new(router.messaging()).await;
    bank.ask(b"0422", &OF_A_STRANGER);
    eventually("the event", async || !events(&subscriber).is_empty()).await;
    let event = events(&subscriber).remove(0);
    assert_eq!(event.payment, None);
    assert_eq!(event.kind(), BankEventKind::Chargeback);
}

#[tokio::test]
async fn a_repeat_whose_answer_was_lost_makes_no_second_event_and_is_answered_again() {
    let behaviour = BankBehaviour {
        lose_answers: Trigger::First(3),
        ..generous()
    };
    let bank = Bank::start(behaviour).await.unwrap();
    let router = router_for(&bank, "").await;
    let subscriber = Subscriber::new(router.messaging()).await;
    bank.ask(b"0422", &OF_A_STRANGER);
    until_answered(&bank, |asked| asked[0].codes.len() == 4).await;
    assert_eq!(codes(&bank), [["00"; 4]]);
    bank.ask(b"0422", &OF_A_STRANGER);
    eventually("the other one's event", async || {
        events(&subscriber).len() == 2
    })
    .await;
    let stans: Vec<_> = events(&subscriber)
        .into_iter()
        .map(|own| own.stan)
        .collect();
    assert_eq!(
        stans,
        ["800000", "800001"],
        "another STAN is another chargeback"
    );
    let series = r#"kind="chargeback",outcome="repeated""#;
    assert_eq!(router.figure("sampan_bank_asked_total", series), 3);
}

#[tokio::test]
async fn a_repeat_after_a_restart_makes_no_second_event() {
    let file = StoreFile::new("restart");
    let behaviour = BankBehaviour {
        lose_answers: Trigger::First(1),
        ..generous()
    };
    let bank = Bank::start(behaviour).await.unwrap();
    let router = file.router(&bank).await;
    bank.ask(b"0422", &OF_A_STRANGER);
    until_answered(&bank, |asked| asked[0].codes.len() == 2).await;
    router.stop().await;
    // The bank forgets that it was answered, as one that failed over to another site does.
    bank.set_behaviour(BankBehaviour {
        lose_answers: Trigger::First(1),
        ..generous()
    });
    bank.forget_answers();
    let router = file.router(&bank).await;
    until_answered(&bank, |asked| asked[0].codes.len() == 4).await;
    let subscriber = Subscriber::new(router.messaging()).await;
    bank.ask(b"0620", &[(7, "1122091501")]);
    eventually("the event behind it", async || {
        events(&subscriber)
            .iter()
            .any(|own| own.message_type == "0620")
    })
    .await;
    let types: Vec<_> = events(&subscriber)
        .into_iter()
        .map(|own| own.message_type)
        .collect();
    assert_eq!(
        types,
        ["0422", "0620"],
        "in the order of the bank, each once"
    );
    assert!(codes(&bank)[0].iter().all(|code| code == "00"));
}

#[tokio::test]
async fn a_chargeback_without_room_is_put_off_until_there_is_room_and_is_not_lost() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = Setup::new("")
        .bank("vietcom", &bank, "busy_code = \"96\"")
        .payment_route("vietcom")
        .section("[[subscription]]\nname = \"default\"\nbacklog_max = 1")
        .start_up()
        .await;
    bank.ask(b"0422", &OF_A_STRANGER);
    until_answered(&bank, |asked| asked[0].codes == ["00"]).await;
    bank.ask(b"0422", &OF_A_STRANGER);
    until_answered(&bank, |asked| asked[1].codes.len() >= 2).await;
    let subscriber = Subscriber::new(router.messaging()).await;
    eventually("both events", async || events(&subscriber).len() == 2).await;
    until_answered(&bank, |asked| {
        asked[1].codes.last().is_some_and(|code| code == "00")
    })
    .await;
    let [put_off @ .., _] = &codes(&bank)[1][..] else {
        panic!("it was answered")
    };
    assert!(put_off.iter().all(|code| code == "96"), "{put_off:?}");
}

#[tokio::test]
async fn a_request_that_nobody_takes_is_declined_and_an_advice_is_handed_up() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "hand_up_elements = [48]").await;
    let subscriber = Subscriber::new(router.messaging()).await;
    let asked = [
        (b"0200", "40"),
        (b"0100", "40"),
        (b"0300", "40"),
        (b"0600", "40"),
        (b"0220", "00"),
        (b"0620", "00"),
        (b"0720", "00"),
    ];
    for (mti, _) in asked {
        bank.ask(
            mti,
            &[(7, "1122091500"), (48, "day closed"), (60, "not told")],
        );
    }
    until_answered(&bank, |own| own.iter().all(|own| own.codes.len() == 1)).await;
    assert_eq!(codes(&bank), asked.map(|(_, code)| vec![code.to_owned()]));
    eventually("the events", async || events(&subscriber).len() == 3).await;
    for (event, mti) in events(&subscriber).iter().zip(["0220", "0620", "0720"]) {
        assert_eq!(
            (event.message_type.as_str(), event.kind()),
            (mti, BankEventKind::Other)
        );
        let numbers: Vec<_> = event.elements.iter().map(|own| own.number).collect();
        assert_eq!(numbers, [7, 11, 48], "what is not allowed is left out");
    }
    assert_eq!(bank.totals().protocol_errors, 0);
}

#[tokio::test]
async fn a_subscription_gets_the_events_of_its_banks_alone() {
    let (vietcom, techcom) = (
        Bank::start(generous()).await.unwrap(),
        Bank::start(generous()).await.unwrap(),
    );
    let router = Setup::new("")
        .bank("vietcom", &vietcom, "")
        .bank("techcom", &techcom, "")
        .payment_route("vietcom")
        .section(
            "[[subscription]]\nname = \"disputes\"\nmessages = false\nreceipts = false\n\
             bank_events = true\nbanks = [\"techcom\"]",
        )
        .start_up()
        .await;
    let subscribe = |name| Subscriber::of(router.messaging(), name);
    let (disputes, default) = (subscribe("disputes").await, subscribe("").await);
    vietcom.ask(b"0422", &OF_A_STRANGER);
    techcom.ask(b"0422", &OF_A_STRANGER);
    eventually("both events", async || {
        !events(&disputes).is_empty() && !events(&default).is_empty()
    })
    .await;
    let banks =
        |subscriber| -> Vec<_> { events(subscriber).into_iter().map(|own| own.bank).collect() };
    assert_eq!(
        (banks(&disputes), banks(&default)),
        (vec!["techcom".to_owned()], vec!["vietcom".to_owned()])
    );
}

/// The keys of a bank whose totals are compared.
const RECONCILING: &str = "reconcile = true\nretention_s = 172800";

#[tokio::test]
async fn totals_that_agree_are_answered_in_balance_and_others_with_ours() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, RECONCILING).await;
    let subscriber = Subscriber::new(router.messaging()).await;
    let mut minor = 0;
    for number in 1..=3 {
        let request = purchase(number);
        let amount = request.amount.as_ref().unwrap().amount_minor;
        let told = charge(&router.payments(), request).await;
        assert_eq!(told.outcome(), PaymentOutcome::Approved);
        match number {
            1 => {
                let reverse = ReverseRequest {
                    payment_id: told.payment_id.clone(),
                    ..ReverseRequest::default()
                };
                router.payments().reverse(reverse).await.unwrap();
                lookup_settled(&router.payments(), &told.payment_id).await;
            }
            _ => minor += amount,
        }
    }
    let day = local_day(&bank);
    let amount = |minor: u64| format!("{minor:016}");
    // The bank's own books, not ours: three debits, one of them taken back.
    let totals = bank.totals();
    assert_eq!((totals.debits, totals.reversed), (3, 1));
    let (debited, reversed) = (totals.debited_minor, totals.reversed_minor);
    assert_eq!(debited - reversed, minor);
    let sum = |debited: u64| {
        [
            (7, "1122235959".to_owned()),
            (15, day.clone()),
            (76, "0000000003".to_owned()),
            (77, "0000000001".to_owned()),
            (88, amount(debited)),
            (89, amount(reversed)),
        ]
    };
    for debited in [debited, debited + 1] {
        let owned = sum(debited);
        let elements: Vec<_> = owned.iter().map(|(n, v)| (*n, v.as_str())).collect();
        bank.ask(b"0500", &elements);
    }
    bank.ask(b"0520", &[(7, "1122235959"), (76, "0000000003")]);
    until_answered(&bank, |own| own.iter().all(|own| own.codes.len() == 1)).await;
    assert_eq!(codes(&bank), [["00"], ["95"], ["95"]]);
    eventually("the events", async || events(&subscriber).len() == 3).await;
    let balances: Vec<_> = events(&subscriber)
        .iter()
        .map(|own| own.reconciliation.as_ref().unwrap().balance())
        .collect();
    assert_eq!(balances, [Balance::In, Balance::Out, Balance::Incomparable]);
    let asked = GetTotalsRequest {
        bank: "vietcom".into(),
        day: day.clone(),
    };
    let both = router.totals().get(asked).await.unwrap().into_inner();
    let last = both.theirs.iter().find(|own| own.number == 88).unwrap();
    assert_eq!(last.value, Some(Value::Text(amount(debited + 1))));
    assert_eq!(both.reconciliation.unwrap().balance(), Balance::Out);
    let event = events(&subscriber).remove(1);
    assert_eq!(event.kind(), BankEventKind::Reconciliation);
    let ours = event.reconciliation.unwrap().ours;
    let debits = ours.iter().find(|own| own.number == 88).unwrap();
    assert_eq!(debits.value, Some(Value::Text(amount(debited))));
    for outcome in ["in_balance", "out_of_balance", "incomparable"] {
        let label = format!("outcome=\"{outcome}\"");
        assert_eq!(
            router.figure("sampan_bank_reconciliations_total", &label),
            1
        );
    }
    assert_eq!(bank.totals().protocol_errors, 0);
}

/// The day of what the bank has on its books, as its requests told it: DE7 and DE13 are in UTC here.
fn local_day(bank: &Bank) -> String {
    bank.books().entries[0].transmitted.as_str()[..4].to_owned()
}
