use super::*;

const KINDS: [HeaderKind; 3] = [HeaderKind::Ascii4, HeaderKind::Binary2, HeaderKind::Bcd2];

fn framing(kind: HeaderKind) -> Framing {
    Framing::new(Header::new(kind), 300, false)
}

/// The same, with a TPDU.
fn routed(kind: HeaderKind) -> Framing {
    let header = Header {
        tpdu: Tpdu::parse("6000030000"),
        ..Header::new(kind)
    };
    Framing::new(header, 300, false)
}

/// The same, with a length that counts itself.
fn inclusive(kind: HeaderKind) -> Framing {
    let header = Header {
        counts_itself: true,
        ..Header::new(kind)
    };
    Framing::new(header, 300, false)
}

fn take(framing: Framing, input: &[u8]) -> Result<Option<Bytes>, FrameError> {
    let taken = framing.take_frame(&mut BytesMut::from(input));
    taken.map(|frame| frame.map(|frame| frame.body))
}

#[track_caller]
fn travels_as(framing: Framing, body: &[u8], head: &[u8]) {
    let mut output = BytesMut::new();
    framing.put_frame(body, &mut output).unwrap();
    assert_eq!(&output[..head.len()], head);
    assert_eq!(&output[head.len()..], body);
    let taken = framing.take_frame(&mut output).unwrap().unwrap();
    assert_eq!(taken.body, body);
    assert!(output.is_empty());
}

#[test]
fn a_body_of_126_bytes_travels_behind_a_header_that_gives_126() {
    let body = [b'x'; 126];
    travels_as(framing(HeaderKind::Ascii4), &body, b"0126");
    travels_as(framing(HeaderKind::Binary2), &body, &[0x00, 0x7E]);
    travels_as(framing(HeaderKind::Bcd2), &body, &[0x01, 0x26]);
}

#[test]
fn a_header_that_counts_itself_gives_its_own_bytes_more() {
    let body = [b'x'; 126];
    travels_as(inclusive(HeaderKind::Ascii4), &body, b"0130");
    travels_as(inclusive(HeaderKind::Binary2), &body, &[0x00, 0x80]);
    travels_as(inclusive(HeaderKind::Bcd2), &body, &[0x01, 0x28]);
}

#[test]
fn a_tpdu_stands_behind_the_length_and_is_counted() {
    let body = [b'x'; 126];
    let tpdu = [0x60, 0x00, 0x03, 0x00, 0x00];
    let behind = |length: &[u8]| [length, &tpdu].concat();
    travels_as(routed(HeaderKind::Ascii4), &body, &behind(b"0131"));
    travels_as(routed(HeaderKind::Binary2), &body, &behind(&[0x00, 0x83]));
    travels_as(routed(HeaderKind::Bcd2), &body, &behind(&[0x01, 0x31]));
}

#[test]
fn an_answer_has_the_tpdu_of_its_request_with_source_and_destination_changed() {
    let framing = routed(HeaderKind::Binary2);
    let mut input = BytesMut::from(&b"\x00\x07\x60\x12\x34\x56\x78ab"[..]);
    let received = framing.take_frame(&mut input).unwrap().unwrap();
    assert_eq!(received.tpdu.unwrap().to_string(), "6012345678");
    let mut output = BytesMut::new();
    framing
        .put_answer(b"cd", received.tpdu, &mut output)
        .unwrap();
    assert_eq!(&output[..], b"\x00\x07\x60\x56\x78\x12\x34cd");
}

#[test]
fn what_is_no_tpdu_is_noticed_by_its_first_byte() {
    let framing = routed(HeaderKind::Binary2);
    assert_eq!(take(framing, b"\x00\x07\x02"), Err(FrameError::NotTpdu));
    assert_eq!(take(framing, b"\x00\x07\x60\x00"), Ok(None));
    assert_eq!(take(framing, b"\x00\x04"), {
        let (number, least) = (4, 5);
        Err(FrameError::TooShort { number, least })
    });
    for text in ["5000030000", "600003000", "60000300000", "60000300x0", ""] {
        assert_eq!(Tpdu::parse(text), None, "{text}");
    }
}

#[test]
fn frames_are_taken_one_by_one_and_the_rest_stays() {
    for (kind, stream, rest) in [
        (HeaderKind::Ascii4, &b"0002ab0003cde00"[..], &b"00"[..]),
        (HeaderKind::Binary2, b"\0\x02ab\0\x03cde\0", b"\0"),
        (HeaderKind::Bcd2, b"\0\x02ab\0\x03cde\0", b"\0"),
    ] {
        let mut input = BytesMut::from(stream);
        let framing = framing(kind);
        let mut next = || framing.take_frame(&mut input).unwrap();
        assert_eq!(next().unwrap().body, "ab");
        assert_eq!(next().unwrap().body, "cde");
        assert_eq!(next(), None);
        assert_eq!(input, rest);
    }
}

