//! The SMSCs of a route and the order in which a message is offered to them. Pure: it knows their
//! names, weights and costs, and not how they are.

use std::sync::Arc;

use super::prefix;

/// SMSCs that one route may name: as many as [`Tried`] has bits. No operator has so many contracts
/// for one destination.
pub const SMSCS_MAX: usize = 32;

/// The SMSCs of a route that were offered a message, a bit each.
pub(super) type Tried = u32;

/// An SMSC of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Its name.
    pub name: Arc<str>,
    /// Its share where the choice is weighted; 0 serves only while no other one does.
    pub weight: u32,
    /// What a part costs, in whatever unit the operator counts; `None` if it is not told.
    pub cost: Option<u32>,
}

impl Member {
    /// An SMSC without weight and cost of its own.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            weight: 1,
            cost: None,
        }
    }
}

/// By what the first of the healthy SMSCs is chosen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// By their order.
    #[default]
    Ordered,
    /// By their weights.
    Weighted(Sticky),
    /// By their costs, equal ones by their order.
    Cheapest,
}

impl Choice {
    fn word(self) -> &'static str {
        match self {
            Self::Ordered => "ordered",
            Self::Weighted(Sticky::None) => "weighted",
            Self::Weighted(Sticky::Destination) => "weighted, the same for the same destination",
            Self::Cheapest => "cheapest",
        }
    }
}

impl std::fmt::Display for Choice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.word())
    }
}

/// What a weighted choice holds on to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sticky {
    /// Nothing: messages are dealt out in turn.
    #[default]
    None,
    /// The destination: its messages take the same SMSC while that one is healthy.
    Destination,
}

/// The SMSCs of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmscSet {
    choice: Choice,
    /// In the order of the file, or of their costs.
    members: Box<[Member]>,
}

/// What a weighted order follows from; the same point gives the same order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Point(u64);

impl SmscSet {
    /// At most [`SMSCS_MAX`] are used.
    pub fn new(choice: Choice, mut members: Vec<Member>) -> Self {
        members.truncate(SMSCS_MAX);
        if choice == Choice::Cheapest {
            // Stable, so equal costs stay in their order.
            members.sort_by_key(|member| member.cost.unwrap_or(u32::MAX));
        }
        Self {
            choice,
            members: members.into(),
        }
    }

    /// By what is chosen.
    pub fn choice(&self) -> Choice {
        self.choice
    }

    /// All of them.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Where a message stands in the spread: `turn` counts messages, and is asked for only if they
    /// are dealt out in turn.
    pub fn point(&self, turn: impl FnOnce() -> u64, destination: &[u8]) -> Point {
        match self.choice {
            Choice::Ordered | Choice::Cheapest => Point(0),
            Choice::Weighted(Sticky::None) => Point(turn().wrapping_mul(GOLDEN)),
            Choice::Weighted(Sticky::Destination) => {
                let fold = |hash, digit| mix(hash ^ digit as u64);
                Point(prefix::digits(destination).fold(GOLDEN, fold))
            }
        }
    }

    /// All SMSCs in the order in which the message is offered to them, each with its index.
    pub fn order(&self, point: Point) -> impl Iterator<Item = (usize, &Member)> {
        Order {
            set: self,
            point: point.0,
            drawn: 0,
        }
    }
}

/// 2^64 divided by the golden ratio: its multiples lie evenly over the whole range however many are
/// taken, and of those every n-th as well. So any run of messages is spread by weight almost
/// exactly, without a memory of what was dealt out before.
const GOLDEN: u64 = 0x9E37_79B9_7F4A_7C15;

/// Another point, unlike the one before.
fn mix(point: u64) -> u64 {
    let mixed = (point ^ point >> 32).wrapping_mul(0xD6E8_FEB8_6659_FD93);
    let mixed = (mixed ^ mixed >> 29).wrapping_mul(GOLDEN);
    mixed ^ mixed >> 32
}

struct Order<'a> {
    set: &'a SmscSet,
    point: u64,
    drawn: Tried,
}

impl<'a> Order<'a> {
    fn left(&self) -> impl Iterator<Item = (usize, &'a Member)> {
        let drawn = self.drawn;
        let members = self.set.members.iter().enumerate();
        members.filter(move |(index, _)| drawn & (1 << index) == 0)
    }

    /// Draws one by weight of those that are left. Who comes after an SMSC that is down is drawn
    /// too, so that its share is spread by weight, and the others keep what they have.
    fn draw(&mut self) -> Option<(usize, &'a Member)> {
        let weight = |member: &Member| u64::from(member.weight);
        let total: u64 = self.left().map(|(_, member)| weight(member)).sum();
        let mut at = ((u128::from(self.point) * u128::from(total)) >> 64) as u64;
        self.point = mix(self.point);
        let found = self.left().find(|(_, member)| {
            let is_here = at < weight(member);
            at = at.saturating_sub(weight(member));
            is_here
        });
        // What has no weight stands by, in its order.
        found.or_else(|| self.left().next())
    }
}

