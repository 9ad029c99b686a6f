//! What the desk says of a day, and of a payment as its bank knows it.

use super::*;
use crate::{
    iso8583::OriginalData,
    payment::{AboutOriginal, SettlementDay, Sum},
};

/// Has a payment made, answered with the code, and recorded; gives the request as it was sent.
fn paid(scene: &mut Scene, id: &str, transaction: Transaction, code: &str) -> Message {
    scene.transact(id, transaction);
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, code));
    scene.record();
    request
}

fn books(scene: &mut Scene) -> crate::payment::Totals {
    // The day of DE13, because the answers tell none.
    let day = SettlementDay::parse(b"0921").unwrap();
    scene.desk.books(day, None).ours
}

#[test]
fn a_day_counts_what_was_approved_and_taken_back_and_not_what_was_never_answered() {
    let mut scene = Scene::new();
    paid(&mut scene, "p1", Scene::purchase(10_000), "00");
    paid(&mut scene, "p2", Scene::purchase(20_000), "00");
    paid(&mut scene, "p3", Scene::purchase(40_000), "51");
    scene.cancel("p2");
    let (record, reversal) = scene.sent();
    assert_eq!(books(&mut scene).open, 1, "while it is taken back");
    scene.exchanged(record, answer(&reversal, "00"));
    scene.record();
    scene.transact("p4", Scene::purchase(80_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    scene.exchanged(record, answer(&reversal, "00"));
    scene.record();
    let books = books(&mut scene);
    let sum = |number, amount_minor| Sum {
        number,
        amount_minor,
    };
    assert_eq!(books.debits, sum(2, 30_000));
    assert_eq!(books.debit_reversals, sum(1, 20_000));
    assert_eq!((books.open, books.is_incomplete), (0, false));
}

#[test]
fn a_day_of_which_a_payment_was_forgotten_for_want_of_room_says_so() {
    let mut scene = Scene::with(|settings| settings.records_max = 1);
    paid(&mut scene, "p1", Scene::purchase(10_000), "00");
    assert!(!books(&mut scene).is_incomplete);
    paid(&mut scene, "p2", Scene::purchase(10_000), "00");
    assert!(books(&mut scene).is_incomplete);
}

#[test]
fn a_payment_is_found_by_de90_or_its_reference_and_not_by_a_stan_alone() {
    let mut scene = Scene::new();
    let request = paid(&mut scene, "p1", Scene::purchase(10_000), "00");
    paid(&mut scene, "p2", Scene::purchase(10_000), "00");
    let find = |scene: &Scene, change: &dyn Fn(&mut Message)| {
        let mut chargeback = Message::new("0422".parse().unwrap());
        chargeback
            .set(2, request.get(2).unwrap())
            .set(37, request.get(37).unwrap())
            .set(90, OriginalData::of(&request).unwrap().digits());
        change(&mut chargeback);
        let found = scene.desk.find(&AboutOriginal::of(&chargeback));
        found.map(|key| key.id.as_str().to_owned())
    };
    let p1 = Some("p1".to_owned());
    assert_eq!(find(&scene, &|_| {}), p1);
    let without = |number| {
        move |own: &mut Message| {
            own.remove(number);
        }
    };
    assert_eq!(find(&scene, &without(90)), p1);
    assert_eq!(find(&scene, &without(37)), p1);
    // The STAN of p1 at another second, and no reference: the payment of another day.
    let another_day = |own: &mut Message| {
        own.remove(37);
        own.set(90, "020000012409200732440000097049900000000000");
    };
    assert_eq!(find(&scene, &another_day), None);
    let another_card = |own: &mut Message| {
        own.set(2, "9704369999999999");
    };
    assert_eq!(find(&scene, &another_card), None);
}
