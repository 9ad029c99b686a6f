//! What holds for every PDU and for any octets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use bytes::{Bytes, BytesMut};
use proptest::collection::vec;
use proptest::prelude::*;
use sampan::smpp::codec::{FRAME_OCTETS_MAX, Frame, take_frame};
use sampan::smpp::describe::describe;
use sampan::smpp::octets::{COctetString, MessageId, Password, ShortMessage};
use sampan::smpp::pdu::*;
use sampan::smpp::{Address, CommandId, CommandStatus, Header, Npi, Tag, Tlvs, Ton};

fn c_octets(octets_max: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(1u8..=255, 0..=octets_max)
}

fn string<const MAX: usize>() -> impl Strategy<Value = COctetString<MAX>> {
    c_octets(MAX - 1).prop_map(|value| COctetString::new(value).unwrap())
}

fn message_id() -> impl Strategy<Value = MessageId> {
    c_octets(70).prop_map(|value| MessageId::new(value).unwrap())
}

fn password() -> impl Strategy<Value = Password> {
    c_octets(8).prop_map(|value| Password::new(value).unwrap())
}

fn short_message() -> impl Strategy<Value = ShortMessage> {
    vec(any::<u8>(), 0..=254).prop_map(|value| ShortMessage::new(value).unwrap())
}

fn address<const MAX: usize>() -> impl Strategy<Value = Address<MAX>> {
    (any::<u8>(), any::<u8>(), string()).prop_map(|(ton, npi, addr)| Address {
        ton: Ton(ton),
        npi: Npi(npi),
        addr,
    })
}

fn tlvs() -> impl Strategy<Value = Tlvs> {
    vec((any::<u16>(), vec(any::<u8>(), 0..40)), 0..5).prop_map(|list| {
        list.into_iter().fold(Tlvs::EMPTY, |tlvs, (tag, value)| {
            tlvs.with(Tag(tag), &value).unwrap()
        })
    })
}

fn kind() -> impl Strategy<Value = BindKind> {
    prop_oneof![
        Just(BindKind::Transmitter),
        Just(BindKind::Receiver),
        Just(BindKind::Transceiver)
    ]
}

fn bind() -> impl Strategy<Value = Pdu> {
    (
        kind(),
        string(),
        password(),
        string(),
        any::<u8>(),
        address(),
    )
        .prop_map(
            |(kind, system_id, password, system_type, interface_version, address_range)| {
                Pdu::Bind(Bind {
                    kind,
                    system_id,
                    password,
                    system_type,
                    interface_version,
                    address_range,
                })
            },
        )
}

fn submit_sm() -> impl Strategy<Value = SubmitSm> {
    let addresses = (string(), address(), address());
    let times = (string(), string());
    (addresses, times, any::<[u8; 7]>(), short_message(), tlvs()).prop_map(
        |((service_type, source, destination), times, octets, short_message, tlvs)| SubmitSm {
            service_type,
            source,
            destination,
            esm_class: EsmClass(octets[0]),
            protocol_id: octets[1],
            priority_flag: octets[2],
            schedule_delivery_time: times.0,
            validity_period: times.1,
            registered_delivery: octets[3],
            replace_if_present_flag: octets[4],
            data_coding: octets[5],
            sm_default_msg_id: octets[6],
            short_message,
            tlvs,
        },
    )
}

fn deliver_sm() -> impl Strategy<Value = Pdu> {
    submit_sm().prop_map(|submit| {
        Pdu::DeliverSm(DeliverSm {
            service_type: submit.service_type,
            source: submit.source,
            destination: submit.destination,
            esm_class: submit.esm_class,
            protocol_id: submit.protocol_id,
            priority_flag: submit.priority_flag,
            registered_delivery: submit.registered_delivery,
            data_coding: submit.data_coding,
            short_message: submit.short_message,
            tlvs: submit.tlvs,
        })
    })
}