impl<'a> Iterator for Order<'a> {
    type Item = (usize, &'a Member);

    fn next(&mut self) -> Option<Self::Item> {
        let next = match self.set.choice {
            Choice::Ordered | Choice::Cheapest => self.left().next(),
            Choice::Weighted(_) => self.draw(),
        }?;
        self.drawn |= 1 << next.0;
        Some(next)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn member(name: &str, weight: u32, cost: u32) -> Member {
        Member {
            name: name.into(),
            weight,
            cost: Some(cost),
        }
    }

    fn order(set: &SmscSet, turn: u64) -> String {
        let order = set.order(set.point(|| turn, b""));
        order.map(|(_, member)| &*member.name).collect()
    }

    /// How many of the messages each SMSC gets, of those that are up.
    fn shares(set: &SmscSet, turns: impl Iterator<Item = u64>, up: &str) -> Vec<usize> {
        let mut shares = vec![0; set.members().len()];
        for turn in turns {
            let mut order = set.order(set.point(|| turn, b""));
            if let Some((index, _)) = order.find(|(_, member)| up.contains(&*member.name)) {
                shares[index] += 1;
            }
        }
        shares
    }

    #[test]
    fn an_ordered_set_is_tried_in_the_order_of_the_file() {
        let members = vec![member("b", 9, 9), member("a", 1, 1), member("c", 5, 5)];
        let set = SmscSet::new(Choice::Ordered, members);
        assert!((0..100).all(|turn| order(&set, turn) == "bac"));
    }

    #[test]
    fn the_cheapest_comes_first_and_equal_costs_keep_their_order() {
        let members = vec![
            member("a", 1, 120),
            member("b", 1, 90),
            member("c", 1, 120),
            Member::new("d"),
        ];
        let set = SmscSet::new(Choice::Cheapest, members);
        assert_eq!(order(&set, 7), "bacd");
    }

    #[test]
    fn a_weighted_set_is_spread_by_weight_almost_exactly() {
        let members = vec![member("a", 70, 1), member("b", 20, 1), member("c", 10, 1)];
        let set = SmscSet::new(Choice::Weighted(Sticky::None), members);
        let near = |shares: Vec<usize>, expected: [usize; 3]| {
            for (share, expected) in shares.iter().zip(expected) {
                assert!(share.abs_diff(expected) <= 10, "{shares:?}");
            }
        };
        near(shares(&set, 0..1_000, "abc"), [700, 200, 100]);
        // A caller that comes at every other turn, or at every tenth, sees the same spread.
        near(
            shares(&set, (0..1_000).map(|n| n * 2), "abc"),
            [700, 200, 100],
        );
        near(
            shares(&set, (0..1_000).map(|n| n * 10 + 3), "abc"),
            [700, 200, 100],
        );
    }

    #[test]
    fn no_smsc_waits_long_for_its_turn() {
        let members = vec![member("a", 70, 1), member("b", 30, 1)];
        let set = SmscSet::new(Choice::Weighted(Sticky::None), members);
        let first: String = (0..100).map(|turn| order(&set, turn).remove(0)).collect();
        assert!(!first.contains("aaaaa") && !first.contains("bb"), "{first}");
    }

    #[test]
    fn the_share_of_an_smsc_that_is_down_is_spread_by_weight_over_the_others() {
        let members = vec![member("a", 50, 1), member("b", 40, 1), member("c", 10, 1)];
        let set = SmscSet::new(Choice::Weighted(Sticky::None), members);
        let shares = shares(&set, 0..10_000, "bc");
        assert!(shares[1].abs_diff(8_000) < 200, "{shares:?}");
    }

    #[test]
    fn an_smsc_without_weight_stands_by() {
        let members = vec![member("a", 0, 1), member("b", 1, 1), member("c", 1, 1)];
        let set = SmscSet::new(Choice::Weighted(Sticky::None), members);
        assert_eq!(shares(&set, 0..100, "abc")[0], 0);
        assert_eq!(shares(&set, 0..100, "a"), [100, 0, 0]);
    }

    #[test]
    fn a_destination_keeps_its_smsc_when_another_one_fails() {
        let names = ["a", "b", "c", "d"];
        let members = names.iter().map(|name| member(name, 25, 1)).collect();
        let set = SmscSet::new(Choice::Weighted(Sticky::Destination), members);
        let first = |number: &str, up: &str| {
            let order = set.order(set.point(|| panic!("no turn"), number.as_bytes()));
            let mut order = order.map(|(_, member)| member.name.to_string());
            order.find(|name| up.contains(name.as_str())).unwrap()
        };
        let mut counts = [0; 4];
        for number in 0..4_000 {
            let number = format!("8490{number:07}");
            let before = first(&number, "abcd");
            assert_eq!(first(&format!("+{number}"), "abcd"), before);
            let after = first(&number, "abd");
            assert!(before == after || before == "c");
            counts[names.iter().position(|name| *name == before).unwrap()] += 1;
        }
        assert!(
            counts.iter().all(|count| (850..1_150).contains(count)),
            "{counts:?}"
        );
    }

    proptest! {
        #[test]
        fn every_smsc_is_in_the_order_once(
            weights in prop::collection::vec(0_u32..5, 1..=SMSCS_MAX),
            turn: u64,
            kind in 0..3,
        ) {
            let choice = match kind {
                0 => Choice::Ordered,
                1 => Choice::Cheapest,
                _ => Choice::Weighted(Sticky::None),
            };
            let members = weights.iter().map(|weight| member("x", *weight, *weight));
            let set = SmscSet::new(choice, members.collect());
            let mut indices: Vec<usize> =
                set.order(set.point(|| turn, b"")).map(|(index, _)| index).collect();
            indices.sort_unstable();
            prop_assert_eq!(indices, (0..weights.len()).collect::<Vec<_>>());
        }
    }
}
