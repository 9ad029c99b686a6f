//! What a message costs as something grows: binds, SMSCs, callers, messages in flight, routes. What costs
//! more per message with more of it does not scale.

use std::num::NonZeroUsize;

use super::{
    record::Point,
    scenario::{NotAScenario, Scenario},
};

/// What everything else is like.
const BASE: &str = r#"
about = "What a message costs as something grows"

[messages]
in_flight = 1024
batch = 64
"#;
/// The scenario's name in records.
const NAME: &str = "scale";
/// The scenario of binds that have nothing to do.
pub(super) const IDLE: &str = "idle-500";
/// The fewest messages in flight where they grow with something else.
const IN_FLIGHT_MIN: usize = 1_024;
/// Up to which growth of the cost it is called flat: less than what two runs may differ by.
const FLAT: f64 = 1.25;

/// What grows.
#[derive(Clone, Copy)]
struct Axis {
    of: &'static str,
    values: &'static [usize],
    set: fn(&mut Scenario, usize),
}

const AXES: [Axis; 5] = [
    Axis {
        of: "binds, 64 messages in flight for each",
        values: &[1, 4, 20, 100, 500],
        set: |scenario, binds| {
            scenario.router.binds = u32::try_from(binds).unwrap_or(u32::MAX);
            in_flight(scenario, 64 * binds);
        },
    },
    Axis {
        of: "SMSCs of one bind, 64 messages in flight for each",
        values: &[1, 5, 20, 50],
        set: |scenario, smscs| {
            scenario.router.binds = 1;
            scenario.router.smscs = smscs;
            in_flight(scenario, 64 * smscs);
        },
    },
    Axis {
        of: "upstream clients, a batch of 16 in flight for each",
        values: &[1, 10, 100, 1_000],
        set: |scenario, clients| {
            if let Some(messages) = &mut scenario.messages {
                messages.clients = count(clients);
                messages.batch = count(16);
            }
            in_flight(scenario, 16 * clients);
        },
    },
    Axis {
        of: "messages in flight, in batches of up to 64",
        values: &[1, 10, 100, 1_000, 10_000, 100_000],
        set: |scenario, in_flight| {
            if let Some(messages) = &mut scenario.messages {
                messages.in_flight = count(in_flight);
                messages.batch = count(in_flight.min(64));
            }
        },
    },
    Axis {
        of: "prefixes of up to 1,000 routes",
        values: &[1, 10, 100, 1_000, 10_000, 100_000],
        set: |scenario, prefixes| scenario.router.prefixes = prefixes - 1,
    },
];

fn count(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap_or(NonZeroUsize::MIN)
}

fn in_flight(scenario: &mut Scenario, wanted: usize) {
    if let Some(messages) = &mut scenario.messages {
        messages.in_flight = count(wanted.max(IN_FLIGHT_MIN));
    }
}

/// All points, with what is to be run for each.
///
/// # Errors
/// None with the base above.
pub(super) fn points() -> Result<Vec<(Point, Scenario)>, NotAScenario> {
    let base = Scenario::parse(NAME, BASE)?;
    let mut points = Vec::new();
    for axis in AXES {
        for value in axis.values {
            let mut scenario = base.clone();
            (axis.set)(&mut scenario, *value);
            let point = Point {
                of: axis.of.to_owned(),
                value: *value as u64,
            };
            points.push((point, scenario));
        }
    }
    Ok(points)
}

/// How much more the most of something costs than the least, and whether that is flat. What costs less
/// with more of it is flat too.
pub(super) fn growth(costs: &[f64]) -> Option<(f64, bool)> {
    let (first, last) = (costs.first()?, costs.last()?);
    let growth = last / first;
    Some((growth, growth <= FLAT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_differs_from_the_others_of_its_axis_in_what_grows() {
        let points = points().unwrap();
        let values: usize = AXES.iter().map(|axis| axis.values.len()).sum();
        assert_eq!(points.len(), values);
        for pair in points.windows(2) {
            let [(one, first), (other, second)] = pair else {
                continue;
            };
            if one.of == other.of {
                assert!(one.value < other.value, "{}", one.of);
                let shape = |it: &Scenario| format!("{:?}{:?}", it.router, it.messages);
                assert_ne!(shape(first), shape(second), "{}", one.of);
            }
        }
    }

    #[test]
    fn what_grows_with_the_load_is_not_flat_and_what_falls_is() {
        assert_eq!(growth(&[]), None);
        assert_eq!(growth(&[2.0, 2.2]), Some((1.1, true)));
        assert_eq!(growth(&[2.0, 9.0, 3.0]), Some((1.5, false)));
        assert_eq!(growth(&[40.0, 2.0]), Some((0.05, true)));
    }
}
