//! The links to one peer: which of them takes a request, and the plain refusal if none can.

use std::{collections::VecDeque, sync::Arc};

use crate::link::{NotTaken, Queued, Shared, Stop};

/// The links to one peer.
pub struct Pool<J> {
    /// The peer's name.
    pub peer: Arc<str>,
    links: Vec<Arc<Shared<J>>>,
}

impl<J> Pool<J> {
    /// A pool of these links, which are at least one.
    pub fn new(peer: Arc<str>, links: Vec<Arc<Shared<J>>>) -> Self {
        Self { peer, links }
    }

    /// Its links.
    pub fn links(&self) -> &[Arc<Shared<J>>] {
        &self.links
    }

    /// Whether at least one link takes traffic.
    pub fn is_up(&self) -> bool {
        self.links.iter().any(|link| link.is_up())
    }

    /// Whether links take traffic, and all of them pause.
    pub fn is_paused(&self) -> bool {
        let mut up = self.links.iter().filter(|link| link.is_up()).peekable();
        up.peek().is_some() && up.all(|link| link.is_paused())
    }

    /// Waits for no answer to a request any more, on any link.
    pub fn give_up(&self) {
        self.links.iter().for_each(|link| link.give_up());
    }

    /// Stops all links.
    pub fn stop(&self, stop: Stop) {
        for link in &self.links {
            link.stop(stop);
        }
    }

    /// The links that take traffic. The first `count` of them have the least to do and stand in their
    /// order; the others do not, because nobody pays for what he does not ask.
    fn least_loaded_first(&self, count: usize) -> Vec<Candidate<'_, J>> {
        let up = self.links.iter().enumerate();
        let up = up.filter(|(_, link)| link.is_up());
        let mut candidates: Vec<_> = up.map(Candidate::new).collect();
        if count < candidates.len() {
            let (first, ..) = candidates.select_nth_unstable_by_key(count, Candidate::rank);
            first.sort_unstable_by_key(Candidate::rank);
        } else {
            candidates.sort_unstable_by_key(Candidate::rank);
        }
        candidates
    }
}

/// A link that takes traffic, as it was when it was looked at.
struct Candidate<'a, J> {
    number: usize,
    link: &'a Shared<J>,
    load: usize,
    is_paused: bool,
}

impl<'a, J> Candidate<'a, J> {
    fn new((number, link): (usize, &'a Arc<Shared<J>>)) -> Self {
        Self {
            number,
            link,
            load: link.load() as usize,
            is_paused: link.is_paused(),
        }
    }

    /// What a paused link is given waits, so it comes last, however little it has to do.
    fn rank(&self) -> (bool, usize, usize) {
        (self.is_paused, self.load, self.number)
    }
}

impl<J: Queued> Pool<J> {
    /// Spreads the jobs over the healthy links so that their loads come level. What could not be
    /// taken stays in `jobs`, and the error says why.
    pub fn submit(&self, jobs: &mut VecDeque<J>) -> Result<(), NotTaken> {
        self.spread(jobs, Shared::enqueue)
    }

    /// The same for what was taken once and came back: it goes before what waits.
    pub fn submit_first(&self, jobs: &mut VecDeque<J>) -> Result<(), NotTaken> {
        self.spread(jobs, Shared::enqueue_first)
    }

    fn spread(
        &self,
        jobs: &mut VecDeque<J>,
        enqueue: impl Fn(&Shared<J>, &mut VecDeque<J>, usize) -> Result<(), NotTaken>,
    ) -> Result<(), NotTaken> {
        let candidates = self.least_loaded_first(jobs.len());
        // Only if all are paused is anything given to one that is.
        let paused = candidates.iter().all(|candidate| candidate.is_paused);
        let going = || candidates.iter().filter(|one| one.is_paused == paused);
        let waiting = candidates.iter().filter(|one| one.is_paused != paused);
        let load: usize = going().map(|candidate| candidate.load).sum();
        let level = (load + jobs.len()).div_ceil(going().count().max(1));
        let mut not_taken = NotTaken::Closed;
        // One lock per link and batch: each gets its share in one piece.
        for Candidate { link, load, .. } in going() {
            if jobs.is_empty() {
                return Ok(());
            }
            let share = level.saturating_sub(*load).min(jobs.len());
            if share > 0
                && let Err(error) = enqueue(link, jobs, share)
            {
                not_taken = error;
            }
        }
        // A link that refused its share leaves it to the others.
        for Candidate { link, .. } in going().chain(waiting) {
            if jobs.is_empty() {
                return Ok(());
            }
            if let Err(error) = enqueue(link, jobs, jobs.len()) {
                not_taken = error;
            }
        }
        if jobs.is_empty() {
            Ok(())
        } else {
            Err(not_taken)
        }
    }

