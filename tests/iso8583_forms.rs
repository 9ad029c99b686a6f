//! Every form in which an element, its length, a message type or a bitmap may travel, byte by byte.
//!
//! The bytes were worked out by hand from the definitions, and stand beside what they were worked out
//! from. Where jPOS has an example of its own for a form, that is the example, and its class is named.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use sampan::iso8583::codec::{DecodeFault, EncodeFault, Part};
use sampan::iso8583::field::PrefixEncoding;
use sampan::iso8583::{Dialect, Framing, Message};

/// A dialect with a binary bitmap, so that a message with DE48 alone is the MTI 0200, the bitmap
/// 00 00 00 00 00 01 00 00, and the element.
fn dialect_of(element_48: &str) -> Dialect {
    let text = format!(
        "name = 'x'\nheader = 'ascii4'\nbitmap = 'binary'\n[elements]\n\
         48 = {{ name = 'x', {element_48} }}\n"
    );
    Dialect::parse(&text).unwrap()
}

const BEFORE: &[u8] = b"0200\0\0\0\0\0\x01\0\0";

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.bytes().filter(|byte| *byte != b' ').collect();
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap();
    digits.chunks(2).map(byte).collect()
}

fn encoded(dialect: &Dialect, value: &[u8]) -> Result<Vec<u8>, EncodeFault> {
    let mut message = Message::new("0200".parse().unwrap());
    message.set(48, value);
    let mut written = BytesMut::new();
    let outcome = dialect.encode(&message, &mut written);
    outcome
        .map(|()| written[BEFORE.len()..].to_vec())
        .map_err(|error| error.why)
}

/// The value, or where in the element and why it cannot be read.
fn decoded(dialect: &Dialect, hex: &str) -> Result<Vec<u8>, (usize, DecodeFault)> {
    let received = [BEFORE, &bytes(hex)].concat();
    match dialect.decode(Bytes::from(received)) {
        Ok(message) => Ok(message.get(48).unwrap().to_vec()),
        Err(error) => {
            assert_eq!(error.part, Part::Element(48));
            assert!(
                error.parsed.elements.is_empty(),
                "what is at fault was read"
            );
            Err((error.position - BEFORE.len(), error.why))
        }
    }
}

/// The value travels as these bytes, in both directions.
#[track_caller]
fn travels(element: &str, value: impl AsRef<[u8]>, hex: &str) {
    let (dialect, value) = (dialect_of(element), value.as_ref());
    assert_eq!(encoded(&dialect, value).unwrap(), bytes(hex));
    assert_eq!(decoded(&dialect, hex).unwrap(), value);
}

/// The shorter value is filled up to the longer one.
#[track_caller]
fn is_filled(element: &str, value: &str, filled: &str, hex: &str) {
    assert_eq!(
        encoded(&dialect_of(element), value.as_bytes()).unwrap(),
        bytes(hex)
    );
    travels(element, filled, hex);
}

#[test]
fn bcd_digits_of_fixed_length_are_two_to_a_byte() {
    let n6 = "content = 'n', length = 'fixed', max = 6, encoding = 'bcd'";
    travels(n6, "000124", "00 01 24");
    is_filled(n6, "124", "000124", "00 01 24");
    // The example of jPOS IFB_NUMERIC(10, left padded): "1234".
    let n10 = "content = 'n', length = 'fixed', max = 10, encoding = 'bcd'";
    is_filled(n10, "1234", "0000001234", "00 00 00 12 34");
}

#[test]
fn an_odd_bcd_digit_is_padded_on_the_left_with_0_unless_told_otherwise() {
    let n3 = "content = 'n', length = 'fixed', max = 3, encoding = 'bcd'";
    travels(n3, "704", "07 04");
    is_filled(n3, "4", "004", "00 04");
    travels(&format!("{n3}, pad_digit = 'F'"), "704", "F7 04");
    travels(&format!("{n3}, pad = 'right'"), "704", "70 4F");
    travels(
        &format!("{n3}, pad = 'right', pad_digit = '0'"),
        "704",
        "70 40",
    );
}

