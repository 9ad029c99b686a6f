//! From a bank's message to an event. Pure translation; what may not be told is left out here.

use bytes::Bytes;

use crate::{
    inbox::{AboutPayment, Address, BankEvent, Event, EventKind, Reconciliation},
    iso8583::{
        Message,
        mask::{Disclosure, disclosure, masked},
    },
    link::BankRequest,
    payment::PaymentKey,
};

/// What is known here of what a bank's message is about.
#[derive(Default)]
pub(super) struct About {
    pub(super) payment: Option<PaymentKey>,
    pub(super) reconciliation: Option<Reconciliation>,
}

/// The event of a bank's message; `allowed` are elements that may be told although they are hidden
/// elsewhere.
pub(super) fn event(request: &BankRequest, about: About, allowed: &[u8]) -> Event {
    let number = |number: Bytes| Address {
        number,
        ton: None,
        npi: None,
    };
    let message = &request.message;
    Event {
        peer: request.bank.clone(),
        link: request.link.clone(),
        source: number(Bytes::copy_from_slice(request.bank.as_bytes())),
        destination: number(Bytes::new()),
        kind: EventKind::Bank(BankEvent {
            mti: message.mti().original(),
            elements: told(message, allowed),
            payment: about.payment.map(|key| AboutPayment {
                client: key.client.as_str().into(),
                payment_id: key.id.as_str().into(),
            }),
            reconciliation: about.reconciliation,
        }),
    }
}

fn told(message: &Message, allowed: &[u8]) -> Vec<(u8, Bytes)> {
    let told = |(number, value): (u8, &[u8])| match disclosure(number) {
        _ if allowed.contains(&number) => Some((number, Bytes::copy_from_slice(value))),
        Disclosure::Clear => Some((number, Bytes::copy_from_slice(value))),
        Disclosure::Card | Disclosure::Tail => {
            Some((number, masked(number, value).to_string().into()))
        }
        Disclosure::Hidden => None,
    };
    message.iter().filter_map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_has_what_may_be_told_and_the_card_without_its_middle() {
        let mut message = Message::new("0423".parse().unwrap());
        message
            .set(2, "9704361234561234")
            .set(4, "000000010000")
            .set(14, "2512")
            .set(35, "9704361234561234=2512")
            .set(48, "private")
            .set(52, [7; 8])
            .set(60, "reason 4853")
            .set(64, [8; 8])
            .set(102, "0011001234567");
        let request = BankRequest {
            bank: "vietcom".into(),
            link: "vietcom/1".into(),
            message,
            answer: None,
        };
        let event = event(&request, About::default(), &[60]);
        let EventKind::Bank(told) = &event.kind else {
            panic!("{}", event.peer)
        };
        assert_eq!(told.mti.to_string(), "0422", "of the first sending");
        let text = |value: &Bytes| String::from_utf8_lossy(value).into_owned();
        let elements: Vec<_> = told.elements.iter().map(|(n, v)| (*n, text(v))).collect();
        let expected = [
            (2, "970436******1234"),
            (4, "000000010000"),
            (60, "reason 4853"),
            (102, "*********4567"),
        ];
        assert_eq!(elements, expected.map(|(n, v)| (n, v.to_owned())));
    }
}
