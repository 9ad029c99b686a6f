//! What a desk makes of the payments of the process before it.

use super::{super::ReverseError, *};
use crate::{
    iso8583::security::PinPolicy,
    journal::{End, Kept, ReversalEnd},
};

/// The row of a payment, as the journal has it now.
pub(super) fn row(scene: &mut Scene, id: &str) -> (u64, Kept) {
    let number = {
        let record = scene.desk.id_of(&Scene::key(id)).unwrap();
        scene.desk.record(record).unwrap().number
    };
    let kept = scene.desk.record_of(id).to_kept("vietcom".into());
    (number, kept)
}

impl Desk {
    fn record_of(&mut self, id: &str) -> &mut super::super::record::Record {
        let id = self.id_of(&Scene::key(id)).unwrap();
        self.record(id).unwrap()
    }
}

/// The process is killed now; the next one finds this of the payment.
fn killed(scene: &mut Scene, id: &str) {
    let kept = row(scene, id);
    scene.desk.out = super::super::desk::Output::default();
    let now = scene.now();
    scene.reopen(now, vec![kept]);
}

#[test]
fn what_may_have_been_sent_is_reversed_after_a_restart_by_a_0420_of_its_own() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (_, request) = scene.sent();
    killed(&mut scene, "p1");
    assert_eq!(
        scene.desk.lookup(&Scene::key("p1")).unwrap().outcome,
        PaymentOutcome::Pending
    );
    let (record, reversal) = scene.sent();
    assert_eq!(reversal.mti(), Mti::REVERSAL_ADVICE);
    assert_eq!(
        &reversal.text(90).unwrap()[4..10],
        request.text(11).unwrap()
    );
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversing);
    scene.exchanged(record, answer(&reversal, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
}

#[test]
fn a_reversal_goes_on_as_0421_under_the_identity_that_the_bank_has_seen() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (_, mut first) = scene.sent();
    scene.elapsed += Duration::from_secs(7_200);
    killed(&mut scene, "p1");
    scene.wait(Duration::ZERO);
    let (_, repeat) = scene.sent();
    assert_eq!(repeat.mti(), Mti::REVERSAL_ADVICE_REPEAT);
    first.set_mti(repeat.mti());
    assert_eq!(first, repeat);
    let stans = scene.desk.stans.clone();
    assert!(!stans.hold_that_of(&repeat), "its STAN is held");
}

#[test]
fn what_was_told_before_a_restart_is_told_after_it_and_sends_nothing() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "00"));
    let told = scene.told().remove(0);
    killed(&mut scene, "p1");
    assert_eq!(scene.stored("p1"), told);
    scene.transact("p1", Scene::purchase(10_000));
    assert_eq!(scene.told(), [told]);
    scene.transact("p1", Scene::purchase(10_001));
    assert!(matches!(
        scene.outcomes()[..],
        [PaymentOutcome::NotSent {
            reason: Reason::IdReused,
            ..
        }]
    ));
    assert!(scene.dispatched().is_empty());
}

#[test]
fn an_approved_payment_can_be_taken_back_after_a_restart() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "00"));
    scene.record();
    killed(&mut scene, "p1");
    scene.cancel("p1");
    let (_, reversal) = scene.sent();
    assert_eq!(reversal.text(38), Some("AUTH01"));
    assert_eq!(reversal.text(39), Some("17"));
}

#[test]
fn what_moves_no_money_is_unknown_after_a_restart() {
    let mut scene = Scene::new();
    let from = AccountType::Default;
    scene.transact("p1", Transaction::Balance { from });
    scene.sent();
    killed(&mut scene, "p1");
    assert!(matches!(
        scene.stored("p1").outcome,
        PaymentOutcome::Unknown {
            reason: Reason::LinkLost,
            ..
        }
    ));
    let (_, kept) = row(&mut scene, "p1");
    assert!(matches!(
        kept.stage,
        Stage::Ended {
            end: End::Unknown(_),
            ..
        }
    ));
}

#[test]
fn the_retention_runs_on_over_a_restart() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "00"));
    scene.record();
    scene.elapsed += RETENTION - Duration::from_secs(1);
    killed(&mut scene, "p1");
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Approved);
    scene.wait(Duration::from_secs(1));
    assert_eq!(scene.desk.lookup(&Scene::key("p1")), None);
    scene.record();
    assert_eq!(scene.recorded.last(), Some(&"forget"));
}