#[test]
fn an_odd_bcd_digit_may_be_received_with_either_pad_digit_and_no_other() {
    let left = dialect_of("content = 'n', length = 'fixed', max = 3, encoding = 'bcd'");
    let right = "content = 'n', length = 'fixed', max = 3, encoding = 'bcd', pad = 'right'";
    let right = dialect_of(right);
    for (dialect, hex) in [
        (&left, "0704"),
        (&left, "F704"),
        (&right, "7040"),
        (&right, "704F"),
    ] {
        assert_eq!(decoded(dialect, hex).unwrap(), b"704");
    }
    // The pad stands on the other side: the file does not fit the bank.
    assert_eq!(decoded(&left, "7040"), Err((0, DecodeFault::Pad)));
    assert_eq!(decoded(&right, "0704"), Err((1, DecodeFault::Pad)));
}

#[test]
fn a_letter_among_bcd_digits_is_named_by_its_byte() {
    use sampan::iso8583::field::Content;
    let wrong = |at| Err((at, DecodeFault::Content(Content::Digits)));
    let n5 = "content = 'n', length = 'fixed', max = 5, encoding = 'bcd'";
    assert_eq!(decoded(&dialect_of(n5), "01 2A 45"), wrong(1));
    assert_eq!(decoded(&dialect_of(n5), "01 23 4B"), wrong(2));
    let right = format!("{n5}, pad = 'right'");
    assert_eq!(decoded(&dialect_of(&right), "1A 34 5F"), wrong(0));
    assert_eq!(decoded(&dialect_of(&right), "12 34 DF"), wrong(2));
}

#[test]
fn a_card_number_of_19_digits_is_counted_in_digits_and_padded() {
    // jPOS: IFB_LLNUM(10): "1234" is 04 12 34.
    let ll = "content = 'n', length = 'LL', max = 19, encoding = 'bcd', length_encoding = 'bcd'";
    travels(ll, "1234", "04 12 34");
    travels(ll, "", "00");
    let pan = "9704360000001234567";
    travels(ll, pan, "19 09 70 43 60 00 00 01 23 45 67");
    let right = format!("{ll}, pad = 'right'");
    travels(&right, pan, "19 97 04 36 00 00 00 12 34 56 7F");
    let zero = format!("{ll}, pad = 'right', pad_digit = '0'");
    travels(&zero, pan, "19 97 04 36 00 00 00 12 34 56 70");
}

#[test]
fn a_length_that_counts_bytes_shows_the_odd_digit_by_its_f() {
    let ll = "content = 'n', length = 'LL', max = 19, encoding = 'bcd', length_encoding = 'bcd', \
              length_counts = 'bytes'";
    let right = format!("{ll}, pad = 'right'");
    travels(&right, "12345", "03 12 34 5F");
    travels(&right, "1234", "02 12 34");
    travels(&right, "", "00");
    let left = format!("{ll}, pad_digit = 'F'");
    travels(&left, "12345", "03 F1 23 45");
    travels(&left, "1234", "02 12 34");
    // As in jPOS IFEB_LLNUM: the count in EBCDIC, of bytes, and the pad F.
    let ebcdic = "content = 'n', length = 'LL', max = 19, encoding = 'bcd', pad = 'right', \
                  length_encoding = 'ebcdic', length_counts = 'bytes'";
    travels(ebcdic, "12345", "F0 F3 12 34 5F");
}

#[test]
fn a_track_travels_in_half_bytes_with_d_for_its_separator() {
    let track = "content = 'z', length = 'LL', max = 37, encoding = 'bcd', pad = 'right', \
                 length_encoding = 'bcd'";
    // 27 characters: 16 of the card, the separator, 10 of the rest.
    let value = "9704361234561234=2512101000";
    let packed = "27 97 04 36 12 34 56 12 34 D2 51 21 01 00 0F";
    travels(track, value, packed);
    let with_d = value.replace('=', "D");
    assert_eq!(
        encoded(&dialect_of(track), with_d.as_bytes()).unwrap(),
        bytes(packed)
    );
    // ISO 7811-2: the half-bytes A to F are : ; < = > ?
    travels(track, ":;<=>?", "06 AB CD EF");
}

#[test]
fn a_track_that_could_be_taken_for_a_padded_one_is_refused() {
    let track = "content = 'z', length = 'LL', max = 37, encoding = 'bcd', pad = 'right', \
                 length_encoding = 'bcd', length_counts = 'bytes'";
    assert_eq!(
        encoded(&dialect_of(track), b"123?"),
        Err(EncodeFault::LikePad)
    );
    travels(track, "12?", "02 12 FF");
    let fixed = "content = 'z', length = 'fixed', max = 4, encoding = 'bcd'";
    let (length, expected) = (3, 4);
    let wrong = EncodeFault::WrongLength { length, expected };
    assert_eq!(encoded(&dialect_of(fixed), b"1=2"), Err(wrong));
}

