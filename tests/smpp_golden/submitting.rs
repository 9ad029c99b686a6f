//! What is submitted to an SMSC (4.4 and 4.5).

use super::*;

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
