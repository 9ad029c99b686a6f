//! What is imported writes the bytes that jPOS writes. The bytes are derived by hand from what the
//! classes of jPOS do, which is told beside each.

use super::*;
use crate::iso8583::{Dialect, Message, Mti};
use bytes::BytesMut;

const WANTED: Wanted<'static> = Wanted {
    name: "test",
    header: None,
    lenient: false,
};
const LENIENT: Wanted<'static> = Wanted {
    lenient: true,
    ..WANTED
};

/// A packager of MTI, bitmap and one field, in line 4.
fn packager(field: &str) -> String {
    format!(
        "<isopackager>\n\
         <isofield id=\"0\" length=\"4\" name=\"MTI\" class=\"org.jpos.iso.IFA_NUMERIC\"/>\n\
         <isofield id=\"1\" length=\"16\" name=\"Bitmap\" class=\"org.jpos.iso.IFB_BITMAP\"/>\n\
         {field}\n</isopackager>\n"
    )
}

fn field(id: u8, class: &str, length: u16, pad: bool) -> String {
    format!(
        "<isofield id=\"{id}\" length=\"{length}\" name=\"Field\" pad=\"{pad}\" \
         class=\"org.jpos.iso.{class}\"/>"
    )
}

fn dialect(text: &str) -> Dialect {
    let imported = import(text, &WANTED).unwrap_or_else(|refused| panic!("{:?}", refused.faults));
    Dialect::parse(&imported.text).unwrap_or_else(|error| panic!("{error}\n{}", imported.text))
}

fn bytes(hex: &str) -> Vec<u8> {
    let nibbles: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    let pairs = nibbles.as_chunks::<2>().0.iter();
    pairs.map(|[high, low]| (high << 4 | low) as u8).collect()
}

fn encoded(dialect: &Dialect, elements: &[(u8, &[u8])]) -> Vec<u8> {
    let mut message = Message::new(Mti::FINANCIAL_REQUEST);
    for (number, value) in elements {
        message.set(*number, value);
    }
    let mut output = BytesMut::new();
    dialect.encode(&message, &mut output).unwrap();
    let read = dialect.decode(output.clone().freeze()).unwrap();
    assert_eq!(read, message, "what is written is read");
    output.to_vec()
}

