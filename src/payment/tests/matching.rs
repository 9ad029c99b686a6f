//! Under which key an exchange is open, and what becomes of open ones when that is configured anew.

use super::{recovery::row, *};
use crate::{iso8583::MatchElement, journal::KeptRequest, payment::RecoveryError};

fn by(elements: &[MatchElement]) -> MatchElements {
    MatchElements::new(elements.iter().copied()).unwrap()
}

fn matching(elements: &'static [MatchElement]) -> Scene {
    Scene::with(|settings| settings.match_by = by(elements))
}

/// Terminals count their own STANs, and tell their answers apart.
fn of_terminals() -> Scene {
    Scene::with(|settings| {
        settings.stan_per = StanPer::Terminal;
        settings.match_by = by(&[MatchElement::Stan, MatchElement::Terminal]);
    })
}

impl Scene {
    fn transact_as(&mut self, id: &str, change: impl FnOnce(&mut Payment)) {
        let mut payment = Self::payment(id, Self::purchase(10_000));
        change(&mut payment);
        let order = Order {
            key: Self::key(id),
            digest: self.digest(id),
            payment,
            deadline: self.now().monotonic + Duration::from_secs(5),
            reply: self.outbox.reply(0),
        };
        self.take(order);
    }

    fn transact_at(&mut self, id: &str, terminal: &'static str) {
        self.transact_as(id, |payment| payment.terminal_id = terminal.into());
    }

    fn transact_under(&mut self, id: &str, reference: &'static str) {
        self.transact_as(id, |payment| payment.retrieval_reference = reference.into());
    }

    /// A payment that timed out, and the reversal of it that is sent.
    fn reversing(&mut self, id: &str) -> ((RecordId, Leg), Message) {
        let (record, _) = self.sent();
        self.exchanged(record, Exchange::TimedOut);
        let (record, reversal) = self.sent();
        assert_eq!(self.stored(id).outcome, PaymentOutcome::Reversing);
        (record, reversal)
    }

    /// The process is killed, and the next one is configured otherwise.
    fn restarted(
        &mut self,
        ids: &[&str],
        change: impl FnOnce(&mut BankSettings),
    ) -> Result<(), RecoveryError> {
        let kept = ids.iter().map(|id| row(self, id)).collect();
        let mut settings = BankSettings::clone(&self.desk.settings);
        change(&mut settings);
        self.desk.settings = Arc::new(settings);
        self.try_reopen(self.now(), kept)
    }
}

fn answered(request: &Message, code: &str) -> Message {
    match answer(request, code) {
        Exchange::Answered(message) => message,
        _ => unreachable!(),
    }
}

#[test]
fn one_stan_is_in_flight_at_two_terminals_that_count_their_own() {
    let mut scene = of_terminals();
    scene.transact_at("p1", "T1");
    scene.transact_at("p2", "T2");
    let sent = scene.dispatched();
    let stans = sent.iter().map(|own| {
        let message = scene.dialect.decode(own.message.clone()).unwrap();
        message.stan().unwrap().get()
    });
    assert_eq!(stans.collect::<Vec<_>>(), [124, 124]);
    assert_ne!(sent[0].key, sent[1].key);
    let request = scene.dialect.decode(sent[1].message.clone()).unwrap();
    assert_eq!(
        scene
            .desk
            .settings
            .match_by
            .key_of(&answered(&request, "00")),
        Ok(sent[1].key)
    );
    scene.exchanged((sent[1].record, sent[1].leg), answer(&request, "00"));
    assert_eq!(scene.stored("p2").outcome, PaymentOutcome::Approved);
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Pending);
}

#[test]
fn a_late_answer_of_one_terminal_is_not_taken_for_that_of_another() {
    let mut scene = of_terminals();
    scene.transact_at("p1", "T1");
    let (record, request) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    scene.dispatched();
    scene.transact_at("p2", "T2");
    let (record, other) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    scene.dispatched();
    assert_eq!(request.stan(), other.stan());
    scene.late(&answered(&request, "51"));
    assert_eq!(scene.stored("p1").late_response_code, "51");
    assert_eq!(scene.stored("p2").late_response_code, "");
}

