use super::*;
use crate::iso8583::mti::MtiError;

/// An 0200 of elements 3, 11 and 32: `0200` `2020000100000000` `000000` `000124` `06` `970499`.
const SMALL: &[u8] = b"0200202000010000000000000000012406970499";

fn decode(bytes: &[u8]) -> Result<Message, DecodeError> {
    Dialect::iso8583_1987_ascii().decode(Bytes::copy_from_slice(bytes))
}

/// Where and why the decoding failed.
fn fault(bytes: &[u8]) -> (Part, usize, DecodeFault) {
    let error = decode(bytes).unwrap_err();
    (error.part, error.position, error.why)
}

/// `SMALL` with the bytes at `position` replaced.
fn altered(position: usize, with: &[u8]) -> Vec<u8> {
    let mut bytes = SMALL.to_vec();
    bytes[position..position + with.len()].copy_from_slice(with);
    bytes
}

#[test]
fn a_sound_message_is_read() {
    let message = decode(SMALL).unwrap();
    assert_eq!(message.mti(), Mti::FINANCIAL_REQUEST);
    let elements: Vec<_> = message.iter().collect();
    let expected: [(u8, &[u8]); 3] = [(3, b"000000"), (11, b"000124"), (32, b"970499")];
    assert_eq!(elements, expected);
}

#[test]
fn values_share_the_received_buffer() {
    let received = Bytes::from_static(SMALL);
    let message = Dialect::iso8583_1987_ascii().decode(received.clone());
    let message = message.unwrap();
    assert_eq!(message.get(11).unwrap().as_ptr(), received[26..].as_ptr());
}

#[test]
fn trailing_bytes_are_refused() {
    let bytes = [SMALL, b"99"].concat();
    let why = DecodeFault::Trailing { count: 2 };
    assert_eq!(fault(&bytes), (Part::End, 40, why));
}

#[test]
fn a_length_prefix_that_is_no_number_is_refused() {
    let (digits, encoding) = (2, PrefixEncoding::Ascii);
    let why = DecodeFault::Prefix { digits, encoding };
    for prefix in [b"-6", b"+6", b" 6", b"6 ", b"A6"] {
        let bytes = altered(32, prefix);
        assert_eq!(fault(&bytes), (Part::Element(32), 32, why));
    }
}

#[test]
fn a_length_prefix_over_the_limit_of_the_element_is_refused() {
    let (length, limit) = (12, 11);
    let why = DecodeFault::TooLong { length, limit };
    assert_eq!(fault(&altered(32, b"12")), (Part::Element(32), 32, why));
}

#[test]
fn a_length_prefix_past_the_end_is_a_truncated_element() {
    let (expected, left) = (7, 6);
    let why = DecodeFault::Truncated { expected, left };
    assert_eq!(fault(&altered(32, b"07")), (Part::Element(32), 34, why));
}

#[test]
fn a_bitmap_that_is_not_hexadecimal_is_refused() {
    let why = DecodeFault::NotHex;
    assert_eq!(fault(&altered(7, b"x")), (Part::PrimaryBitmap, 7, why));
    let secondary = b"0800822000000000000004000000000000g0";
    assert_eq!(fault(secondary), (Part::SecondaryBitmap, 34, why));
}

#[test]
fn a_message_cut_anywhere_is_truncated() {
    for end in 0..SMALL.len() {
        let (_, position, why) = fault(&SMALL[..end]);
        assert!(matches!(why, DecodeFault::Truncated { .. }), "{end}: {why}");
        assert!(position <= end);
    }
}

#[test]
fn an_element_that_the_dialect_does_not_have_is_refused() {
    let text = "name = \"x\"\nheader = \"ascii4\"\nbitmap = \"hex\"\n[elements]\n\
        3 = { name = \"Code\", content = \"n\", length = \"fixed\", max = 6 }";
    let dialect = Dialect::parse(text).unwrap();
    let error = dialect.decode(Bytes::from_static(SMALL)).unwrap_err();
    assert_eq!(error.part, Part::Element(11));
    assert_eq!((error.position, error.why), (26, DecodeFault::Unknown));
    assert_eq!(error.parsed.elements, [3]);
}

#[test]
fn a_third_bitmap_is_refused() {
    let bytes = b"0800800000000000000080000000000000000000000000000000";
    assert_eq!(
        fault(bytes),
        (Part::Element(65), 36, DecodeFault::ThirdBitmap)
    );
}

#[test]
fn an_mti_that_is_none_is_refused() {
    let why = DecodeFault::Mti(MtiError::NotDigits);
    assert_eq!(fault(&altered(0, b"GET ")), (Part::Mti, 0, why));
}

#[test]
fn a_wrong_byte_in_an_element_is_named_by_its_offset() {
    let why = DecodeFault::Content(Content::Digits);
    assert_eq!(fault(&altered(28, b" ")), (Part::Element(11), 28, why));
}

#[test]
fn hexadecimal_elements_are_read_in_either_case() {
    let message = decode(b"020000000000000010000123456789abcdEF").unwrap();
    let pin = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];
    assert_eq!(message.get(52), Some(&pin[..]));
    let why = DecodeFault::NotHex;
    let bytes = b"020000000000000010000123456789abcd-F";
    assert_eq!(fault(bytes), (Part::Element(52), 34, why));
}

#[test]
fn a_text_with_foreign_letters_is_received_as_it_is() {
    let bytes = [&b"02100000000000100000"[..], "05Hà N".as_bytes()].concat();
    let message = decode(&bytes).unwrap();
    assert_eq!(message.text(44), Some("Hà N"));
}

#[test]
fn an_error_tells_what_was_read_and_shows_no_card_data() {
    // Elements 2, 3, 11 and 41, the last of which is missing.
    let bytes = b"02006020000000800000169704361234561234000000000124";
    let shown = decode(bytes).unwrap_err().to_string();
    assert_eq!(
        shown,
        "DE41 at byte 50: the message ends here: 8 bytes were expected, 0 are left \
         (read before: 0200 2 3 11=000124)"
    );
}

#[test]
fn bitmaps_and_bytes_may_travel_as_they_are() {
    let text = "name = \"x\"\nheader = \"ascii4\"\nbitmap = \"binary\"\n[elements]\n\
        3 = { name = \"Code\", content = \"n\", length = \"fixed\", max = 6 }\n\
        55 = { name = \"ICC\", content = \"b\", encoding = \"binary\", length = \"LLL\", max = 255 }\n\
        128 = { name = \"MAC\", content = \"b\", encoding = \"binary\", length = \"fixed\", max = 8 }";
    let dialect = Dialect::parse(text).unwrap();
    let bytes: &[u8] = b"0200\xA0\0\0\0\0\0\x02\0\0\0\0\0\0\0\0\x01000000003\x9F\x26\0\
        \x01\x02\x03\x04\x05\x06\x07\x08";
    let message = dialect.decode(Bytes::from_static(bytes)).unwrap();
    assert_eq!(message.get(55), Some(&b"\x9F\x26\0"[..]));
    assert_eq!(
        message.get(128),
        Some(&b"\x01\x02\x03\x04\x05\x06\x07\x08"[..])
    );
    let mut written = bytes::BytesMut::new();
    dialect.encode(&message, &mut written).unwrap();
    assert_eq!(&written[..], bytes);
}
