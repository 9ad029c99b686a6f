//! MACs and session keys in dialogues with a scripted bank.

use super::*;
use crate::iso8583::security::key::CheckMethod;
use crate::iso8583::security::{
    ExchangeRules, KeyLayout, KeyWrap, Keyring, MacAlgorithm, MacKey, MacLength, MacRules, Secret,
    WrappingKey,
};
use des::cipher::{BlockEncrypt, KeyInit};

const KEK: &str = "0123456789ABCDEFFEDCBA9876543210";

/// Two session keys.
const ONE: [u8; 16] = *b"first sesion key";
const TWO: [u8; 16] = *b"the second key..";

fn key(octets: [u8; 16]) -> MacKey {
    let secret = Secret::new(octets.to_vec().into()).unwrap();
    MacKey::new(MacAlgorithm::X919, secret).unwrap()
}

/// A key as the bank sends it: each half under the KEK by a cipher of the test's own, and the check
/// value.
fn closed(octets: [u8; 16]) -> String {
    let kek: Vec<u8> = (0..16)
        .map(|at| u8::from_str_radix(&KEK[2 * at..2 * at + 2], 16).unwrap())
        .collect();
    let kek = des::TdesEde2::new_from_slice(&kek).unwrap();
    let own = des::TdesEde2::new_from_slice(&octets).unwrap();
    let encrypted = |cipher: &des::TdesEde2, block: [u8; 8]| {
        let mut block = block.into();
        cipher.encrypt_block(&mut block);
        u64::from_be_bytes(block.into())
    };
    let halves = octets.as_chunks::<8>().0.iter();
    let closed: String = halves
        .map(|half| format!("{:016X}", encrypted(&kek, *half)))
        .collect();
    format!("{closed}{:06X}", encrypted(&own, [0; 8]) >> 40)
}

fn rules(keys: Keyring, exchange: Option<ExchangeRules>) -> MacRules {
    MacRules {
        algorithm: MacAlgorithm::X919,
        length: MacLength::Eight,
        classes: vec![Class::Financial, Class::Reversal],
        required_on_answers: true,
        keys: Arc::new(keys),
        exchange,
    }
}

fn exchange(request_at_sign_on: bool) -> ExchangeRules {
    ExchangeRules {
        code: NetworkCode::KEY_EXCHANGE,
        wrapping_key: WrappingKey::new(KeyWrap::TdesEcb, Secret::from_hex(KEK).unwrap()).unwrap(),
        layout: KeyLayout {
            element: 48,
            offset: 0,
            is_binary: false,
            check_bytes: 3,
            check_method: CheckMethod::Des,
        },
        refusal_code: "63".into(),
        request_at_sign_on,
        key_timeout: 20 * SECOND,
        previous_key: 30 * SECOND,
    }
}

fn dialogue(rules: MacRules) -> Dialogue {
    sharing(&Arc::new(rules))
}

fn sharing(rules: &Arc<MacRules>) -> Dialogue {
    Dialogue::new(|settings| settings.security.mac = Some(Arc::clone(rules)))
}

/// A dialogue that is signed on and has a key that stays.
fn with_key() -> Dialogue {
    let mut dialogue = dialogue(rules(Keyring::fixed(key(ONE)), None));
    dialogue.signs_on();
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue
}

impl Dialogue {
    fn signs_on(&mut self) {
        self.connect();
        let stan = self.stans.0;
        let stan = format!("{stan:06}");
        self.hears("0800", &[(70, "001"), (11, &stan)]);
        self.says("0810", &[(11, &stan), (39, "00"), (70, "001")]);
    }

    /// Sends a message as the floor above does.
    fn sends(&mut self, mti: &str, elements: &[(u8, &str)]) -> Result<(), SessionError> {
        let mut message = Message::new(mti.parse().unwrap());
        for (number, value) in elements {
            message.set(*number, value);
        }
        let mut payload = BytesMut::new();
        let settings = Arc::clone(&self.session.settings);
        settings.encode(&message, &mut payload).unwrap();
        self.session.send(message.mti().class, &payload)
    }

    /// The octets of the next message on the wire, without their header.
    fn hears_octets(&mut self) -> Bytes {
        let framing = Framing::default();
        framing
            .take_frame(self.session.output())
            .unwrap()
            .unwrap()
            .body
    }

    /// The bank hears a message whose last sixteen characters are its MAC under that key.
    #[track_caller]
    fn hears_sealed(&mut self, key: &MacKey) -> Message {
        let octets = self.hears_octets();
        let (covered, mac) = octets.split_at(octets.len() - 16);
        let expected = format!("{:016X}", u64::from_be_bytes(key.mac(covered)));
        assert_eq!(std::str::from_utf8(mac).unwrap(), expected);
        Dialect::iso8583_1987_ascii().decode(octets).unwrap()
    }

