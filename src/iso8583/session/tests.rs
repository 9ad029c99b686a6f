//! Dialogues of a session with a scripted bank, on a clock that only the test moves.

use super::*;
use crate::iso8583::frame::HeaderKind;
use crate::iso8583::{Dialect, Framing};
use proptest::prelude::*;

mod security;

const SECOND: Duration = Duration::from_secs(1);

struct Counter(u32);

impl Stans for Counter {
    fn next_stan(&mut self) -> Stan {
        self.0 += 1;
        Stan::new(self.0).unwrap()
    }
}

/// A session, the time, and the wire between it and the bank.
struct Dialogue {
    session: Session,
    now: Now,
    stans: Counter,
    wire: BytesMut,
}

impl Dialogue {
    fn new(change: impl FnOnce(&mut SessionSettings)) -> Self {
        let dialect = Arc::new(Dialect::iso8583_1987_ascii().clone());
        let mut settings = SessionSettings::new(dialect);
        change(&mut settings);
        settings.check().unwrap();
        Self {
            session: Session::new(Arc::new(settings)),
            // 2012-09-21 07:32:44 UTC.
            now: Now {
                monotonic: Instant::now(),
                utc: OffsetDateTime::from_unix_timestamp(1_348_212_764).unwrap(),
            },
            stans: Counter(0),
            wire: BytesMut::new(),
        }
    }

    /// A dialogue in which the bank has accepted the sign-on.
    fn signed_on() -> Self {
        let mut dialogue = Self::new(|_| {});
        dialogue.connect();
        dialogue.hears("0800", &[(70, "001"), (11, "000001")]);
        dialogue.says("0810", &[(11, "000001"), (39, "00"), (70, "001")]);
        assert!(matches!(dialogue.event(), Event::SignedOn));
        dialogue
    }

    fn connect(&mut self) {
        self.session.connected(self.now, &mut self.stans);
    }

    fn passes(&mut self, time: Duration) {
        self.now.monotonic += time;
        self.now.utc += time;
        self.session.handle_timeout(self.now, &mut self.stans);
    }

    /// The bank says a message.
    fn says(&mut self, mti: &str, elements: &[(u8, &str)]) {
        let mut message = Message::new(mti.parse().unwrap());
        for (number, value) in elements {
            message.set(*number, value);
        }
        let mut body = BytesMut::new();
        let dialect = Dialect::iso8583_1987_ascii();
        dialect.encode(&message, &mut body).unwrap();
        let mut frame = format!("{:04}", body.len()).into_bytes();
        frame.extend_from_slice(&body);
        self.says_bytes(&frame);
    }

    fn says_bytes(&mut self, bytes: &[u8]) -> Received {
        self.wire.extend_from_slice(bytes);
        self.session.receive(self.now, &mut self.wire, 100)
    }

    /// The bank hears a message with, among others, these elements.
    fn hears(&mut self, mti: &str, elements: &[(u8, &str)]) -> Message {
        let framing = Framing::default();
        let frame = framing.take_frame(self.session.output()).unwrap().unwrap();
        let message = Dialect::iso8583_1987_ascii().decode(frame.body).unwrap();
        assert_eq!(message.mti().to_string(), mti);
        for (number, value) in elements {
            assert_eq!(message.text(*number), Some(*value), "DE{number}");
        }
        message
    }

    fn hears_nothing(&mut self) {
        assert_eq!(&self.session.output()[..], b"");
    }

    fn event(&mut self) -> Event {
        self.session.poll_event().unwrap()
    }

    fn no_event(&mut self) {
        assert!(self.session.poll_event().is_none());
    }

    #[track_caller]
    fn is_closed(&mut self, expected: CloseReason) {
        assert!(matches!(self.event(), Event::Closed(reason) if reason == expected));
        assert_eq!(self.session.state(), State::Closed);
        assert_eq!(self.session.next_timeout(), None);
        self.no_event();
    }
}

