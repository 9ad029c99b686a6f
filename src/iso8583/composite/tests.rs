//! Chip data as EMV and its users write it, and every kind there and back.

use super::ber::{DEPTH_MAX, Tag};
use super::*;
use proptest::prelude::*;

const CHIP: u8 = 55;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text
        .bytes()
        .filter_map(crate::iso8583::field::hex_value)
        .collect();
    let pairs = digits.as_chunks::<2>().0.iter();
    pairs.map(|[high, low]| high << 4 | low).collect()
}

/// Each object as its depth, tag and value, the value as it is shown.
fn chip(text: &str) -> Vec<String> {
    let bytes = hex(text);
    let parts = Composite::BerTlv.split(CHIP, &bytes).unwrap();
    let told = |part: &Part<'_>| format!("{} {} {}", part.depth, part.label, part.shown());
    parts.iter().map(told).collect()
}

fn chip_fault(text: &str) -> (usize, SplitFault, usize) {
    let bytes = hex(text);
    let error = Composite::BerTlv.split(CHIP, &bytes).unwrap_err();
    assert_eq!(error.element, CHIP);
    (error.position, error.why, error.parsed.len())
}

/// A card's answer to SELECT 1PAY.SYS.DDF01, as the EMV card analysis of scdroid.com shows it.
const SELECT_ANSWER: &str = "6f 20 84 0e 31 50 41 59 2e 53 59 53 2e 44 44 46 30 31 \
     a5 0e 88 01 02 5f 2d 04 6e 6f 65 6e 9f 11 01 01";

/// The first record of the same card.
const RECORD: &str = "70 23 61 21 4f 07 a1 23 45 67 89 10 10 50 04 56 49 53 41 \
     9f 12 0c 56 49 53 41 20 43 6c 61 73 73 69 63 87 01 02";

#[test]
fn a_cards_answer_to_select_is_split_into_its_templates() {
    let expected = [
        "0 6F ",
        "1 84 315041592E5359532E4444463031",
        "1 A5 ",
        "2 88 02",
        "2 5F2D noen",
        "2 9F11 01",
    ];
    assert_eq!(chip(SELECT_ANSWER), expected);
    let expected = [
        "0 70 ",
        "1 61 ",
        "2 4F A1234567891010",
        "2 50 VISA",
        "2 9F12 VISA Classic",
        "2 87 02",
    ];
    assert_eq!(chip(RECORD), expected);
}

/// The elements that a network wants in DE55, with values of the lengths and codings of EMV Book 3,
/// Annex A.
#[test]
fn the_chip_data_of_a_purchase_is_told_object_by_object() {
    let purchase = "9F2608 0102030405060708 9F2701 80 9F1007 06010A03A00000 9F3704 11223344 \
         9F3602 0042 9505 0000048000 9A03 260921 9C01 00 9F0206 000000010000 5F2A02 0704 \
         8202 3C00 9F1A02 0704 9F0306 000000000000 9F3303 E0F8C8";
    let told = chip(purchase);
    assert_eq!(told.len(), 14);
    assert_eq!(told[0], "0 9F26 0102030405060708");
    assert_eq!(told[8], "0 9F02 000000010000");
}

/// From a public explanation of the form: tag 9F40, length 5.
#[test]
fn a_tag_of_two_bytes_is_followed_by_its_length() {
    assert_eq!(chip("9F4005F000F0A001"), ["0 9F40 F000F0A001"]);
}

#[test]
fn lengths_of_one_two_and_three_bytes_are_read() {
    for (header, length) in [
        ("9F10 7F", 0x7F),
        ("9F10 81 80", 0x80),
        ("9F10 82 0100", 0x100),
    ] {
        let bytes = [hex(header), vec![7; length]].concat();
        let parts = Composite::BerTlv.split(CHIP, &bytes).unwrap();
        assert_eq!(parts[0].value.len(), length, "{header}");
    }
    // Longer than it need be, as some terminals write it.
    assert_eq!(chip("9A 82 0003 260921"), ["0 9A 260921"]);
}

#[test]
fn fill_between_and_behind_objects_is_passed_over() {
    assert_eq!(
        chip("00 9A03260921 0000 9C0100 00"),
        ["0 9A 260921", "0 9C 00"]
    );
    assert_eq!(chip("9C0100 FFFF00FF"), ["0 9C 00"]);
    assert_eq!(
        chip("7005 9C0100 0000 9A03260921")[1..],
        ["1 9C 00", "0 9A 260921"]
    );
    assert_eq!(chip("0000"), [""; 0]);
    assert_eq!(chip(""), [""; 0]);
}