    /// The octets of a message of the bank with its MAC.
    fn sealed(mti: &str, elements: &[(u8, &str)], key: &MacKey) -> Vec<u8> {
        let mut message = Message::new(mti.parse().unwrap());
        for (number, value) in elements {
            message.set(*number, value);
        }
        let is_long = elements.iter().any(|(number, _)| *number > 64);
        message.set(if is_long { 128 } else { 64 }, [0; 8]);
        let mut body = BytesMut::new();
        let dialect = Dialect::iso8583_1987_ascii();
        dialect.encode(&message, &mut body).unwrap();
        let mut body = body.to_vec();
        body.truncate(body.len() - 16);
        let mac = u64::from_be_bytes(key.mac(&body));
        body.extend(format!("{mac:016X}").into_bytes());
        body
    }

    fn says_octets(&mut self, body: &[u8]) {
        let mut frame = format!("{:04}", body.len()).into_bytes();
        frame.extend_from_slice(body);
        self.says_bytes(&frame);
    }

    fn says_sealed(&mut self, mti: &str, elements: &[(u8, &str)], key: &MacKey) {
        self.says_octets(&Self::sealed(mti, elements, key));
    }

    #[track_caller]
    fn believes(&mut self, mti: &str) -> Message {
        match self.event() {
            Event::Message { message, .. } => {
                assert_eq!(message.mti().to_string(), mti);
                message
            }
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    fn does_not_believe(&mut self, expected: MacFault) {
        match self.event() {
            Event::Ignored(Ignored::Unauthenticated { why, .. }) => assert_eq!(why, expected),
            other => panic!("{other:?}"),
        }
        self.no_event();
    }

    #[track_caller]
    fn changes_key(&mut self, octets: [u8; 16]) {
        let expected = key(octets).check_value();
        match self.event() {
            Event::KeyChanged { check_value } => assert_eq!(check_value, expected),
            other => panic!("{other:?}"),
        }
    }
}

const ANSWER: [(u8, &str); 2] = [(11, "000009"), (39, "00")];

#[test]
fn what_is_sent_ends_with_its_mac_over_all_before_it() {
    let mut dialogue = with_key();
    dialogue
        .sends("0200", &[(3, "000000"), (11, "000009")])
        .unwrap();
    let message = dialogue.hears_sealed(&key(ONE));
    assert!(message.has(64) && !message.has(128));
    let original = "0".repeat(42);
    dialogue
        .sends("0420", &[(11, "000010"), (90, &original)])
        .unwrap();
    let message = dialogue.hears_sealed(&key(ONE));
    assert!(message.has(128) && !message.has(64));
    dialogue.sends("0600", &[(11, "000011")]).unwrap();
    let message = dialogue.hears("0600", &[(11, "000011")]);
    assert_eq!(message.len(), 1, "a class without MAC has none");
}

#[test]
fn a_message_without_room_for_its_mac_is_not_sent() {
    let mut dialogue = with_key();
    for payload in [
        &b"0200"[..],
        b"",
        b"02000020000000000001000009ABCDEF0000000000",
    ] {
        let told = dialogue.session.send(Class::Financial, payload);
        assert_eq!(told, Err(SessionError::NoRoom));
    }
    dialogue.hears_nothing();
}

#[test]
fn an_answer_is_believed_only_with_its_mac() {
    let mut dialogue = with_key();
    dialogue.says_sealed("0210", &ANSWER, &key(ONE));
    dialogue.believes("0210");
    dialogue.says_sealed("0430", &[(11, "000009"), (102, "1")], &key(ONE));
    dialogue.believes("0430");
    dialogue.says("0210", &ANSWER);
    dialogue.does_not_believe(MacFault::Missing);
    dialogue.says_sealed("0210", &ANSWER, &key(TWO));
    dialogue.does_not_believe(MacFault::Wrong);
}

#[test]
fn an_answer_with_any_character_changed_is_not_believed() {
    let sound = Dialogue::sealed("0210", &ANSWER, &key(ONE));
    for at in 0..sound.len() {
        let mut dialogue = with_key();
        let mut changed = sound.clone();
        changed[at] = if changed[at] == b'0' { b'1' } else { b'0' };
        dialogue.says_octets(&changed);
        while let Some(event) = dialogue.session.poll_event() {
            let is_believed = matches!(event, Event::Message { ref message, .. }
                if [Class::Financial, Class::Reversal].contains(&message.mti().class));
            assert!(!is_believed, "{at}: {event:?}");
        }
    }
}

#[test]
fn a_mac_before_other_elements_protects_nothing() {
    let mut dialogue = with_key();
    let mac = u64::MAX.to_be_bytes();
    let mut message = Message::new(Mti::FINANCIAL_RESPONSE);
    message
        .set(11, "000009")
        .set(39, "00")
        .set(64, mac)
        .set(102, "1");
    let mut body = BytesMut::new();
    let dialect = Dialect::iso8583_1987_ascii();
    dialect.encode(&message, &mut body).unwrap();
    dialogue.says_octets(&body);
    dialogue.does_not_believe(MacFault::Missing);
}

#[test]
fn where_answers_may_lack_a_mac_a_wrong_one_and_a_request_without_one_are_still_not_believed() {
    let mut own = rules(Keyring::fixed(key(ONE)), None);
    own.required_on_answers = false;
    let mut dialogue = dialogue(own);
    dialogue.signs_on();
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.says("0210", &ANSWER);
    dialogue.believes("0210");
    dialogue.says_sealed("0210", &ANSWER, &key(TWO));
    dialogue.does_not_believe(MacFault::Wrong);
    dialogue.says("0200", &[(11, "000009")]);
    dialogue.does_not_believe(MacFault::Missing);
}

#[test]
fn a_mac_of_four_octets_is_followed_by_zeros() {
    let mut own = rules(Keyring::fixed(key(ONE)), None);
    own.length = MacLength::Four;
    let mut dialogue = dialogue(own);
    dialogue.signs_on();
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.sends("0200", &[(11, "000009")]).unwrap();
    let octets = dialogue.hears_octets();
    let (covered, mac) = octets.split_at(octets.len() - 16);
    let whole = format!("{:016X}", u64::from_be_bytes(key(ONE).mac(covered)));
    assert_eq!(mac, format!("{}00000000", &whole[..8]).as_bytes());
}

#[test]
fn without_a_session_key_a_bank_is_not_signed_on_until_it_sends_one() {
    let mut dialogue = dialogue(rules(Keyring::empty(), Some(exchange(false))));
    dialogue.signs_on();
    dialogue.no_event();
    dialogue.passes(SECOND);
    assert_eq!(dialogue.session.state(), State::SigningOn);
    let early = dialogue.sends("0200", &[(11, "000009")]);
    assert_eq!(early, Err(SessionError::NotSignedOn(State::SigningOn)));
    dialogue.says_sealed("0210", &ANSWER, &key(ONE));
    dialogue.does_not_believe(MacFault::NoKey);
    dialogue.hears_nothing();
    let asked = [(11, "777777"), (70, "161"), (48, &closed(ONE))];
    dialogue.says("0800", &asked);
    dialogue.hears("0810", &[(11, "777777"), (39, "00"), (70, "161")]);
    dialogue.changes_key(ONE);
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.sends("0200", &[(11, "000009")]).unwrap();
    dialogue.hears_sealed(&key(ONE));
}

#[test]
fn a_key_with_another_check_value_is_refused_and_the_key_before_stays() {
    let mut dialogue = dialogue(rules(Keyring::fixed(key(ONE)), Some(exchange(false))));
    dialogue.signs_on();
    assert!(matches!(dialogue.event(), Event::SignedOn));
    let mut value = closed(TWO);
    value.replace_range(37.., if value.ends_with('0') { "1" } else { "0" });
    for (value, fault) in [
        (value.as_str(), KeyFault::CheckValue),
        ("0123", KeyFault::Layout),
    ] {
        dialogue.says("0800", &[(11, "777777"), (70, "161"), (48, value)]);
        dialogue.hears("0810", &[(11, "777777"), (39, "63")]);
        assert!(matches!(dialogue.event(), Event::KeyRefused(told) if told == fault));
        dialogue.no_event();
    }
    dialogue.sends("0200", &[(11, "000009")]).unwrap();
    dialogue.hears_sealed(&key(ONE));
}

#[test]
fn a_bank_that_sends_no_key_in_time_is_connected_anew() {
    let mut dialogue = dialogue(rules(Keyring::empty(), Some(exchange(false))));
    dialogue.signs_on();
    for _ in 0..19 {
        dialogue.passes(SECOND);
        dialogue.no_event();
    }
    dialogue.passes(SECOND);
    dialogue.is_closed(CloseReason::NoKey);
}

#[test]
fn a_key_is_asked_for_after_the_sign_on_and_taken_from_the_answer() {
    let mut dialogue = dialogue(rules(Keyring::empty(), Some(exchange(true))));
    dialogue.signs_on();
    dialogue.passes(Duration::ZERO);
    let question = dialogue.hears("0800", &[(70, "161"), (11, "000002")]);
    assert_eq!(question.len(), 3, "DE7, DE11 and DE70");
    // Some banks leave DE70 out.
    let answer = [(11, "000002"), (39, "00"), (48, &*closed(ONE))];
    dialogue.says("0810", &answer);
    dialogue.changes_key(ONE);
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.says("0810", &answer);
    assert!(matches!(
        dialogue.event(),
        Event::Ignored(Ignored::UnexpectedAnswer { .. })
    ));
}

#[test]
fn the_answer_to_the_question_may_be_followed_by_the_key_in_a_request() {
    let mut dialogue = dialogue(rules(Keyring::empty(), Some(exchange(true))));
    dialogue.signs_on();
    dialogue.passes(Duration::ZERO);
    dialogue.hears("0800", &[(70, "161")]);
    dialogue.says("0810", &[(11, "000002"), (39, "00"), (70, "161")]);
    dialogue.passes(SECOND);
    dialogue.no_event();
    dialogue.hears_nothing();
    let asked = [(11, "777777"), (70, "161"), (48, &*closed(ONE))];
    dialogue.says("0800", &asked);
    dialogue.hears("0810", &[(39, "00")]);
    dialogue.changes_key(ONE);
    assert!(matches!(dialogue.event(), Event::SignedOn));
}

#[test]
fn a_bank_that_denies_a_key_or_gives_a_wrong_one_is_left() {
    let asked = || {
        let mut dialogue = dialogue(rules(Keyring::empty(), Some(exchange(true))));
        dialogue.signs_on();
        dialogue.passes(Duration::ZERO);
        dialogue.hears("0800", &[(70, "161")]);
        dialogue
    };
    let mut dialogue = asked();
    dialogue.says("0810", &[(11, "000002"), (39, "12"), (70, "161")]);
    assert!(matches!(
        dialogue.event(),
        Event::KeyDenied { response_code } if response_code == "12"
    ));
    dialogue.is_closed(CloseReason::KeyDenied);
    let mut dialogue = asked();
    let wrong = "00".repeat(19);
    dialogue.says("0810", &[(11, "000002"), (39, "00"), (48, &wrong)]);
    assert!(matches!(
        dialogue.event(),
        Event::KeyRefused(KeyFault::CheckValue)
    ));
    dialogue.is_closed(CloseReason::NoKey);
}

#[test]
fn after_a_change_the_new_key_is_sent_with_and_the_old_one_believed_for_a_while() {
    let mut dialogue = dialogue(rules(Keyring::fixed(key(ONE)), Some(exchange(false))));
    dialogue.signs_on();
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.says("0800", &[(11, "777777"), (70, "161"), (48, &closed(TWO))]);
    dialogue.hears("0810", &[(39, "00")]);
    dialogue.changes_key(TWO);
    dialogue.sends("0200", &[(11, "000009")]).unwrap();
    dialogue.hears_sealed(&key(TWO));
    dialogue.passes(30 * SECOND - Duration::from_nanos(1));
    for own in [ONE, TWO] {
        dialogue.says_sealed("0210", &ANSWER, &key(own));
        dialogue.believes("0210");
    }
    dialogue.passes(Duration::from_nanos(1));
    dialogue.says_sealed("0210", &ANSWER, &key(TWO));
    dialogue.believes("0210");
    dialogue.says_sealed("0210", &ANSWER, &key(ONE));
    dialogue.does_not_believe(MacFault::Wrong);
}

#[test]
fn the_links_of_a_bank_share_a_key_and_one_of_them_asks_for_it() {
    let own = Arc::new(rules(Keyring::empty(), Some(exchange(true))));
    let (mut one, mut other) = (sharing(&own), sharing(&own));
    one.signs_on();
    other.signs_on();
    one.passes(Duration::ZERO);
    other.passes(Duration::ZERO);
    one.hears("0800", &[(70, "161")]);
    other.hears_nothing();
    one.says("0810", &[(11, "000002"), (39, "00"), (48, &closed(ONE))]);
    one.changes_key(ONE);
    assert!(matches!(one.event(), Event::SignedOn));
    other.no_event();
    other.passes(Duration::from_millis(50));
    assert!(matches!(other.event(), Event::SignedOn));
    other.sends("0200", &[(11, "000009")]).unwrap();
    other.hears_sealed(&key(ONE));
    // The first one is lost and comes back: the key is in use, so nobody asks for another.
    one.session.disconnected();
    let mut again = sharing(&own);
    again.signs_on();
    assert!(matches!(again.event(), Event::SignedOn));
    // With the last link the bank's key is gone too.
    again.session.disconnected();
    other.session.disconnected();
    let mut anew = sharing(&own);
    anew.signs_on();
    anew.passes(Duration::ZERO);
    anew.hears("0800", &[(70, "161")]);
}

#[test]
fn a_link_that_is_lost_while_it_asks_lets_another_one_ask() {
    let own = Arc::new(rules(Keyring::empty(), Some(exchange(true))));
    let (mut one, mut other) = (sharing(&own), sharing(&own));
    one.signs_on();
    other.signs_on();
    one.passes(Duration::ZERO);
    one.hears("0800", &[(70, "161")]);
    one.session.disconnected();
    other.passes(Duration::ZERO);
    other.hears("0800", &[(70, "161")]);
}

#[test]
fn network_management_carries_a_mac_where_configured_but_for_the_exchange_itself() {
    let mut own = rules(Keyring::empty(), Some(exchange(false)));
    own.classes.push(Class::NetworkManagement);
    let mut dialogue = dialogue(own);
    dialogue.signs_on(); // There is no key yet, so it goes without.
    dialogue.says("0800", &[(11, "777777"), (70, "161"), (48, &closed(ONE))]);
    let answer = dialogue.hears("0810", &[(39, "00")]);
    assert!(!answer.has(64) && !answer.has(128));
    dialogue.changes_key(ONE);
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.passes(30 * SECOND);
    let echo = dialogue.hears_sealed(&key(ONE));
    assert_eq!(echo.text(70), Some("301"));
    dialogue.says("0800", &[(11, "777778"), (70, "301")]);
    dialogue.does_not_believe(MacFault::Missing);
    dialogue.hears_nothing();
    dialogue.says_sealed("0800", &[(11, "777778"), (70, "301")], &key(ONE));
    dialogue.hears_sealed(&key(ONE));
    // And the next key comes without a MAC again.
    dialogue.event();
    dialogue.says("0800", &[(11, "777779"), (70, "161"), (48, &closed(TWO))]);
    dialogue.hears("0810", &[(39, "00")]);
    dialogue.changes_key(TWO);
}

#[test]
fn the_answer_to_a_request_of_the_bank_carries_a_mac() {
    let mut dialogue = with_key();
    dialogue.says_sealed("0422", &[(11, "000009")], &key(ONE));
    let request = dialogue.believes("0422");
    let answer = crate::iso8583::answer::to(&request, "40").unwrap();
    dialogue.session.answer(&answer, None).unwrap();
    let answer = dialogue.hears_sealed(&key(ONE));
    assert_eq!(answer.mti().to_string(), "0432");
    assert_eq!(answer.text(39), Some("40"));
}

#[test]
fn an_answer_is_still_given_while_the_bank_signs_off_and_not_after_the_end() {
    let mut dialogue = Dialogue::signed_on();
    let answer = Message::new("0630".parse().unwrap());
    dialogue.says("0800", &[(11, "777777"), (70, "002")]);
    dialogue.hears("0810", &[(39, "00")]);
    dialogue.session.answer(&answer, None).unwrap();
    dialogue.hears("0630", &[]);
    dialogue.passes(10 * SECOND);
    let told = dialogue.session.answer(&answer, None);
    assert_eq!(told, Err(SessionError::NotSignedOn(State::Closed)));
}

#[test]
fn no_key_is_shown_by_settings_events_or_session() {
    let own = Arc::new(rules(Keyring::fixed(key(ONE)), Some(exchange(true))));
    let mut dialogue = sharing(&own);
    dialogue.signs_on();
    dialogue.says("0800", &[(11, "777777"), (70, "161"), (48, &closed(TWO))]);
    let mut shown = format!(
        "{:?}{:?}{own:?}",
        dialogue.session, dialogue.session.settings
    );
    while let Some(event) = dialogue.session.poll_event() {
        shown += &format!("{event:?}");
    }
    for secret in [
        &closed(TWO)[..32],
        KEK,
        "first sesion key",
        "the second key..",
    ] {
        assert!(!shown.contains(secret), "{shown}");
    }
    for octets in [ONE, TWO] {
        let listed = format!("{:?}", &octets[..4]);
        let listed = listed.trim_matches(['[', ']']);
        assert!(!shown.contains(listed), "{shown}");
    }
}
