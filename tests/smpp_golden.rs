//! Every PDU of SMPP 3.4 as octets written by hand from the layouts of the standard's section 4.
//!
//! Each vector is held in both directions: the octets decode to the PDU, and the PDU encodes to
//! the octets.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test fails by panicking"
)]

use bytes::{Bytes, BytesMut};
use sampan::smpp::codec::{FRAME_OCTETS_MAX, take_frame};
use sampan::smpp::octets::{COctetString, MessageId, Password, ShortMessage};
use sampan::smpp::pdu::*;
use sampan::smpp::{Address, CommandId, CommandStatus, DecodeFault, Npi, Tag, Tlvs, Ton};

const OK: CommandStatus = CommandStatus::ESME_ROK;

/// One field or a few per entry, as the standard's tables list them.
fn octets(fields: &[&[u8]]) -> Vec<u8> {
    fields.concat()
}

#[track_caller]
fn holds(fields: &[&[u8]], status: CommandStatus, sequence: u32, pdu: Pdu) {
    let golden = octets(fields);
    let length = u32::from_be_bytes(golden[..4].try_into().unwrap());
    assert_eq!(
        length as usize,
        golden.len(),
        "the vector's own command_length"
    );

    let mut input = BytesMut::from(&golden[..]);
    let frame = take_frame(&mut input, FRAME_OCTETS_MAX).unwrap().unwrap();
    assert!(input.is_empty());
    assert_eq!(frame.header.command_status, status);
    assert_eq!(frame.header.sequence_number, sequence);
    assert_eq!(Pdu::decode(&frame).unwrap(), pdu);

    let mut output = BytesMut::new();
    pdu.encode(sequence, status, &mut output);
    assert_eq!(output, golden);
}

fn s<const MAX: usize>(value: &str) -> COctetString<MAX> {
    COctetString::new(value).unwrap()
}

fn id(value: &'static str) -> MessageId {
    MessageId::new(value).unwrap()
}

fn text(value: &'static str) -> ShortMessage {
    ShortMessage::new(value).unwrap()
}

fn address<const MAX: usize>(ton: u8, npi: u8, addr: &str) -> Address<MAX> {
    Address::new(Ton(ton), Npi(npi), addr).unwrap()
}

fn tlvs(list: &[(Tag, &[u8])]) -> Tlvs {
    let mut tlvs = Tlvs::EMPTY;
    for (tag, value) in list {
        tlvs.push(*tag, value).unwrap();
    }
    tlvs
}

fn bind(kind: BindKind) -> Pdu {
    Pdu::Bind(Bind {
        kind,
        system_id: s("SMPP3TEST"),
        password: Password::new("secret08").unwrap(),
        system_type: s("SUBMIT1"),
        interface_version: 0x34,
        address_range: address(1, 1, "849*"),
    })
}

const BIND_BODY: [&[u8]; 6] = [
    b"SMPP3TEST\0", // system_id
    b"secret08\0",  // password
    b"SUBMIT1\0",   // system_type
    &[0x34],        // interface_version
    &[1, 1],        // addr_ton, addr_npi
    b"849*\0",      // address_range
];

fn holds_bind(command_id: u8, kind: BindKind) {
    let header = [0, 0, 0, 0x33, 0, 0, 0, command_id, 0, 0, 0, 0, 0, 0, 0, 1];
    let mut fields: Vec<&[u8]> = vec![&header];
    fields.extend(BIND_BODY);
    holds(&fields, OK, 1, bind(kind));
}

#[test]
fn bind_transmitter_is_laid_out_as_in_the_standard() {
    holds_bind(0x02, BindKind::Transmitter);
}

#[test]
fn bind_receiver_is_laid_out_as_in_the_standard() {
    holds_bind(0x01, BindKind::Receiver);
}

#[test]
fn bind_transceiver_is_laid_out_as_in_the_standard() {
    holds_bind(0x09, BindKind::Transceiver);
}

