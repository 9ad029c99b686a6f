//! Messages written by hand from the layout of ISO 8583:1987, so that an encoder and a decoder
//! cannot share a mistake, and the properties that hold for all messages.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use sampan::iso8583::field::{Content, FieldSpec, Length};
use sampan::iso8583::{Dialect, Framing, Message, Mti};

fn dialect() -> &'static Dialect {
    Dialect::iso8583_1987_ascii()
}

/// The bytes are the message, in both directions.
#[track_caller]
fn golden(mti: &str, elements: &[(u8, &[u8])], bytes: &[&str]) {
    let bytes = bytes.concat();
    let mut message = Message::new(mti.parse().unwrap());
    for (number, value) in elements {
        message.set(*number, value);
    }
    let mut written = BytesMut::new();
    dialect().encode(&message, &mut written).unwrap();
    assert_eq!(std::str::from_utf8(&written).unwrap(), bytes);
    assert_eq!(dialect().decode(Bytes::from(bytes)).unwrap(), message);
}

#[test]
fn a_financial_request_is_0200_with_one_bitmap() {
    // Bits 2 3 4 7 11 12 13 · 18 22 · 25 · 32 · 37 · 41 42 43 · 49.
    golden(
        "0200",
        &[
            (2, b"9704361234561234"),
            (3, b"000000"),
            (4, b"000000010000"),
            (7, b"0921073244"),
            (11, b"000124"),
            (12, b"143244"),
            (13, b"0921"),
            (18, b"5999"),
            (22, b"012"),
            (25, b"00"),
            (32, b"970499"),
            (37, b"226507000124"),
            (41, b"SAMPAN01"),
            (42, b"MERCHANT0000001"),
            (43, b"SAMPAN FERRY            HA NOI        VN"),
            (49, b"704"),
        ],
        &[
            "0200",
            "72384481",
            "08E08000",
            "169704361234561234",
            "000000",
            "000000010000",
            "0921073244",
            "000124",
            "143244",
            "0921",
            "5999",
            "012",
            "00",
            "06970499",
            "226507000124",
            "SAMPAN01",
            "MERCHANT0000001",
            "SAMPAN FERRY            HA NOI        VN",
            "704",
        ],
    );
}

#[test]
fn a_financial_response_is_0210() {
    golden(
        "0210",
        &[
            (3, b"000000"),
            (4, b"000000010000"),
            (7, b"0921073244"),
            (11, b"000124"),
            (37, b"226507000124"),
            (38, b"A1B2C3"),
            (39, b"00"),
            (41, b"SAMPAN01"),
            (49, b"704"),
        ],
        &[
            "0210",
            "32200000",
            "0E808000",
            "000000",
            "000000010000",
            "0921073244",
            "000124",
            "226507000124",
            "A1B2C3",
            "00",
            "SAMPAN01",
            "704",
        ],
    );
}

/// 0420 and 0421 differ in their last digit alone.
#[test]
fn a_reversal_and_its_repeat_name_the_original_in_the_secondary_bitmap() {
    for mti in ["0420", "0421"] {
        golden(
            mti,
            &[
                (3, b"000000"),
                (4, b"000000010000"),
                (7, b"0921073314"),
                (11, b"000125"),
                (37, b"226507000124"),
                (39, b"68"),
                (49, b"704"),
                (90, b"020000012409210732440000097049900000000000"),
                (128, &[0x00, 0x11, 0x22, 0x33, 0xAA, 0xBB, 0xCC, 0xDD]),
            ],
            &[
                mti,
                "B2200000",
                "0A008000",
                "00000040",
                "00000001",
                "000000",
                "000000010000",
                "0921073314",
                "000125",
                "226507000124",
                "68",
                "704",
                "020000012409210732440000097049900000000000",
                "00112233AABBCCDD",
            ],
        );
    }
}