#[test]
fn a_session_signs_on_and_then_may_send() {
    let mut dialogue = Dialogue::new(|_| {});
    assert_eq!(dialogue.session.state(), State::Open);
    dialogue.connect();
    assert_eq!(dialogue.session.state(), State::SigningOn);
    let early = dialogue.session.send(Class::Financial, b"0200");
    assert_eq!(early, Err(SessionError::NotSignedOn(State::SigningOn)));
    let expected = [(7, "0921073244"), (11, "000001"), (70, "001")];
    assert_eq!(dialogue.hears("0800", &expected).len(), expected.len());
    dialogue.says("0810", &[(11, "000001"), (39, "00"), (70, "001")]);
    assert!(matches!(dialogue.event(), Event::SignedOn));
    assert_eq!(dialogue.session.state(), State::SignedOn);
    dialogue.session.send(Class::Financial, b"0200").unwrap();
    assert_eq!(&dialogue.session.output()[..], b"00040200");
}

#[test]
fn every_0800_carries_the_configured_elements() {
    let mut dialogue = Dialogue::new(|settings| {
        settings.elements = vec![(32, b"970499".as_slice().into())];
    });
    dialogue.connect();
    dialogue.hears("0800", &[(32, "970499")]);
}

#[test]
fn settings_that_the_dialect_cannot_write_are_found_before_they_are_needed() {
    let dialect = Arc::new(Dialect::iso8583_1987_ascii().clone());
    let mut settings = SessionSettings::new(dialect);
    settings.elements = vec![(32, b"123456789012".as_slice().into())];
    assert_eq!(settings.check().unwrap_err().element, 32);
    let mut session = Session::new(Arc::new(settings));
    let now = Dialogue::new(|_| {}).now;
    session.connected(now, &mut Counter(0));
    let event = session.poll_event().unwrap();
    assert!(matches!(event, Event::Closed(CloseReason::Unencodable(_))));
}

#[test]
fn a_bank_without_sign_on_is_signed_on_at_once() {
    let mut dialogue = Dialogue::new(|settings| settings.sign_on = None);
    dialogue.connect();
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.hears_nothing();
}

#[test]
fn a_bank_that_signs_on_itself_is_answered_and_then_signed_on() {
    let mut dialogue = Dialogue::new(|settings| settings.sign_on_by = SignOnBy::Bank);
    dialogue.connect();
    dialogue.hears_nothing();
    assert_eq!(dialogue.session.state(), State::SigningOn);
    // An echo before is answered and signs nobody on.
    dialogue.says("0800", &[(11, "777776"), (70, "301")]);
    dialogue.hears("0810", &[(11, "777776"), (39, "00"), (70, "301")]);
    assert!(matches!(dialogue.event(), Event::PeerRequest { .. }));
    dialogue.no_event();
    assert!(dialogue.session.send(Class::Financial, b"0200").is_err());
    dialogue.says("0800", &[(11, "777777"), (70, "001")]);
    dialogue.hears("0810", &[(11, "777777"), (39, "00"), (70, "001")]);
    assert!(matches!(dialogue.event(), Event::PeerRequest { .. }));
    assert!(matches!(dialogue.event(), Event::SignedOn));
    assert_eq!(dialogue.session.state(), State::SignedOn);
    // A second sign-on is answered, and is no event of its own.
    dialogue.says("0800", &[(11, "777778"), (70, "001")]);
    dialogue.hears("0810", &[(11, "777778"), (39, "00")]);
    assert!(matches!(dialogue.event(), Event::PeerRequest { .. }));
    dialogue.no_event();
}

#[test]
fn a_bank_that_does_not_sign_on_in_time_is_left() {
    let mut dialogue = Dialogue::new(|settings| settings.sign_on_by = SignOnBy::Bank);
    dialogue.connect();
    dialogue.passes(10 * SECOND - Duration::from_nanos(1));
    dialogue.no_event();
    dialogue.passes(Duration::from_nanos(1));
    dialogue.is_closed(CloseReason::NoSignOn);
}