fn holds_bind_resp(command_id: u8, kind: BindKind) {
    let header = [
        0, 0, 0, 0x1A, 0x80, 0, 0, command_id, 0, 0, 0, 0, 0, 0, 0, 1,
    ];
    let fields: [&[u8]; 3] = [
        &header,
        b"SMSC\0",                       // system_id
        &[0x02, 0x10, 0x00, 0x01, 0x34], // sc_interface_version, length 1, 3.4
    ];
    let tlvs = tlvs(&[(Tag::SC_INTERFACE_VERSION, &[0x34])]);
    holds(
        &fields,
        OK,
        1,
        Pdu::BindResp(BindResp {
            kind,
            system_id: s("SMSC"),
            tlvs,
        }),
    );
}

#[test]
fn bind_transmitter_resp_is_laid_out_as_in_the_standard() {
    holds_bind_resp(0x02, BindKind::Transmitter);
}

#[test]
fn bind_receiver_resp_is_laid_out_as_in_the_standard() {
    holds_bind_resp(0x01, BindKind::Receiver);
}

#[test]
fn bind_transceiver_resp_is_laid_out_as_in_the_standard() {
    holds_bind_resp(0x09, BindKind::Transceiver);
}

#[test]
fn bind_resp_of_a_refusal_has_no_body() {
    holds(
        &[
            &[0, 0, 0, 0x10, 0x80, 0, 0, 0x09],
            &[0, 0, 0, 0x0E], // ESME_RINVPASWD
            &[0, 0, 0, 2],
        ],
        CommandStatus::ESME_RINVPASWD,
        2,
        Pdu::BindResp(BindResp {
            kind: BindKind::Transceiver,
            system_id: s(""),
            tlvs: Tlvs::EMPTY,
        }),
    );
}

#[test]
fn outbind_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x18, 0, 0, 0, 0x0B, 0, 0, 0, 0, 0, 0, 0, 1],
            b"SMSC\0", // system_id
            b"pw\0",   // password
        ],
        OK,
        1,
        Pdu::Outbind(Outbind {
            system_id: s("SMSC"),
            password: Password::new("pw").unwrap(),
        }),
    );
}

#[test]
fn pdus_without_a_body_are_a_header_alone() {
    for (command_id, pdu) in [
        ([0, 0, 0, 0x06], Pdu::Unbind(Unbind)),
        ([0x80, 0, 0, 0x06], Pdu::UnbindResp(UnbindResp)),
        ([0, 0, 0, 0x15], Pdu::EnquireLink(EnquireLink)),
        ([0x80, 0, 0, 0x15], Pdu::EnquireLinkResp(EnquireLinkResp)),
        ([0x80, 0, 0, 0x07], Pdu::ReplaceSmResp(ReplaceSmResp)),
        ([0x80, 0, 0, 0x08], Pdu::CancelSmResp(CancelSmResp)),
    ] {
        let sequence = [0x7F, 0xFF, 0xFF, 0xFF];
        holds(
            &[&[0, 0, 0, 0x10], &command_id, &[0; 4], &sequence],
            OK,
            0x7FFF_FFFF,
            pdu,
        );
    }
}

#[test]
fn generic_nack_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x10],
            &[0x80, 0, 0, 0],
            &[0, 0, 0, 0x02], // ESME_RINVCMDLEN
            &[0, 0, 0, 0],
        ],
        CommandStatus::ESME_RINVCMDLEN,
        0,
        Pdu::GenericNack(GenericNack),
    );
}

#[test]
fn submit_sm_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x50, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0x01, 0x02],
            b"CMT\0",                        // service_type
            &[5, 0],                         // source_addr_ton, source_addr_npi
            b"Sampan\0",                     // source_addr
            &[1, 1],                         // dest_addr_ton, dest_addr_npi
            b"84912345678\0",                // destination_addr
            &[0x40, 0x7F, 3],                // esm_class, protocol_id, priority_flag
            b"261122013000000+\0",           // schedule_delivery_time
            b"\0",                           // validity_period
            &[1, 0, 8, 0], // registered_delivery, replace, data_coding, default msg
            &[5],          // sm_length
            b"Hello",      // short_message
            &[0x02, 0x04, 0, 2, 0xAB, 0xCD], // user_message_reference
        ],
        OK,
        0x102,
        Pdu::SubmitSm(SubmitSm {
            service_type: s("CMT"),
            source: address(5, 0, "Sampan"),
            destination: address(1, 1, "84912345678"),
            esm_class: EsmClass::UDHI,
            protocol_id: 0x7F,
            priority_flag: 3,
            schedule_delivery_time: s("261122013000000+"),
            validity_period: s(""),
            registered_delivery: 1,
            replace_if_present_flag: 0,
            data_coding: 8,
            sm_default_msg_id: 0,
            short_message: text("Hello"),
            tlvs: tlvs(&[(Tag::USER_MESSAGE_REFERENCE, &[0xAB, 0xCD])]),
        }),
    );
}