#[test]
fn a_clock_that_was_set_back_and_forth_does_not_end_a_retention_early() {
    let mut scene = Scene::new();
    let mut rows = Vec::new();
    for (id, set_back) in [("p1", Duration::ZERO), ("p2", RETENTION * 2)] {
        scene.start.utc -= set_back;
        scene.transact(id, Scene::purchase(10_000));
        let (record, request) = scene.sent();
        scene.exchanged(record, answer(&request, "00"));
        scene.record();
        rows.push(row(&mut scene, id));
    }
    scene.start.utc += RETENTION * 2;
    let now = scene.now();
    scene.reopen(now, rows);
    scene.wait(Duration::ZERO);
    assert_eq!(scene.stored("p2").outcome, PaymentOutcome::Approved);
    scene.wait(RETENTION);
    assert_eq!(scene.desk.lookup(&Scene::key("p2")), None);
}

#[test]
fn what_was_not_sent_is_told_only_once_a_restart_would_know_it() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::NotSent(Reason::NoLink));
    let lookup = |scene: &Scene| scene.desk.lookup(&Scene::key("p1")).unwrap().outcome;
    assert_eq!(lookup(&scene), PaymentOutcome::Pending);
    scene.journal_works = false;
    assert_eq!(scene.outcomes(), [PaymentOutcome::Pending]);
    scene.journal_works = true;
    scene.wait(Duration::from_secs(1));
    scene.record();
    assert!(matches!(lookup(&scene), PaymentOutcome::NotSent { .. }));
}

#[test]
fn a_reversal_whose_end_cannot_be_recorded_is_still_told_as_reversing() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    scene.journal_works = false;
    scene.exchanged(record, answer(&reversal, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversing);
    scene.journal_works = true;
    scene.wait(Duration::from_secs(1));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
}

#[test]
fn of_a_request_nothing_is_kept_but_what_its_reversal_is_made_of() {
    let mut scene = Scene::with(|settings| settings.session.security.pin = PinPolicy::Pass);
    let mut payment = Scene::payment("p1", Scene::purchase(10_000));
    payment.elements = vec![
        (35, Bytes::from_static(b"9704361234567890=2512")),
        (52, Bytes::from_static(&[1, 2, 3, 4, 5, 6, 7, 8])),
        (55, Bytes::from_static(b"5F2A020704")),
        (48, Bytes::from_static(b"CVV2 123")),
    ];
    let order = Order {
        key: Scene::key("p1"),
        digest: scene.digest("p1"),
        payment,
        deadline: scene.now().monotonic + TIMEOUT,
        reply: scene.outbox.reply(0),
    };
    scene.take(order);
    let (_, request) = scene.sent();
    assert!(request.get(35).is_some() && request.get(52).is_some());
    let (_, kept) = row(&mut scene, "p1");
    let numbers: Vec<u8> = kept
        .request
        .elements()
        .iter()
        .map(|(number, _)| number)
        .collect();
    let of_a_reversal = [2, 3, 4, 7, 11, 12, 13, 18, 22, 25, 32, 37, 41, 42, 49];
    assert_eq!(numbers, of_a_reversal);
}

