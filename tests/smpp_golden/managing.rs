//! What asks about messages and changes them (4.8 to 4.10, 4.12), and commands that the standard does not know.

use super::*;

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
