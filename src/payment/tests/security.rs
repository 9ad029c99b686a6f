//! What a bank's security makes of the messages of a payment.

use super::*;
use crate::iso8583::{
    mti::Class,
    security::{
        Keyring, MacAlgorithm, MacLength, MacRules, PinBlock, PinError, PinPolicy, PinTranslator,
    },
};

#[test]
fn every_message_to_a_bank_with_macs_ends_with_room_for_one() {
    let mut scene = Scene::with(|settings| {
        settings.session.security.mac = Some(Arc::new(MacRules {
            algorithm: MacAlgorithm::X919,
            length: MacLength::Eight,
            classes: vec![Class::Financial, Class::Reversal],
            required_on_answers: true,
            keys: Arc::new(Keyring::empty()),
            exchange: None,
        }));
    });
    scene.transact("p1", Scene::purchase(10_000));
    let (id, request) = scene.sent();
    assert_eq!(request.last_number(), Some(64));
    assert_eq!(request.get(64), Some(&[0; 8][..]));
    scene.exchanged(id, Exchange::TimedOut);
    let (id, reversal) = scene.sent();
    assert_eq!(reversal.mti(), Mti::REVERSAL_ADVICE);
    assert_eq!(reversal.get(128), Some(&[0; 8][..]));
    assert!(!reversal.has(64));
    scene.exchanged(id, Exchange::TimedOut);
    scene.elapsed += REPEAT_MIN;
    let now = scene.now();
    scene.desk.handle_timeout(now);
    let (_, repeat) = scene.sent();
    assert_eq!(repeat.mti(), Mti::REVERSAL_ADVICE_REPEAT);
    assert_eq!(repeat.get(128), Some(&[0; 8][..]));
}

/// Turns the octets round, and knows one card.
struct Turned;

impl PinTranslator for Turned {
    fn translate(&self, block: &PinBlock, pan: &[u8]) -> Result<PinBlock, PinError> {
        assert_eq!(pan, b"9704361234567890");
        let mut octets = *block.octets();
        octets.reverse();
        match octets {
            [0, ..] => Err(PinError::Block),
            octets => PinBlock::new(&octets).ok_or(PinError::Block),
        }
    }
}

fn pay_with_pin(policy: PinPolicy, block: &'static [u8]) -> Scene {
    let mut scene = Scene::with(|settings| settings.session.security.pin = policy);
    let mut payment = Scene::payment("p1", Scene::purchase(10_000));
    payment.elements = vec![(52, Bytes::from_static(block))];
    let order = Order {
        key: Scene::key("p1"),
        digest: scene.digest("p1"),
        payment,
        deadline: scene.now().monotonic + TIMEOUT,
        reply: scene.outbox.reply(0),
    };
    scene.take(order);
    scene
}

const BLOCK: &[u8] = &[1, 2, 3, 4, 5, 6, 7, 8];

#[test]
fn a_pin_block_is_translated_or_passed_as_configured() {
    let mut scene = pay_with_pin(PinPolicy::Translate(Arc::new(Turned)), BLOCK);
    let turned: &[u8] = &[8, 7, 6, 5, 4, 3, 2, 1];
    assert_eq!(scene.sent().1.get(52), Some(turned));
    let mut scene = pay_with_pin(PinPolicy::Pass, BLOCK);
    assert_eq!(scene.sent().1.get(52), Some(BLOCK));
}

#[test]
fn a_reversal_carries_no_pin_block() {
    let mut scene = pay_with_pin(PinPolicy::Pass, BLOCK);
    let (id, _) = scene.sent();
    scene.exchanged(id, Exchange::TimedOut);
    assert!(!scene.sent().1.has(52));
}

#[test]
fn a_pin_block_that_is_not_wanted_or_not_sound_sends_nothing() {
    for (policy, block, expected) in [
        (PinPolicy::default(), BLOCK, "takes no PIN block"),
        (
            PinPolicy::Pass,
            &BLOCK[..7],
            "elements[0]: the PIN block is",
        ),
        (
            PinPolicy::Translate(Arc::new(Turned)),
            &[1, 2, 3, 4, 5, 6, 7, 0],
            "elements[0]: the PIN block is",
        ),
    ] {
        let mut scene = pay_with_pin(policy, block);
        let outcomes = scene.outcomes();
        let [PaymentOutcome::NotSent { reason, detail }] = &outcomes[..] else {
            panic!("not refused")
        };
        assert_eq!(*reason, Reason::Invalid);
        assert!(detail.contains(expected), "{detail}");
        assert!(scene.dispatched().is_empty());
    }
}
