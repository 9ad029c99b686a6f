//! 0420 and 0421: what they carry, when they are repeated, and how they end.

use super::*;

#[test]
fn a_reversal_names_the_original_and_carries_its_amount_and_reference() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.wait(TIMEOUT);
    scene.exchanged(record, Exchange::TimedOut);
    let (_, reversal) = scene.sent();
    assert_eq!(reversal.mti(), Mti::REVERSAL_ADVICE);
    for same in [2, 3, 4, 12, 13, 22, 25, 32, 37, 41, 42, 49] {
        assert_eq!(reversal.get(same), request.get(same), "DE{same}");
    }
    assert_eq!(reversal.text(7), Some("0921073314"));
    assert_eq!(reversal.text(11), Some("000125"));
    assert_eq!(reversal.text(39), Some("68"));
    assert_eq!(
        reversal.text(90),
        Some("020000012409210732440000097049900000000000")
    );
}

#[test]
fn a_silent_bank_sees_0420_and_then_0421_that_differ_in_the_mti_alone() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, mut first) = scene.sent();
    for _ in 0..3 {
        scene.wait(TIMEOUT);
        scene.exchanged(record, Exchange::TimedOut);
        scene.wait(Duration::from_secs(60));
        let (_, repeat) = scene.sent();
        assert_eq!(repeat.mti(), Mti::REVERSAL_ADVICE_REPEAT);
        first.set_mti(repeat.mti());
        assert_eq!(
            first.iter().collect::<Vec<_>>(),
            repeat.iter().collect::<Vec<_>>()
        );
    }
    scene.exchanged(record, answer(&first, "00"));
    scene.dispatched();
    let stored = scene.stored("p1");
    assert_eq!(stored.outcome, PaymentOutcome::Reversed);
    assert_eq!(stored.reversal.unwrap().attempts, 4);
}

#[test]
fn waiting_for_a_link_spends_no_budget_and_makes_no_0421() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::Lost);
    for _ in 0..5_000 {
        let (record, message) = scene.sent();
        assert_eq!(message.mti(), Mti::REVERSAL_ADVICE);
        scene.exchanged(record, Exchange::NotSent(Reason::NoLink));
        scene.wait(REPEAT_MIN);
    }
    assert!(scene.elapsed > BUDGET);
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversing);
}

#[test]
fn a_reversal_whose_budget_is_spent_waits_for_an_operator() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    while scene.stored("p1").outcome == PaymentOutcome::Reversing {
        let (record, _) = scene.sent();
        scene.wait(TIMEOUT);
        scene.exchanged(record, Exchange::TimedOut);
        scene.wait(Duration::from_secs(60));
    }
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::ReversalFailed);
    assert!(scene.elapsed >= BUDGET);
    assert_eq!(scene.recorded.last(), Some(&"reversal ended"));
}

#[test]
fn a_0430_with_a_retry_code_is_repeated_and_with_an_unknown_one_needs_an_operator() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    scene.exchanged(record, answer(&reversal, "96"));
    scene.wait(REPEAT_MIN);
    let (record, reversal) = scene.sent();
    assert_eq!(reversal.mti(), Mti::REVERSAL_ADVICE_REPEAT);
    scene.exchanged(record, answer(&reversal, "25"));
    let stored = scene.stored("p1");
    assert_eq!(stored.outcome, PaymentOutcome::ReversalFailed);
    assert_eq!(stored.reversal.unwrap().response_code, "25");
}

#[test]
fn a_cancelled_payment_is_reversed_with_the_cancel_code_once_the_bank_has_answered() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.cancel("p1");
    assert_eq!(scene.outcomes(), []);
    scene.exchanged(record, answer(&request, "00"));
    let (_, reversal) = scene.sent();
    assert_eq!(reversal.text(39), Some("17"));
    assert_eq!(reversal.text(38), Some("AUTH01"));
    assert_eq!(
        scene.outcomes(),
        [PaymentOutcome::Reversing, PaymentOutcome::Reversing]
    );
}

#[test]
fn an_approved_payment_can_be_taken_back_once_and_is_kept_for_its_whole_retention() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "00"));
    scene.wait(RETENTION / 2);
    scene.cancel("p1");
    let (record, reversal) = scene.sent();
    scene.cancel("p1");
    assert!(scene.dispatched().is_empty());
    scene.exchanged(record, answer(&reversal, "00"));
    scene.record();
    assert_eq!(scene.desk.open(), 0);
    scene.wait(RETENTION / 2);
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
    scene.wait(RETENTION / 2);
    assert_eq!(scene.desk.lookup(&Scene::key("p1")), None);
}

#[test]
fn a_bank_that_wants_it_is_told_the_reason_elsewhere_and_by_0400_and_0401() {
    let mut scene = Scene::with(|settings| {
        settings.reversal.mti = Mti::REVERSAL_REQUEST;
        settings.reversal.reason_element = 60;
        settings.reversal.timeout_code = "4021".into();
    });
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    assert_eq!(reversal.mti().to_string(), "0400");
    assert_eq!(reversal.text(60), Some("4021"));
    assert_eq!(reversal.get(39), None);
    scene.exchanged(record, Exchange::TimedOut);
    scene.wait(REPEAT_MIN);
    let (record, repeat) = scene.sent();
    assert_eq!(repeat.mti().to_string(), "0401");
    scene.exchanged(record, answer(&reversal, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
}

#[test]
fn a_reversal_belongs_to_the_day_on_which_the_bank_settles_its_original() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    let Exchange::Answered(mut approval) = answer(&request, "00") else {
        unreachable!()
    };
    approval.set(15, "0922");
    scene.exchanged(record, Exchange::Answered(approval));
    scene.record();
    scene.cancel("p1");
    let (_, reversal) = scene.sent();
    assert_eq!(reversal.text(15), Some("0922"));
}