#[test]
fn a_signed_bcd_number_is_its_sign_in_ascii_and_its_digits() {
    // jPOS: IFB_AMOUNT(6, left padded) of "D123" is 44 00 01 23.
    let x6 = "content = 'x+n', length = 'fixed', max = 6, encoding = 'bcd'";
    is_filled(x6, "D123", "D00123", "44 00 01 23");
    let x9 = "content = 'x+n', length = 'fixed', max = 9, encoding = 'bcd'";
    travels(x9, "C00000500", "43 00 00 05 00");
    assert_eq!(encoded(&dialect_of(x9), b"C"), Err(EncodeFault::Empty));
    use sampan::iso8583::field::Content;
    let wrong = |at| Err((at, DecodeFault::Content(Content::SignedDigits)));
    assert_eq!(decoded(&dialect_of(x9), "58 00 00 05 00"), wrong(0));
    assert_eq!(decoded(&dialect_of(x9), "43 00 00 0A 00"), wrong(3));
    assert_eq!(
        decoded(&dialect_of(x6), "43 10 01 23"),
        Err((1, DecodeFault::Pad))
    );
}

#[test]
fn ebcdic_is_a_byte_per_character_of_code_page_1047() {
    // The example of jPOS IFE_LLCHAR.
    let ll = "content = 'ans', length = 'LL', max = 40, encoding = 'ebcdic', \
              length_encoding = 'ebcdic'";
    travels(ll, "ABCD", "F0 F4 C1 C2 C3 C4");
    travels(ll, "Abc123:.-", "F0 F9 C1 82 83 F1 F2 F3 7A 4B 60");
    // Where code page 037 has BA, BB and B0.
    travels(ll, "[]^", "F0 F3 AD BD 5F");
    let fixed = "content = 'ans', length = 'fixed', max = 8, encoding = 'ebcdic'";
    is_filled(fixed, "ATM1", "ATM1    ", "C1 E3 D4 F1 40 40 40 40");
    let n6 = "content = 'n', length = 'fixed', max = 6, encoding = 'ebcdic'";
    is_filled(n6, "124", "000124", "F0 F0 F0 F1 F2 F4");
    let x5 = "content = 'x+n', length = 'fixed', max = 5, encoding = 'ebcdic'";
    is_filled(x5, "D12", "D0012", "C4 F0 F0 F1 F2");
    use sampan::iso8583::field::Content;
    let wrong = Err((2, DecodeFault::Content(Content::Digits)));
    assert_eq!(decoded(&dialect_of(n6), "F0 F0 C1 F1 F2 F4"), wrong);
}

#[test]
fn an_ebcdic_text_with_foreign_letters_is_received_as_iso_8859_1() {
    let ll = "content = 'ans', length = 'LL', max = 40, encoding = 'ebcdic', \
              length_encoding = 'ebcdic'";
    // 44 is à in code page 1047, E0 in ISO 8859-1.
    assert_eq!(decoded(&dialect_of(ll), "F0F2 C8 44").unwrap(), b"H\xE0");
}

#[test]
fn bytes_travel_as_they_are_or_as_hexadecimal_characters_of_either_code() {
    let b3 = "content = 'b', length = 'fixed', max = 3";
    let value = [0x9F, 0x26, 0xA0];
    travels(&format!("{b3}, encoding = 'binary'"), value, "9F 26 A0");
    travels(
        &format!("{b3}, encoding = 'hex'"),
        value,
        "39 46 32 36 41 30",
    );
    travels(
        &format!("{b3}, encoding = 'ebcdic'"),
        value,
        "F9 C6 F2 F6 C1 F0",
    );
    let ebcdic = dialect_of(&format!("{b3}, encoding = 'ebcdic'"));
    let lower = decoded(&ebcdic, "F9 86 F2 F6 81 F0").unwrap();
    assert_eq!(lower, value, "either case is read");
    assert_eq!(
        decoded(&ebcdic, "F9 C6 F2 F6 C7 F0"),
        Err((4, DecodeFault::NotHex))
    );
    let (length, expected) = (2, 3);
    let wrong = EncodeFault::WrongLength { length, expected };
    assert_eq!(encoded(&ebcdic, &[1, 2]), Err(wrong));
}

