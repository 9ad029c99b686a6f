//! When requests leave: as soon as there is room (closed loop), or by a schedule that nothing delays
//! (open loop). In an open loop a request counts as late from the moment of the schedule, whether or
//! not it could leave then: a router that stands still is charged for all that should have come
//! meanwhile, and not for the one request that it kept (coordinated omission).

/// When the batches of one stream leave.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::bench) enum Pace {
    /// As soon as there is room.
    Closed,
    /// At constant distances.
    Open(Schedule),
}

/// Batches at constant distances.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(in crate::bench) struct Schedule {
    first_ns: u64,
    distance_ns: f64,
    sent: u64,
}

impl Schedule {
    /// Of one of several streams that together send so many requests per second in such batches. The
    /// streams take turns, so that their batches do not come together.
    pub(in crate::bench) fn of(
        stream: usize,
        streams: usize,
        per_s: f64,
        batch: usize,
        from_ns: u64,
    ) -> Self {
        let together_ns = batch as f64 * 1e9 / per_s;
        Self {
            first_ns: from_ns + (together_ns * stream as f64) as u64,
            distance_ns: together_ns * streams as f64,
            sent: 0,
        }
    }

    fn due_ns(&self) -> u64 {
        self.first_ns + (self.distance_ns * self.sent as f64) as u64
    }
}

impl Pace {
    /// The moment at which the next batch is to leave.
    pub(in crate::bench) fn due_ns(&self, now_ns: u64) -> u64 {
        match self {
            Self::Closed => now_ns,
            Self::Open(schedule) => schedule.due_ns(),
        }
    }

    /// A batch has left.
    pub(in crate::bench) fn step(&mut self) {
        if let Self::Open(schedule) = self {
            schedule.sent += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The moments of the first batches of a stream, in microseconds from the start.
    fn moments_us(stream: usize, streams: usize, per_s: f64, batch: usize) -> Vec<u64> {
        let mut pace = Pace::Open(Schedule::of(stream, streams, per_s, batch, 5_000));
        let moments = (0..3).map(|_| {
            // Whatever the clock says.
            let due = pace.due_ns(1_000_000_000);
            pace.step();
            (due - 5_000) / 1_000
        });
        moments.collect()
    }

    #[test]
    fn batches_of_an_open_loop_leave_at_constant_distances_whatever_the_clock_says() {
        assert_eq!(moments_us(0, 1, 1_000.0, 1), [0, 1_000, 2_000]);
        assert_eq!(moments_us(0, 1, 64_000.0, 64), [0, 1_000, 2_000]);
    }

    #[test]
    fn streams_take_turns() {
        assert_eq!(moments_us(0, 2, 1_000.0, 1), [0, 2_000, 4_000]);
        assert_eq!(moments_us(1, 2, 1_000.0, 1), [1_000, 3_000, 5_000]);
    }

    #[test]
    fn a_schedule_does_not_drift() {
        let mut pace = Pace::Open(Schedule::of(0, 1, 300_000.0, 7, 0));
        for _ in 0..300_000 {
            pace.step();
        }
        assert_eq!(pace.due_ns(0) / 1_000, 7_000_000);
    }

    #[test]
    fn in_a_closed_loop_the_next_batch_is_due_now() {
        let mut pace = Pace::Closed;
        pace.step();
        assert_eq!(pace.due_ns(17), 17);
    }
}
