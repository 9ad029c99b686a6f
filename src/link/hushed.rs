//! Lines of the log that a peer could have written without end: the first is told at once, those that
//! follow are counted, and told together after a pause. Pure. It must never lose count.

use std::time::{Duration, Instant};

/// Between two lines of one kind. Short enough to follow what happens, long enough that a bank with a
/// wrong key does not fill the disk.
const PAUSE: Duration = Duration::from_secs(10);

/// One kind of line of one link.
pub(super) struct Hushed<T> {
    /// Until when nothing more is told.
    until: Option<Instant>,
    /// What is not told yet: how often, and the newest.
    held: Option<(u64, T)>,
}

impl<T> Hushed<T> {
    pub(super) fn new() -> Self {
        let (until, held) = (None, None);
        Self { until, held }
    }

    /// It happened; what is to be told now, if anything: how often, and the newest.
    pub(super) fn note(&mut self, now: Instant, what: T) -> Option<(u64, T)> {
        let times = self.held.take().map_or(0, |(times, _)| times) + 1;
        self.held = Some((times, what));
        self.tell(now)
    }

    /// What is to be told now of what was held back.
    pub(super) fn tell(&mut self, now: Instant) -> Option<(u64, T)> {
        if self.until.is_some_and(|until| until > now) {
            return None;
        }
        let told = self.held.take();
        self.until = told.is_some().then(|| now + PAUSE);
        told
    }

    /// When [`Hushed::tell`] has something to tell.
    pub(super) fn due(&self) -> Option<Instant> {
        self.held.as_ref().and(self.until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_the_others_together_after_a_pause() {
        let (start, mut hushed) = (Instant::now(), Hushed::new());
        assert_eq!(hushed.note(start, 'a'), Some((1, 'a')));
        assert_eq!(hushed.due(), None);
        assert_eq!(hushed.note(start, 'b'), None);
        assert_eq!(hushed.note(start, 'c'), None);
        let due = hushed.due().unwrap();
        assert_eq!(due, start + PAUSE);
        assert_eq!(hushed.tell(due), Some((2, 'c')));
        assert_eq!((hushed.due(), hushed.tell(due + PAUSE)), (None, None));
    }

    #[test]
    fn what_is_held_back_is_counted_with_the_next() {
        let (start, mut hushed) = (Instant::now(), Hushed::new());
        hushed.note(start, 'a');
        hushed.note(start, 'b');
        assert_eq!(hushed.note(start + PAUSE, 'c'), Some((2, 'c')));
    }
}
