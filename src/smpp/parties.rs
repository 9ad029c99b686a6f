//! Whose message a PDU is: the numbers that it names as source or destination. Pure look-up.

use super::address::Address;
use super::pdu::{Destination, Pdu};

/// Whether the PDU has this number, digits without `+`, as a source or a destination. Responses
/// other than submit_multi_resp name nobody.
pub fn names(pdu: &Pdu, number: &[u8]) -> bool {
    match pdu {
        Pdu::SubmitSm(pdu) => is(&pdu.source, number) || is(&pdu.destination, number),
        Pdu::DeliverSm(pdu) => is(&pdu.source, number) || is(&pdu.destination, number),
        Pdu::DataSm(pdu) => is(&pdu.source, number) || is(&pdu.destination, number),
        Pdu::CancelSm(pdu) => is(&pdu.source, number) || is(&pdu.destination, number),
        Pdu::QuerySm(pdu) => is(&pdu.source, number),
        Pdu::ReplaceSm(pdu) => is(&pdu.source, number),
        Pdu::AlertNotification(pdu) => is(&pdu.source, number) || is(&pdu.esme, number),
        Pdu::SubmitMulti(pdu) => {
            let destinations = pdu.destinations.as_slice();
            is(&pdu.source, number)
                || destinations.iter().any(|destination| match destination {
                    Destination::Sme(address) => is(address, number),
                    Destination::List(_) => false,
                })
        }
        _ => false,
    }
}

/// Some SMSCs and services write the `+` of an international number.
fn is<const MAX: usize>(address: &Address<MAX>, number: &[u8]) -> bool {
    let own = address.addr.as_bytes();
    own.strip_prefix(b"+").unwrap_or(own) == number
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smpp::pdu::{DeliverSm, EnquireLink, QuerySm, SubmitSm};

    #[test]
    fn a_number_is_found_as_source_and_as_destination_with_or_without_plus() {
        let number = Address::international("+84901112233").unwrap();
        let submit_sm = Pdu::SubmitSm(SubmitSm {
            destination: number,
            ..SubmitSm::default()
        });
        let deliver_sm = Pdu::DeliverSm(DeliverSm {
            source: Address::international("84901112233").unwrap(),
            ..DeliverSm::default()
        });
        let query_sm = Pdu::QuerySm(QuerySm {
            source: number,
            ..QuerySm::default()
        });
        for pdu in [submit_sm, deliver_sm, query_sm] {
            assert!(names(&pdu, b"84901112233"));
            assert!(!names(&pdu, b"8490111223"));
        }
        assert!(!names(&Pdu::EnquireLink(EnquireLink), b"84901112233"));
    }
}
