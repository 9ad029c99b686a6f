//! Requests, responses, and what a peer may do wrong.

use super::*;

#[test]
fn a_message_goes_out_and_its_answer_comes_back_under_its_number() {
    let mut pair = Pair::bound(BindKind::Transceiver);
    let sequence = pair.esme.take_sequence();
    pair.esme.request(sequence, &submit_sm()).unwrap();
    pair.exchange();
    let submitted = Event::Submit {
        sequence: sequence.get(),
        submit_sm: submit_sm(),
    };
    assert_eq!(events(&mut pair.smsc), [submitted]);
    let message_id = MessageId::new("4F2A").unwrap();
    let answer = SubmitSmResp {
        message_id,
        tlvs: Tlvs::EMPTY,
    };
    pair.smsc.respond(sequence.get(), OK, &answer);
    pair.exchange();
    let response = Event::Response {
        sequence: sequence.get(),
        command: CommandId::SUBMIT_SM_RESP,
        status: OK,
        pdu: Ok(Pdu::SubmitSmResp(answer)),
    };
    assert_eq!(events(&mut pair.esme), [response]);
}

#[test]
fn only_the_requests_of_its_bind_may_be_sent() {
    let mut receiver = Pair::bound(BindKind::Receiver);
    let sequence = receiver.esme.take_sequence();
    let refused = SessionError::NotAllowed {
        command: CommandId::SUBMIT_SM,
        state: State::BoundRx,
    };
    assert_eq!(receiver.esme.request(sequence, &submit_sm()), Err(refused));
    assert!(receiver.esme.output().is_empty());
    let mut transmitter = Pair::bound(BindKind::Transmitter);
    let sequence = transmitter.smsc.take_sequence();
    assert!(
        transmitter
            .smsc
            .request(sequence, &DeliverSm::default())
            .is_err()
    );
    assert!(
        esme(BindKind::Transmitter)
            .request(Sequence::FIRST, &submit_sm())
            .is_err()
    );
}

#[test]
fn a_request_above_the_frame_limit_is_refused_and_nothing_is_written() {
    let mut pair = Pair::bound(BindKind::Transceiver);
    let mut long = submit_sm();
    long.tlvs = Tlvs::EMPTY
        .with(crate::smpp::Tag::MESSAGE_PAYLOAD, &[0; 1024])
        .unwrap();
    let sequence = pair.esme.take_sequence();
    let error = pair.esme.request(sequence, &long).unwrap_err();
    assert!(matches!(
        error,
        SessionError::TooLong {
            octets_max: 1024,
            ..
        }
    ));
    assert!(pair.esme.output().is_empty());
}

#[test]
fn an_unknown_request_gets_generic_nack_with_its_number_and_changes_nothing() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    let mut input = BytesMut::from(&[0, 0, 0, 17, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 9, 1][..]);
    session.receive(now, &mut input, 1);
    let nack = (CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDID, 9);
    assert_eq!(written(&mut session), [nack]);
    let oddity = Oddity::UnknownCommand {
        command: CommandId(0x0001_0200),
        sequence: 9,
    };
    assert_eq!(events(&mut session), [Event::Ignored(oddity)]);
    assert_eq!(session.state(), State::BoundTrx);
}

#[test]
fn an_unknown_response_is_not_answered() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    let mut input = BytesMut::from(&[0, 0, 0, 16, 0x80, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 9][..]);
    session.receive(now, &mut input, 1);
    assert_eq!(written(&mut session), []);
}

#[test]
fn a_bad_length_is_nacked_with_number_0_and_closes_the_session() {
    let now = Instant::now();
    for length in [15, 1025] {
        let mut session = bound_esme(now);
        let mut input = BytesMut::from(&u32::to_be_bytes(length)[..]);
        let received = session.receive(now, &mut input, 8);
        assert_eq!(
            received,
            Received {
                frames: 0,
                more: false
            }
        );
        let nack = (CommandId::GENERIC_NACK, CommandStatus::ESME_RINVCMDLEN, 0);
        assert_eq!(written(&mut session), [nack]);
        assert!(matches!(
            events(&mut session)[..],
            [Event::Closed(CloseReason::BadFrame(_))]
        ));
        assert_eq!(session.receive(now, &mut input, 8).frames, 0);
    }
}

#[test]
fn any_32_bit_number_is_echoed() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    for sequence in [0, 1, 0x8000_0000, u32::MAX] {
        session.receive(now, &mut pdu(&EnquireLink, sequence, OK), 1);
        let echoed = [(CommandId::ENQUIRE_LINK_RESP, OK, sequence)];
        assert_eq!(written(&mut session), echoed);
        session.respond(sequence, OK, &DeliverSmResp::default());
        assert_eq!(
            written(&mut session),
            [(CommandId::DELIVER_SM_RESP, OK, sequence)]
        );
    }
}