#[test]
fn a_payment_under_the_key_of_an_open_one_is_refused_before_it_is_recorded() {
    let mut scene = matching(&[MatchElement::Rrn]);
    scene.transact_under("p1", "226514000001");
    let (record, request) = scene.sent();
    scene.transact_under("p2", "226514000001");
    let [PaymentOutcome::NotSent { reason, detail }] = &scene.outcomes()[..] else {
        panic!("not refused")
    };
    assert_eq!(*reason, Reason::Invalid);
    assert!(detail.starts_with("retrieval_reference: another payment with the same rrn"));
    assert_eq!(scene.recorded, ["sending"]);
    assert_eq!(scene.desk.stans.in_use(), 1, "its STAN is given back");
    scene.exchanged(record, answer(&request, "00"));
    scene.record();
    scene.transact_under("p2", "226514000001");
    assert_eq!(scene.dispatched().len(), 1, "the first is over");
}

#[test]
fn a_request_that_lacks_an_element_of_the_key_is_refused_and_told_which() {
    let mut scene = matching(&[MatchElement::Stan, MatchElement::Acquirer]);
    scene.transact_as("p1", |payment| payment.elements = vec![(32, Bytes::new())]);
    let [PaymentOutcome::NotSent { reason, detail }] = &scene.outcomes()[..] else {
        panic!("not refused")
    };
    assert_eq!(*reason, Reason::Invalid);
    assert!(detail.contains("DE32 (acquirer)"), "{detail}");
    assert!(scene.dispatched().is_empty());
    assert_eq!(scene.desk.stans.in_use(), 0);
}