fn submit_multi() -> impl Strategy<Value = Pdu> {
    let destination = prop_oneof![
        address().prop_map(Destination::Sme),
        string().prop_map(Destination::List)
    ];
    (submit_sm(), vec(destination, 1..=254)).prop_map(|(submit, destinations)| {
        Pdu::SubmitMulti(SubmitMulti {
            service_type: submit.service_type,
            source: submit.source,
            destinations: Destinations::new(destinations).unwrap(),
            esm_class: submit.esm_class,
            protocol_id: submit.protocol_id,
            priority_flag: submit.priority_flag,
            schedule_delivery_time: submit.schedule_delivery_time,
            validity_period: submit.validity_period,
            registered_delivery: submit.registered_delivery,
            replace_if_present_flag: submit.replace_if_present_flag,
            data_coding: submit.data_coding,
            sm_default_msg_id: submit.sm_default_msg_id,
            short_message: submit.short_message,
            tlvs: submit.tlvs,
        })
    })
}

fn submit_multi_resp() -> impl Strategy<Value = Pdu> {
    let sme = (address(), any::<u32>()).prop_map(|(address, status)| UnsuccessfulSme {
        address,
        error_status_code: CommandStatus(status),
    });
    (message_id(), vec(sme, 0..=255), tlvs()).prop_map(|(message_id, list, tlvs)| {
        let unsuccessful = Unsuccessful::new(list).unwrap();
        Pdu::SubmitMultiResp(SubmitMultiResp {
            message_id,
            unsuccessful,
            tlvs,
        })
    })
}

fn data_sm() -> impl Strategy<Value = Pdu> {
    (string(), address(), address(), any::<[u8; 3]>(), tlvs()).prop_map(
        |(service_type, source, destination, octets, tlvs)| {
            Pdu::DataSm(DataSm {
                service_type,
                source,
                destination,
                esm_class: EsmClass(octets[0]),
                registered_delivery: octets[1],
                data_coding: octets[2],
                tlvs,
            })
        },
    )
}

fn replace_sm() -> impl Strategy<Value = Pdu> {
    (
        message_id(),
        address(),
        string(),
        string(),
        any::<[u8; 2]>(),
        short_message(),
    )
        .prop_map(
            |(message_id, source, schedule, validity, octets, short_message)| {
                Pdu::ReplaceSm(ReplaceSm {
                    message_id,
                    source,
                    schedule_delivery_time: schedule,
                    validity_period: validity,
                    registered_delivery: octets[0],
                    sm_default_msg_id: octets[1],
                    short_message,
                })
            },
        )
}

fn managing() -> impl Strategy<Value = Pdu> {
    prop_oneof![
        (message_id(), address())
            .prop_map(|(message_id, source)| Pdu::QuerySm(QuerySm { message_id, source })),
        (message_id(), string(), any::<[u8; 2]>()).prop_map(|(message_id, final_date, octets)| {
            let [message_state, error_code] = octets;
            Pdu::QuerySmResp(QuerySmResp {
                message_id,
                final_date,
                message_state,
                error_code,
            })
        }),
        (string(), message_id(), address(), address()).prop_map(
            |(service_type, message_id, source, destination)| {
                Pdu::CancelSm(CancelSm {
                    service_type,
                    message_id,
                    source,
                    destination,
                })
            }
        ),
        replace_sm(),
        Just(Pdu::CancelSmResp(CancelSmResp)),
        Just(Pdu::ReplaceSmResp(ReplaceSmResp)),
    ]
}

fn opening() -> impl Strategy<Value = Pdu> {
    prop_oneof![
        bind(),
        (kind(), string(), tlvs()).prop_map(|(kind, system_id, tlvs)| Pdu::BindResp(BindResp {
            kind,
            system_id,
            tlvs
        })),
        (string(), password()).prop_map(|(system_id, password)| Pdu::Outbind(Outbind {
            system_id,
            password
        })),
        Just(Pdu::Unbind(Unbind)),
        Just(Pdu::UnbindResp(UnbindResp)),
        Just(Pdu::EnquireLink(EnquireLink)),
        Just(Pdu::EnquireLinkResp(EnquireLinkResp)),
        Just(Pdu::GenericNack(GenericNack)),
    ]
}

