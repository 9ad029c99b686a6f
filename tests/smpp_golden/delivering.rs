//! What an SMSC delivers, and data_sm (4.6 and 4.7).

use super::*;

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
