//! What a message of a bank and its repeats have in common.
//!
//! A repeat has another MTI and another MAC, with many banks another DE7 too. The rest of what names it
//! is the same, and is not with any other message. The card number is not among it: a digest of so few
//! digits could be searched.

use ring::digest::{Context, SHA256};

use crate::{inbox::Identity, iso8583::Message};

/// What names a message: processing code, amount, trace, times and dates, institutions, reference,
/// terminal, merchant, currency, network code, message number, counts and amounts of a reconciliation,
/// original, file action.
const NAMING: [u8; 34] = [
    3, 4, 11, 12, 13, 15, 32, 33, 37, 41, 42, 49, 66, 70, 71, 73, 74, 75, 76, 77, 78, 79, 80, 81,
    86, 87, 88, 89, 90, 91, 95, 97, 99, 101,
];

/// DE7, the time of transmission.
const TRANSMISSION: u8 = 7;

/// The identity of a bank's message.
pub(super) fn of(bank: &str, message: &Message) -> Identity {
    let mut hash = Context::new(&SHA256);
    let mut add = |octets: &[u8]| {
        hash.update(&octets.len().to_be_bytes());
        hash.update(octets);
    };
    add(bank.as_bytes());
    add(&message.mti().original().digits());
    // Without a reference or an original a STAN comes again the next day, and DE7 alone tells the days.
    let names_itself = message.has(37) || message.has(90);
    let transmission = (!names_itself).then_some(TRANSMISSION);
    for number in NAMING.into_iter().chain(transmission) {
        if let Some(value) = message.get(number) {
            add(&[number]);
            add(value);
        }
    }
    // A digest has 32 bytes.
    let digest = hash.finish();
    Identity(digest.as_ref().first_chunk().copied().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chargeback() -> Message {
        let mut message = Message::new("0422".parse().unwrap());
        message
            .set(2, "9704361234561234")
            .set(4, "000000010000")
            .set(7, "1122091500")
            .set(11, "000007")
            .set(37, "632607000124")
            .set(90, "020000012411220732440000097049900000000000");
        message
    }

    #[test]
    fn a_repeat_with_another_time_and_mac_has_the_identity_of_the_first() {
        let mut repeat = chargeback();
        repeat.set_mti("0423".parse().unwrap());
        repeat.set(7, "1122091530").set(128, [9; 8]);
        assert_eq!(of("vietcom", &repeat), of("vietcom", &chargeback()));
    }

    #[test]
    fn another_trace_original_amount_or_bank_is_another_message() {
        let own = of("vietcom", &chargeback());
        for (number, value) in [
            (11, "000008"),
            (90, "020000012511220732440000097049900000000000"),
            (4, "000000020000"),
        ] {
            let mut other = chargeback();
            other.set(number, value);
            assert_ne!(of("vietcom", &other), own, "DE{number}");
        }
        assert_ne!(of("techcom", &chargeback()), own);
    }

    #[test]
    fn the_same_trace_on_another_day_is_another_message_where_nothing_else_tells_them_apart() {
        let advice = |day: &str| {
            let mut message = Message::new("0620".parse().unwrap());
            message.set(7, format!("{day}091500")).set(11, "000007");
            of("vietcom", &message)
        };
        assert_ne!(advice("1122"), advice("1123"));
    }
}