#[test]
fn a_reversal_response_is_0430() {
    golden(
        "0430",
        &[(7, b"0921073314"), (11, b"000125"), (39, b"00")],
        &["0430", "02200000", "02000000", "0921073314", "000125", "00"],
    );
}

#[test]
fn network_management_is_0800_and_0810_with_element_70() {
    golden(
        "0800",
        &[(7, b"0921073244"), (11, b"000001"), (70, b"001")],
        &[
            "0800",
            "82200000",
            "00000000",
            "04000000",
            "00000000",
            "0921073244",
            "000001",
            "001",
        ],
    );
    golden(
        "0810",
        &[
            (7, b"0921073244"),
            (11, b"000001"),
            (39, b"00"),
            (70, b"001"),
        ],
        &[
            "0810",
            "82200000",
            "02000000",
            "04000000",
            "00000000",
            "0921073244",
            "000001",
            "00",
            "001",
        ],
    );
}

#[test]
fn every_kind_of_element_travels_as_its_layout_says() {
    golden(
        "0220",
        &[
            (2, b"9704360000001234567"),
            (28, b"D00000500"),
            (34, b"59-97043600"),
            (35, b"9704361234561234=25121010000"),
            (36, b"019704361234561234=724"),
            (45, b"B9704361234561234^NGUYEN VAN A^2512"),
            (48, b"private"),
            (52, &[0x12, 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE, 0xF0]),
            (54, b"0001704D000000010000"),
            (64, &[0xFF; 8]),
            (91, b"3"),
            (95, b"000000005000000000000000000000000000000000"),
            (97, b"C0000000000010000"),
            (102, b"0011001234567"),
            (104, b""),
            (127, b"~ !"),
        ],
        &[
            "0220",
            // 1 2 · 28 · 34 35 36 · 45 48 · 52 54 · 64
            "C0000010",
            "70091401",
            // 91 95 · 97 102 104 · 127
            "00000022",
            "85000002",
            "199704360000001234567",
            "D00000500",
            "1159-97043600",
            "289704361234561234=25121010000",
            "022019704361234561234=724",
            "35B9704361234561234^NGUYEN VAN A^2512",
            "007private",
            "123456789ABCDEF0",
            "0200001704D000000010000",
            "FFFFFFFFFFFFFFFF",
            "3",
            "000000005000000000000000000000000000000000",
            "C0000000000010000",
            "130011001234567",
            "000",
            "003~ !",
        ],
    );
}

/// A value that fills a fixed element, or any up to the limit of a variable one.
fn value_of(spec: &FieldSpec) -> BoxedStrategy<Vec<u8>> {
    let alphabet: &'static [u8] = match spec.content() {
        Content::Letters => b"abcXYZ ",
        Content::Digits | Content::SignedDigits => b"0123456789",
        Content::LettersDigits => b"09azAZ ",
        Content::Text => b" !09AZaz~|^=",
        Content::DigitsSpecial => b"0123456789-/ .",
        Content::Track => b"0123456789=D",
        Content::Bytes | Content::Bitmap => b"\x00\x01\x7F\x80\xFE\xFF\x30\x0A",
    };
    let signed = spec.content() == Content::SignedDigits;
    let limit = spec.length().maximum();
    let least = match spec.length() {
        Length::Fixed(_) => limit,
        Length::Ll(_) | Length::Lll(_) => 0,
    };
    let bytes = prop::collection::vec(prop::sample::select(alphabet), least..=limit);
    let sign = prop::sample::select(&b"CD"[..]);
    (bytes, sign)
        .prop_map(move |(mut bytes, sign)| {
            if let (true, Some(first)) = (signed, bytes.first_mut()) {
                *first = sign;
            }
            bytes
        })
        .boxed()
}

fn element(number: u8) -> impl Strategy<Value = (u8, Vec<u8>)> {
    value_of(dialect().element(number).unwrap()).prop_map(move |value| (number, value))
}

/// All elements that a caller may set.
fn settable() -> Vec<u8> {
    (2..=128).filter(|number| *number != 65).collect()
}

