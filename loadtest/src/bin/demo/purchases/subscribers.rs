//! Subscribers at their handsets: they order, read the code, type it in, and remember what they read.

use std::collections::HashMap;

use loadtest::smsc::{Smsc, handset::Handsets};
use tokio::time::{Instant, sleep};

use super::{Card, Customer, SERVICE};
use crate::{networks::Named, traffic::LOOK};

/// What one subscriber has read.
#[derive(Default)]
pub(crate) struct Handset {
    pub(crate) cards: Vec<Card>,
    /// That there is no card.
    pub(crate) is_out_of_stock: bool,
    /// That it came to nothing, and nothing is debited.
    pub(crate) is_failed: bool,
    /// That it is not known, or that what was debited is on its way back.
    pub(crate) was_in_doubt: bool,
    /// Texts that nobody should have got.
    pub(crate) others: usize,
}

impl Handset {
    fn has_an_end(&self) -> bool {
        !self.cards.is_empty() || self.is_out_of_stock || self.is_failed
    }

    fn take(&mut self, reading: Reading) {
        match reading {
            Reading::Code(_) => {}
            Reading::Card(card) => self.cards.push(card),
            Reading::OutOfStock => self.is_out_of_stock = true,
            Reading::Failed => self.is_failed = true,
            Reading::InDoubt => self.was_in_doubt = true,
            Reading::Other => self.others += 1,
        }
    }
}

/// A text as its reader understands it.
#[derive(Clone, PartialEq, Eq)]
enum Reading {
    Code(String),
    Card(Card),
    OutOfStock,
    Failed,
    InDoubt,
    Other,
}

impl Reading {
    fn of(text: &str) -> Self {
        if let Some((code, _)) = after(text, "Ma xac nhan ").and_then(|rest| rest.split_once(':')) {
            return Self::Code(code.to_owned());
        }
        let card = after(text, ": ma ").and_then(|rest| rest.split_once(" seri "));
        match card.and_then(|(pin, rest)| Some((pin, rest.split_once(" HSD ")?.0))) {
            Some((pin, serial)) => Self::Card(Card {
                serial: serial.to_owned(),
                pin: pin.to_owned(),
            }),
            None if text.contains("khong thanh cong: ") => Self::Failed,
            None if text.contains(" tam het") => Self::OutOfStock,
            None if text.contains("khong thanh cong. Neu tien da bi tru") => Self::InDoubt,
            None if text.contains("chua ro ket qua") => Self::InDoubt,
            None => Self::Other,
        }
    }
}

fn after<'a>(text: &'a str, words: &str) -> Option<&'a str> {
    text.split_once(words).map(|(_, rest)| rest)
}

/// All subscribers.
pub(super) struct Crowd<'a> {
    customers: &'a [Customer],
    smscs: &'a [Named<Smsc>],
    /// What the SMSCs have, in their order.
    incoming: Vec<Handsets>,
    places: HashMap<&'a str, usize>,
    handsets: Vec<Handset>,
}

/// What a customer has just read.
pub(super) struct Read {
    place: usize,
    text: String,
    reading: Reading,
}

impl<'a> Crowd<'a> {
    /// They have not yet read anything.
    pub(super) fn new(customers: &'a [Customer], smscs: &'a [Named<Smsc>]) -> Self {
        let phones = customers.iter().map(|customer| customer.phone.as_str());
        let mut incoming: Vec<Handsets> = smscs.iter().map(|_| Handsets::default()).collect();
        for (handsets, smsc) in incoming.iter_mut().zip(smscs) {
            // What came before is of other traffic.
            handsets.read(&smsc.simulator);
        }
        Self {
            customers,
            smscs,
            incoming,
            places: phones
                .enumerate()
                .map(|(place, own)| (own, place))
                .collect(),
            handsets: customers.iter().map(|_| Handset::default()).collect(),
        }
    }

    /// Everybody who has not yet ordered does, and goes on until it has an end for all.
    pub(super) async fn buy(&mut self, deadline: Instant) {
        for (customer, handset) in self.customers.iter().zip(&self.handsets) {
            if !handset.has_an_end() {
                self.type_in(customer, &format!("MUA {}", customer.wants));
            }
        }
        while !self.handsets.iter().all(Handset::has_an_end) && Instant::now() < deadline {
            sleep(LOOK).await;
            self.look();
        }
    }

