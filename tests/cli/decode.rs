//! `sampan decode` on octets written by hand from the standards' layouts.

use crate::support::{Scratch, sampan, sampan_reading};

/// SMPP 3.4 4.1.5: bind_transceiver of system_id `sampan` with password `secret08`.
const BIND: &str = "00000028 00000009 00000000 00000001 \
    73616d70616e00 7365637265743038 00 534d5300 34 01 01 00";

/// SMPP 3.4 4.4.1: submit_sm to 84981112233 with the text `OTP 482913`.
const SUBMIT: &str = "0x00000041 0x00000004 0x00000000 0x00000002 \
    00 01 01 3834393031313132323333 00 01 01 3834393831313132323333 00 \
    00 00 00 00 00 01 00 00 00 0a 4f545020343832393133";

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

/// Bits 2 3 4 7 11 37 41 49, and card code in 48.
fn purchase() -> String {
    [
        "0200",
        "7220000008818000",
        "169704361234561234",
        "000000",
        "000000010000",
        "0921073244",
        "000124",
        "226507000124",
        "SAMPAN01",
        "006482913",
        "704",
    ]
    .concat()
}

#[test]
fn pdus_are_shown_by_name_without_password_text_or_number() {
    let ended = sampan(&["decode", "smpp", BIND, SUBMIT]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    for shown in [
        "bind_transceiver\n",
        "\"sampan\"",
        "<8 octets>",
        "submit_sm\n",
        "<10 octets>",
    ] {
        assert!(ended.out.contains(shown), "{shown} in {}", ended.out);
    }
    for secret in ["secret08", "482913", "84981112233", "84901112233"] {
        assert!(!ended.out.contains(secret), "{secret}");
    }
}

#[test]
fn messages_are_shown_by_name_without_card_data() {
    let message = purchase();
    let framed = hex(&format!("{:04}{message}", message.len()));
    let twice = format!("{framed}\n{framed}\n");
    let ended = sampan_reading(&twice, &["decode", "iso8583", "-"]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    assert_eq!(ended.out.matches("0200 ").count(), 2);
    assert!(ended.out.contains("970436******1234"));
    assert!(ended.out.contains("226507000124"));
    for secret in ["9704361234561234", "482913"] {
        assert!(!ended.out.contains(secret), "{secret}");
    }
    let bare = sampan(&["decode", "iso8583", "--no-header", &hex(&message)]);
    assert_eq!(bare.code, 0, "{bare:?}");
    assert_eq!(ended.out, format!("{0}\n{0}", bare.out));
}

#[test]
fn what_cannot_be_decoded_is_told_by_its_byte_and_never_repeated() {
    let message = purchase();
    let cut = message.strip_suffix("4").unwrap();
    let cases = [
        // DE49 begins behind 101 bytes and lacks one of its 3.
        (
            vec!["iso8583", "--no-header", &hex(cut)],
            "byte 101: DE49: ",
        ),
        (vec!["iso8583", &hex(&message)], "byte 0: "),
        (vec!["iso8583", &hex("GET / HTTP/1.1")], "byte 0: "),
        (
            vec!["smpp", "00000010 00000015 00000000 00000001 0000"],
            "byte 16: ",
        ),
        (vec!["smpp", &hex("GET / HTTP/1.1")], "byte 0: "),
        (vec!["smpp", "0000001g"], "character 8 "),
        (vec!["smpp", "000"], "character 3 "),
    ]
    .map(|(args, told)| {
        (
            args.into_iter().map(str::to_owned).collect::<Vec<_>>(),
            told,
        )
    });
    for (args, told) in cases {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let ended = sampan(&[&["decode"], &args[..]].concat());
        assert_eq!(ended.code, 1, "{args:?}: {ended:?}");
        assert!(ended.err.contains(told), "{told}: {}", ended.err);
        assert!(!ended.err.contains("9704361234561234"), "{}", ended.err);
    }
}

#[test]
fn a_dialect_file_decides_what_elements_are_called() {
    let scratch = Scratch::new();
    let own = include_str!("../../config/dialects/iso8583-1987-ascii.toml")
        .replace("Processing code", "What is wanted");
    let dialect = scratch.write("own.toml", &own);
    let octets = hex(&purchase());
    let ended = sampan(&[
        "decode",
        "iso8583",
        "--no-header",
        "--dialect",
        &dialect,
        &octets,
    ]);
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("What is wanted"), "{}", ended.out);

    let broken = scratch.write("broken.toml", "name = \"x\"\nlug = 1\n");
    let ended = sampan(&["decode", "iso8583", "--dialect", &broken, &octets]);
    assert_eq!(ended.code, 64);
    assert!(
        ended.err.contains(&format!("{broken}:2: ")),
        "{}",
        ended.err
    );
}

#[test]
fn a_built_in_dialect_decodes_by_its_name() {
    // An 0800 of DE11 and DE70 in packed digits: 2 + 16 + 3 + 2 = 23 bytes behind their length.
    let octets = "0017 0800 8020000000000000 0400000000000000 000001 0301";
    let ended = sampan(&["decode", "iso8583", "--dialect", "iso8583-1987-bcd", octets]);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    assert!(ended.out.starts_with("0800 "), "{}", ended.out);
    assert!(ended.out.contains("301"), "{}", ended.out);
}