#[test]
fn a_refused_sign_on_is_told_with_its_code_and_closes() {
    let mut dialogue = Dialogue::new(|_| {});
    dialogue.connect();
    dialogue.says("0810", &[(11, "000001"), (39, "91")]);
    assert!(matches!(
        dialogue.event(),
        Event::SignOnRefused { response_code } if response_code == "91"
    ));
    dialogue.is_closed(CloseReason::SignOnRefused);
}

#[test]
fn an_answer_with_another_stan_does_not_sign_on() {
    let mut dialogue = Dialogue::new(|_| {});
    dialogue.connect();
    dialogue.says("0810", &[(11, "000002"), (39, "00")]);
    assert!(matches!(
        dialogue.event(),
        Event::Ignored(Ignored::UnexpectedAnswer { stan }) if stan == Stan::new(2)
    ));
    assert_eq!(dialogue.session.state(), State::SigningOn);
}

#[test]
fn an_unanswered_sign_on_closes_when_its_time_is_over() {
    let mut dialogue = Dialogue::new(|_| {});
    dialogue.connect();
    dialogue.passes(10 * SECOND - Duration::from_nanos(1));
    dialogue.no_event();
    dialogue.passes(Duration::from_nanos(1));
    dialogue.is_closed(CloseReason::SignOnTimeout);
}

#[test]
fn an_idle_session_sends_an_echo_and_lives_by_its_answer() {
    let mut dialogue = Dialogue::signed_on();
    for stan in ["000002", "000003"] {
        dialogue.passes(29 * SECOND);
        dialogue.hears_nothing();
        dialogue.passes(SECOND);
        dialogue.hears("0800", &[(70, "301"), (11, stan)]);
        dialogue.passes(9 * SECOND);
        dialogue.says("0810", &[(11, stan), (39, "00"), (70, "301")]);
        dialogue.no_event();
    }
    assert_eq!(dialogue.session.state(), State::SignedOn);
}

#[test]
fn an_unanswered_echo_closes() {
    let mut dialogue = Dialogue::signed_on();
    dialogue.passes(30 * SECOND);
    dialogue.hears("0800", &[(70, "301")]);
    dialogue.passes(10 * SECOND);
    dialogue.is_closed(CloseReason::EchoTimeout);
}

#[test]
fn any_message_proves_life_and_the_late_answer_to_the_echo_is_no_surprise() {
    let mut dialogue = Dialogue::signed_on();
    dialogue.passes(20 * SECOND);
    dialogue.says("0210", &[(11, "000009"), (39, "00")]);
    assert!(matches!(dialogue.event(), Event::Message { .. }));
    dialogue.passes(20 * SECOND);
    dialogue.hears_nothing();
    dialogue.passes(10 * SECOND);
    dialogue.hears("0800", &[(70, "301"), (11, "000002")]);
    dialogue.says("0210", &[(11, "000010"), (39, "00")]);
    assert!(matches!(dialogue.event(), Event::Message { .. }));
    dialogue.passes(15 * SECOND);
    assert_eq!(dialogue.session.state(), State::SignedOn);
    dialogue.says("0810", &[(11, "000002"), (39, "00"), (70, "301")]);
    dialogue.no_event();
}

#[test]
fn neither_an_event_nor_the_session_shows_a_card() {
    let mut dialogue = Dialogue::signed_on();
    dialogue.says("0210", &[(2, "9704361234567890"), (11, "000009")]);
    let session = format!("{:?}", dialogue.session);
    let event = format!("{:?}", dialogue.event());
    assert!(event.contains("970436******7890"), "{event}");
    for shown in [session, event] {
        assert!(!shown.contains("9704361234567890"), "{shown}");
    }
}

#[test]
fn without_an_echo_period_no_echo_is_sent() {
    let mut dialogue = Dialogue::new(|settings| {
        settings.sign_on = None;
        settings.echo_period = None;
    });
    dialogue.connect();
    assert_eq!(dialogue.session.next_timeout(), None);
    dialogue.passes(1_000_000 * SECOND);
    dialogue.hears_nothing();
}

