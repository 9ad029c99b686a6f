//! Any bytes as frames and as messages of ISO 8583, in every dialect that is part of the program and
//! in one of all the other forms.
//!
//! What must hold: nothing panics; a position of a fault lies within the bytes; what was read is no
//! longer than what came allows; and what was read and can be written is read again as the same.

#![no_main]
#![allow(dead_code, unused_imports, reason = "a target uses part of its core")]

#[path = "../../src/iso8583/mod.rs"]
mod iso8583;

use bytes::{Bytes, BytesMut};
use iso8583::frame::{Header, HeaderKind, Tpdu};
use iso8583::{Dialect, Framing};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// The dialects, of which the first byte of an input chooses one.
static DIALECTS: LazyLock<Vec<Dialect>> = LazyLock::new(|| {
    let built_in = Dialect::built_in_names()
        .filter_map(Dialect::built_in)
        .cloned();
    let mixed = Dialect::parse(include_str!("mixed.toml")).expect("a sound dialect");
    built_in.chain([mixed]).collect()
});

fuzz_target!(|data: &[u8]| {
    let [choice, rest @ ..] = data else { return };
    let choice = usize::from(*choice);
    frames(choice, rest);
    message(&DIALECTS[choice % DIALECTS.len()], rest);
});

fn frames(choice: usize, stream: &[u8]) {
    const KINDS: [HeaderKind; 3] = [HeaderKind::Ascii4, HeaderKind::Binary2, HeaderKind::Bcd2];
    let header = Header {
        kind: KINDS[choice / 4 % KINDS.len()],
        counts_itself: choice & 0x40 != 0,
        tpdu: Tpdu::parse("6000030000").filter(|_| choice & 0x80 != 0),
    };
    let framing = Framing::new(header, 1_000, choice & 1 == 0);
    let mut input = BytesMut::from(stream);
    let mut before = input.len();
    while let Ok(Some(frame)) = framing.take_frame(&mut input) {
        assert!(input.len() < before, "each frame takes bytes off");
        assert_eq!(
            frame.tpdu.is_some(),
            header.tpdu.is_some() && before - input.len() > header.kind.bytes()
        );
        before = input.len();
        if frame.body.is_empty() {
            continue;
        }
        let mut again = BytesMut::new();
        framing
            .put_answer(&frame.body, frame.tpdu, &mut again)
            .expect("it came framed");
        let again = framing
            .take_frame(&mut again)
            .expect("sound")
            .expect("whole");
        assert_eq!(again.body, frame.body);
        assert_eq!(again.tpdu.map(Tpdu::returned), frame.tpdu);
    }
}

fn message(dialect: &Dialect, received: &[u8]) {
    let message = match dialect.decode(Bytes::copy_from_slice(received)) {
        Ok(message) => message,
        Err(error) => {
            assert!(error.position <= received.len());
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    // Two digits come out of a byte, and no more.
    let values: usize = message.iter().map(|(_, value)| value.len()).sum();
    assert!(values <= 2 * received.len());
    assert!(!iso8583::describe::describe(&message, dialect).is_empty());
    let mut written = BytesMut::new();
    // Text is received generously and sent strictly, so not all that was read can be written.
    if dialect.encode(&message, &mut written).is_ok() {
        let again = dialect.decode(written.freeze());
        assert_eq!(
            again.as_ref(),
            Ok(&message),
            "what was written is read as the same"
        );
    }
}