#[test]
fn submit_sm_with_every_field_at_its_longest() {
    let long = |length: usize| "9".repeat(length);
    let (five, twenty, sixteen) = (long(5), long(20), long(16));
    let mut body = Vec::new();
    let c_string = |body: &mut Vec<u8>, value: &str| {
        body.extend_from_slice(value.as_bytes());
        body.push(0);
    };
    c_string(&mut body, &five);
    for _ in 0..2 {
        body.extend_from_slice(&[1, 1]);
        c_string(&mut body, &twenty);
    }
    body.extend_from_slice(&[0, 0, 0]);
    c_string(&mut body, &sixteen);
    c_string(&mut body, &sixteen);
    body.extend_from_slice(&[1, 0, 4, 0, 254]);
    body.extend_from_slice(&[0xEE; 254]);
    holds(
        // 16 + 6 + 23 + 23 + 3 + 17 + 17 + 5 + 254 = 364
        &[
            &[0, 0, 0x01, 0x6C, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 1],
            &body,
        ],
        OK,
        1,
        Pdu::SubmitSm(SubmitSm {
            service_type: s(&five),
            source: address(1, 1, &twenty),
            destination: address(1, 1, &twenty),
            schedule_delivery_time: s(&sixteen),
            validity_period: s(&sixteen),
            registered_delivery: 1,
            data_coding: 4,
            short_message: ShortMessage::new(vec![0xEE; 254]).unwrap(),
            ..SubmitSm::default()
        }),
    );
}

#[test]
fn submit_sm_resp_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x15, 0x80, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 3],
            b"4F2A\0", // message_id
        ],
        OK,
        3,
        Pdu::SubmitSmResp(SubmitSmResp {
            message_id: id("4F2A"),
            tlvs: Tlvs::EMPTY,
        }),
    );
    holds(
        &[
            &[0, 0, 0, 0x10, 0x80, 0, 0, 0x04],
            &[0, 0, 0, 0x58], // ESME_RTHROTTLED, and no body
            &[0, 0, 0, 3],
        ],
        CommandStatus::ESME_RTHROTTLED,
        3,
        Pdu::SubmitSmResp(SubmitSmResp::default()),
    );
}

#[test]
fn submit_multi_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x3A, 0, 0, 0, 0x21, 0, 0, 0, 0, 0, 0, 0, 4],
            b"\0",                  // service_type
            &[3, 0],                // source_addr_ton, source_addr_npi
            b"9029\0",              // source_addr
            &[2],                   // number_of_dests
            &[1, 1, 1],             // dest_flag: SME; ton, npi
            b"8491\0",              // destination_addr
            &[2],                   // dest_flag: distribution list
            b"family\0",            // dl_name
            &[0, 0, 0],             // esm_class, protocol_id, priority_flag
            b"\0",                  // schedule_delivery_time
            b"\0",                  // validity_period
            &[1, 0, 0, 0],          // registered_delivery, replace, data_coding, default msg
            &[2],                   // sm_length
            b"Hi",                  // short_message
            &[0x12, 0x01, 0, 1, 1], // display_time
        ],
        OK,
        4,
        Pdu::SubmitMulti(SubmitMulti {
            service_type: s(""),
            source: address(3, 0, "9029"),
            destinations: Destinations::new(vec![
                Destination::Sme(address(1, 1, "8491")),
                Destination::List(s("family")),
            ])
            .unwrap(),
            esm_class: EsmClass::DEFAULT,
            protocol_id: 0,
            priority_flag: 0,
            schedule_delivery_time: s(""),
            validity_period: s(""),
            registered_delivery: 1,
            replace_if_present_flag: 0,
            data_coding: 0,
            sm_default_msg_id: 0,
            short_message: text("Hi"),
            tlvs: tlvs(&[(Tag::DISPLAY_TIME, &[1])]),
        }),
    );
}