#[test]
fn each_class_writes_what_jpos_writes() {
    // MTI as four ASCII digits and a bitmap of eight bytes come before the field.
    const PREAMBLE: usize = 4 + 8;
    for (id, class, length, pad, value, wire) in [
        // Characters, filled with spaces behind; numbers with zeros before.
        (41, "IF_CHAR", 3, false, &b"AB "[..], "414220"),
        (41, "IFE_CHAR", 2, false, b"A1", "C1F1"),
        (11, "IFA_NUMERIC", 6, false, b"000124", "303030313234"),
        (11, "IFE_NUMERIC", 6, false, b"000124", "F0F0F0F1F2F4"),
        // BCDInterpreter: `pad` true fills an odd number on the left with 0, false on the right.
        (22, "IFB_NUMERIC", 3, true, b"012", "0012"),
        (22, "IFB_NUMERIC", 3, false, b"012", "0120"),
        (22, "IFB_FNUMERIC", 3, false, b"012", "012F"),
        // BcdPrefixer and BinaryPrefixer count the digits.
        (2, "IFB_LLNUM", 19, false, b"97043", "05 970430"),
        (2, "IFB_LLNUM", 19, true, b"97043", "05 097043"),
        (2, "IFB_FLLNUM", 19, false, b"97043", "05 97043F"),
        (
            2,
            "IFB_LLHNUM",
            19,
            false,
            b"970436123456",
            "0C 970436123456",
        ),
        (2, "IFB_LLLNUM", 104, true, b"123", "0003 0123"),
        // IFEB_LLNUM counts the bytes, in EBCDIC, and fills with F.
        (2, "IFEB_LLNUM", 19, false, b"97043", "F0F3 97043F"),
        // A track's separator is D in BCD.
        (35, "IFB_LLNUM", 37, false, b"97043=2812", "10 97043D2812"),
        // ASCII digits before characters; BCD; a binary number of one byte and of two.
        (44, "IFA_LLCHAR", 25, false, b"OK", "3032 4F4B"),
        (48, "IFA_LLLCHAR", 999, false, b"OK", "303032 4F4B"),
        (44, "IFB_LLCHAR", 25, false, b"OK", "02 4F4B"),
        (48, "IFB_LLLCHAR", 999, false, b"OK", "0002 4F4B"),
        (44, "IFB_LLHCHAR", 255, false, b"OK", "02 4F4B"),
        (48, "IFB_LLLHCHAR", 999, false, b"OK", "0002 4F4B"),
        (44, "IFB_LLHECHAR", 255, false, b"OK", "02 D6D2"),
        (44, "IFE_LLCHAR", 25, false, b"OK", "F0F2 D6D2"),
        (44, "IFEA_LLCHAR", 25, false, b"OK", "F0F2 4F4B"),
        (44, "IFAE_LLCHAR", 25, false, b"OK", "3032 D6D2"),
        (44, "IFA_LCHAR", 9, false, b"OK", "32 4F4B"),
        (48, "IFA_LLLLCHAR", 9999, false, b"OK", "30303032 4F4B"),
        // A sign, and digits as the class has them.
        (
            28,
            "IFA_AMOUNT",
            9,
            false,
            b"C00000500",
            "433030303030353030",
        ),
        (28, "IFB_AMOUNT", 9, true, b"C00000500", "43 00000500"),
        (
            28,
            "IFE_AMOUNT",
            9,
            false,
            b"C00000500",
            "C3F0F0F0F0F0F5F0F0",
        ),
        // Bytes as they are, or as hexadecimal characters.
        (52, "IFB_BINARY", 2, false, &[0xCA, 0xFE], "CAFE"),
        (52, "IFA_BINARY", 2, false, &[0xCA, 0xFE], "43414645"),
        (52, "IFE_BINARY", 2, false, &[0xCA, 0xFE], "C3C1C6C5"),
        (
            55,
            "IFA_LLLBINARY",
            999,
            false,
            &[0xCA, 0xFE],
            "303032 CAFE",
        ),
        (55, "IFB_LLBINARY", 99, false, &[0xCA, 0xFE], "02 CAFE"),
        (55, "IFB_LLHBINARY", 255, false, &[0xCA, 0xFE], "02 CAFE"),
        (55, "IFB_LLLHBINARY", 999, false, &[0xCA, 0xFE], "0002 CAFE"),
        (
            55,
            "IFE_LLLBINARY",
            999,
            false,
            &[0xCA, 0xFE],
            "F0F0F2 CAFE",
        ),
        // Its length counts the bytes, not the characters.
        (
            55,
            "IFA_LLABINARY",
            99,
            false,
            &[0xCA, 0xFE],
            "3032 43414645",
        ),
    ] {
        let dialect = dialect(&packager(&field(id, class, length, pad)));
        let message = encoded(&dialect, &[(id, value)]);
        assert_eq!(message[PREAMBLE..], bytes(wire), "{class} {pad}");
    }
}

#[test]
fn message_type_and_bitmap_are_taken_over_in_each_form() {
    for (mti, bitmap, wire) in [
        (
            "IFA_NUMERIC",
            "IFA_BITMAP",
            "30323030 32303030303030303030303030303030",
        ),
        ("IFB_NUMERIC", "IFB_BITMAP", "0200 2000000000000000"),
        (
            "IFE_NUMERIC",
            "IFE_BITMAP",
            "F0F2F0F0 F2F0F0F0F0F0F0F0F0F0F0F0F0F0F0F0",
        ),
        ("IF_CHAR", "IFB_BITMAP", "30323030 2000000000000000"),
    ] {
        let text = packager(&field(3, "IFA_NUMERIC", 6, false));
        let text = text
            .replacen("IFA_NUMERIC", mti, 1)
            .replacen("IFB_BITMAP", bitmap, 1);
        let message = encoded(&dialect(&text), &[(3, b"000000")]);
        let wire = [bytes(wire), b"000000".to_vec()].concat();
        assert_eq!(message, wire, "{mti} {bitmap}");
    }
}

#[test]
fn the_standard_in_ascii_comes_back_as_the_built_in_dialect() {
    let text = include_str!("../../../../tests/data/iso87-ascii-packager.xml");
    let (imported, own) = (dialect(text), Dialect::iso8583_1987_ascii());
    assert_eq!(
        (imported.header(), imported.bitmap()),
        (own.header(), own.bitmap())
    );
    // DE65 is a bitmap there and a byte here.
    for number in (2..=128).filter(|number| *number != 65) {
        let (imported, own) = (imported.element(number), own.element(number));
        let (imported, own) = (imported.unwrap(), own.unwrap());
        assert_eq!(imported.name(), own.name(), "DE{number}");
        assert_eq!(imported.length(), own.length(), "DE{number}");
        assert_eq!(imported.encoding(), own.encoding(), "DE{number}");
    }
    let elements: [(u8, &[u8]); 8] = [
        (2, b"9704361234561234"),
        (4, b"000000010000"),
        (28, b"C00000500"),
        (35, b"9704361234561234=2812"),
        (43, b"Sampan Test Merchant     Ha Noi       VN"),
        (52, &[1, 2, 3, 4, 5, 6, 7, 8]),
        (90, b"020000012409210732440000097049900000000000"),
        (128, &[8, 7, 6, 5, 4, 3, 2, 1]),
    ];
    assert_eq!(encoded(&imported, &elements), encoded(own, &elements));
}