/// Terminal kernels have tags such as FF8105, which FF as fill would swallow.
#[test]
fn ff_before_an_object_is_a_tag_and_not_fill() {
    assert_eq!(chip("FF8105 03 9C0100"), ["0 FF8105 ", "1 9C 00"]);
}

#[test]
fn what_could_be_card_data_is_hidden() {
    for (object, shown) in [
        ("5A08 9704361234561234", "0 5A 970436******1234"),
        ("5A0A 9704361234561234567F", "0 5A 970436*********4567"),
        ("5703 970436", "0 57 <hidden, 3 bytes>"),
        ("5602 4239", "0 56 <hidden, 2 bytes>"),
        ("5F2005 4E47555945", "0 5F20 <hidden, 5 bytes>"),
        ("5F2403 281231", "0 5F24 <hidden, 3 bytes>"),
        ("9F1F02 3131", "0 9F1F <hidden, 2 bytes>"),
        ("9F2002 3131", "0 9F20 <hidden, 2 bytes>"),
        ("9F6B02 9704", "0 9F6B <hidden, 2 bytes>"),
        ("9908 2412345678901234", "0 99 <hidden, 8 bytes>"),
        // Not in the table, so not known to be harmless.
        ("DF8101 01 12", "0 DF8101 <hidden, 1 bytes>"),
    ] {
        assert_eq!(chip(object), [shown]);
    }
    let bytes = hex("5703970436");
    let parts = Composite::BerTlv.split(CHIP, &bytes).unwrap();
    assert_eq!(format!("{parts:?}"), "[57@0/0=<hidden, 3 bytes>]");
}

#[test]
fn a_fault_names_its_byte_and_keeps_what_was_before_it() {
    let truncated = |expected, left| SplitFault::Truncated { expected, left };
    for (bytes, fault) in [
        ("9A03260921 9F", (6, truncated(1, 0), 1)),
        ("9A03260921 9F26", (7, truncated(1, 0), 1)),
        ("9A03260921 9F26 08 0102", (8, truncated(8, 2), 1)),
        ("9A 81", (2, truncated(1, 0), 0)),
        ("9A 80 260921 0000", (1, SplitFault::LengthForm(0x80), 0)),
        ("9A 84 00000001 11", (1, SplitFault::LengthForm(0x84), 0)),
        ("9C0100 DF81828304 0100", (3, SplitFault::LongTag, 1)),
        // The object does not end within its template, though it would within the element.
        ("7003 9A0326 09219C0100", (4, truncated(3, 1), 1)),
    ] {
        assert_eq!(chip_fault(bytes), fault, "{bytes}");
    }
}

#[test]
fn objects_that_lie_too_deep_in_each_other_are_refused_and_not_followed() {
    let nested = |depth| (0..depth).fold(hex("9C0100"), |inner, _| wrapped(&inner));
    assert!(
        Composite::BerTlv
            .split(CHIP, &nested(DEPTH_MAX - 1))
            .is_ok()
    );
    let deep = nested(DEPTH_MAX);
    let error = Composite::BerTlv.split(CHIP, &deep).unwrap_err();
    assert_eq!(
        (error.why, error.parsed.len()),
        (SplitFault::Depth, DEPTH_MAX)
    );
}

fn wrapped(objects: &[u8]) -> Vec<u8> {
    let mut template = Vec::new();
    ber::put(Tag::parse("70").unwrap(), objects, &mut template).unwrap();
    template
}

#[test]
fn a_tag_is_read_as_it_is_written_and_nothing_else_is_one() {
    for text in ["9F26", "5A", "DF8101", "FF8105", "DF818101"] {
        assert_eq!(Tag::parse(text).unwrap().to_string(), text);
    }
    for text in [
        "",
        "9",
        "9F",
        "9F2",
        "9F2600",
        "5A00",
        "00",
        "xy",
        "DF81",
        "DF81818101",
        "é",
    ] {
        assert_eq!(Tag::parse(text), None, "{text}");
    }
}

#[test]
fn the_table_of_tags_is_in_order_and_each_is_found() {
    let known = |text: &str| emv::known(Tag::parse(text).unwrap()).map(|known| known.name);
    assert_eq!(known("9F26"), Some("Application cryptogram"));
    assert_eq!(known("BF0C"), Some("FCI issuer discretionary data"));
    assert_eq!(known("42"), Some("Issuer identification number"));
    assert_eq!(known("DF01"), None);
    assert!(emv::is_sorted());
}

