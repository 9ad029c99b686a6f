//! Subscribers who buy cards by SMS at a constant rate: each orders, reads the password, confirms, and reads
//! what became of it. They know only what stands on their handsets.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use loadtest::smsc::{
    Smsc,
    handset::{Handsets, Text},
};
use tokio::time::{interval, sleep};

use crate::router::SERVICE;

/// How often handsets are looked at.
const TICK: Duration = Duration::from_millis(10);
/// Who has heard nothing for so long has given up, and may begin anew.
const PATIENCE: Duration = Duration::from_secs(90);
/// After the last purchase has ended: the time in which its last message arrives.
const QUIET: Duration = Duration::from_secs(2);
/// Digits of a one-time password.
const PASSWORD_DIGITS: usize = 6;

/// What a subscriber waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doing {
    Nothing,
    /// The password.
    Ordered(Instant),
    /// The card.
    Confirmed(Instant),
}

/// A subscriber and what he got.
struct Subscriber {
    number: String,
    doing: Doing,
}

/// What the subscribers went through.
#[derive(Debug, Default)]
pub(super) struct Story {
    /// Orders typed in.
    pub(super) ordered: u64,
    /// Passwords sent back.
    pub(super) confirmed: u64,
    /// Card codes by the handset that shows them.
    pub(super) codes: HashMap<String, Vec<String>>,
    /// Told that nothing comes of it.
    pub(super) refused: u64,
    /// Heard nothing to the end.
    pub(super) gave_up: u64,
    /// Texts that fit no purchase of the handset.
    pub(super) strange: u64,
}

/// The subscribers of an SMSC.
pub(super) struct Crowd<'a> {
    smsc: &'a Smsc,
    handsets: Handsets,
    subscribers: Vec<Subscriber>,
    by_number: HashMap<String, usize>,
    next: usize,
    pub(super) story: Story,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(smsc: &'a Smsc, numbers: impl Iterator<Item = String>) -> Self {
        let subscribers: Vec<_> = numbers
            .map(|number| Subscriber {
                number,
                doing: Doing::Nothing,
            })
            .collect();
        let places = subscribers.iter().map(|own| own.number.clone()).zip(0..);
        Self {
            smsc,
            handsets: Handsets::default(),
            by_number: places.collect(),
            subscribers,
            next: 0,
            story: Story::default(),
        }
    }

    /// Lets so many begin each second, for so long, and answers for all; then waits for those under way.
    pub(super) async fn buy(&mut self, card_type: &str, per_s: u64, lasts: Duration) {
        let began = Instant::now();
        let wanted = per_s * lasts.as_secs();
        let mut ticks = interval(TICK);
        while self.story.ordered < wanted || self.under_way() > 0 {
            ticks.tick().await;
            self.look();
            let due = (began.elapsed().as_secs_f64() * per_s as f64) as u64;
            while self.story.ordered < due.min(wanted) {
                if !self.begin(card_type) {
                    break;
                }
            }
        }
    }

    /// Reads what is still on its way to the handsets.
    pub(super) async fn look_once_more(&mut self) {
        sleep(QUIET).await;
        self.look();
    }

    fn under_way(&self) -> usize {
        let all = self.subscribers.iter();
        all.filter(|own| own.doing != Doing::Nothing).count()
    }

    /// The next one who does nothing orders; false if nobody is free.
    fn begin(&mut self, card_type: &str) -> bool {
        let count = self.subscribers.len();
        for place in (0..count).map(|step| (self.next + step) % count) {
            let Some(subscriber) = self.subscribers.get_mut(place) else {
                continue;
            };
            if subscriber.doing != Doing::Nothing {
                continue;
            }
            let text = format!("MUA {card_type}");
            // The books of the SMSC say how it ended.
            drop(self.smsc.type_in(&subscriber.number, SERVICE, &text));
            subscriber.doing = Doing::Ordered(Instant::now());
            self.story.ordered += 1;
            self.next = place + 1;
            return true;
        }
        false
    }

    fn look(&mut self) {
        for text in self.handsets.read(self.smsc) {
            self.hear(&text);
        }
        for subscriber in &mut self.subscribers {
            if let Doing::Ordered(since) | Doing::Confirmed(since) = subscriber.doing
                && since.elapsed() > PATIENCE
            {
                subscriber.doing = Doing::Nothing;
                self.story.gave_up += 1;
            }
        }
    }

    fn hear(&mut self, text: &Text) {
        let place = self.by_number.get(&text.to).copied();
        let Some(subscriber) = place.and_then(|place| self.subscribers.get_mut(place)) else {
            self.story.strange += 1;
            return;
        };
        match meaning(&text.text) {
            Meaning::Password(password) => {
                drop(self.smsc.type_in(&subscriber.number, SERVICE, password));
                subscriber.doing = Doing::Confirmed(Instant::now());
                self.story.confirmed += 1;
            }
            Meaning::Card(code) => {
                let codes = self.story.codes.entry(text.to.clone()).or_default();
                codes.push(code.to_owned());
                subscriber.doing = Doing::Nothing;
            }
            Meaning::Refusal => {
                self.story.refused += 1;
                subscriber.doing = Doing::Nothing;
            }
            Meaning::News => {}
        }
    }
}

/// What a subscriber takes a text for.
#[derive(Debug, PartialEq, Eq)]
enum Meaning<'a> {
    Password(&'a str),
    Card(&'a str),
    /// It is over, and there is no card.
    Refusal,
    /// It goes on.
    News,
}

fn meaning(text: &str) -> Meaning<'_> {
    if let Some(rest) = text.strip_prefix("Ma xac nhan ")
        && let Some((password, _)) = rest.split_once(": ")
        && password.len() == PASSWORD_DIGITS
        && password.bytes().all(|byte| byte.is_ascii_digit())
    {
        return Meaning::Password(password);
    }
    if let Some((_, rest)) = text.split_once(": ma ")
        && let Some((code, _)) = rest.split_once(" seri ")
    {
        return Meaning::Card(code);
    }
    let goes_on = ["chua ro ket qua", "dang duoc", "dang cho", "da thanh toan"];
    match goes_on.iter().any(|words| text.contains(words)) {
        true => Meaning::News,
        false => Meaning::Refusal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subscriber_understands_what_he_reads() {
        let password = "Ma xac nhan 012345: the MOBI10 gia 10.000d. Tra loi ma nay trong 4 phut.";
        assert_eq!(meaning(password), Meaning::Password("012345"));
        let card = "The MOBI10: ma 99887766 seri S-1 HSD 30/12/2030. Cam on quy khach.";
        assert_eq!(meaning(card), Meaning::Card("99887766"));
        let failed = "GD 01234567 (the MOBI10) khong thanh cong: het the. Tien khong bi tru.";
        assert_eq!(meaning(failed), Meaning::Refusal);
        let unknown = "GD 01234567 (the MOBI10) 10.000d chua ro ket qua, dang hoi ngan hang.";
        assert_eq!(meaning(unknown), Meaning::News);
        let wrong = "Ma xac nhan sai. Con 4 lan thu.";
        assert_eq!(meaning(wrong), Meaning::Refusal);
    }
}