#[test]
fn nested_and_packed_fields_are_taken_over_with_their_parts() {
    let text = include_str!("../../../../tests/data/nested-bcd-packager.xml");
    let dialect = dialect(text);
    // Kind, batch 000042 packed, a note of 2 behind a binary length, four bytes of flags.
    let private = bytes("4131 000042 02 4F4B CAFE0001");
    let chip = bytes("9F2701 80");
    let elements: [(u8, &[u8]); 5] = [
        (2, b"97043"),
        (22, b"012"),
        (48, &private),
        (55, &chip),
        (60, b"01002AT"),
    ];
    let wire = "0200 4000040000010210 05970430 0012 \
                0012 4131000042024F4BCAFE0001 04 9F270180 0007 3031 303032 4154";
    assert_eq!(encoded(&dialect, &elements), bytes(wire));
    let labels = |number, value| {
        let parts = dialect.composite(number).unwrap().split(number, value);
        let parts = parts.unwrap();
        let labels = parts
            .iter()
            .map(|part| format!("{} {:?}", part.label, part.name()));
        labels.collect::<Vec<_>>()
    };
    let places = ["Kind None", "Batch None", "Note None", "Flags None"];
    assert_eq!(labels(48, &private), places);
    assert_eq!(
        labels(55, &chip),
        ["9F27 Some(\"Cryptogram information data\")"]
    );
    assert_eq!(labels(60, b"01002AT"), ["01 Some(\"Channel\")"]);
    assert_eq!(dialect.composite(62), None);
    let imported = import(text, &WANTED).unwrap();
    for note in [
        "# 62: its subfields are not told apart: a bitmap of their own",
        "# 63: not used by the packager.",
    ] {
        assert!(imported.text.contains(note), "{note} in {}", imported.text);
    }
}

#[test]
fn an_unknown_class_is_named_with_its_line_and_left_out_only_if_asked() {
    let text =
        packager("<isofield id=\"5\" length=\"6\" name=\"X\" class=\"com.bank.IFA_NUMERIC\"/>");
    let refused = import(&text, &WANTED).unwrap_err();
    let what = "field 5: class com.bank.IFA_NUMERIC is not known".to_owned();
    assert_eq!(refused.faults, [Fault { line: 4, what }]);
    assert!(refused.lenient_helps);

    let imported = import(&text, &LENIENT).unwrap();
    assert_eq!((imported.elements, imported.left_out.len()), (0, 1));
    assert!(
        imported
            .text
            .contains("# LEFT OUT, line 4 of the packager: field 5: class com.bank")
    );
    assert_eq!(Dialect::parse(&imported.text).unwrap().element(5), None);
}

#[test]
fn what_a_dialect_has_no_words_for_is_told_with_its_reason() {
    for (class, why) in [
        ("IFA_FLLCHAR", "filled to its full length"),
        ("IFA_LLLLLLBINARY", "more than four digits"),
        ("IF_TCHAR", "ends with a character"),
        ("IFMC_LLCHAR", "for subfields only"),
        ("IFB_BITMAP", "for the bitmaps"),
    ] {
        let refused = import(&packager(&field(5, class, 9, false)), &WANTED).unwrap_err();
        let fault = &refused.faults[0];
        assert!(
            fault.what.contains(why) && fault.what.contains(class),
            "{fault:?}"
        );
    }
}

#[test]
fn a_packager_that_describes_no_message_is_refused_even_leniently() {
    for (from, to, why) in [
        ("id=\"0\"", "id=\"6\"", "no field 0"),
        (
            "IFA_NUMERIC",
            "IFA_LLNUM",
            "field 0: class org.jpos.iso.IFA_LLNUM",
        ),
        ("IFB_BITMAP", "IFB_BINARY", "is no bitmap"),
    ] {
        let text = packager("").replace(from, to);
        let refused = import(&text, &LENIENT).unwrap_err();
        let found = refused.faults.iter().any(|fault| fault.what.contains(why));
        assert!(found && !refused.lenient_helps, "{:?}", refused.faults);
    }
}

