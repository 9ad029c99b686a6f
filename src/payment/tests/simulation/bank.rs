//! A bank with books, for the simulation: it debits, reverses and answers by the messages alone.
//!
//! It knows a request by its DE41, DE11 and DE7, as the 0420's DE41 and DE90 name it later. A request that comes after its own
//! reversal is declined, which is what every bank has to do that answers such a reversal with 00.

use std::collections::HashMap;

use crate::iso8583::{Message, Mti};

/// DE41, DE11 and DE7 of a request.
pub(super) type Identity = (String, String, String);

/// What the bank has of one request.
#[derive(Clone, Debug, Default)]
pub(super) struct Booked {
    /// Minor units that were debited.
    pub(super) debited: u64,
    /// Minor units that were given back.
    pub(super) given_back: u64,
    /// A reversal came, before or after the request.
    is_reversed: bool,
    /// DE39 of the answer; empty as long as no request came.
    code: String,
}

/// How the bank takes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    /// Approves, reverses.
    Good,
    /// Declines, or says "try again".
    Bad,
}

/// A bank.
#[derive(Default)]
pub(super) struct Bank {
    pub(super) books: HashMap<Identity, Booked>,
    /// 0420s and 0421s of each original: their own identity, which must not change.
    pub(super) reversals: HashMap<Identity, Vec<Identity>>,
}

impl Bank {
    /// Takes a message and answers it.
    pub(super) fn take(&mut self, message: &Message, mood: Mood) -> Message {
        let code = match message.get(90) {
            None => self.take_request(message, mood),
            Some(_) => self.take_reversal(message, mood),
        };
        let response = match message.mti() {
            Mti::REVERSAL_ADVICE_REPEAT => Mti::REVERSAL_RESPONSE,
            mti => mti.response().unwrap(),
        };
        let mut answer = Message::new(response);
        for number in [2, 3, 4, 7, 11, 37, 41, 49] {
            if let Some(value) = message.get(number) {
                answer.set(number, value);
            }
        }
        if code == "00" && message.mti() == Mti::FINANCIAL_REQUEST {
            answer.set(38, "AUTH01");
        }
        answer.set(39, code);
        answer
    }

    fn take_request(&mut self, message: &Message, mood: Mood) -> String {
        let booked = self.books.entry(identity(message)).or_default();
        if booked.code.is_empty() {
            let approves = mood == Mood::Good && !booked.is_reversed;
            if approves {
                booked.debited = amount(message.text(4).unwrap_or("0"));
            }
            booked.code = if approves { "00" } else { "51" }.to_owned();
        }
        booked.code.clone()
    }

    fn take_reversal(&mut self, message: &Message, mood: Mood) -> String {
        let digits = message.text(90).unwrap();
        let part = |range: std::ops::Range<usize>| digits[range].to_owned();
        let terminal = message.text(41).unwrap().to_owned();
        let original = (terminal, part(4..10), part(10..20));
        self.reversals
            .entry(original.clone())
            .or_default()
            .push(identity(message));
        if mood == Mood::Bad {
            return "96".to_owned();
        }
        let booked = self.books.entry(original).or_default();
        booked.is_reversed = true;
        let stays = message.text(95).map_or(0, |actual| amount(&actual[..12]));
        booked.given_back = booked.debited.saturating_sub(stays);
        "00".to_owned()
    }
}

/// DE41, DE11 and DE7 of a message.
pub(super) fn identity(message: &Message) -> Identity {
    let text = |number| message.text(number).unwrap().to_owned();
    (text(41), text(11), text(7))
}

fn amount(digits: &str) -> u64 {
    digits.parse().unwrap()
}