/// The traps `-001`, `+012` and `00 1`.
#[test]
fn signs_and_spaces_in_a_header_are_no_digits() {
    let header = HeaderKind::Ascii4;
    for (input, position) in [
        (&b"-001"[..], 0),
        (b"+012", 0),
        (b"00 1", 2),
        (b" 001", 0),
        (b"000\n", 3),
        (b"0x10", 1),
    ] {
        let wrong = Err(FrameError::NotDigit { position, header });
        assert_eq!(take(framing(header), input), wrong);
    }
}

#[test]
fn a_half_byte_over_9_in_a_bcd_header_is_no_digit() {
    let header = HeaderKind::Bcd2;
    for (input, position) in [
        (&b"\x0A\x00"[..], 0),
        (b"\xA0\x00", 0),
        (b"\x00\x1F", 1),
        (b"-0", 0),
    ] {
        let wrong = Err(FrameError::NotDigit { position, header });
        assert_eq!(take(framing(header), input), wrong);
    }
}

#[test]
fn a_foreign_protocol_is_noticed_by_its_first_wrong_byte() {
    let header = HeaderKind::Ascii4;
    for (input, position) in [(&b"G"[..], 0), (b"0\x16", 1)] {
        let wrong = Err(FrameError::NotDigit { position, header });
        assert_eq!(take(framing(header), input), wrong);
    }
}

#[test]
fn text_where_a_binary_header_is_due_announces_more_than_any_message_has() {
    let framing = Framing::new(Header::new(HeaderKind::Binary2), BODY_BYTES_MAX, false);
    let limit = BODY_BYTES_MAX;
    for (input, length) in [(b"0126", 0x3031), (b"GET ", 0x4745), (b"-001", 0x2D30)] {
        let wrong = Err(FrameError::TooLong { length, limit });
        assert_eq!(take(framing, input), wrong);
    }
}

/// The trap `0000`.
#[test]
fn a_header_of_zeros_is_a_sign_of_life_only_where_configured() {
    for kind in KINDS {
        let zeros: &[u8] = match kind {
            HeaderKind::Ascii4 => b"0000",
            HeaderKind::Binary2 | HeaderKind::Bcd2 => b"\0\0",
        };
        for framing in [framing(kind), routed(kind), inclusive(kind)] {
            assert_eq!(take(framing, zeros), Err(FrameError::Empty), "{framing:?}");
            let alive = Framing::new(framing.header(), 300, true);
            let mut input = BytesMut::from(zeros);
            alive.put_frame(b"x", &mut input).unwrap();
            let mut next = || alive.take_frame(&mut input).unwrap().unwrap();
            assert_eq!(next().body, "");
            assert_eq!(next().body, "x");
        }
    }
}

#[test]
fn a_header_that_counts_itself_alone_is_a_sign_of_life_and_less_is_an_error() {
    let header = inclusive(HeaderKind::Ascii4).header();
    let framing = Framing::new(header, 300, true);
    assert_eq!(take(framing, b"0004"), Ok(Some(Bytes::new())));
    let (number, least) = (3, 4);
    let wrong = Err(FrameError::TooShort { number, least });
    assert_eq!(take(framing, b"0003"), wrong);
    assert_eq!(take(framing, b"0005x"), Ok(Some(Bytes::from("x"))));
}

#[test]
fn a_body_over_the_limit_is_refused_before_it_arrives() {
    let (length, limit) = (301, 300);
    for (kind, over, at) in [
        (HeaderKind::Ascii4, &b"0301"[..], &b"0300"[..]),
        (HeaderKind::Binary2, b"\x01\x2D", b"\x01\x2C"),
        (HeaderKind::Bcd2, b"\x03\x01", b"\x03\x00"),
    ] {
        let wrong = Err(FrameError::TooLong { length, limit });
        assert_eq!(take(framing(kind), over), wrong);
        assert_eq!(take(framing(kind), at), Ok(None));
    }
}

/// The trap of a body over 9999.
#[test]
fn a_body_that_four_digits_cannot_announce_is_not_written() {
    for kind in KINDS {
        for (header, limit) in [
            (Header::new(kind), BODY_BYTES_MAX),
            (routed(kind).header(), BODY_BYTES_MAX - 5),
            (
                inclusive(kind).header(),
                BODY_BYTES_MAX - Header::new(kind).bytes(),
            ),
        ] {
            let framing = Framing::new(header, usize::MAX, false);
            let mut output = BytesMut::new();
            for length in [0, limit + 1] {
                let wrong = Err(FrameError::OutOfRange { length, limit });
                assert_eq!(framing.put_frame(&vec![b'x'; length], &mut output), wrong);
                assert!(output.is_empty());
            }
            let longest = vec![b'x'; limit];
            framing.put_frame(&longest, &mut output).unwrap();
            assert_eq!(take(framing, &output).unwrap().unwrap(), longest);
        }
    }
}