#[test]
fn submit_multi_resp_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x1F, 0x80, 0, 0, 0x21, 0, 0, 0, 0, 0, 0, 0, 4],
            b"77\0",          // message_id
            &[1],             // no_unsuccess
            &[1, 1],          // dest_addr_ton, dest_addr_npi
            b"8491\0",        // destination_addr
            &[0, 0, 0, 0x0B], // error_status_code: ESME_RINVDSTADR
        ],
        OK,
        4,
        Pdu::SubmitMultiResp(SubmitMultiResp {
            message_id: id("77"),
            unsuccessful: Unsuccessful::new(vec![UnsuccessfulSme {
                address: address(1, 1, "8491"),
                error_status_code: CommandStatus::ESME_RINVDSTADR,
            }])
            .unwrap(),
            tlvs: Tlvs::EMPTY,
        }),
    );
}

#[test]
fn deliver_sm_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x3E, 0, 0, 0, 0x05, 0, 0, 0, 0, 0, 0, 0, 5],
            b"\0",               // service_type
            &[1, 1],             // source_addr_ton, source_addr_npi
            b"8491\0",           // source_addr
            &[0, 0],             // dest_addr_ton, dest_addr_npi
            b"9029\0",           // destination_addr
            &[4, 0, 0],          // esm_class: receipt; protocol_id, priority_flag
            b"\0",               // schedule_delivery_time, unused
            b"\0",               // validity_period, unused
            &[0, 0, 3, 0],       // registered_delivery, replace (unused), data_coding, default msg
            &[5],                // sm_length
            b"id:7 ",            // short_message
            &[0x00, 0x1E, 0, 2], // receipted_message_id
            b"7\0",
            &[0x04, 0x27, 0, 1, 2], // message_state: delivered
            &[0x14, 0x00, 0, 1, 9], // a vendor's TLV
        ],
        OK,
        5,
        Pdu::DeliverSm(DeliverSm {
            service_type: s(""),
            source: address(1, 1, "8491"),
            destination: address(0, 0, "9029"),
            esm_class: EsmClass::RECEIPT,
            protocol_id: 0,
            priority_flag: 0,
            registered_delivery: 0,
            data_coding: 3,
            short_message: text("id:7 "),
            tlvs: tlvs(&[
                (Tag::RECEIPTED_MESSAGE_ID, b"7\0"),
                (Tag::MESSAGE_STATE, &[2]),
                (Tag(0x1400), &[9]),
            ]),
        }),
    );
}

#[test]
fn deliver_sm_resp_has_its_nul_with_an_error_too() {
    for (status, code) in [(OK, 0), (CommandStatus::ESME_RX_T_APPN, 0x64)] {
        holds(
            &[
                &[0, 0, 0, 0x11, 0x80, 0, 0, 0x05, 0, 0, 0, code, 0, 0, 0, 5],
                b"\0", // message_id, unused
            ],
            status,
            5,
            Pdu::DeliverSmResp(DeliverSmResp::default()),
        );
    }
}

#[test]
fn data_sm_is_laid_out_as_in_the_standard() {
    let long = "7".repeat(64);
    holds(
        &[
            // 16 + 5 + 67 + 7 + 3 + 8 = 106
            &[0, 0, 0, 0x6A, 0, 0, 0x01, 0x03, 0, 0, 0, 0, 0, 0, 0, 6],
            b"USSD\0",                                   // service_type
            &[0, 14],                                    // source_addr_ton, source_addr_npi
            long.as_bytes(),                             // source_addr, 64 octets
            b"\0",                                       // and its NUL
            &[1, 1],                                     // dest_addr_ton, dest_addr_npi
            b"8491\0",                                   // destination_addr
            &[0, 1, 4], // esm_class, registered_delivery, data_coding
            &[0x04, 0x24, 0, 4, 0xDE, 0xAD, 0xBE, 0xEF], // message_payload
        ],
        OK,
        6,
        Pdu::DataSm(DataSm {
            service_type: s("USSD"),
            source: address(0, 14, &long),
            destination: address(1, 1, "8491"),
            esm_class: EsmClass::DEFAULT,
            registered_delivery: 1,
            data_coding: 4,
            tlvs: tlvs(&[(Tag::MESSAGE_PAYLOAD, &[0xDE, 0xAD, 0xBE, 0xEF])]),
        }),
    );
}