fn places() -> Composite {
    use SubfieldEncoding::{Ascii, Bcd, Binary, Ebcdic};
    let fixed = SubfieldLength::Fixed;
    let prefixed = |digits, encoding| SubfieldLength::Prefixed { digits, encoding };
    let field = |name, length, max, encoding| {
        Subfield::new(name, length, max, encoding, name != "Secret").unwrap()
    };
    Composite::Positional(
        [
            field("Kind", fixed, 2, Ascii),
            field("Batch", fixed, 5, Bcd),
            field("Flags", fixed, 2, Binary),
            field("Note", prefixed(2, Ascii), 20, Ascii),
            field("Secret", prefixed(2, Binary), 200, Ebcdic),
            field("Count", prefixed(3, Bcd), 9, Bcd),
        ]
        .into(),
    )
}

#[test]
fn places_are_cut_by_their_length_kinds_and_encodings() {
    let places = places();
    // A1 · 012345 for five packed digits · CAFE · 03 abc · 02 F1F2 · 0004 1234
    let bytes = hex("4131 012345 CAFE 3033616263 02F1F2 0004 1234");
    let parts = places.split(60, &bytes).unwrap();
    let told = |part: &Part<'_>| format!("{} {} {}", part.position, part.label, part.shown());
    let told: Vec<_> = parts.iter().map(told).collect();
    let expected = [
        "0 Kind A1",
        "2 Batch 012345",
        "5 Flags CAFE",
        "7 Note abc",
        "12 Secret <hidden, 2 bytes>",
        "15 Count 1234",
    ];
    assert_eq!(told, expected);
}

#[test]
fn places_at_the_end_may_be_missing_but_none_may_be_cut_off() {
    let places = places();
    let bytes = hex("4131 012345");
    assert_eq!(places.split(60, &bytes).unwrap().len(), 2);
    for (bytes, position, why) in [
        (
            "4131 0123",
            2,
            SplitFault::Truncated {
                expected: 3,
                left: 2,
            },
        ),
        (
            "4131 012345 CAFE 30",
            7,
            SplitFault::Truncated {
                expected: 2,
                left: 1,
            },
        ),
        ("4131 012345 CAFE 3041", 7, SplitFault::Length(2)),
        (
            "4131 012345 CAFE 3231",
            7,
            SplitFault::TooLong {
                length: 21,
                limit: 20,
            },
        ),
        (
            "4131 012345 CAFE 3030 00 0000 99",
            12,
            SplitFault::Trailing(1),
        ),
        ("4131 012345 CAFE 3030 00 0A00", 10, SplitFault::Length(3)),
    ] {
        let bytes = hex(bytes);
        let error = places.split(60, &bytes).unwrap_err();
        assert_eq!((error.position, error.why), (position, why));
    }
}

fn tagged() -> Composite {
    let known = |tag: &str, clear| NamedTag {
        tag: tag.into(),
        name: "Known".into(),
        clear,
    };
    Composite::Tagged(Tagged::new(3, 2, vec![known("001", true), known("002", false)]).unwrap())
}

#[test]
fn tags_of_characters_are_split_and_only_those_marked_clear_are_seen() {
    let tagged = tagged();
    let parts = tagged.split(48, b"00102AT00202XY00F00").unwrap();
    let told = |part: &Part<'_>| format!("{} {:?} {}", part.label, part.name(), part.shown());
    let told: Vec<_> = parts.iter().map(told).collect();
    let expected = [
        "001 Some(\"Known\") AT",
        "002 Some(\"Known\") <hidden, 2 bytes>",
        "00F None <hidden, 0 bytes>",
    ];
    assert_eq!(told, expected);
}

/// A dialect is written by hand, and a bank's element can move.
#[test]
fn a_card_number_is_masked_even_in_what_is_marked_clear() {
    let tagged = tagged();
    let parts = tagged.split(48, b"00117x9704361234561234").unwrap();
    assert_eq!(parts[0].shown().to_string(), "x************1234");
    let parts = tagged.split(48, b"0011112345678901").unwrap();
    assert_eq!(parts[0].shown().to_string(), "12345678901");
    // DE43 is shown as it is, and so are its parts.
    let parts = tagged.split(43, b"00201X").unwrap();
    assert_eq!(parts[0].shown().to_string(), "X");
}

#[test]
fn tags_of_characters_name_the_byte_where_they_go_wrong() {
    let tagged = tagged();
    for (text, position, why) in [
        (
            "00102AT0",
            7,
            SplitFault::Truncated {
                expected: 3,
                left: 1,
            },
        ),
        ("0 102AT", 0, SplitFault::Tag(3)),
        ("001+2AT", 3, SplitFault::Length(2)),
        (
            "00103AT",
            5,
            SplitFault::Truncated {
                expected: 3,
                left: 2,
            },
        ),
    ] {
        let error = tagged.split(48, text.as_bytes()).unwrap_err();
        assert_eq!((error.position, error.why), (position, why), "{text}");
    }
}