#[test]
fn a_length_before_hexadecimal_characters_counts_what_it_is_told_to() {
    let ll = "content = 'b', length = 'LL', max = 8, encoding = 'hex'";
    let value = [0x12, 0x34];
    travels(
        &format!("{ll}, length_counts = 'bytes'"),
        value,
        "3032 31323334",
    );
    let digits = format!("{ll}, length_counts = 'digits'");
    travels(&digits, value, "3034 31323334");
    let digits = dialect_of(&digits);
    let odd = DecodeFault::OddDigits { digits: 3 };
    assert_eq!(decoded(&digits, "3033 313233"), Err((2, odd)));
    let (length, limit) = (18, 16);
    let wrong = DecodeFault::TooLong { length, limit };
    assert_eq!(decoded(&digits, "3138 31323334"), Err((0, wrong)));
}

#[test]
fn a_length_is_digits_of_three_codes_or_a_binary_number() {
    let text = |length: &str, form: &str| {
        format!("content = 'ans', length = '{length}', max = 9, length_encoding = '{form}'")
    };
    for (length, form, prefix) in [
        ("L", "ascii", "34"),
        ("LL", "ascii", "30 34"),
        ("LLL", "ascii", "30 30 34"),
        ("LLLL", "ascii", "30 30 30 34"),
        ("L", "ebcdic", "F4"),
        ("LL", "ebcdic", "F0 F4"),
        ("LLL", "ebcdic", "F0 F0 F4"),
        ("LLLL", "ebcdic", "F0 F0 F0 F4"),
        ("L", "bcd", "04"),
        ("LL", "bcd", "04"),
        ("LLL", "bcd", "00 04"),
        ("LLLL", "bcd", "00 04"),
        ("L", "binary", "04"),
        ("LL", "binary", "04"),
        ("LLL", "binary", "00 04"),
        ("LLLL", "binary", "00 04"),
    ] {
        travels(
            &text(length, form),
            "ABCD",
            &format!("{prefix} 41 42 43 44"),
        );
    }
}

#[test]
fn long_values_have_the_length_of_their_prefix() {
    let of = |length: &str, max: usize, form: &str, prefix: &str| {
        let element = format!(
            "content = 'ans', length = '{length}', max = {max}, length_encoding = '{form}'"
        );
        travels(
            &element,
            "A".repeat(max),
            &format!("{prefix}{}", "41".repeat(max)),
        );
    };
    of("LL", 99, "bcd", "99");
    of("LLL", 321, "bcd", "03 21");
    of("LLLL", 1_234, "bcd", "12 34");
    of("LLLL", 1_234, "ascii", "31 32 33 34");
    of("LL", 255, "binary", "FF");
    of("LLL", 1_000, "binary", "03 E8");
    of("LLL", 999, "ebcdic", "F9 F9 F9");
    // jPOS IFB_LLHBINARY and IFB_LLLHBINARY: 12 34 is 02 12 34, and 00 02 12 34.
    let b = "content = 'b', encoding = 'binary', max = 10, length_encoding = 'binary'";
    travels(&format!("{b}, length = 'LL'"), [0x12, 0x34], "02 12 34");
    travels(&format!("{b}, length = 'LLL'"), [0x12, 0x34], "00 02 12 34");
}

/// The trap of a bad LL prefix, for each code that can be wrong.
#[test]
fn a_length_prefix_that_is_no_number_or_too_great_is_refused_in_every_code() {
    let of = |form: &str| {
        dialect_of(&format!(
            "content = 'n', length = 'LL', max = 9, length_encoding = '{form}'"
        ))
    };
    let digits = 2;
    for (form, encoding, hex) in [
        ("ascii", PrefixEncoding::Ascii, "2D 34"),
        ("ascii", PrefixEncoding::Ascii, "F0 F4"),
        ("ebcdic", PrefixEncoding::Ebcdic, "F0 FA"),
        ("ebcdic", PrefixEncoding::Ebcdic, "30 34"),
        ("bcd", PrefixEncoding::Bcd, "0A"),
        ("bcd", PrefixEncoding::Bcd, "A0"),
    ] {
        let wrong = DecodeFault::Prefix { digits, encoding };
        assert_eq!(decoded(&of(form), hex), Err((0, wrong)), "{form} {hex}");
    }
    let (length, limit) = (10, 9);
    for (form, hex) in [
        ("ascii", "3130"),
        ("ebcdic", "F1F0"),
        ("bcd", "10"),
        ("binary", "0A"),
    ] {
        let wrong = DecodeFault::TooLong { length, limit };
        assert_eq!(decoded(&of(form), hex), Err((0, wrong)), "{form}");
    }
    for (form, hex, at) in [
        ("ascii", "30", 0),
        ("bcd", "04 31", 1),
        ("binary", "04 31", 1),
    ] {
        let Err((position, DecodeFault::Truncated { .. })) = decoded(&of(form), hex) else {
            panic!("{form} {hex} is read");
        };
        assert_eq!(position, at);
    }
}