#[test]
fn the_banks_own_requests_are_answered() {
    for code in ["301", "001", "201"] {
        let mut dialogue = Dialogue::signed_on();
        let asked = [
            (7, "0921073300"),
            (11, "777777"),
            (33, "970400"),
            (70, code),
        ];
        dialogue.says("0800", &asked);
        let answer = dialogue.hears("0810", &asked);
        assert_eq!(answer.text(39), Some("00"));
        assert_eq!(answer.len(), 5);
        assert!(matches!(
            dialogue.event(),
            Event::PeerRequest { code: told, response_code: Some("00") }
                if told == NetworkCode::parse(code.as_bytes())
        ));
        assert_eq!(dialogue.session.state(), State::SignedOn);
    }
}

#[test]
fn what_sampan_cannot_honour_is_not_acknowledged() {
    let mut dialogue = Dialogue::signed_on();
    dialogue.says("0800", &[(11, "777777"), (70, "161")]);
    dialogue.hears("0810", &[(11, "777777"), (39, "12")]);
    dialogue.says("0800", &[(11, "777778")]);
    dialogue.hears("0810", &[(11, "777778"), (39, "30")]);
    dialogue.says("0840", &[(11, "777779"), (70, "301")]);
    dialogue.hears_nothing();
}

#[test]
fn a_sign_off_waits_for_its_answer_and_still_hands_up_late_answers() {
    let mut dialogue = Dialogue::signed_on();
    dialogue.session.sign_off(dialogue.now, &mut dialogue.stans);
    assert_eq!(dialogue.session.state(), State::SigningOff);
    dialogue.hears("0800", &[(70, "002"), (11, "000002")]);
    assert!(dialogue.session.send(Class::Financial, b"0200").is_err());
    dialogue.says("0210", &[(11, "000009"), (39, "00")]);
    assert!(matches!(dialogue.event(), Event::Message { .. }));
    dialogue.says("0810", &[(11, "000002"), (39, "00")]);
    dialogue.is_closed(CloseReason::SignedOff);
}

#[test]
fn an_unanswered_sign_off_closes_when_its_time_is_over() {
    let mut dialogue = Dialogue::signed_on();
    dialogue.session.sign_off(dialogue.now, &mut dialogue.stans);
    dialogue.passes(10 * SECOND);
    dialogue.is_closed(CloseReason::SignOffTimeout);
}

#[test]
fn a_sign_off_before_the_sign_on_or_without_a_code_closes_at_once() {
    let mut dialogue = Dialogue::new(|_| {});
    dialogue.session.sign_off(dialogue.now, &mut dialogue.stans);
    dialogue.is_closed(CloseReason::SignedOff);
    let mut dialogue = Dialogue::new(|settings| {
        settings.sign_on = None;
        settings.sign_off = None;
    });
    dialogue.connect();
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.session.sign_off(dialogue.now, &mut dialogue.stans);
    dialogue.hears_nothing();
    dialogue.is_closed(CloseReason::SignedOff);
}

#[test]
fn a_bank_that_signs_off_may_still_answer_and_then_the_session_closes() {
    let mut dialogue = Dialogue::signed_on();
    dialogue.says("0800", &[(11, "777777"), (70, "002")]);
    dialogue.hears("0810", &[(39, "00")]);
    assert!(matches!(dialogue.event(), Event::PeerRequest { .. }));
    assert_eq!(dialogue.session.state(), State::SigningOff);
    dialogue.says("0210", &[(11, "000009"), (39, "00")]);
    assert!(matches!(dialogue.event(), Event::Message { .. }));
    dialogue.passes(10 * SECOND);
    dialogue.is_closed(CloseReason::PeerSignedOff);
}

#[test]
fn a_message_goes_up_decoded_and_as_it_was_received() {
    let mut dialogue = Dialogue::signed_on();
    // MTI, bitmap of elements 11 and 39, 000009, 00.
    let body = b"0210002000000200000000000900";
    for piece in [&b"00"[..], b"28", &body[..3], &body[3..27]] {
        dialogue.says_bytes(piece);
        dialogue.no_event();
    }
    dialogue.says_bytes(&body[27..]);
    let Event::Message { message, raw, .. } = dialogue.event() else {
        panic!("a message was expected");
    };
    assert_eq!(message.text(11), Some("000009"));
    assert_eq!(&raw[..], body);
}