#[test]
fn generic_nack_with_a_number_is_of_that_request_and_with_0_of_the_session() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    let status = CommandStatus::ESME_RINVCMDID;
    session.receive(now, &mut pdu(&crate::smpp::pdu::GenericNack, 4, status), 1);
    session.receive(now, &mut pdu(&crate::smpp::pdu::GenericNack, 0, status), 1);
    assert_eq!(
        events(&mut session),
        [
            Event::Nack {
                sequence: 4,
                status
            },
            Event::SessionNack { status }
        ]
    );
}

#[test]
fn a_message_that_cannot_be_read_is_refused_for_good() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    let mut input = BytesMut::from(&[0, 0, 0, 17, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0, 3, 0][..]);
    session.receive(now, &mut input, 1);
    let refused = (CommandId::DELIVER_SM_RESP, CommandStatus::ESME_RX_R_APPN, 3);
    assert_eq!(written(&mut session), [refused]);
    assert!(matches!(
        events(&mut session)[..],
        [Event::Ignored(Oddity::Undecodable { sequence: 3, .. })]
    ));
}

#[test]
fn a_response_whose_body_cannot_be_read_still_tells_its_outcome() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    let mut input = BytesMut::from(&[0, 0, 1, 16, 0x80, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 3][..]);
    input.extend_from_slice(&[b'7'; 256]);
    session.receive(now, &mut input, 1);
    assert!(matches!(
        events(&mut session)[..],
        [Event::Response {
            sequence: 3,
            status: OK,
            pdu: Err(_),
            ..
        }]
    ));
}

#[test]
fn responses_that_answer_nothing_are_counted_and_ignored() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    let responses = [
        pdu(&crate::smpp::pdu::EnquireLinkResp, 77, OK),
        pdu(&crate::smpp::pdu::UnbindResp, 77, OK),
    ];
    for mut response in responses {
        session.receive(now, &mut response, 1);
        let seen = events(&mut session);
        assert!(matches!(
            seen[..],
            [Event::Ignored(Oddity::UnexpectedResponse { .. })]
        ));
    }
    assert_eq!(session.state(), State::BoundTrx);
}

#[test]
fn a_turn_consumes_at_most_the_frames_it_was_given() {
    let now = Instant::now();
    let mut session = bound_esme(now);
    let mut input = BytesMut::new();
    for sequence in 1..=5 {
        EnquireLink.encode(sequence, OK, &mut input);
    }
    assert_eq!(
        session.receive(now, &mut input, 3),
        Received {
            frames: 3,
            more: true
        }
    );
    assert_eq!(
        session.receive(now, &mut input, 3),
        Received {
            frames: 2,
            more: false
        }
    );
}

#[test]
fn sequence_numbers_wrap_to_1() {
    let mut session = esme(BindKind::Transmitter);
    session.next_sequence = Sequence::LAST;
    assert_eq!(session.take_sequence().get(), 0x7FFF_FFFF);
    assert_eq!(session.take_sequence().get(), 1);
    assert_eq!(Sequence::new(0), None);
    assert_eq!(Sequence::new(0x8000_0000), None);
}

#[test]
fn neither_password_nor_text_is_in_debug_output() {
    let settings = SessionSettings {
        bind: bind(BindKind::Transceiver),
        limits: limits(),
    };
    let event = Event::Submit {
        sequence: 1,
        submit_sm: submit_sm(),
    };
    let shown = format!(
        "{settings:?} {event:?} {:?}",
        Session::esme(settings.clone())
    );
    for secret in ["secret", "hello", "84912345678"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

proptest! {
    /// Octets that are headers of real commands more often than chance would have it.
    #[test]
    fn any_octets_at_any_split_neither_panic_nor_loop(
        frames in prop::collection::vec(
            (0usize..CommandId::ALL.len() + 1, any::<u32>(), prop::collection::vec(any::<u8>(), 0..80)),
            0..12,
        ),
        junk in prop::collection::vec(any::<u8>(), 0..40),
        split in 1usize..64,
        is_esme: bool,
    ) {
        let mut stream = Vec::new();
        for (command, sequence, body) in &frames {
            let command = CommandId::ALL.get(*command).map_or(0x55, |id| id.0);
            for field in [16 + body.len() as u32, command, 0, *sequence % 4] {
                stream.extend_from_slice(&field.to_be_bytes());
            }
            stream.extend_from_slice(body);
        }
        stream.extend_from_slice(&junk);
        let now = Instant::now();
        let run = |split: usize| {
            let mut session = if is_esme {
                esme(BindKind::Transceiver)
            } else {
                smsc(Admission::Anyone)
            };
            session.connected(now);
            let (mut input, mut seen) = (BytesMut::new(), Vec::new());
            for chunk in stream.chunks(split) {
                input.extend_from_slice(chunk);
                while session.receive(now, &mut input, 1).frames > 0 {}
                seen.extend(events(&mut session));
            }
            (seen, session.output().split(), session.state())
        };
        let (seen, output, state) = run(split);
        prop_assert!(seen.len() <= 2 * frames.len() + 3);
        prop_assert_eq!((seen, output, state), run(stream.len().max(1)));
    }
}