#[test]
fn the_message_type_and_the_bitmap_travel_in_their_own_codes() {
    // An 0800 of DE11 and DE70: bits 1 and 11 are 80 20 00 …, bit 70 is 04 00 … of the second.
    let mut message = Message::new("0800".parse().unwrap());
    message.set(11, "000001").set(70, "301");
    let elements = b"000001301";
    for (mti, bitmap, before) in [
        (
            "ascii",
            "binary",
            "30383030 8020000000000000 0400000000000000",
        ),
        ("bcd", "binary", "0800 8020000000000000 0400000000000000"),
        (
            "ebcdic",
            "binary",
            "F0F8F0F0 8020000000000000 0400000000000000",
        ),
        (
            "bcd",
            "hex",
            "0800 38303230303030303030303030303030 30343030303030303030303030303030",
        ),
        (
            "ebcdic",
            "ebcdic",
            "F0F8F0F0 F8F0F2F0F0F0F0F0F0F0F0F0F0F0F0F0 F0F4F0F0F0F0F0F0F0F0F0F0F0F0F0F0",
        ),
    ] {
        let text = format!(
            "name = 'x'\nheader = 'ascii4'\nmti = '{mti}'\nbitmap = '{bitmap}'\n[elements]\n\
             11 = {{ name = 'x', content = 'n', length = 'fixed', max = 6 }}\n\
             70 = {{ name = 'x', content = 'n', length = 'fixed', max = 3 }}\n"
        );
        let dialect = Dialect::parse(&text).unwrap();
        let expected = [&bytes(before)[..], elements].concat();
        let mut written = BytesMut::new();
        dialect.encode(&message, &mut written).unwrap();
        assert_eq!(written, expected, "{mti} {bitmap}");
        assert_eq!(dialect.decode(written.freeze()).unwrap(), message);
        for end in 0..expected.len() {
            let cut = dialect.decode(Bytes::copy_from_slice(&expected[..end]));
            let why = cut.unwrap_err().why;
            assert!(matches!(why, DecodeFault::Truncated { .. }), "{end}: {why}");
        }
    }
}

/// The traps of a non-hexadecimal bitmap and of a message type that is none, in their other codes.
#[test]
fn a_message_type_or_bitmap_of_another_code_is_refused_where_it_begins_to_differ() {
    let fault = |mti: &str, bitmap: &str, hex: &str| {
        let text = format!(
            "name = 'x'\nheader = 'ascii4'\nmti = '{mti}'\nbitmap = '{bitmap}'\nelements = {{}}"
        );
        let dialect = Dialect::parse(&text).unwrap();
        let error = dialect.decode(Bytes::from(bytes(hex))).unwrap_err();
        (error.part, error.position)
    };
    assert_eq!(
        fault("bcd", "binary", "0A00 0000000000000000"),
        (Part::Mti, 0)
    );
    assert_eq!(fault("ebcdic", "binary", "30383030"), (Part::Mti, 0));
    assert_eq!(fault("ascii", "binary", "F0F8F0F0"), (Part::Mti, 0));
    let zeros = "F0".repeat(15);
    let mixed = format!("0800 {zeros} 30");
    assert_eq!(
        fault("bcd", "ebcdic", &mixed),
        (Part::PrimaryBitmap, 2 + 15)
    );
}