#[test]
fn parts_that_do_not_fit_are_refused_by_their_number() {
    let refused = |composite: &Composite, parts: &[(&str, &[u8])]| {
        let error = composite.join(parts).unwrap_err();
        (error.index, error.why.to_string())
    };
    let (index, why) = refused(&Composite::BerTlv, &[("9A", b"123"), ("9F", b"")]);
    assert!(index == 1 && why.contains("hexadecimal tags"), "{why}");
    let long = [0; 0x1_0000];
    let (_, why) = refused(&Composite::BerTlv, &[("9A", &long)]);
    assert!(why.contains("65536 bytes does not fit"), "{why}");
    let (index, why) = refused(&places(), &[("Kind", b"A1"), ("Flags", b"..")]);
    assert!(
        index == 1 && why.contains("\"Batch\" belongs here"),
        "{why}"
    );
    let (_, why) = refused(&places(), &[("Kind", b"A")]);
    assert!(why.contains("exactly 2"), "{why}");
    let (_, why) = refused(&tagged(), &[("01", b"A")]);
    assert!(why.contains("all of one length"), "{why}");
    let (_, why) = refused(&tagged(), &[("001", &[b'A'; 100])]);
    assert!(why.contains("what 2 digits can count"), "{why}");
}

/// The outermost parts, as `join` takes them.
fn outermost(parts: &[Part<'_>]) -> Vec<(String, Vec<u8>)> {
    let outer = parts.iter().filter(|part| part.depth == 0);
    outer
        .map(|part| (part.label.to_string(), part.value.to_vec()))
        .collect()
}

fn joined(composite: &Composite, parts: &[(String, Vec<u8>)]) -> Vec<u8> {
    let borrowed: Vec<_> = parts
        .iter()
        .map(|(l, v)| (l.as_str(), v.as_slice()))
        .collect();
    composite.join(&borrowed).unwrap()
}

fn objects() -> impl Strategy<Value = Vec<u8>> {
    let tags = prop::sample::select(vec!["9A", "9C", "5A", "9F26", "9F10", "DF8101"]);
    let value = prop::collection::vec(any::<u8>(), 0..300);
    let object = (tags, value).prop_map(|(tag, value)| {
        let mut object = Vec::new();
        ber::put(Tag::parse(tag).unwrap(), &value, &mut object).unwrap();
        object
    });
    let level = prop::collection::vec(object, 0..4).prop_map(|objects| objects.concat());
    level.prop_recursive(4, 16, 3, |inner| {
        prop::collection::vec(inner.prop_map(|objects| wrapped(&objects)), 1..3)
            .prop_map(|templates| templates.concat())
    })
}

proptest! {
    #[test]
    fn chip_data_that_is_split_and_joined_is_the_same(bytes in objects()) {
        let parts = Composite::BerTlv.split(CHIP, &bytes).unwrap();
        prop_assert_eq!(joined(&Composite::BerTlv, &outermost(&parts)), bytes);
    }

    #[test]
    fn tagged_subfields_that_are_joined_and_split_are_the_same(
        parts in prop::collection::vec(("[0-9A-Z]{3}", prop::collection::vec(any::<u8>(), 0..=99)), 0..9)
    ) {
        let (composite, bytes) = (tagged(), joined(&tagged(), &parts));
        prop_assert_eq!(outermost(&composite.split(48, &bytes).unwrap()), parts);
    }

    #[test]
    fn places_that_are_joined_and_split_are_the_same(
        note in prop::collection::vec(any::<u8>(), 0..=20),
        secret in prop::collection::vec(any::<u8>(), 0..=200),
        count in prop::collection::vec(0u8..=99, 0..=4),
    ) {
        let count: Vec<u8> = count.iter().map(|pair| ((pair / 10) << 4) | (pair % 10)).collect();
        let values = [vec![1; 2], vec![2; 3], vec![3; 2], note, secret, count];
        let names = ["Kind", "Batch", "Flags", "Note", "Secret", "Count"];
        let parts: Vec<_> = names.iter().map(|name| (*name).to_owned()).zip(values).collect();
        let (composite, bytes) = (places(), joined(&places(), &parts));
        prop_assert_eq!(outermost(&composite.split(60, &bytes).unwrap()), parts);
    }

    /// No byte of a peer can panic; what is split lies in the element, in its order.
    #[test]
    fn any_bytes_are_split_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for composite in [Composite::BerTlv, places(), tagged()] {
            let (parts, position) = match composite.split(48, &bytes) {
                Ok(parts) => (parts, 0),
                Err(error) => (error.parsed, error.position),
            };
            prop_assert!(position <= bytes.len());
            prop_assert!(parts.iter().is_sorted_by(|one, next| one.position < next.position));
            prop_assert!(parts.iter().all(|part| part.position + part.value.len() <= bytes.len()));
        }
    }
}
