//! Events side by side: those of one number one after another, those of several at the same time, so that one
//! does not wait for the disk on behalf of all.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use crate::router::proto::{Event, event::Kind};

/// Events that are dealt with at once: half as many as a PostgreSQL store has connections, so that workers and calls
/// have the others. A SQLite file has one writer, in whose queue they wait.
pub(super) const LANES: usize = 8;

/// In which lane an event is dealt with: a message in that of its number, a receipt in that of its message.
pub(super) fn lane_of(event: &Event) -> usize {
    let mut hasher = DefaultHasher::new();
    match (&event.kind, &event.source) {
        (Some(Kind::Receipt(receipt)), _) => receipt.request_id.hash(&mut hasher),
        (_, Some(source)) => source.number.hash(&mut hasher),
        (_, None) => {}
    }
    usize::try_from(hasher.finish() % LANES as u64).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::router::proto::{Address, MobileOriginated, Receipt};

    fn message(from: &str, text: &str) -> Event {
        let source = Address {
            number: from.to_owned(),
            ..Address::default()
        };
        Event {
            source: Some(source),
            kind: Some(Kind::Message(MobileOriginated {
                text: Some(text.to_owned()),
                ..MobileOriginated::default()
            })),
            ..Event::default()
        }
    }

    #[test]
    fn a_number_has_one_lane_and_numbers_are_spread_over_all() {
        let lanes = (0..1_000).map(|number| {
            let from = format!("8491{number:07}");
            let lane = lane_of(&message(&from, "MUA MOBI10"));
            assert_eq!(lane_of(&message(&from, "123456")), lane);
            lane
        });
        let mut all: Vec<_> = lanes.collect();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all, (0..LANES).collect::<Vec<_>>());
    }

    #[test]
    fn receipts_of_one_message_have_one_lane_whoever_sends_them() {
        let receipt = |request: &str, from: &str| Event {
            kind: Some(Kind::Receipt(Receipt {
                request_id: request.to_owned(),
                ..Receipt::default()
            })),
            ..message(from, "")
        };
        for number in 0..100 {
            let request = format!("p{number}-otp");
            let lane = lane_of(&receipt(&request, "84912345678"));
            assert_eq!(lane_of(&receipt(&request, "84987654321")), lane);
        }
    }
}