    /// One purchase, told as its subscriber sees it.
    pub(super) async fn show_one(&mut self, deadline: Instant) {
        let Some(customer) = self.customers.first() else {
            return;
        };
        println!("A subscriber buys a card by SMS; the codes are masked here:");
        let order = format!("MUA {}", customer.wants);
        println!("  to {SERVICE}    {order}");
        self.type_in(customer, &order);
        let has_an_end = |own: &Self| own.handsets.first().is_some_and(Handset::has_an_end);
        while !has_an_end(self) && Instant::now() < deadline {
            sleep(LOOK).await;
            self.look().iter().for_each(Read::show);
        }
    }

    /// Reads what has come in, and types in each code.
    pub(super) fn look(&mut self) -> Vec<Read> {
        let mut read = Vec::new();
        for (handsets, smsc) in self.incoming.iter_mut().zip(self.smscs) {
            for text in handsets.read(&smsc.simulator) {
                let Some(place) = self.places.get(text.to.as_str()) else {
                    continue;
                };
                read.push(Read {
                    place: *place,
                    reading: Reading::of(&text.text),
                    text: text.text,
                });
            }
        }
        for Read { place, reading, .. } in &read {
            if let (Reading::Code(code), Some(customer)) = (reading, self.customers.get(*place)) {
                self.type_in(customer, code);
            }
            if let Some(handset) = self.handsets.get_mut(*place) {
                handset.take(reading.clone());
            }
        }
        read
    }

    /// How many have read that the end is not known.
    pub(super) fn in_doubt(&self) -> usize {
        let in_doubt = self.handsets.iter().filter(|own| own.was_in_doubt);
        in_doubt.count()
    }

    pub(super) fn into_handsets(self) -> Vec<Handset> {
        self.handsets
    }

    fn type_in(&self, customer: &Customer, text: &str) {
        if let Some(smsc) = self.smscs.get(customer.smsc) {
            // How it ended stands in the books.
            drop(smsc.simulator.type_in(&customer.phone, SERVICE, text));
        }
    }
}

impl Read {
    fn show(&self) {
        let secret = match &self.reading {
            Reading::Code(code) => code,
            Reading::Card(card) => &card.pin,
            _ => "",
        };
        let masked = "*".repeat(secret.len());
        let text = match secret {
            "" => self.text.clone(),
            secret => self.text.replace(secret, &masked),
        };
        println!("  from {SERVICE}  {text}");
        if let Reading::Code(_) = self.reading {
            println!("  to {SERVICE}    {masked}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Reading;

    #[test]
    fn each_text_is_understood_as_its_subscriber_would() {
        let of = |text| match Reading::of(text) {
            Reading::Code(code) => code,
            Reading::Card(card) => format!("{} {}", card.serial, card.pin),
            Reading::OutOfStock => "none".to_owned(),
            Reading::Failed => "failed".to_owned(),
            Reading::InDoubt => "in doubt".to_owned(),
            Reading::Other => "other".to_owned(),
        };
        for (text, understood) in [
            (
                "Ma xac nhan 012345: the MOBI10 gia 10.000d. Tra loi ma nay trong 4 phut de mua.",
                "012345",
            ),
            (
                "The MOBI10: ma 111 seri MOBI10-01 HSD 31/12/2035. Cam on quy khach.",
                "MOBI10-01 111",
            ),
            ("The VIET50 tam het. Tien khong bi tru.", "none"),
            (
                "GD a (the MOBI10) khong thanh cong: ngan hang tu choi. Tien khong bi tru.",
                "failed",
            ),
            (
                "GD a (the MOBI10) khong thanh cong. Neu tien da bi tru thi dang duoc hoan;",
                "in doubt",
            ),
            ("GD a (the MOBI10) 10.000d chua ro ket qua,", "in doubt"),
            ("Ma xac nhan sai. Con 4 lan thu.", "other"),
        ] {
            assert_eq!(of(text), understood, "{text}");
        }
    }
}