#[test]
fn an_undecodable_body_in_a_sound_frame_is_ignored_and_the_next_is_read() {
    let mut dialogue = Dialogue::signed_on();
    dialogue.says_bytes(b"0005junk!");
    assert!(matches!(
        dialogue.event(),
        Event::Ignored(Ignored::Undecodable(_))
    ));
    dialogue.says("0210", &[(11, "000009"), (39, "00")]);
    assert!(matches!(dialogue.event(), Event::Message { .. }));
}

#[test]
fn a_broken_frame_closes_and_nothing_after_it_is_read() {
    let mut dialogue = Dialogue::signed_on();
    let received = dialogue.says_bytes(b"GET / HTTP/1.1\r\n");
    assert_eq!(received.frames, 0);
    dialogue.is_closed(CloseReason::BrokenFrame(FrameError::NotDigit {
        position: 0,
        header: HeaderKind::Ascii4,
    }));
    dialogue.says("0210", &[(11, "000009"), (39, "00")]);
    dialogue.no_event();
}

#[test]
fn work_per_call_is_limited_and_the_rest_is_waiting() {
    let mut dialogue = Dialogue::signed_on();
    let mut input = BytesMut::from(&b"0004junk0004junk0004junk"[..]);
    let first = dialogue.session.receive(dialogue.now, &mut input, 2);
    assert_eq!(
        first,
        Received {
            frames: 2,
            more: true
        }
    );
    let rest = dialogue.session.receive(dialogue.now, &mut input, 2);
    assert_eq!(
        rest,
        Received {
            frames: 1,
            more: false
        }
    );
}

#[test]
fn a_keep_alive_counts_as_life_and_says_nothing() {
    let mut dialogue = Dialogue::new(|settings| {
        settings.sign_on = None;
        settings.framing = Framing::new(settings.dialect.header(), 9_999, true);
    });
    dialogue.connect();
    assert!(matches!(dialogue.event(), Event::SignedOn));
    dialogue.passes(29 * SECOND);
    dialogue.says_bytes(b"0000");
    dialogue.no_event();
    dialogue.passes(29 * SECOND);
    dialogue.hears_nothing();
}

#[test]
fn a_bank_that_asks_and_never_reads_is_closed_before_it_fills_the_memory() {
    let mut dialogue = Dialogue::signed_on();
    let echo = b"00550800822000000000000004000000000000000921073300777777301";
    let mut frames = 0;
    while dialogue.session.state() != State::Closed {
        frames += 1;
        assert!(frames < 2 * OUTPUT_BYTES_MAX / echo.len(), "closed in time");
        dialogue.says_bytes(echo);
        while let Some(event) = dialogue.session.poll_event() {
            if let Event::Closed(reason) = event {
                assert_eq!(reason, CloseReason::OutputFull);
            }
        }
    }
}

/// What a bank may send: sound frames of network management and of payments, and junk in frames.
fn frames() -> impl Strategy<Value = Vec<u8>> {
    let codes = prop::sample::select(&["001", "002", "301", "161", "201"][..]);
    let request = (0..9u32, codes).prop_map(|(stan, code)| {
        format!("0045080080200000000000000400000000000000{stan:06}{code}")
    });
    let answer = (0..9u32, prop::sample::select(&["00", "91"][..]))
        .prop_map(|(stan, code)| format!("002808100020000002000000{stan:06}{code}"));
    let payment = (0..9u32).prop_map(|stan| format!("002802100020000002000000{stan:06}00"));
    let junk = "0005[ -~]{5}|[0-9]{4}|[ -~]{1,3}";
    let frame = prop_oneof![4 => request, 4 => answer, 4 => payment, 1 => junk];
    prop::collection::vec(frame, 0..12).prop_map(|frames| frames.concat().into_bytes())
}

