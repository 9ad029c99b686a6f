//! What holds for every message, every frame and every byte that may come, in every dialect that is
//! part of the program and in one of all the other forms.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use sampan::iso8583::field::{Content, FieldSpec, Length};
use sampan::iso8583::frame::{Header, HeaderKind, Tpdu};
use sampan::iso8583::{Dialect, Framing, Message, Mti};
use std::sync::LazyLock;

/// The forms that no built-in dialect has, in turn.
static MIXED: LazyLock<Dialect> =
    LazyLock::new(|| Dialect::parse(include_str!("../fuzz/fuzz_targets/mixed.toml")).unwrap());

fn dialects() -> impl Iterator<Item = &'static Dialect> {
    let built_in = Dialect::built_in_names().filter_map(Dialect::built_in);
    built_in.chain([&*MIXED])
}

/// A value that fills a fixed element, or any up to the limit of a variable one.
fn value_of(spec: &FieldSpec) -> BoxedStrategy<Vec<u8>> {
    let alphabet: &'static [u8] = match spec.content() {
        Content::Letters => b"abcXYZ ",
        Content::Digits | Content::SignedDigits => b"0123456789",
        Content::LettersDigits => b"09azAZ ",
        Content::Text => b" !09AZaz~|^=",
        Content::DigitsSpecial => b"0123456789-/ .",
        // Not D, which is read as the = that it stands for where two digits are a byte.
        Content::Track => b"0123456789=",
        Content::Bytes | Content::Bitmap => b"\x00\x01\x7F\x80\xFE\xFF\x30\x0A",
    };
    let signed = spec.content() == Content::SignedDigits;
    let limit = spec.length().maximum();
    let least = match spec.length() {
        Length::Fixed(_) => limit,
        Length::L(_) | Length::Ll(_) | Length::Lll(_) | Length::Llll(_) => 0,
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

fn element(dialect: &Dialect, number: u8) -> impl Strategy<Value = (u8, Vec<u8>)> + use<> {
    value_of(dialect.element(number).unwrap()).prop_map(move |value| (number, value))
}

/// All elements that a caller may set.
fn settable() -> Vec<u8> {
    (2..=128).filter(|number| *number != 65).collect()
}

fn message(dialect: &Dialect) -> impl Strategy<Value = Message> + use<> {
    let mti = prop::sample::select(&["0200", "0210", "0420", "0421", "0430", "0800", "9645"][..]);
    let elements: Vec<_> = settable()
        .into_iter()
        .map(|n| element(dialect, n).boxed())
        .collect();
    let elements = prop::sample::subsequence(elements, 0..=126).prop_flat_map(|chosen| chosen);
    (mti, elements.prop_shuffle()).prop_map(|(mti, elements)| {
        let mut message = Message::new(mti.parse().unwrap());
        for (number, value) in elements {
            message.set(number, value);
        }
        message
    })
}

/// A message in one of the dialects.
fn dialect_and_message() -> impl Strategy<Value = (&'static Dialect, Message)> {
    prop::sample::select(dialects().collect::<Vec<_>>())
        .prop_flat_map(|dialect| (Just(dialect), message(dialect)))
}

fn written(dialect: &Dialect, message: &Message) -> BytesMut {
    let mut written = BytesMut::new();
    dialect.encode(message, &mut written).unwrap();
    written
}

fn there_and_back(dialect: &Dialect, message: &Message) -> Message {
    dialect.decode(written(dialect, message).freeze()).unwrap()
}

#[test]
fn each_element_alone_is_read_as_it_was_written() {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(16));
    for dialect in dialects() {
        for number in settable() {
            runner
                .run(&element(dialect, number), |(number, value)| {
                    let mut message = Message::new(Mti::FINANCIAL_REQUEST);
                    message.set(number, value);
                    prop_assert_eq!(there_and_back(dialect, &message), message);
                    Ok(())
                })
                .unwrap();
        }
    }
}

/// A message with one byte changed, or bytes that were never a message.
fn suspicious_bytes() -> impl Strategy<Value = (&'static Dialect, Vec<u8>)> {
    let position = any::<prop::sample::Index>();
    let altered = (dialect_and_message(), position, any::<u8>());
    let altered = altered.prop_map(|((dialect, message), index, byte)| {
        let mut written = written(dialect, &message);
        let index = index.index(written.len());
        written[index] = byte;
        (dialect, written.to_vec())
    });
    let noise = prop::collection::vec(any::<u8>(), 0..400);
    let digits = "[0-9A-F]{0,400}".prop_map(String::into_bytes);
    let some = prop::sample::select(dialects().collect::<Vec<_>>());
    prop_oneof![altered, (some, prop_oneof![noise, digits])]
}

fn header() -> impl Strategy<Value = Header> {
    let kinds = [HeaderKind::Ascii4, HeaderKind::Binary2, HeaderKind::Bcd2];
    let tpdu = prop::option::of(Just(Tpdu::parse("6000030000").unwrap()));
    let header = (prop::sample::select(kinds.to_vec()), any::<bool>(), tpdu);
    header.prop_map(|(kind, counts_itself, tpdu)| Header {
        kind,
        counts_itself,
        tpdu,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_set_of_elements_is_read_as_it_was_written(
        (dialect, message) in dialect_and_message(),
    ) {
        prop_assert_eq!(there_and_back(dialect, &message), message);
    }

    /// What decodes at all encodes again to a message of the same elements, unless it holds text
    /// that is received generously and sent strictly.
    #[test]
    fn any_bytes_decode_or_are_refused_within_their_length(
        (dialect, bytes) in suspicious_bytes(),
    ) {
        let length = bytes.len();
        match dialect.decode(Bytes::from(bytes)) {
            Err(error) => prop_assert!(error.position <= length, "{}", error),
            Ok(message) => {
                let mut written = BytesMut::new();
                if dialect.encode(&message, &mut written).is_ok() {
                    prop_assert_eq!(dialect.decode(written.freeze()).unwrap(), message);
                }
            }
        }
    }

    #[test]
    fn frames_are_the_same_at_any_split(
        header in header(),
        bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..300), 0..6),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let framing = Framing::new(header, 300, false);
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
                taken.push(frame.body.to_vec());
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
            prop::collection::vec(0u8..10, 0..200),
        ],
        header in header(),
        keep_alive in any::<bool>(),
    ) {
        let framing = Framing::new(header, 100, keep_alive);
        let mut input = BytesMut::from(&bytes[..]);
        let mut before = input.len() + 1;
        while let Ok(Some(_)) = framing.take_frame(&mut input) {
            prop_assert!(input.len() < before, "each frame takes bytes off");
            before = input.len();
        }
    }
}
