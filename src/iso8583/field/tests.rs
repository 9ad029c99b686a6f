use super::*;

const LEFT_0: Encoding = bcd(Side::Left, PadDigit::Zero);
const RIGHT_F: Encoding = bcd(Side::Right, PadDigit::F);

const fn bcd(side: Side, digit: PadDigit) -> Encoding {
    Encoding::Bcd(Pad { side, digit })
}

fn spec(content: Content, length: Length, encoding: Encoding) -> Result<FieldSpec, SpecError> {
    FieldSpec::new("name", content, length, encoding)
}

fn prefixed(
    content: Content,
    length: Length,
    encoding: Encoding,
    prefix: PrefixEncoding,
    counts: Option<Counts>,
) -> Result<FieldSpec, SpecError> {
    let prefix = Prefix {
        encoding: prefix,
        counts,
    };
    FieldSpec::with_prefix("name", content, length, encoding, prefix)
}

#[test]
fn a_maximum_that_its_prefix_cannot_give_is_refused() {
    use PrefixEncoding::*;
    for (length, prefix, limit) in [
        (Length::Fixed as fn(u16) -> Length, Ascii, 999),
        (Length::L, Ascii, 9),
        (Length::Ll, Ebcdic, 99),
        (Length::Lll, Bcd, 999),
        (Length::Llll, Bcd, 9_999),
        (Length::L, Binary, 255),
        (Length::Ll, Binary, 255),
    ] {
        let of = |max| prefixed(Content::Text, length(max), Encoding::Ascii, prefix, None);
        let limit = limit as u16;
        assert!(of(limit).is_ok(), "{prefix:?} {limit}");
        let limit_told = usize::from(limit);
        for wrong in [0, limit + 1] {
            let error = SpecError::Maximum { limit: limit_told };
            assert_eq!(of(wrong), Err(error), "{prefix:?} {limit}");
        }
    }
}

#[test]
fn the_maximum_is_in_what_the_prefix_does_not_count_too() {
    let of = |content, encoding, counts, max| {
        let ascii = PrefixEncoding::Ascii;
        prefixed(content, Length::Ll(max), encoding, ascii, Some(counts)).map(|_| ())
    };
    let over = |limit| Err(SpecError::Maximum { limit });
    // 99 hexadecimal digits are 49 bytes and a half; 99 bytes hold 198 decimal digits.
    let (bytes, hex) = (Content::Bytes, Encoding::Hex);
    assert_eq!(of(bytes, hex, Counts::Digits, 49), Ok(()));
    assert_eq!(of(bytes, hex, Counts::Digits, 50), over(49));
    assert_eq!(of(bytes, hex, Counts::Bytes, 99), Ok(()));
    assert_eq!(of(Content::Digits, RIGHT_F, Counts::Bytes, 198), Ok(()));
    assert_eq!(of(Content::Digits, RIGHT_F, Counts::Bytes, 199), over(198));
}

#[test]
fn a_content_that_does_not_travel_in_an_encoding_is_refused() {
    use Content::*;
    let contents = [
        Letters,
        Digits,
        LettersDigits,
        Text,
        DigitsSpecial,
        Track,
        SignedDigits,
        Bytes,
    ];
    for (encoding, sound) in [
        (Encoding::Ascii, &contents[..7]),
        (Encoding::Ebcdic, &contents[..]),
        (LEFT_0, &[Digits, Track, SignedDigits]),
        (Encoding::Hex, &[Bytes]),
        (Encoding::Binary, &[Bytes]),
    ] {
        for content in contents {
            let found = spec(content, Length::Fixed(8), encoding);
            if sound.contains(&content) {
                assert!(found.is_ok(), "{content:?} {encoding:?}");
            } else {
                let refused = Err(SpecError::Encoding);
                assert_eq!(found, refused, "{content:?} {encoding:?}");
            }
        }
    }
}

#[test]
fn a_length_that_could_be_read_in_two_ways_is_refused_until_it_is_told() {
    let hex = spec(Content::Bytes, Length::Ll(8), Encoding::Hex);
    assert_eq!(hex, Err(SpecError::HexLength));
    let hex = spec(Content::Bytes, Length::Ll(8), Encoding::Ebcdic);
    assert_eq!(hex, Err(SpecError::HexLength));
    let signed = spec(Content::SignedDigits, Length::Ll(9), LEFT_0);
    assert_eq!(signed, Err(SpecError::SignedLength));
    let ascii = PrefixEncoding::Ascii;
    let bytes = Some(Counts::Bytes);
    let of = |length, encoding| prefixed(Content::Digits, length, encoding, ascii, bytes);
    assert_eq!(of(Length::Ll(8), LEFT_0), Err(SpecError::HiddenPad));
    assert!(of(Length::Ll(8), RIGHT_F).is_ok());
    assert_eq!(of(Length::Ll(8), Encoding::Ascii), Err(SpecError::Counts));
    assert_eq!(of(Length::Fixed(8), RIGHT_F), Err(SpecError::Counts));
}

#[test]
fn a_signed_number_needs_room_for_a_digit() {
    let one = spec(Content::SignedDigits, Length::Fixed(1), Encoding::Ascii);
    assert_eq!(one, Err(SpecError::Signed));
}

#[test]
fn a_prefix_has_as_many_bytes_as_its_digits_need() {
    use PrefixEncoding::*;
    for (prefix, bytes) in [
        (Ascii, [1, 2, 3, 4]),
        (Ebcdic, [1, 2, 3, 4]),
        (Bcd, [1, 1, 2, 2]),
        (Binary, [1, 1, 2, 2]),
    ] {
        let lengths = [Length::L(9), Length::Ll(9), Length::Lll(9), Length::Llll(9)];
        let found = lengths.map(|length| {
            let spec = prefixed(Content::Text, length, Encoding::Ascii, prefix, None);
            spec.unwrap().prefix_bytes()
        });
        assert_eq!(found, bytes, "{prefix:?}");
    }
}
