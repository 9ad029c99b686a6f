//! The order in which a link's queue is served: by class, and within a class client by client.
//!
//! One-time passwords go before campaigns, a campaign moves on all the same, and nobody waits behind
//! the whole backlog of another client. Within a lane, one class of one client, the first in is the
//! first out, so the parts of a message keep their order. Pure; it must never lose a job or let a
//! class wait for ever.

use std::{
    collections::{HashMap, VecDeque},
    mem,
};

use crate::message::TrafficClass;

/// Jobs that each class may send in one round, while the others wait: a campaign gets a twentieth
/// of a busy bind, and a one-time password waits behind at most five other jobs.
const WEIGHTS: [u32; CLASSES] = [16, 4, 1];

/// What of the queue a class and those below it may fill together: a campaign must not take the
/// last place from a notification, nor that from a one-time password.
const SHARES: [(usize, usize); CLASSES] = [(1, 1), (7, 8), (3, 4)];

/// Empty lanes whose buffers are kept for the next one, so that a queue that runs empty again and
/// again does not allocate each time.
const SPARE_LANES: usize = 4;

pub(super) const CLASSES: usize = 3;

/// Where a job waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Lane {
    /// How urgent it is.
    pub class: TrafficClass,
    /// Whose it is: a number that is the same for all jobs of one client. Two clients that share
    /// one by chance take their turns together.
    pub client: u32,
}

impl Lane {
    /// The lane of a queue that has no need for more; it may use all of the queue.
    pub const ONLY: Self = Self {
        class: TrafficClass::Urgent,
        client: 0,
    };

    /// The lane of a client that is known by name.
    pub fn of(class: TrafficClass, client: &str) -> Self {
        // FNV-1a: names are short, and nothing is won by choosing one that collides.
        let client = client.bytes().fold(0x811c_9dc5_u32, |hash, byte| {
            (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
        });
        Self { class, client }
    }
}

/// What can wait in lanes.
pub trait Queued {
    /// The lane that it waits in.
    fn lane(&self) -> Lane;
}

/// A bounded queue of jobs in lanes.
pub(super) struct Lanes<J> {
    /// How many jobs each class and those below it may be together.
    shares: [usize; CLASSES],
    len: usize,
    classes: [Class; CLASSES],
    /// Bounded by the number of jobs and [`SPARE_LANES`]: a lane holds a job, is spare, or is unused.
    lanes: Vec<ClientLane<J>>,
    /// Lanes with jobs and spare ones.
    by_name: HashMap<Lane, usize>,
    /// Lanes that ran empty and keep their client and their buffer for a while.
    spare: VecDeque<usize>,
    unused: Vec<usize>,
    /// Where the last job went: jobs come in batches of one client.
    recent: Option<(Lane, usize)>,
}

struct ClientLane<J> {
    name: Lane,
    jobs: VecDeque<J>,
}

#[derive(Default)]
struct Class {
    /// Lanes with jobs, the next to be served in front.
    turns: VecDeque<usize>,
    len: usize,
    /// Jobs that the class may still send in this round.
    credit: u32,
}

impl<J> Lanes<J> {
    /// A queue of at most `max` jobs.
    pub(super) fn new(max: usize) -> Self {
        Self {
            // Rounded up, so that a queue of one takes a job of any class.
            shares: SHARES.map(|(part, whole)| max.saturating_mul(part).div_ceil(whole)),
            len: 0,
            classes: Default::default(),
            lanes: Vec::new(),
            by_name: HashMap::new(),
            spare: VecDeque::new(),
            unused: Vec::new(),
            recent: None,
        }
    }

    /// All jobs that wait.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Those of each class, the most urgent first.
    pub(super) fn len_by_class(&self) -> [usize; CLASSES] {
        self.classes.each_ref().map(|class| class.len)
    }

    /// How many more jobs of that class there is room for.
    pub(super) fn room(&self, class: TrafficClass) -> usize {
        let mut room = usize::MAX;
        // Of all jobs: those of this class and below, then of the class above and below, and so on.
        let mut filled = self.len;
        for (at, share) in self.shares.iter().enumerate().take(class as usize + 1) {
            room = room.min(share.saturating_sub(filled));
            filled -= self.classes[at].len;
        }
        room
    }

    /// Takes up to `count` jobs out, those whose turn it is.
    pub(super) fn pop(&mut self, count: usize, into: &mut Vec<J>) {
        let count = count.min(self.len);
        if let Some(slot) = self.only_lane() {
            return self.pop_all_of_one(slot, count, into);
        }
        for _ in 0..count {
            let Some(class) = self.next_class() else {
                return;
            };
            into.extend(self.pop_of(class));
        }
    }

    /// Takes the jobs out for which `over` holds.
    pub(super) fn remove_if(&mut self, into: &mut Vec<J>, over: impl Fn(&J) -> bool) {
        for class in 0..CLASSES {
            for _ in 0..self.classes[class].turns.len() {
                let Some(slot) = self.classes[class].turns.pop_front() else {
                    break;
                };
                self.remove_from(slot, into, &over);
                self.requeue(class, slot);
            }
        }
    }