#[test]
fn data_sm_resp_may_say_more_about_an_error() {
    holds(
        &[
            &[
                0, 0, 0, 0x18, 0x80, 0, 0x01, 0x03, 0, 0, 0, 0xFE, 0, 0, 0, 6,
            ],
            b"\0",                         // message_id
            &[0x04, 0x23, 0, 3, 3, 0, 27], // network_error_code: GSM, absent subscriber
        ],
        CommandStatus::ESME_RDELIVERYFAILURE,
        6,
        Pdu::DataSmResp(DataSmResp {
            message_id: MessageId::EMPTY,
            tlvs: tlvs(&[(Tag::NETWORK_ERROR_CODE, &[3, 0, 27])]),
        }),
    );
}

#[test]
fn query_sm_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x1C, 0, 0, 0, 0x03, 0, 0, 0, 0, 0, 0, 0, 7],
            b"4F2A\0", // message_id
            &[3, 0],   // source_addr_ton, source_addr_npi
            b"9029\0", // source_addr
        ],
        OK,
        7,
        Pdu::QuerySm(QuerySm {
            message_id: id("4F2A"),
            source: address(3, 0, "9029"),
        }),
    );
}

#[test]
fn query_sm_resp_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x28, 0x80, 0, 0, 0x03, 0, 0, 0, 0, 0, 0, 0, 7],
            b"4F2A\0",             // message_id
            b"261122013000000+\0", // final_date
            &[2],                  // message_state: delivered
            &[0],                  // error_code
        ],
        OK,
        7,
        Pdu::QuerySmResp(QuerySmResp {
            message_id: id("4F2A"),
            final_date: s("261122013000000+"),
            message_state: 2,
            error_code: 0,
        }),
    );
}

#[test]
fn cancel_sm_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x27, 0, 0, 0, 0x08, 0, 0, 0, 0, 0, 0, 0, 8],
            b"CMT\0",  // service_type
            b"4F2A\0", // message_id
            &[3, 0],   // source_addr_ton, source_addr_npi
            b"9029\0", // source_addr
            &[1, 1],   // dest_addr_ton, dest_addr_npi
            b"8491\0", // destination_addr
        ],
        OK,
        8,
        Pdu::CancelSm(CancelSm {
            service_type: s("CMT"),
            message_id: id("4F2A"),
            source: address(3, 0, "9029"),
            destination: address(1, 1, "8491"),
        }),
    );
}

#[test]
fn replace_sm_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x34, 0, 0, 0, 0x07, 0, 0, 0, 0, 0, 0, 0, 9],
            b"4F2A\0",             // message_id
            &[3, 0],               // source_addr_ton, source_addr_npi
            b"9029\0",             // source_addr
            b"\0",                 // schedule_delivery_time
            b"000001000000000R\0", // validity_period: one day
            &[1, 0],               // registered_delivery, sm_default_msg_id
            &[3],                  // sm_length
            b"New",                // short_message
        ],
        OK,
        9,
        Pdu::ReplaceSm(ReplaceSm {
            message_id: id("4F2A"),
            source: address(3, 0, "9029"),
            schedule_delivery_time: s(""),
            validity_period: s("000001000000000R"),
            registered_delivery: 1,
            sm_default_msg_id: 0,
            short_message: text("New"),
        }),
    );
}

#[test]
fn alert_notification_is_laid_out_as_in_the_standard() {
    holds(
        &[
            &[0, 0, 0, 0x22, 0, 0, 0x01, 0x02, 0, 0, 0, 0, 0, 0, 0, 10],
            &[1, 1],                // source_addr_ton, source_addr_npi
            b"8491\0",              // source_addr
            &[0, 0],                // esme_addr_ton, esme_addr_npi
            b"902\0",               // esme_addr
            &[0x04, 0x22, 0, 1, 0], // ms_availability_status: available
        ],
        OK,
        10,
        Pdu::AlertNotification(AlertNotification {
            source: address(1, 1, "8491"),
            esme: address(0, 0, "902"),
            tlvs: tlvs(&[(Tag::MS_AVAILABILITY_STATUS, &[0])]),
        }),
    );
}

