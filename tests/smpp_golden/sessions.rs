//! Binds, outbind, and what is a header alone (SMPP 3.4, 4.1 to 4.3 and 4.11).

use super::*;

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
