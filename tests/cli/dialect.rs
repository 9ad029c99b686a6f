//! `sampan dialect`: from a bank's packager to a file that payments can be made with.

use crate::support::{Scratch, sampan, sampan_reading};

const ASCII: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/iso87-ascii-packager.xml"
);
const NESTED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/tests/data/nested-bcd-packager.xml"
);

#[test]
fn a_packager_becomes_a_dialect_that_is_fit_for_payments_and_decodes() {
    let scratch = Scratch::new();
    for (packager, message, shown) in [
        (
            ASCII,
            "30303236 30383030 30303230303030303030303030303030 303030313233",
            "DE11",
        ),
        // Behind a length of two bytes: 0800, DE11 and DE55 with tag 9A.
        (
            NESTED,
            "0013 0800 0020000000000200 000123 05 9A03260921",
            "9A  Transaction date  260921",
        ),
    ] {
        let dialect = scratch.path("bank.toml");
        let made = sampan(&["dialect", "import", packager, "-o", &dialect]);
        assert_eq!((made.code, made.out.as_str()), (0, ""), "{made:?}");
        assert!(made.err.contains("left out: 0"), "{made:?}");

        let checked = sampan(&["dialect", "check", &dialect]);
        assert_eq!((checked.code, checked.err.as_str()), (0, ""), "{checked:?}");
        for part in [
            "DE90 ",
            "all there",
            "example 0200",
            "example 0420",
            "example 0800",
        ] {
            assert!(checked.out.contains(part), "{part} in {}", checked.out);
        }

        let decoded = sampan(&["decode", "iso8583", "--dialect", &dialect, message]);
        assert_eq!((decoded.code, decoded.err.as_str()), (0, ""), "{decoded:?}");
        assert!(decoded.out.contains(shown), "{}", decoded.out);

        let again = sampan(&["dialect", "import", packager, "-o", &dialect]);
        assert_eq!(again.code, 1, "a file that is there is kept: {again:?}");
        std::fs::remove_file(&dialect).unwrap();
    }
}

#[test]
fn an_unknown_class_is_told_by_file_line_and_field_and_nothing_is_written() {
    let scratch = Scratch::new();
    let text = std::fs::read_to_string(ASCII).unwrap();
    let text = text.replacen("org.jpos.iso.IFA_AMOUNT", "com.bank.Fee", 1);
    let line = 1 + text
        .lines()
        .position(|line| line.contains("com.bank.Fee"))
        .unwrap();
    let packager = scratch.write("bank.xml", &text);
    let refused = sampan(&["dialect", "import", &packager]);
    assert_eq!(
        (refused.code, refused.out.as_str()),
        (64, ""),
        "{refused:?}"
    );
    let fault = format!("{packager}:{line}: field 28: class com.bank.Fee is not known");
    assert!(refused.err.contains(&fault), "{}", refused.err);

    let lenient = sampan(&["dialect", "import", "--lenient", &packager]);
    assert_eq!(lenient.code, 0, "{lenient:?}");
    assert!(lenient.out.contains("# LEFT OUT") && !lenient.out.contains("\n28 = "));
    assert!(lenient.err.contains("left out: 1"), "{}", lenient.err);
}

#[test]
fn a_dialect_is_checked_from_standard_input_or_by_its_name() {
    let made = sampan(&["dialect", "import", "--name", "mybank", NESTED]);
    let checked = sampan_reading(&made.out, &["dialect", "check", "-"]);
    assert_eq!(checked.code, 0, "{checked:?}");
    assert!(
        checked.out.starts_with("dialect mybank\n"),
        "{}",
        checked.out
    );
    for name in [
        "iso8583-1987-ascii",
        "iso8583-1987-bcd",
        "iso8583-1987-ebcdic",
    ] {
        let checked = sampan(&["dialect", "check", name]);
        assert_eq!(checked.code, 0, "{name}: {checked:?}");
    }
}

#[test]
fn faults_have_their_lines_and_what_payments_lack_is_told() {
    let scratch = Scratch::new();
    let head = "name = \"x\"\nheader = \"ascii4\"\nbitmap = \"hex\"\n[elements]\n";
    let faulty = scratch.write("faulty.toml", &format!("{head}3 = {{ name = 1 }}\n"));
    let told = sampan(&["dialect", "check", &faulty]);
    assert_eq!((told.code, told.out.as_str()), (64, ""), "{told:?}");
    assert!(
        told.err
            .contains(&format!("{faulty}:5: element 3: name must be")),
        "{}",
        told.err
    );

    // A STAN of twelve digits, and no DE90.
    let text = include_str!("../../config/dialects/iso8583-1987-ascii.toml");
    let kept = text.lines().filter(|line| !line.starts_with("90 = "));
    let text = kept.collect::<Vec<_>>().join("\n");
    let stan = "content = \"n\", length = \"fixed\", max = ";
    let (own, wrong) = (format!("(STAN)\", {stan}6"), format!("(STAN)\", {stan}12"));
    assert!(text.contains(&own));
    let unfit = scratch.write("unfit.toml", &text.replace(&own, &wrong));
    let told = sampan(&["dialect", "check", &unfit]);
    assert_eq!(told.code, 1, "{told:?}");
    for fault in [
        "FAILS: DE11, payments, reversals, sign-on: \"000124\" is read back as \"000000000124\"",
        "FAILS: DE90, reversals: the dialect has no such element",
    ] {
        assert!(told.out.contains(fault), "{fault} in {}", told.out);
    }
}

#[test]
fn the_examples_are_the_bytes_of_the_standard() {
    let told = sampan(&["dialect", "check", "iso8583-1987-ascii"]);
    for line in [
        "  header            30303535                                    before 55 bytes of message",
        "  MTI               30383030                                    0800",
        "  DE70              303031                                      001",
    ] {
        assert!(told.out.contains(line), "{line} in {}", told.out);
    }
    // 0800 with DE7, DE11 and DE70, whole: bits 1, 7, 11 and 70.
    let whole = "00550800822000000000000004000000000000000921073244000124001";
    let hex: String = whole.bytes().map(|byte| format!("{byte:02X}")).collect();
    assert!(told.out.contains(&hex), "{hex} in {}", told.out);
}

#[test]
fn the_dialect_that_the_documentation_shows_is_sound() {
    let page = include_str!("../../docs/DIALECTS.md");
    let blocks = page.split("```toml\n").skip(1);
    let blocks = blocks.filter_map(|block| block.split("```").next());
    let elements: String = blocks
        .filter(|block| block.contains("subfields ="))
        .collect();
    assert!(
        elements.contains("ber-tlv") && elements.contains("tlv"),
        "{elements}"
    );
    let head = "name = \"page\"\nheader = \"ascii4\"\nbitmap = \"hex\"\n[elements]\n";
    let dialect = format!("{head}{elements}");
    let checked = sampan_reading(&dialect, &["dialect", "check", "-"]);
    assert_eq!((checked.code, checked.err.as_str()), (1, ""), "{checked:?}");
    assert!(checked.out.contains("parts: BER-TLV"), "{}", checked.out);
}
