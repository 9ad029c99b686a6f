//! Messages written by hand from the layout of ISO 8583:1987, so that an encoder and a decoder
//! cannot share a mistake: all in ASCII here, other forms in `iso8583_forms.rs`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use bytes::{Bytes, BytesMut};
use sampan::iso8583::{Dialect, Message};

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