    /// Takes everything out, the most urgent first.
    pub(super) fn take_all(&mut self) -> VecDeque<J> {
        let mut all = VecDeque::with_capacity(self.len);
        for class in &mut self.classes {
            for slot in mem::take(&mut class.turns) {
                all.append(&mut self.lanes[slot].jobs);
            }
        }
        *self = Self {
            shares: self.shares,
            ..Self::new(0)
        };
        all
    }

    /// The lane that holds all jobs, if there is only one.
    fn only_lane(&self) -> Option<usize> {
        let class = self.classes.iter().find(|class| class.len == self.len)?;
        match class.turns.len() {
            1 => class.turns.front().copied(),
            _ => None,
        }
    }

    fn pop_all_of_one(&mut self, slot: usize, count: usize, into: &mut Vec<J>) {
        let lane = &mut self.lanes[slot];
        into.extend(lane.jobs.drain(..count));
        let class = &mut self.classes[lane.name.class as usize];
        class.len -= count;
        self.len -= count;
        if lane.jobs.is_empty() {
            class.turns.clear();
            self.put_aside(slot);
        }
    }

    /// The class whose turn it is. When none that has jobs may send more, a new round begins.
    fn next_class(&mut self) -> Option<usize> {
        let has_turn = |class: &Class| class.len > 0 && class.credit > 0;
        if let Some(class) = self.classes.iter().position(has_turn) {
            return Some(class);
        }
        for (class, weight) in self.classes.iter_mut().zip(WEIGHTS) {
            class.credit = weight;
        }
        self.classes.iter().position(has_turn)
    }

    /// The next job of that class; its client's lane goes to the end of the line.
    fn pop_of(&mut self, class: usize) -> Option<J> {
        let slot = self.classes[class].turns.pop_front()?;
        let job = self.lanes[slot].jobs.pop_front();
        let taken = usize::from(job.is_some());
        self.classes[class].len -= taken;
        self.classes[class].credit -= 1;
        self.len -= taken;
        self.requeue(class, slot);
        job
    }

    fn remove_from(&mut self, slot: usize, into: &mut Vec<J>, over: &impl Fn(&J) -> bool) {
        let lane = &mut self.lanes[slot];
        if !lane.jobs.iter().any(over) {
            return;
        }
        let before = into.len();
        for job in mem::take(&mut lane.jobs) {
            match over(&job) {
                true => into.push(job),
                false => lane.jobs.push_back(job),
            }
        }
        let removed = into.len() - before;
        self.classes[lane.name.class as usize].len -= removed;
        self.len -= removed;
    }

    /// Puts a lane that has had its turn behind the others, or aside if it is empty.
    fn requeue(&mut self, class: usize, slot: usize) {
        match self.lanes[slot].jobs.is_empty() {
            true => self.put_aside(slot),
            false => self.classes[class].turns.push_back(slot),
        }
    }

    fn put_aside(&mut self, slot: usize) {
        self.spare.push_back(slot);
        if self.spare.len() > SPARE_LANES
            && let Some(oldest) = self.spare.pop_front()
        {
            let lane = &mut self.lanes[oldest];
            lane.jobs = VecDeque::new();
            self.by_name.remove(&lane.name);
            self.recent = self.recent.filter(|(_, slot)| *slot != oldest);
            self.unused.push(oldest);
        }
    }

    /// The lane of that name; a new one is empty and has no turn yet.
    fn slot(&mut self, name: Lane) -> usize {
        if let Some((recent, slot)) = self.recent
            && recent == name
        {
            return slot;
        }
        let slot = match self.by_name.get(&name) {
            Some(slot) => *slot,
            None => self.new_slot(name),
        };
        self.recent = Some((name, slot));
        slot
    }

    fn new_slot(&mut self, name: Lane) -> usize {
        let slot = self.unused.pop().unwrap_or(self.lanes.len());
        match self.lanes.get_mut(slot) {
            Some(unused) => unused.name = name,
            None => self.lanes.push(ClientLane {
                name,
                jobs: VecDeque::new(),
            }),
        }
        self.by_name.insert(name, slot);
        slot
    }

    /// Counts one job more, and gives its lane; `true` if the lane was empty until now.
    fn admit(&mut self, name: Lane) -> (usize, bool) {
        let slot = self.slot(name);
        self.len += 1;
        self.classes[name.class as usize].len += 1;
        let is_first = self.lanes[slot].jobs.is_empty();
        if is_first {
            self.spare.retain(|spare| *spare != slot);
        }
        (slot, is_first)
    }
}

impl<J: Queued> Lanes<J> {
    /// Puts the job at the end of its lane, or gives it back if its class has no room.
    pub(super) fn push(&mut self, job: J) -> Result<(), J> {
        let name = job.lane();
        if self.room(name.class) == 0 {
            return Err(job);
        }
        let (slot, is_first) = self.admit(name);
        if is_first {
            self.classes[name.class as usize].turns.push_back(slot);
        }
        self.lanes[slot].jobs.push_back(job);
        Ok(())
    }

    /// Puts a job back to where it came from, before all others of its lane; there is always room.
    pub(super) fn push_front(&mut self, job: J) {
        let name = job.lane();
        let (slot, is_first) = self.admit(name);
        if is_first {
            self.classes[name.class as usize].turns.push_front(slot);
        }
        self.lanes[slot].jobs.push_front(job);
    }
}

#[cfg(test)]
mod tests;