#[test]
fn an_unknown_command_keeps_its_octets() {
    holds(
        &[
            &[0, 0, 0, 0x12, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0, 1],
            &[0xCA, 0xFE],
        ],
        OK,
        1,
        Pdu::Unknown(Unknown {
            command_id: CommandId(0x0001_0200),
            body: Bytes::from_static(&[0xCA, 0xFE]),
        }),
    );
}

fn decode(fields: &[&[u8]]) -> Result<Pdu, sampan::smpp::DecodeError> {
    let mut input = BytesMut::from(&octets(fields)[..]);
    Pdu::decode(&take_frame(&mut input, FRAME_OCTETS_MAX).unwrap().unwrap())
}

#[test]
fn a_response_without_a_body_is_read_whatever_its_status() {
    for status in [0, 8] {
        let header = [0, 0, 0, 0x10, 0x80, 0, 0, 0x04, 0, 0, 0, status, 0, 0, 0, 3];
        assert_eq!(
            decode(&[&header]),
            Ok(Pdu::SubmitSmResp(SubmitSmResp::default()))
        );
    }
}

#[test]
fn a_message_id_without_its_nul_and_one_longer_than_the_standard_allows_are_read() {
    let without_nul = [0, 0, 0, 0x14, 0x80, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 3];
    let expected = SubmitSmResp {
        message_id: id("4F2A"),
        tlvs: Tlvs::EMPTY,
    };
    assert_eq!(
        decode(&[&without_nul, b"4F2A"]),
        Ok(Pdu::SubmitSmResp(expected))
    );
    let long = [b'7'; 255];
    let header = [0, 0, 0x01, 0x10, 0x80, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 3];
    let Ok(Pdu::SubmitSmResp(response)) = decode(&[&header, &long, b"\0"]) else {
        panic!()
    };
    assert_eq!(response.message_id.as_bytes(), long);
}

#[test]
fn an_error_names_the_field_and_its_octet() {
    // The source address has no NUL within its 21 octets.
    let header = [0, 0, 0, 0x28, 0, 0, 0, 0x04, 0, 0, 0, 0, 0, 0, 0, 1];
    let error = decode(&[&header, b"\0", &[1, 1], &[b'9'; 21]]).unwrap_err();
    assert_eq!((error.field, error.position), ("source_addr", 19));
    assert_eq!(error.fault, DecodeFault::Unterminated { octets_max: 21 });
    assert_eq!(
        error.to_string(),
        "submit_sm: field source_addr at octet 19 of the PDU: no NUL within 21 octets"
    );
}

#[test]
fn a_tlv_that_claims_more_than_there_is_is_named() {
    let header = [0, 0, 0, 0x21, 0, 0, 0x01, 0x03, 0, 0, 0, 0, 0, 0, 0, 1];
    let body: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    let error = decode(&[&header, body, &[0x04, 0x24, 0, 9, 1, 2, 3]]).unwrap_err();
    let tag = Tag::MESSAGE_PAYLOAD;
    assert_eq!(
        error.fault,
        DecodeFault::TlvOverrun {
            tag,
            length: 9,
            left: 3
        }
    );
    assert_eq!(error.position, 26);
    assert_eq!(error.status(), CommandStatus::ESME_RINVOPTPARSTREAM);
}

#[test]
fn a_destination_that_is_neither_address_nor_list_is_named() {
    let header = [0, 0, 0, 0x16, 0, 0, 0, 0x21, 0, 0, 0, 0, 0, 0, 0, 1];
    let error = decode(&[&header, &[0, 0, 0, 0, 1, 3]]).unwrap_err();
    assert_eq!(error.fault, DecodeFault::DestFlag(3));
    assert_eq!(error.status(), CommandStatus::ESME_RINVDESTFLAG);
}
