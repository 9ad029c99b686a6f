//! Which of a bank's reversals may be on the wire now: oldest first, one card's in their order, and no
//! more at a time than a bank that has just come back can take.
//!
//! ```text
//!  enter ──► behind another of its card ──► ready ──► on the wire ──► leave
//!                                             ▲           │
//!                                             └─ resting ◄┘ unanswered, refused for now, no link
//! ```
//!
//! It must never let one reversal that a bank cannot take stand in the way of others: what was tried
//! [`TRIES_IN_ORDER`] times in vain holds up its own card no longer, and never held up another.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    time::Instant,
};

use super::desk::RecordId;

/// Messages in vain after which the next reversal of the same card goes too. The order is a service to
/// the bank's books; a reversal that a bank answers with an error all day must not withhold another's
/// money for that long.
pub(super) const TRIES_IN_ORDER: u32 = 3;

/// A reversal's place among all: when it began, and its record.
type Place = (Instant, RecordId);

/// The reversals of one bank that are not over.
pub(super) struct Lines {
    on_the_wire_max: usize,
    on_the_wire: BTreeSet<RecordId>,
    ready: BTreeSet<Place>,
    /// By the end of the pause.
    resting: BTreeSet<(Instant, Place)>,
    /// Of each card, who may go and who stands behind, as long as there is anybody.
    cards: HashMap<u64, VecDeque<Place>>,
    /// There was no link; nothing is tried before.
    no_link_until: Option<Instant>,
}

impl Lines {
    pub(super) fn new(on_the_wire_max: usize) -> Self {
        Self {
            on_the_wire_max,
            on_the_wire: BTreeSet::new(),
            ready: BTreeSet::new(),
            resting: BTreeSet::new(),
            cards: HashMap::new(),
            no_link_until: None,
        }
    }

    /// A reversal joins the line of its card.
    pub(super) fn enter(&mut self, card: u64, place: Place) {
        let line = self.cards.entry(card).or_default();
        line.push_back(place);
        if line.len() == 1 {
            self.ready.insert(place);
        }
    }

    /// The next one to send, now on the wire; `None` if there is none, or no room or link.
    pub(super) fn take_ready(&mut self, now: Instant) -> Option<RecordId> {
        if self.on_the_wire.len() >= self.on_the_wire_max
            || self.no_link_until.is_some_and(|until| until > now)
        {
            return None;
        }
        self.no_link_until = None;
        let (_, id) = self.ready.pop_first()?;
        self.on_the_wire.insert(id);
        Some(id)
    }

    /// What was on the wire is to be tried again after a pause, for the `tries`th time.
    pub(super) fn rest(&mut self, card: u64, place: Place, until: Instant, tries: u32) {
        self.on_the_wire.remove(&place.1);
        self.resting.insert((until, place));
        if tries >= TRIES_IN_ORDER {
            self.leave_card(card, place);
        }
    }

    /// No byte of it left, for want of a link: it is ready as before, and nothing is tried for a while.
    pub(super) fn no_link(&mut self, place: Place, until: Instant) {
        self.on_the_wire.remove(&place.1);
        self.ready.insert(place);
        self.no_link_until = Some(until);
    }

    /// It is over, wherever it stands.
    pub(super) fn leave(&mut self, card: u64, place: Place) {
        let was_up = self.on_the_wire.remove(&place.1) || self.ready.remove(&place);
        if !was_up {
            // Rare: a late 0430, or an operator.
            self.resting.retain(|(_, resting)| *resting != place);
        }
        self.leave_card(card, place);
    }

    fn leave_card(&mut self, card: u64, place: Place) {
        let Some(line) = self.cards.get_mut(&card) else {
            return;
        };
        let was_first = line.front() == Some(&place);
        line.retain(|own| *own != place);
        match line.front() {
            Some(next) if was_first => {
                self.ready.insert(*next);
            }
            Some(_) => {}
            None => {
                self.cards.remove(&card);
            }
        }
    }