/// A whole purchase in the built-in BCD dialect, behind its header and a TPDU.
#[test]
fn a_purchase_in_packed_digits() {
    let text = Dialect::ISO8583_1987_BCD_TEXT;
    let text = text.replace(
        "bitmap = \"binary\"",
        "bitmap = \"binary\"\ntpdu = \"6000030000\"",
    );
    let dialect = Dialect::parse(&text).unwrap();
    let elements: &[(u8, &str)] = &[
        (2, "9704361234561234567"),
        (3, "000000"),
        (4, "000000150000"),
        (7, "1122020304"),
        (11, "000123"),
        (22, "012"),
        (28, "D00000500"),
        (32, "970499"),
        (35, "9704361234561234567=2512101"),
        (37, "226507000124"),
        (41, "TERM0001"),
        (48, "AB"),
        (49, "704"),
        (90, "020000012211220203040000097049900000000000"),
    ];
    let pieces = [
        // Length: 5 of the TPDU and 120 of the message.
        "00 7D 60 00 03 00 00",
        "0200",
        // 1 2 3 4 7 · 11 · 22 · 28 32 · 35 37 · 41 48 · 49, and 90.
        "F2 20 04 11 28 81 80 00",
        "00 00 00 40 00 00 00 00",
        "19 97 04 36 12 34 56 12 34 56 7F",
        "00 00 00",
        "00 00 00 15 00 00",
        "11 22 02 03 04",
        "00 01 23",
        "00 12",
        "44 00 00 05 00",
        "06 97 04 99",
        "27 97 04 36 12 34 56 12 34 56 7D 25 12 10 1F",
        "32 32 36 35 30 37 30 30 30 31 32 34",
        "54 45 52 4D 30 30 30 31",
        "00 02 41 42",
        "37 30 34",
        "02 00 00 01 22 11 22 02 03 04 00 00 09 70 49 90 00 00 00 00 00",
    ];
    let framed = bytes(&pieces.concat());
    let mut message = Message::new("0200".parse().unwrap());
    for (number, value) in elements {
        message.set(*number, value);
    }
    let mut body = BytesMut::new();
    dialect.encode(&message, &mut body).unwrap();
    let framing = Framing::new(dialect.header(), 9_999, false);
    let mut stream = BytesMut::new();
    framing.put_frame(&body, &mut stream).unwrap();
    assert_eq!(stream, framed);
    let frame = framing.take_frame(&mut stream).unwrap().unwrap();
    assert_eq!(dialect.decode(frame.body).unwrap(), message);
}

/// A sign-on in the built-in EBCDIC dialect, behind its header.
#[test]
fn a_sign_on_in_ebcdic() {
    let dialect = Dialect::built_in("iso8583-1987-ebcdic").unwrap();
    let mut message = Message::new("0800".parse().unwrap());
    message
        .set(7, "1122020304")
        .set(11, "000001")
        .set(32, "970499")
        .set(70, "001");
    let pieces = [
        // 4 + 16 + 10 + 6 + 8 + 3 = 47
        "00 2F",
        "F0 F8 F0 F0",
        // 1 7 · 11 · 32, and 70.
        "82 20 00 01 00 00 00 00",
        "04 00 00 00 00 00 00 00",
        "F1 F1 F2 F2 F0 F2 F0 F3 F0 F4",
        "F0 F0 F0 F0 F0 F1",
        "F0 F6 F9 F7 F0 F4 F9 F9",
        "F0 F0 F1",
    ];
    let framed = bytes(&pieces.concat());
    let mut body = BytesMut::new();
    dialect.encode(&message, &mut body).unwrap();
    let framing = Framing::new(dialect.header(), 9_999, false);
    let mut stream = BytesMut::new();
    framing.put_frame(&body, &mut stream).unwrap();
    assert_eq!(stream, framed);
    let frame = framing.take_frame(&mut stream).unwrap().unwrap();
    assert_eq!(dialect.decode(frame.body).unwrap(), message);
}

/// The traps of trailing bytes and of a truncated element, where a byte holds two digits.
#[test]
fn a_packed_message_cut_anywhere_is_truncated_and_a_byte_more_is_refused() {
    let dialect = Dialect::built_in("iso8583-1987-bcd").unwrap();
    // An 0200 of DE2, DE11 and DE35.
    let sound = bytes("0200 4020000020000000 05 12 34 5F 00 01 24 04 12 D3");
    let message = dialect.decode(Bytes::from(sound.clone())).unwrap();
    assert_eq!(message.text(2), Some("12345"));
    assert_eq!(message.text(35), Some("12=3"));
    for end in 0..sound.len() {
        let error = dialect
            .decode(Bytes::copy_from_slice(&sound[..end]))
            .unwrap_err();
        let why = error.why;
        assert!(matches!(why, DecodeFault::Truncated { .. }), "{end}: {why}");
        assert!(error.position <= end);
    }
    let longer = [&sound[..], b"\0"].concat();
    let error = dialect.decode(Bytes::from(longer)).unwrap_err();
    assert_eq!((error.part, error.position), (Part::End, sound.len()));
}
