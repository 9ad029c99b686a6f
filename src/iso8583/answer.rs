//! The answer to what a bank asks of its own accord: a request of a switch, a chargeback, an advice.
//!
//! It carries what its request is found by at the other side, and DE39. What else belongs into it is
//! for whoever serves the request to set.

use super::Message;

/// What an answer has of its request: card, processing code, amount, times, trace, institutions,
/// reference, terminal, merchant and currency.
const ECHOED: [u8; 14] = [2, 3, 4, 7, 11, 12, 13, 15, 32, 33, 37, 41, 42, 49];
/// DE90, which the answer to a reversal or chargeback names its original by.
const ORIGINAL_DATA: u8 = 90;

/// The answer with a response code. `None` for what wants no answer: a response, a notification.
pub fn to(request: &Message, response_code: &str) -> Option<Message> {
    let mut answer = Message::new(request.mti().response()?);
    for number in ECHOED.into_iter().chain([ORIGINAL_DATA]) {
        if let Some(value) = request.get(number) {
            answer.set(number, value);
        }
    }
    answer.set(39, response_code);
    Some(answer)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::Mti;

    fn request(mti: &str) -> Message {
        let mut message = Message::new(mti.parse::<Mti>().unwrap());
        message.set(11, "000007").set(37, "632607000007");
        message.set(52, [1; 8]).set(64, [2; 8]);
        message
    }

    #[test]
    fn an_answer_has_what_its_request_is_found_by_and_no_secret_of_it() {
        let answer = to(&request("0200"), "40").unwrap();
        assert_eq!(answer.mti().to_string(), "0210");
        let numbers: Vec<u8> = answer.iter().map(|(number, _)| number).collect();
        assert_eq!(numbers, [11, 37, 39]);
        assert_eq!(answer.text(39), Some("40"));
    }

    #[test]
    fn each_class_and_its_repeats_have_their_response() {
        for (asked, answered) in [
            ("0100", "0110"),
            ("0220", "0230"),
            ("0302", "0312"),
            ("0422", "0432"),
            ("0423", "0432"),
            ("0500", "0510"),
            ("0620", "0630"),
            ("0742", ""),
        ] {
            let answer = to(&request(asked), "40").map(|answer| answer.mti().to_string());
            assert_eq!(answer.unwrap_or_default(), answered, "{asked}");
        }
    }
}
