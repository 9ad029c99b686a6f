//! Records in two queues by age, each record in one of them, with constant-time access to any.
//!
//! What is bounded by number and age needs the oldest one at hand, and any one by its slot when it
//! moves or goes. Slots are reused; a slot is valid until its record is removed. It must never
//! drop a record by itself, and it knows neither clock nor what a record is.

/// No record.
const NONE: u32 = u32::MAX;

/// Where a record is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot(u32);

impl Slot {
    /// Its number, for tables that hold numbers.
    pub fn number(self) -> u32 {
        self.0
    }

    /// The slot of a number.
    pub fn of(number: u32) -> Self {
        Self(number)
    }
}

/// The two queues.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// What is still awaited.
    Open,
    /// What has ended and is remembered.
    Ended,
}

/// The records.
pub struct Aged<T> {
    nodes: Vec<Node<T>>,
    /// The first of the free slots, which are linked through `next`.
    free: u32,
    queues: [Ends; 2],
}

struct Node<T> {
    record: Option<T>,
    queue: Queue,
    previous: u32,
    next: u32,
}

#[derive(Clone, Copy)]
struct Ends {
    oldest: u32,
    newest: u32,
    len: usize,
}

const EMPTY: Ends = Ends {
    oldest: NONE,
    newest: NONE,
    len: 0,
};

impl<T> Aged<T> {
    /// What a record takes.
    #[cfg(test)]
    pub(crate) const NODE_BYTES: usize = size_of::<Node<T>>();

    /// Empty, with address space for `expected` records: growing by copying would stop everybody
    /// for some milliseconds. Memory is used as records come.
    pub fn with_capacity(expected: usize) -> Self {
        Self {
            nodes: Vec::with_capacity(expected),
            free: NONE,
            queues: [EMPTY; 2],
        }
    }

    /// Adds a record as the newest of a queue. Gives it back if there are 4 billion.
    pub fn insert(&mut self, queue: Queue, record: T) -> Result<Slot, T> {
        let node = Node {
            record: Some(record),
            queue,
            previous: NONE,
            next: NONE,
        };
        let slot = match self.nodes.get_mut(self.free as usize) {
            Some(free) => {
                let slot = self.free;
                self.free = free.next;
                *free = node;
                slot
            }
            None => match u32::try_from(self.nodes.len()) {
                Ok(slot) if slot != NONE => {
                    self.nodes.push(node);
                    slot
                }
                Ok(_) | Err(_) => return node.record.map_or_else(|| Ok(Slot(NONE)), Err),
            },
        };
        self.link(queue, slot);
        Ok(Slot(slot))
    }

    /// The record.
    pub fn get(&self, slot: Slot) -> Option<&T> {
        self.nodes.get(slot.0 as usize)?.record.as_ref()
    }

    /// The record, to be changed.
    pub fn get_mut(&mut self, slot: Slot) -> Option<&mut T> {
        self.nodes.get_mut(slot.0 as usize)?.record.as_mut()
    }

    /// Takes the record out.
    pub fn remove(&mut self, slot: Slot) -> Option<T> {
        let record = self.nodes.get_mut(slot.0 as usize)?.record.take()?;
        self.unlink(slot.0);
        if let Some(node) = self.nodes.get_mut(slot.0 as usize) {
            node.next = self.free;
            self.free = slot.0;
        }
        Some(record)
    }

    /// Makes the record the newest of a queue.
    pub fn move_to(&mut self, queue: Queue, slot: Slot) {
        if self.get(slot).is_some() {
            self.unlink(slot.0);
            self.link(queue, slot.0);
        }
    }

    /// The oldest of a queue.
    pub fn oldest(&self, queue: Queue) -> Option<(Slot, &T)> {
        let slot = Slot(self.queues[queue as usize].oldest);
        Some((slot, self.get(slot)?))
    }

    /// Records in a queue.
    pub fn len(&self, queue: Queue) -> usize {
        self.queues[queue as usize].len
    }

    /// Records in both.
    pub fn total(&self) -> usize {
        self.queues.iter().map(|ends| ends.len).sum()
    }

    fn link(&mut self, queue: Queue, slot: u32) {
        let ends = &mut self.queues[queue as usize];
        let before = ends.newest;
        ends.newest = slot;
        ends.len += 1;
        if before == NONE {
            ends.oldest = slot;
        } else if let Some(node) = self.nodes.get_mut(before as usize) {
            node.next = slot;
        }
        if let Some(node) = self.nodes.get_mut(slot as usize) {
            node.queue = queue;
            node.previous = before;
            node.next = NONE;
        }
    }

    fn unlink(&mut self, slot: u32) {
        let Some(node) = self.nodes.get(slot as usize) else {
            return;
        };
        let (queue, previous, next) = (node.queue, node.previous, node.next);
        let ends = &mut self.queues[queue as usize];
        ends.len -= 1;
        if previous == NONE {
            ends.oldest = next;
        }
        if next == NONE {
            ends.newest = previous;
        }
        if let Some(node) = self.nodes.get_mut(previous as usize) {
            node.next = next;
        }
        if let Some(node) = self.nodes.get_mut(next as usize) {
            node.previous = previous;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    enum Step {
        Insert(bool),
        Remove(prop::sample::Index),
        Move(prop::sample::Index, bool),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            any::<bool>().prop_map(Step::Insert),
            any::<prop::sample::Index>().prop_map(Step::Remove),
            any::<(prop::sample::Index, bool)>().prop_map(|(at, open)| Step::Move(at, open)),
        ]
    }

    fn queue(open: bool) -> Queue {
        if open { Queue::Open } else { Queue::Ended }
    }

    proptest! {
        #[test]
        fn it_is_two_queues_whatever_is_inserted_moved_and_removed(
            steps in prop::collection::vec(step(), 0..80),
        ) {
            let mut aged = Aged::with_capacity(4);
            let mut model: [VecDeque<(Slot, u32)>; 2] = Default::default();
            for (name, step) in (0..).zip(steps) {
                let all: Vec<_> = model.iter().flatten().copied().collect();
                match step {
                    Step::Insert(open) => {
                        let slot = aged.insert(queue(open), name).unwrap();
                        model[queue(open) as usize].push_back((slot, name));
                    }
                    Step::Remove(at) if !all.is_empty() => {
                        let (slot, name) = *at.get(&all);
                        prop_assert_eq!(aged.remove(slot), Some(name));
                        prop_assert_eq!(aged.remove(slot), None);
                        model.iter_mut().for_each(|q| q.retain(|(other, _)| *other != slot));
                    }
                    Step::Move(at, open) if !all.is_empty() => {
                        let (slot, name) = *at.get(&all);
                        aged.move_to(queue(open), slot);
                        model.iter_mut().for_each(|q| q.retain(|(other, _)| *other != slot));
                        model[queue(open) as usize].push_back((slot, name));
                    }
                    Step::Remove(_) | Step::Move(..) => {}
                }
                for open in [true, false] {
                    let expected = &model[queue(open) as usize];
                    prop_assert_eq!(aged.len(queue(open)), expected.len());
                    let oldest = aged.oldest(queue(open)).map(|(slot, name)| (slot, *name));
                    prop_assert_eq!(oldest, expected.front().copied());
                }
            }
            prop_assert_eq!(aged.total(), model[0].len() + model[1].len());
        }
    }
}