fn answer() -> impl Strategy<Value = Pdu> {
    (message_id(), tlvs(), 0..3).prop_map(|(message_id, tlvs, which)| match which {
        0 => Pdu::SubmitSmResp(SubmitSmResp { message_id, tlvs }),
        1 => Pdu::DeliverSmResp(DeliverSmResp { message_id, tlvs }),
        _ => Pdu::DataSmResp(DataSmResp { message_id, tlvs }),
    })
}

fn pdu() -> impl Strategy<Value = Pdu> {
    prop_oneof![
        opening(),
        submit_sm().prop_map(Pdu::SubmitSm),
        deliver_sm(),
        submit_multi(),
        submit_multi_resp(),
        data_sm(),
        answer(),
        managing(),
        (address(), address(), tlvs()).prop_map(|(source, esme, tlvs)| {
            Pdu::AlertNotification(AlertNotification { source, esme, tlvs })
        }),
        vec(any::<u8>(), 0..100).prop_map(|body| {
            Pdu::Unknown(Unknown {
                command_id: CommandId(0x0001_0200),
                body: body.into(),
            })
        }),
    ]
}

proptest! {
    #[test]
    fn decode_of_encode_is_the_identity_for_every_pdu_and_status(
        pdu in pdu(),
        sequence: u32,
        status: u32,
    ) {
        let status = CommandStatus(status % 4);
        let mut out = BytesMut::new();
        pdu.encode(sequence, status, &mut out);
        let frame = take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap();
        prop_assert!(out.is_empty());
        let header = Header {
            command_id: pdu.command_id(),
            command_status: status,
            sequence_number: sequence,
        };
        prop_assert_eq!(frame.header, header);
        prop_assert_eq!(Pdu::decode(&frame), Ok(pdu));
    }

    #[test]
    fn a_body_cut_short_is_an_error_or_another_body_and_never_a_panic(
        pdu in pdu(),
        keep in 0.0..1.0f64,
    ) {
        let mut out = BytesMut::new();
        pdu.encode(1, CommandStatus::ESME_ROK, &mut out);
        let mut frame = take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap();
        frame.body.truncate((frame.body.len() as f64 * keep) as usize);
        if let Err(error) = Pdu::decode(&frame) {
            prop_assert!(error.position <= 16 + frame.body.len());
        }
        prop_assert!(describe(&frame).ends_with('\n'));
    }

    #[test]
    fn any_body_of_any_command_is_read_without_panic(
        command in 0..CommandId::ALL.len(),
        body in vec(prop_oneof![Just(0u8), any::<u8>()], 0..200),
    ) {
        let header = Header {
            command_id: CommandId::ALL[command],
            command_status: CommandStatus::ESME_ROK,
            sequence_number: 1,
        };
        let frame = Frame { header, body: Bytes::from(body) };
        if let Ok(pdu) = Pdu::decode(&frame) {
            // What was read can be written and read again: nothing in it is beyond its field.
            let mut out = BytesMut::new();
            pdu.encode(1, CommandStatus::ESME_ROK, &mut out);
            let again = take_frame(&mut out, FRAME_OCTETS_MAX).unwrap().unwrap();
            prop_assert_eq!(Pdu::decode(&again), Ok(pdu));
        }
    }

    #[test]
    fn the_same_frames_come_out_wherever_the_stream_is_split(
        pdus in vec(pdu(), 0..8),
        split in 1usize..200,
    ) {
        let mut stream = BytesMut::new();
        for (sequence, pdu) in pdus.iter().enumerate() {
            pdu.encode(sequence as u32, CommandStatus::ESME_ROK, &mut stream);
        }
        let (mut input, mut seen) = (BytesMut::new(), Vec::new());
        for chunk in stream.chunks(split) {
            input.extend_from_slice(chunk);
            while let Some(frame) = take_frame(&mut input, FRAME_OCTETS_MAX).unwrap() {
                seen.push(Pdu::decode(&frame).unwrap());
            }
        }
        prop_assert_eq!(seen, pdus);
        prop_assert!(input.is_empty());
    }
}