    /// Gives all jobs to one link, or none of them to any: for the parts of one message.
    pub fn submit_together(&self, jobs: &mut VecDeque<J>) -> Result<(), NotTaken> {
        self.give_together(jobs, Shared::enqueue_together)
    }

    /// The same for parts that came back, because the peer wanted less or the bind died: they go
    /// before everything else that waits in their lane.
    pub fn submit_together_first(&self, jobs: &mut VecDeque<J>) -> Result<(), NotTaken> {
        self.give_together(jobs, Shared::enqueue_together_first)
    }

    fn give_together(
        &self,
        jobs: &mut VecDeque<J>,
        enqueue: impl Fn(&Shared<J>, &mut VecDeque<J>) -> Result<(), NotTaken>,
    ) -> Result<(), NotTaken> {
        let mut not_taken = NotTaken::Closed;
        // The first one takes them, unless its queue is full.
        for Candidate { link, .. } in self.least_loaded_first(1) {
            match enqueue(link, jobs) {
                Ok(()) => return Ok(()),
                Err(error) => not_taken = error,
            }
        }
        Err(not_taken)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        link::{
            Lane,
            settings::{LinkSettings, Reach},
        },
        metrics::Metrics,
        status::PeerKind,
    };

    impl Queued for u32 {
        fn lane(&self) -> Lane {
            Lane::ONLY
        }
    }

    #[test]
    fn of_many_links_those_with_the_least_to_do_are_found_without_order_among_the_others() {
        let pool = pool(100, 100);
        for (number, link) in (0..).zip(pool.links()) {
            // 41 has nothing to do, 42 one job, 40 two, and all others at least three.
            let load = match number {
                41 => 0,
                42 => 1,
                40 => 2,
                _ => 3 + number % 5,
            };
            link.enqueue(&mut (0..load).collect(), load as usize)
                .unwrap();
        }
        let before = loads(&pool);
        pool.submit(&mut (0..3).collect()).unwrap();
        let given: Vec<u32> = loads(&pool)
            .iter()
            .zip(before)
            .map(|(now, before)| now - before)
            .collect();
        assert_eq!((given[41], given.iter().sum::<u32>()), (3, 3));
        pool.submit_together(&mut (0..2).collect()).unwrap();
        assert_eq!(loads(&pool)[42], 3);
    }

    /// A pool of links with room for 10 jobs each, of which the first `up` are up.
    fn pool(links: u16, up: usize) -> Pool<u32> {
        let second = Duration::from_secs(1);
        let settings = Arc::new(LinkSettings {
            peer: "one".into(),
            reach: Reach::dial(""),
            links,
            window: 10,
            queue_max: 10,
            response_timeout: second,
            connect_timeout: second,
            reconnect_min: second,
            reconnect_max: second,
            refused_pause: second,
            drain_timeout: second,
        });
        let metrics = Metrics::new().unwrap();
        let links = (1..=links).map(|number| {
            let metrics = metrics.link(PeerKind::Smsc, "one", "one/1");
            Arc::new(Shared::new(PeerKind::Smsc, &settings, number, metrics))
        });
        let pool = Pool::new("one".into(), links.collect());
        for link in pool.links().iter().take(up) {
            link.play_open();
        }
        pool
    }

    fn loads(pool: &Pool<u32>) -> Vec<u32> {
        pool.links().iter().map(|link| link.load()).collect()
    }

    #[test]
    fn jobs_go_to_the_links_with_the_least_to_do() {
        let pool = pool(3, 3);
        pool.links()[0].enqueue(&mut (0..4).collect(), 4).unwrap();
        pool.submit(&mut (0..5).collect()).unwrap();
        assert_eq!(loads(&pool), [4, 3, 2]);
    }

