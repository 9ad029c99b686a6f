//! What is read although it is not as the standard has it, and what is refused with field and octet.

use super::*;

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
