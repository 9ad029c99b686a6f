//! The MO of a run: each with a text of its own, some in two parts.

use loadtest::smsc::{Address, Body, Mo};

use crate::router::{SERVICE, SYSTEM_ID};

/// Handsets that send, in turn.
const SOURCES: u64 = 5_000;
/// esm_class of a part (5.2.12): the body begins with a user data header.
const ESM_USER_DATA_HEADER: u8 = 0x40;
/// Octets of a part beside its header of 7: GSM 03.38 travels with one septet per octet.
const PART_OCTETS: usize = 152;
const WORDS: &str = " and it goes on and on";

/// Which MO of a run are long.
#[derive(Clone, Copy)]
pub(super) struct Shape {
    /// Every so many; 0 is none.
    pub(super) long_every: u64,
}

impl Shape {
    fn is_long(self, number: u64) -> bool {
        self.long_every > 0 && number.is_multiple_of(self.long_every)
    }

    /// The text of a number.
    pub(super) fn text(self, number: u64) -> String {
        let mut text = format!("MO {number} of the run");
        if self.is_long(number) {
            while text.len() <= PART_OCTETS {
                text.push_str(WORDS);
            }
        }
        text
    }

    /// The number of a text, if it is one of the run's to the last octet.
    pub(super) fn number(self, text: &str) -> Option<u64> {
        let number = text.strip_prefix("MO ")?.split(' ').next()?.parse().ok()?;
        (self.text(number) == text).then_some(number)
    }

    /// What the SMSC sends for a number: one deliver_sm, or one for each part.
    pub(super) fn deliveries(self, number: u64) -> Vec<Mo> {
        let text = self.text(number);
        if !self.is_long(number) {
            return vec![mo(number, 0, text.into_bytes())];
        }
        let parts: Vec<&[u8]> = text.as_bytes().chunks(PART_OCTETS).collect();
        let total = parts.len() as u8;
        // The number in 16 bits: no handset has two of one reference under way.
        let [.., high, low] = number.to_be_bytes();
        (1..)
            .zip(parts)
            .map(|(place, part)| {
                let mut body = vec![6, 8, 4, high, low, total, place];
                body.extend_from_slice(part);
                mo(number, ESM_USER_DATA_HEADER, body)
            })
            .collect()
    }
}

fn mo(number: u64, esm_class: u8, body: Vec<u8>) -> Mo {
    Mo {
        source: Address::new(&format!("8498{:07}", number % SOURCES)),
        dest: Address::new(SERVICE),
        data_coding: 0,
        esm_class,
        body: Body(body.into()),
        system_id: Some(SYSTEM_ID.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: Shape = Shape { long_every: 20 };

    #[test]
    fn a_text_tells_its_number_only_if_it_is_whole() {
        for number in [0, 7, 20, 119_980] {
            let text = SHAPE.text(number);
            assert_eq!(SHAPE.number(&text), Some(number));
            assert_eq!(SHAPE.number(&text[..text.len() - 1]), None);
        }
        assert_eq!(SHAPE.number("another text"), None);
    }

    #[test]
    fn a_long_one_has_two_parts_that_fit_and_make_its_text() {
        let parts = SHAPE.deliveries(40);
        assert_eq!(parts.len(), 2);
        assert!(parts.iter().all(|part| part.body.0.len() <= 159));
        let text: Vec<u8> = parts
            .iter()
            .flat_map(|part| part.body.0[7..].to_vec())
            .collect();
        assert_eq!(text, SHAPE.text(40).into_bytes());
        assert_eq!(SHAPE.deliveries(41).len(), 1);
    }
}