    /// Ends the pauses that are over.
    pub(super) fn handle_timeout(&mut self, now: Instant) {
        while let Some(&(until, place)) = self.resting.first()
            && until <= now
        {
            self.resting.pop_first();
            self.ready.insert(place);
        }
    }

    /// When there is something to do that no event tells of.
    pub(super) fn next_timeout(&self) -> Option<Instant> {
        let rested = self.resting.first().map(|(until, _)| *until);
        let link = self.no_link_until.filter(|_| !self.ready.is_empty());
        rested.into_iter().chain(link).min()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    struct Scene {
        lines: Lines,
        start: Instant,
    }

    impl Scene {
        fn new(on_the_wire_max: usize) -> Self {
            Self {
                lines: Lines::new(on_the_wire_max),
                start: Instant::now(),
            }
        }

        fn at(&self, s: u64) -> Instant {
            self.start + Duration::from_secs(s)
        }

        /// Enters reversals that began in the order of their ids.
        fn enter(&mut self, card: u64, id: RecordId) {
            let place = self.place(id);
            self.lines.enter(card, place);
        }

        fn place(&self, id: RecordId) -> Place {
            (self.at(u64::from(id)), id)
        }

        fn taken(&mut self, s: u64) -> Vec<RecordId> {
            let now = self.at(s);
            self.lines.handle_timeout(now);
            std::iter::from_fn(|| self.lines.take_ready(now)).collect()
        }
    }

    #[test]
    fn one_card_s_reversals_go_one_after_another_and_other_cards_go_beside() {
        let mut scene = Scene::new(10);
        scene.enter(7, 1);
        scene.enter(7, 2);
        scene.enter(8, 3);
        assert_eq!(scene.taken(9), [1, 3]);
        scene.lines.leave(7, scene.place(1));
        assert_eq!(scene.taken(9), [2]);
    }

    #[test]
    fn no_more_are_on_the_wire_than_the_bank_can_take_and_the_oldest_go_first() {
        let mut scene = Scene::new(2);
        for id in [3, 2, 1] {
            scene.enter(u64::from(id), id);
        }
        assert_eq!(scene.taken(9), [1, 2]);
        scene.lines.leave(1, scene.place(1));
        assert_eq!(scene.taken(9), [3]);
    }

    #[test]
    fn a_reversal_in_vain_holds_up_its_card_only_so_often() {
        let mut scene = Scene::new(10);
        scene.enter(7, 1);
        scene.enter(7, 2);
        for tries in 1..=TRIES_IN_ORDER {
            let s = u64::from(tries) * 10;
            assert_eq!(scene.taken(s), [1]);
            scene.lines.rest(7, scene.place(1), scene.at(s + 10), tries);
        }
        assert_eq!(scene.taken(39), [2], "the pause of the first is not over");
        assert_eq!(scene.taken(40), [1]);
        scene.lines.leave(7, scene.place(1));
        scene.lines.leave(7, scene.place(2));
        assert!(scene.taken(99).is_empty());
        assert!(scene.lines.cards.is_empty());
    }

    #[test]
    fn without_a_link_all_wait_and_none_is_tried_in_vain() {
        let mut scene = Scene::new(1);
        scene.enter(7, 1);
        scene.enter(8, 2);
        assert_eq!(scene.taken(9), [1]);
        scene.lines.no_link(scene.place(1), scene.at(12));
        assert!(scene.taken(11).is_empty());
        assert_eq!(scene.lines.next_timeout(), Some(scene.at(12)));
        assert_eq!(scene.taken(12), [1]);
    }

    #[test]
    fn one_that_ends_while_it_rests_or_waits_is_not_sent_any_more() {
        let mut scene = Scene::new(10);
        scene.enter(7, 1);
        scene.enter(7, 2);
        scene.enter(7, 3);
        assert_eq!(scene.taken(9), [1]);
        scene.lines.rest(7, scene.place(1), scene.at(20), 1);
        scene.lines.leave(7, scene.place(2));
        scene.lines.leave(7, scene.place(1));
        assert_eq!(scene.taken(30), [3]);
    }
}