/// A payment whose reversal the bank has refused.
fn failed() -> Scene {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    scene.exchanged(record, answer(&reversal, "25"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::ReversalFailed);
    scene.told();
    scene
}

#[test]
fn a_failed_reversal_waits_for_its_operator_over_a_restart_and_is_tried_again_as_0421() {
    let mut scene = failed();
    killed(&mut scene, "p1");
    assert_eq!(scene.desk.reversals(true).len(), 1);
    let reply = scene.outbox.reply(5);
    let key = Scene::key("p1");
    let now = scene.now();
    scene.desk.retry_reversal(now, &key, "anna", reply).unwrap();
    let (record, reversal) = scene.sent();
    assert_eq!(reversal.mti(), Mti::REVERSAL_ADVICE_REPEAT);
    assert_eq!(scene.outcomes(), [PaymentOutcome::Reversing]);
    scene.exchanged(record, answer(&reversal, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
    assert!(scene.desk.reversals(false).is_empty());
    assert_eq!(scene.desk.stans.in_use(), 0);
}

#[test]
fn an_operator_s_settlement_is_durable_before_it_is_confirmed_and_names_the_operator() {
    let mut scene = failed();
    let resolution = super::super::record::Resolution {
        operator: "anna".into(),
        reason: "credited by hand, ticket 4711".into(),
    };
    let (now, reply) = (scene.now(), scene.outbox.reply(5));
    let key = Scene::key("p1");
    scene
        .desk
        .resolve_reversal(now, &key, resolution, reply)
        .unwrap();
    assert_eq!(scene.told_already(), []);
    scene.record();
    let detail = "credited by hand, ticket 4711".to_owned();
    assert_eq!(scene.outcomes(), [PaymentOutcome::Resolved { detail }]);
    let (_, kept) = row(&mut scene, "p1");
    let Stage::ReversalEnded { end, .. } = kept.stage else {
        panic!("not ended")
    };
    assert!(matches!(end, ReversalEnd::Resolved { operator, .. } if operator == "anna"));
    let again = scene.outbox.reply(6);
    let refused = scene.desk.retry_reversal(now, &key, "anna", again);
    assert!(refused.unwrap_err().to_string().contains("is resolved"));
}

#[test]
fn a_payment_that_is_settled_while_its_reversal_is_on_the_wire_keeps_its_place_until_that_ends() {
    let mut scene = Scene::with(|settings| settings.retention = Duration::ZERO);
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (on_the_wire, reversal) = scene.sent();
    let resolution = super::super::record::Resolution {
        operator: "anna".into(),
        reason: "by hand".into(),
    };
    let (now, reply, key) = (scene.now(), scene.outbox.reply(5), Scene::key("p1"));
    let desk = &mut scene.desk;
    desk.resolve_reversal(now, &key, resolution, reply).unwrap();
    scene.record();
    scene.wait(Duration::from_secs(1));
    scene.transact("p2", Scene::purchase(20_000));
    let (second, _) = scene.sent();
    assert_ne!(second.0, on_the_wire.0);
    scene.exchanged(on_the_wire, answer(&reversal, "00"));
    scene.record();
    assert_eq!(scene.stored("p2").outcome, PaymentOutcome::Pending);
    scene.wait(TIMEOUT);
    assert_eq!(scene.desk.lookup(&key), None);
}

#[test]
fn a_partial_reversal_tells_the_bank_what_it_keeps_and_is_no_licence_to_retry() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "00"));
    scene.told();
    let reply = scene.outbox.reply(1);
    let key = Scene::key("p1");
    let refused = scene.desk.cancel(scene.now(), &key, Some(10_000), reply);
    assert_eq!(
        refused,
        Err(ReverseError::Amount {
            actual: 10_000,
            whole: 10_000
        })
    );
    assert!(scene.dispatched().is_empty());
    let reply = scene.outbox.reply(1);
    let now = scene.now();
    scene.desk.cancel(now, &key, Some(4_000), reply).unwrap();
    let (record, reversal) = scene.sent();
    assert_eq!(reversal.text(4), Some("000000010000"));
    assert_eq!(
        reversal.text(95),
        Some("000000004000000000000000000000000000000000")
    );
    scene.exchanged(record, answer(&reversal, "00"));
    let stored = scene.stored("p1");
    assert_eq!(stored.outcome, PaymentOutcome::Reversed);
    assert!(!stored.retry_is_safe());
}

#[test]
fn a_payment_whose_answer_does_not_come_is_taken_back_as_a_whole() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    let reply = scene.outbox.reply(1);
    let key = Scene::key("p1");
    let now = scene.now();
    scene.desk.cancel(now, &key, Some(4_000), reply).unwrap();
    scene.exchanged(record, Exchange::TimedOut);
    let (_, reversal) = scene.sent();
    assert_eq!(reversal.get(95), None);
}

#[test]
fn an_answer_that_cannot_be_recorded_is_told_as_pending_until_it_is() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.journal_works = false;
    scene.exchanged(record, answer(&request, "00"));
    assert_eq!(scene.outcomes(), [PaymentOutcome::Pending]);
    assert_eq!(scene.stored("p1").response.code(), b"");
    scene.journal_works = true;
    scene.wait(Duration::from_secs(1));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Approved);
    assert_eq!(scene.desk.open(), 0);
}

#[test]
fn a_row_that_failed_in_doubt_is_removed_when_the_journal_works_again() {
    let mut scene = Scene::new();
    scene.journal_works = false;
    scene.transact("p1", Scene::purchase(10_000));
    scene.record();
    scene.journal_works = true;
    scene.transact("p2", Scene::purchase(10_000));
    scene.record();
    assert_eq!(scene.recorded, ["sending", "sending", "forget"]);
}

#[test]
fn while_the_journal_is_known_to_fail_nothing_is_tried() {
    let mut scene = Scene::new();
    scene.desk.journal_fails = true;
    scene.transact("p1", Scene::purchase(10_000));
    assert!(scene.desk.out.rows.is_empty());
    assert!(matches!(
        scene.outcomes()[..],
        [PaymentOutcome::NotSent {
            reason: Reason::Journal,
            ..
        }]
    ));
}