    #[test]
    fn a_link_that_is_down_gets_nothing() {
        let pool = pool(3, 2);
        pool.submit(&mut (0..6).collect()).unwrap();
        assert_eq!(loads(&pool), [3, 3, 0]);
    }

    #[test]
    fn without_a_link_that_is_up_every_job_comes_back_at_once() {
        let pool = pool(2, 0);
        let mut jobs: VecDeque<u32> = (0..3).collect();
        assert_eq!(pool.submit(&mut jobs), Err(NotTaken::Closed));
        assert_eq!(pool.submit_together(&mut jobs), Err(NotTaken::Closed));
        assert_eq!(jobs, [0, 1, 2]);
        assert!(!pool.is_up());
    }

    #[test]
    fn what_does_not_fit_any_queue_comes_back() {
        let pool = pool(2, 2);
        let mut jobs: VecDeque<u32> = (0..25).collect();
        assert_eq!(pool.submit(&mut jobs), Err(NotTaken::Full));
        assert_eq!(loads(&pool), [10, 10]);
        assert_eq!(jobs, [20, 21, 22, 23, 24]);
    }

    #[test]
    fn a_paused_link_gets_nothing_while_another_one_goes_on() {
        let pool = pool(3, 3);
        pool.links()[0].pause_for_tests(true);
        pool.submit(&mut (0..6).collect()).unwrap();
        assert_eq!(loads(&pool), [0, 3, 3]);
        pool.submit_together_first(&mut (0..1).collect()).unwrap();
        assert_eq!(loads(&pool), [0, 4, 3]);
        assert!(!pool.is_paused());
        for link in pool.links() {
            link.pause_for_tests(true);
        }
        assert!(pool.is_paused());
        pool.submit(&mut (0..5).collect()).unwrap();
        assert_eq!(loads(&pool), [4, 4, 4], "all are paused, so all wait");
    }

    #[test]
    fn what_the_peer_refused_for_now_goes_first_even_into_a_full_queue() {
        let pool = pool(1, 1);
        pool.submit(&mut (0..10).collect()).unwrap();
        let mut parts: VecDeque<u32> = (100..102).collect();
        pool.submit_together_first(&mut parts).unwrap();
        let link = &pool.links()[0];
        let first: Vec<u32> = (0..3).filter_map(|_| link.take_for_tests()).collect();
        assert_eq!((first, parts.len()), (vec![100, 101, 0], 0));
        let mut too_many: VecDeque<u32> = (0..12).collect();
        assert_eq!(
            pool.submit_together_first(&mut too_many),
            Err(NotTaken::Full)
        );
        assert_eq!(too_many.len(), 12);
    }

    #[test]
    fn what_comes_again_goes_before_what_waits_and_finds_room_behind_a_full_queue() {
        let pool = pool(1, 1);
        pool.submit(&mut (0..10).collect()).unwrap();
        pool.submit_first(&mut VecDeque::from([20, 21])).unwrap();
        pool.submit_together_first(&mut VecDeque::from([30, 31]))
            .unwrap();
        let next = || pool.links()[0].take_for_tests();
        let first = [next(), next(), next(), next(), next()];
        assert_eq!(first, [30, 31, 20, 21, 0].map(Some));
        // Nine wait; the queue holds ten, and the window as many.
        let mut many: VecDeque<u32> = (0..12).collect();
        assert_eq!(pool.submit_first(&mut many), Err(NotTaken::Full));
        assert_eq!(many, [11]);
        assert_eq!(pool.submit_together_first(&mut many), Err(NotTaken::Full));
    }

    #[test]
    fn the_parts_of_one_message_stay_together_or_do_not_go() {
        let pool = pool(2, 2);
        pool.submit(&mut (0..16).collect()).unwrap();
        let mut parts: VecDeque<u32> = (0..3).collect();
        assert_eq!(pool.submit_together(&mut parts), Err(NotTaken::Full));
        assert_eq!((loads(&pool), parts.len()), (vec![8, 8], 3));
        pool.submit_together(&mut (0..2).collect()).unwrap();
        assert_eq!(loads(&pool).iter().sum::<u32>(), 18);
        assert!(loads(&pool).contains(&10));
    }
}