#[test]
fn a_0430_finds_its_0421_by_the_same_elements() {
    let mut scene = matching(&[MatchElement::Rrn, MatchElement::Terminal]);
    scene.transact("p1", Scene::purchase(10_000));
    let (record, reversal) = scene.reversing("p1");
    scene.exchanged(record, Exchange::TimedOut);
    scene.wait(REPEAT_MIN);
    let (record, repeat) = scene.sent();
    assert_eq!(repeat.mti(), Mti::REVERSAL_ADVICE_REPEAT);
    scene.exchanged(record, Exchange::TimedOut);
    let mut of_another = answered(&reversal, "00");
    of_another.set(37, "226514999999");
    scene.late(&of_another);
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversing);
    scene.late(&answered(&repeat, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
}

#[test]
fn of_two_reversals_under_one_key_the_second_waits_for_the_end_of_the_first() {
    let mut scene = matching(&[MatchElement::Rrn]);
    for id in ["p1", "p2"] {
        scene.transact_under(id, "226514000001");
        let (record, request) = scene.sent();
        scene.exchanged(record, answer(&request, "00"));
        scene.record();
    }
    // Two cards, so that they stand in two lines.
    let record = scene.desk.record(1).unwrap();
    let mut request = record.request.to_message();
    request.set(2, "9704361234567891");
    record.request = KeptRequest::of(&request, |_| true);
    scene.cancel("p1");
    let (first, reversal) = scene.sent();
    scene.cancel("p2");
    assert!(scene.dispatched().is_empty());
    scene.exchanged(first, Exchange::TimedOut);
    scene.wait(REPEAT_MIN);
    let (first, repeat) = scene.sent();
    assert_eq!(repeat.stan(), reversal.stan(), "and not before it is over");
    scene.exchanged(first, answer(&repeat, "00"));
    scene.wait(REPEAT_MIN);
    let (second, reversal) = scene.sent();
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
    scene.exchanged(second, answer(&reversal, "00"));
    assert_eq!(scene.stored("p2").outcome, PaymentOutcome::Reversed);
    assert_eq!(scene.desk.keys.open(), 0);
}

#[test]
fn a_restart_with_more_elements_in_the_key_goes_on_with_all_that_is_open() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, first) = scene.reversing("p1");
    scene.exchanged(record, Exchange::TimedOut);
    scene.transact("p2", Scene::purchase(10_000));
    scene.sent();
    let changed = scene.restarted(&["p1", "p2"], |settings| {
        settings.match_by = by(&[
            MatchElement::TransmissionTime,
            MatchElement::Stan,
            MatchElement::Rrn,
            MatchElement::Terminal,
        ]);
    });
    changed.unwrap();
    scene.desk.handle_timeout(scene.now());
    // One by one, as both are of one card.
    let (record, repeat) = scene.sent();
    assert_eq!(repeat.stan(), first.stan());
    scene.exchanged(record, Exchange::TimedOut);
    scene.late(&answered(&repeat, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
    let (record, reversal) = scene.sent();
    scene.exchanged(record, answer(&reversal, "00"));
    assert_eq!(scene.stored("p2").outcome, PaymentOutcome::Reversed);
    assert_eq!(scene.desk.open(), 0);
}

#[test]
fn a_restart_with_fewer_elements_in_the_key_reverses_one_after_the_other_what_has_one_key_now() {
    let mut scene = of_terminals();
    for (id, terminal) in [("p1", "T1"), ("p2", "T2")] {
        scene.transact_as(id, |payment| {
            payment.terminal_id = terminal.into();
            payment.pan = Pan::parse(&format!("970436123456789{}", &id[1..])).unwrap();
        });
        let (record, _) = scene.reversing(id);
        scene.exchanged(record, Exchange::TimedOut);
    }
    let changed = scene.restarted(&["p1", "p2"], |settings| {
        settings.stan_per = StanPer::Bank;
        settings.match_by = MatchElements::default();
    });
    changed.unwrap();
    scene.desk.handle_timeout(scene.now());
    let (record, first) = scene.sent();
    scene.exchanged(record, answer(&first, "00"));
    scene.wait(REPEAT_MIN);
    let (record, second) = scene.sent();
    assert_eq!(first.stan(), second.stan());
    assert_ne!(first.get(41), second.get(41));
    scene.exchanged(record, answer(&second, "00"));
    for id in ["p1", "p2"] {
        assert_eq!(scene.stored(id).outcome, PaymentOutcome::Reversed);
    }
    assert_eq!((scene.desk.keys.open(), scene.desk.stans.in_use()), (0, 0));
}

#[test]
fn a_restart_by_an_element_that_open_payments_lack_is_refused_and_told_which() {
    let without = |settings: &mut BankSettings| settings.acquirer_id = String::new();
    let with = |settings: &mut BankSettings| {
        settings.match_by = by(&[MatchElement::Stan, MatchElement::Acquirer]);
    };
    let mut scene = Scene::with(without);
    scene.transact("p1", Scene::purchase(10_000));
    scene.sent();
    let error = scene.restarted(&["p1"], with).unwrap_err();
    assert_eq!((&*error.id, error.number), ("p1", 1));
    assert!(error.what.contains("DE32 (acquirer)"), "{}", error.what);

    let mut scene = Scene::with(without);
    scene.transact("p1", Scene::purchase(10_000));
    let (record, reversal) = scene.reversing("p1");
    assert!(scene.restarted(&["p1"], with).is_err());

    let mut scene = Scene::with(without);
    scene.transact("p1", Scene::purchase(10_000));
    assert_eq!(scene.reversing("p1"), (record, reversal.clone()));
    scene.exchanged(record, answer(&reversal, "00"));
    scene.record();
    scene.restarted(&["p1"], with).unwrap();
    assert_eq!(
        scene.stored("p1").outcome,
        PaymentOutcome::Reversed,
        "it is over"
    );
}

#[test]
fn the_journal_keeps_every_element_that_a_key_can_be_made_of() {
    let mut scene = Scene::with(|settings| {
        settings.forwarder_id = "970400".into();
        settings.match_by = by(&MatchElement::ALL);
    });
    scene.transact("p1", Scene::purchase(10_000));
    let sent = scene.dispatched().remove(0);
    let (_, kept) = row(&mut scene, "p1");
    assert_eq!(
        by(&MatchElement::ALL).key_of(&kept.request.to_message()),
        Ok(sent.key)
    );
    scene.exchanged((sent.record, sent.leg), Exchange::TimedOut);
    let (_, reversal) = scene.sent();
    assert!(by(&MatchElement::ALL).key_of(&reversal).is_ok());
}