proptest! {
    #[test]
    fn a_session_ends_the_same_however_its_input_is_split(
        bytes in frames(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let run = |ends: &[usize]| {
            let mut dialogue = Dialogue::new(|_| {});
            dialogue.connect();
            let mut start = 0;
            for end in ends {
                dialogue.says_bytes(&bytes[start..*end]);
                start = *end;
            }
            let output = dialogue.session.output().split();
            let events = std::iter::from_fn(|| dialogue.session.poll_event());
            let events: Vec<_> = events.map(|event| format!("{event:?}")).collect();
            (dialogue.session.state(), output, events)
        };
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        ends.push(bytes.len());
        ends.sort_unstable();
        prop_assert_eq!(run(&ends), run(&[bytes.len()]));
    }

    #[test]
    fn any_bytes_and_any_time_leave_a_session_in_order(
        steps in prop::collection::vec(
            (prop_oneof![frames(), prop::collection::vec(any::<u8>(), 0..40)], 0..40u32),
            0..8,
        ),
    ) {
        let mut dialogue = Dialogue::new(|_| {});
        dialogue.connect();
        let mut closed = 0;
        for (bytes, seconds) in steps {
            dialogue.says_bytes(&bytes);
            dialogue.passes(seconds * SECOND);
            while let Some(event) = dialogue.session.poll_event() {
                prop_assert_eq!(closed, 0, "nothing follows the end: {:?}", event);
                closed += usize::from(matches!(event, Event::Closed(_)));
            }
            prop_assert_eq!(closed == 1, dialogue.session.state() == State::Closed);
            let due = dialogue.session.next_timeout();
            prop_assert!(due.is_none_or(|due| due > dialogue.now.monotonic), "no timer spins");
        }
    }
}

/// A dialogue whose frames have a TPDU.
fn behind_a_tpdu() -> Dialogue {
    let text = Dialect::ISO8583_1987_ASCII_TEXT;
    let text = text.replace("\nbitmap", "\ntpdu = \"6000030000\"\nbitmap");
    let dialect = Arc::new(Dialect::parse(&text).unwrap());
    Dialogue::new(|settings| {
        settings.framing = SessionSettings::new(Arc::clone(&dialect)).framing;
    })
}

#[test]
fn what_a_floor_above_answers_goes_to_where_the_request_came_from() {
    let mut dialogue = behind_a_tpdu();
    dialogue.connect();
    dialogue.session.output().clear();
    // A chargeback: an 0422 of DE11.
    let chargeback = b"04220020000000000000000009";
    let mut frame = format!("{:04}", 5 + chargeback.len()).into_bytes();
    frame.extend_from_slice(&[0x60, 0x12, 0x34, 0x56, 0x78]);
    frame.extend_from_slice(chargeback);
    dialogue.says_bytes(&frame);
    let Event::Message { message, tpdu, .. } = dialogue.event() else {
        panic!("no message")
    };
    let answer = crate::iso8583::answer::to(&message, "40").unwrap();
    dialogue.session.answer(&answer, tpdu).unwrap();
    let output = dialogue.session.output();
    assert_eq!(output[4..9], [0x60, 0x56, 0x78, 0x12, 0x34]);
    assert_eq!(output[9..13], *b"0432");
}

#[test]
fn a_request_of_the_bank_is_answered_to_where_it_came_from() {
    let mut dialogue = behind_a_tpdu();
    dialogue.connect();
    // What the session begins has the dialect's own TPDU, behind the length.
    assert_eq!(dialogue.session.output()[4..9], [0x60, 0, 3, 0, 0]);
    dialogue.session.output().clear();
    // An echo: an 0800 of DE11 and DE70.
    let echo = b"080080200000000000000400000000000000000001301";
    let mut frame = format!("{:04}", 5 + echo.len()).into_bytes();
    frame.extend_from_slice(&[0x60, 0x12, 0x34, 0x56, 0x78]);
    frame.extend_from_slice(echo);
    dialogue.says_bytes(&frame);
    assert_eq!(
        dialogue.session.output()[4..9],
        [0x60, 0x56, 0x78, 0x12, 0x34]
    );
}