#[test]
fn of_a_field_given_twice_the_last_is_taken_if_asked_as_jpos_does() {
    let (first, last) = (
        field(5, "IFA_NUMERIC", 6, false),
        field(5, "IFA_NUMERIC", 12, false),
    );
    let text = packager(&format!("{first}\n{last}"));
    let refused = import(&text, &WANTED).unwrap_err();
    let what = "field 5 is given again in line 5; jPOS takes the last one".to_owned();
    assert_eq!(refused.faults, [Fault { line: 4, what }]);
    let imported = import(&text, &LENIENT).unwrap();
    let dialect = Dialect::parse(&imported.text).unwrap();
    assert_eq!(dialect.element(5).unwrap().length().maximum(), 12);
}

/// A nested field whose parts cannot be told apart travels all the same.
#[test]
fn subfields_without_words_leave_their_element_whole() {
    let nested = |attributes: &str, inner: &str| {
        packager(&format!(
            "<isofieldpackager id=\"48\" length=\"99\" name=\"Own\" class=\"org.jpos.iso.IFA_LLCHAR\" \
             packager=\"org.jpos.iso.packager.{attributes}>{inner}</isofieldpackager>"
        ))
    };
    let generic = "GenericSubFieldPackager\" emitBitmap=\"false\"";
    for (text, why) in [
        (
            nested("GenericSubFieldPackager\"", ""),
            "a bitmap of their own",
        ),
        (nested("Base1SubFieldPackager\"", ""), "is not known"),
        (nested(generic, ""), "there are none"),
        (
            nested(&format!("{generic} headerLength=\"1\""), ""),
            "a header stands before them",
        ),
        (
            nested(generic, &field(1, "IF_TCHAR", 9, false)),
            "ends with a character",
        ),
    ] {
        let imported = import(&text, &WANTED).unwrap();
        let flat = imported.text.replace("\n# ", " ");
        assert!(
            flat.contains("48: its subfields are not told apart") && flat.contains(why),
            "{flat}"
        );
        assert_eq!(encoded(&dialect(&text), &[(48, b"OK")])[12..], *b"02OK");
    }
    // An unknown class is a fault here too; leniently, the element stays and its parts go.
    let text = nested(
        generic,
        "<isofield id=\"0\" length=\"1\" name=\"x\" class=\"a.B\"/>",
    );
    let refused = import(&text, &WANTED).unwrap_err();
    assert!(
        refused.faults[0]
            .what
            .contains("subfield 0 in line 4: class a.B is not known")
    );
    let imported = import(&text, &LENIENT).unwrap();
    assert_eq!((imported.elements, imported.left_out.len()), (1, 1));
}

#[test]
fn packed_subfields_in_an_element_of_characters_make_it_bytes_and_nothing_else_travels() {
    let text = packager(&format!(
        "<isofieldpackager id=\"48\" length=\"99\" name=\"Own\" class=\"org.jpos.iso.IFA_LLCHAR\" \
         packager=\"org.jpos.iso.packager.GenericSubFieldPackager\" emitBitmap=\"false\" \
         firstField=\"0\">{}{}</isofieldpackager>",
        field(0, "IFB_NUMERIC", 4, true),
        field(1, "IF_CHAR", 2, false)
    ));
    let message = encoded(&dialect(&text), &[(48, &bytes("1234 4F4B"))]);
    assert_eq!(message[12..], bytes("3034 1234 4F4B"));
}

#[test]
fn a_name_cannot_become_toml() {
    let evil = "<isofield id=\"5\" length=\"6\" name=\"&quot; }&#10;6 = { # \\\" \
                class=\"org.jpos.iso.IFA_NUMERIC\"/>";
    let dialect = dialect(&packager(evil));
    assert_eq!(dialect.element(5).unwrap().name(), "\" } 6 = { # \\");
    assert_eq!(dialect.element(6), None);
}

#[test]
fn what_stands_before_a_message_is_as_asked_or_as_the_message_type_suggests() {
    let packed = packager("").replace("IFA_NUMERIC", "IFB_NUMERIC");
    let header = |text: &str, header| {
        let wanted = Wanted { header, ..WANTED };
        import(text, &wanted).unwrap().text
    };
    assert!(header(&packager(""), None).contains("\nheader = \"ascii4\"\n"));
    assert!(header(&packed, None).contains("\nheader = \"binary2\"\n"));
    assert!(header(&packed, Some("bcd2")).contains("\nheader = \"bcd2\"\n"));
}