fn message() -> impl Strategy<Value = Message> {
    let mti = prop::sample::select(&["0200", "0210", "0420", "0421", "0430", "0800", "9645"][..]);
    let numbers = prop::sample::subsequence(settable(), 0..=126);
    let elements = numbers.prop_flat_map(|n| n.into_iter().map(element).collect::<Vec<_>>());
    (mti, elements.prop_shuffle()).prop_map(|(mti, elements)| {
        let mut message = Message::new(mti.parse().unwrap());
        for (number, value) in elements {
            message.set(number, value);
        }
        message
    })
}

fn there_and_back(message: &Message) -> Message {
    let mut written = BytesMut::new();
    dialect().encode(message, &mut written).unwrap();
    dialect().decode(written.freeze()).unwrap()
}

#[test]
fn each_element_alone_is_read_as_it_was_written() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(16));
    for number in settable() {
        runner
            .run(&element(number), |(number, value)| {
                let mut message = Message::new(Mti::FINANCIAL_REQUEST);
                message.set(number, value);
                prop_assert_eq!(there_and_back(&message), message);
                Ok(())
            })
            .unwrap();
    }
}

/// A message with one byte changed, or bytes that were never a message.
fn suspicious_bytes() -> impl Strategy<Value = Vec<u8>> {
    let altered = (message(), any::<prop::sample::Index>(), any::<u8>());
    let altered = altered.prop_map(|(message, index, byte)| {
        let mut written = BytesMut::new();
        dialect().encode(&message, &mut written).unwrap();
        let index = index.index(written.len());
        written[index] = byte;
        written.to_vec()
    });
    let noise = prop::collection::vec(any::<u8>(), 0..400);
    let digits = "[0-9A-F]{0,400}".prop_map(String::into_bytes);
    prop_oneof![altered, noise, digits]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_set_of_elements_is_read_as_it_was_written(message in message()) {
        prop_assert_eq!(there_and_back(&message), message);
    }

    /// What decodes at all encodes again to a message of the same elements, unless it holds text
    /// that is received generously and sent strictly.
    #[test]
    fn any_bytes_decode_or_are_refused_within_their_length(bytes in suspicious_bytes()) {
        let length = bytes.len();
        match dialect().decode(Bytes::from(bytes)) {
            Err(error) => prop_assert!(error.position <= length, "{}", error),
            Ok(message) => {
                let mut written = BytesMut::new();
                if dialect().encode(&message, &mut written).is_ok() {
                    prop_assert_eq!(written.len(), length);
                }
            }
        }
    }

    #[test]
    fn frames_are_the_same_at_any_split(
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let framing = Framing::default();
        let mut stream = BytesMut::new();
        for body in &bodies {
            framing.put_frame(body, &mut stream).unwrap();
        }
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        ends.push(stream.len());
        ends.sort_unstable();
        let (mut input, mut taken, mut start) = (BytesMut::new(), Vec::new(), 0);
        for end in ends {
            input.extend_from_slice(&stream[start..end]);
            start = end;
            while let Some(frame) = framing.take_frame(&mut input).unwrap() {
                taken.push(frame.to_vec());
            }
        }
        prop_assert_eq!(taken, bodies);
        prop_assert!(input.is_empty());
    }

    #[test]
    fn any_bytes_as_frames_end_in_frames_a_wait_or_an_error(
        bytes in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            "(00[0-9]{2}|[ -~]{0,9}){0,20}".prop_map(String::into_bytes),
        ],
        keep_alive in any::<bool>(),
    ) {
        let framing = Framing::new(100, keep_alive);
        let mut input = BytesMut::from(&bytes[..]);
        let mut before = input.len() + 1;
        while let Ok(Some(_)) = framing.take_frame(&mut input) {
            prop_assert!(input.len() < before, "each frame takes bytes off");
            before = input.len();
        }
    }
}
