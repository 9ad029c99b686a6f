//! Lanes against the rules that they promise, with jobs that know their lane and their number.

use proptest::prelude::*;

use super::*;

const ALL: [TrafficClass; CLASSES] = [
    TrafficClass::Urgent,
    TrafficClass::Normal,
    TrafficClass::Bulk,
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Job {
    lane: Lane,
    number: usize,
}

impl Queued for Job {
    fn lane(&self) -> Lane {
        self.lane
    }
}

fn job(class: TrafficClass, client: u32, number: usize) -> Job {
    Job {
        lane: Lane { class, client },
        number,
    }
}

/// A queue of `max` that holds these jobs.
fn lanes(max: usize, jobs: impl IntoIterator<Item = Job>) -> Lanes<Job> {
    let mut lanes = Lanes::new(max);
    for job in jobs {
        lanes.push(job).unwrap();
    }
    lanes
}

fn pop(lanes: &mut Lanes<Job>, count: usize) -> Vec<Job> {
    let mut jobs = Vec::new();
    lanes.pop(count, &mut jobs);
    jobs
}

fn numbers(jobs: impl IntoIterator<Item = Job>) -> Vec<usize> {
    jobs.into_iter().map(|job| job.number).collect()
}

use TrafficClass::{Bulk, Normal, Urgent};

#[test]
fn one_time_passwords_go_before_a_campaign_that_came_first() {
    let campaign = (0..100).map(|number| job(Bulk, 1, number));
    let mut lanes = lanes(1_000, campaign);
    assert_eq!(numbers(pop(&mut lanes, 2)), [0, 1]);
    lanes.push(job(Urgent, 2, 500)).unwrap();
    lanes.push(job(Normal, 2, 600)).unwrap();
    assert_eq!(numbers(pop(&mut lanes, 3)), [500, 600, 2]);
}

#[test]
fn a_campaign_moves_on_whatever_the_number_of_one_time_passwords() {
    let jobs = (0..200).flat_map(|number| ALL.map(|class| job(class, 1, number)));
    let mut lanes = lanes(10_000, jobs);
    for _ in 0..5 {
        let round = pop(&mut lanes, 21);
        let share = ALL.map(|class| round.iter().filter(|own| own.lane.class == class).count());
        assert_eq!(share, [16, 4, 1]);
        assert_eq!(round[0].lane.class, Urgent);
    }
}

#[test]
fn clients_of_one_class_take_turns_and_a_late_one_does_not_wait_behind_a_backlog() {
    let mut lanes = lanes(1_000, (0..50).map(|number| job(Normal, 1, number)));
    for number in [100, 101] {
        lanes.push(job(Normal, 2, number)).unwrap();
    }
    assert_eq!(numbers(pop(&mut lanes, 6)), [0, 100, 1, 101, 2, 3]);
}

#[test]
fn bulk_leaves_room_for_normal_and_both_leave_room_for_urgent() {
    let mut lanes = Lanes::new(80);
    let mut fill = |class| {
        let mut taken = 0;
        while lanes.push(job(class, 1, taken)).is_ok() {
            taken += 1;
        }
        taken
    };
    assert_eq!([fill(Bulk), fill(Normal), fill(Urgent)], [60, 10, 10]);
    assert_eq!(lanes.len_by_class(), [10, 10, 60]);
    pop(&mut lanes, 1);
    assert_eq!(ALL.map(|class| lanes.room(class)), [1, 0, 0]);
}

#[test]
fn the_smallest_queue_takes_a_job_of_any_class() {
    for class in ALL {
        let mut lanes = lanes(1, [job(class, 1, 0)]);
        assert_eq!(lanes.push(job(Urgent, 1, 1)).unwrap_err().number, 1);
    }
}

#[test]
fn what_is_put_back_goes_before_all_others_of_its_lane_even_into_a_full_queue() {
    let mut lanes = lanes(4, (2..5).map(|number| job(Bulk, 1, number)));
    lanes.push(job(Urgent, 9, 9)).unwrap();
    for number in [1, 0] {
        lanes.push_front(job(Bulk, 1, number));
    }
    assert_eq!(numbers(pop(&mut lanes, 9)), [9, 0, 1, 2, 3, 4]);
    assert_eq!(lanes.len(), 0);
}

#[test]
fn clients_that_have_gone_leave_nothing_behind_but_a_few_spare_lanes() {
    let mut lanes = Lanes::new(1_000);
    for client in 0..5_000 {
        lanes.push(job(Normal, client, 0)).unwrap();
        assert_eq!(pop(&mut lanes, 1).len(), 1);
    }
    assert!(lanes.lanes.len() <= SPARE_LANES + 1);
    assert!(lanes.by_name.len() <= SPARE_LANES);
}

/// What can happen to a queue.
#[derive(Clone, Debug)]
enum Step {
    Push(TrafficClass, u32),
    PutBack,
    Pop(usize),
    Remove(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let class = prop::sample::select(ALL.to_vec());
    let step = prop_oneof![
        6 => (class, 0_u32..7).prop_map(|(class, client)| Step::Push(class, client)),
        1 => Just(Step::PutBack),
        2 => (1_usize..6).prop_map(Step::Pop),
        1 => (2_usize..9).prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 1..300)
}

proptest! {
    /// Against a plain list: nothing is lost or doubled, and each lane keeps its order.
    #[test]
    fn nothing_is_lost_and_each_lane_keeps_its_order(steps in steps()) {
        let mut lanes = Lanes::new(40);
        let mut waiting: Vec<Job> = Vec::new();
        for (number, step) in steps.into_iter().enumerate() {
            let mut out = Vec::new();
            match step {
                Step::Push(class, client) => {
                    let new = job(class, client, number);
                    let has_room = lanes.room(class) > 0;
                    prop_assert_eq!(lanes.push(new).is_ok(), has_room);
                    if has_room {
                        waiting.push(new);
                    }
                }
                Step::PutBack => {
                    let Some(own) = pop(&mut lanes, 1).pop() else { continue };
                    lanes.push_front(own);
                }
                Step::Pop(count) => {
                    lanes.pop(count, &mut out);
                    prop_assert_eq!(out.len(), count.min(waiting.len()));
                    for own in &out {
                        let first = waiting.iter().position(|other| other.lane == own.lane);
                        prop_assert_eq!(waiting.remove(first.unwrap()), *own);
                    }
                }
                Step::Remove(every) => {
                    lanes.remove_if(&mut out, |own| own.number % every == 0);
                    let mut gone = numbers(waiting.extract_if(.., |own| own.number % every == 0));
                    let mut out = numbers(out);
                    gone.sort_unstable();
                    out.sort_unstable();
                    prop_assert_eq!(out, gone);
                }
            }
            prop_assert_eq!(lanes.len(), waiting.len());
            prop_assert_eq!(lanes.len_by_class().iter().sum::<usize>(), waiting.len());
            prop_assert!(lanes.lanes.len() <= 40 + SPARE_LANES + 1);
        }
        let mut rest = numbers(lanes.take_all());
        let mut waiting = numbers(waiting);
        rest.sort_unstable();
        waiting.sort_unstable();
        prop_assert_eq!(rest, waiting);
        prop_assert_eq!(lanes.len(), 0);
    }

    /// The first job of a class waits for at most one round of the others, whatever comes after it.
    #[test]
    fn no_class_waits_longer_than_one_round_and_no_client_longer_than_one_turn_of_each(
        clients in 1_u32..6,
        at in 0_u32..6,
    ) {
        let (at, mut number) = (at % clients, 0);
        let mut lanes = Lanes::new(100_000);
        let mut push = |lanes: &mut Lanes<Job>, class, client| {
            number += 1;
            lanes.push(job(class, client, number)).unwrap();
        };
        for class in ALL {
            for client in (0..clients).flat_map(|client| [client; 40]) {
                push(&mut lanes, class, client);
            }
        }
        for class in ALL {
            let rounds = clients.div_ceil(WEIGHTS[class as usize]) + 1;
            let bound = (rounds * WEIGHTS.iter().sum::<u32>()) as usize;
            let lane = Lane { class, client: at };
            let served = pop(&mut lanes, bound);
            prop_assert!(served.iter().any(|own| own.lane == lane), "{lane:?} in {bound}");
            for own in served {
                push(&mut lanes, own.lane.class, own.lane.client);
            }
        }
    }
}
