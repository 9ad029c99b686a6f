//! How often a delivery is tried, and when. Pure: chance is handed in.

use std::time::Duration;

use super::Kind;

const SECOND: u64 = 1;
const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;

/// Five attempts in all, as FiboSMS has it: a page that was restarted gets its message soon, one that was
/// down for half an hour still gets it.
const FIBO_S: &[u64] = &[10 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE];

/// The schedule that the specification of Standard Webhooks gives: ten attempts in three days.
const WEBHOOK_S: &[u64] = &[
    5 * SECOND,
    5 * MINUTE,
    30 * MINUTE,
    2 * HOUR,
    5 * HOUR,
    10 * HOUR,
    14 * HOUR,
    20 * HOUR,
    24 * HOUR,
];

/// Ten attempts in some eight hours: a buyer waits for what his merchant is told.
const IPN_S: &[u64] = &[
    5 * SECOND,
    30 * SECOND,
    2 * MINUTE,
    5 * MINUTE,
    10 * MINUTE,
    30 * MINUTE,
    HOUR,
    2 * HOUR,
    4 * HOUR,
];

/// The most that a target may ask to be left alone for, so that none stops its own deliveries for good.
pub(super) const NOT_BEFORE_MAX: Duration = Duration::from_secs(24 * HOUR);

/// The part of a delay that chance adds at most, so that what failed together does not come back together.
const JITTER: f64 = 0.2;

fn delays_s(kind: Kind) -> &'static [u64] {
    match kind {
        Kind::Fibo => FIBO_S,
        Kind::Webhook => WEBHOOK_S,
        Kind::Ipn => IPN_S,
    }
}

impl Kind {
    /// Attempts of a series.
    pub fn attempts_max(self) -> u32 {
        // A handful.
        delays_s(self).len() as u32 + 1
    }
}

/// How long to wait after so many failed attempts, or that there is no further one. The target may ask for
/// more time than the schedule has, not for less. `chance` is from 0 to 1.
pub(super) fn wait(
    kind: Kind,
    attempts: u32,
    not_before: Option<Duration>,
    chance: f64,
) -> Option<Duration> {
    let place = usize::try_from(attempts).ok()?.checked_sub(1)?;
    let delay = Duration::from_secs(*delays_s(kind).get(place)?);
    let asked = not_before.unwrap_or_default().min(NOT_BEFORE_MAX);
    Some(
        delay
            .max(asked)
            .mul_f64(1.0 + JITTER * chance.clamp(0.0, 1.0)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fibo_has_five_attempts_and_the_others_ten() {
        for (kind, attempts) in [(Kind::Fibo, 5), (Kind::Webhook, 10), (Kind::Ipn, 10)] {
            assert_eq!(kind.attempts_max(), attempts);
            assert!(wait(kind, attempts - 1, None, 0.0).is_some());
            assert_eq!(wait(kind, attempts, None, 0.0), None);
        }
    }

    #[test]
    fn webhooks_are_tried_at_the_times_of_the_specification() {
        let mut since_start = 0;
        let times = (1..10).map(|attempt| {
            since_start += wait(Kind::Webhook, attempt, None, 0.0).unwrap().as_secs();
            format!(
                "{}:{:02}:{:02}",
                since_start / 3600,
                since_start / 60 % 60,
                since_start % 60
            )
        });
        let times: Vec<String> = times.collect();
        let wanted = [
            "0:00:05", "0:05:05", "0:35:05", "2:35:05", "7:35:05", "17:35:05", "31:35:05",
            "51:35:05", "75:35:05",
        ];
        assert_eq!(times, wanted);
    }

    #[test]
    fn a_target_may_ask_for_more_time_but_not_for_less_or_for_ever() {
        let asked = |seconds| wait(Kind::Fibo, 1, Some(Duration::from_secs(seconds)), 0.0);
        assert_eq!(asked(1), Some(Duration::from_secs(10)));
        assert_eq!(asked(120), Some(Duration::from_secs(120)));
        assert_eq!(asked(u64::MAX), Some(NOT_BEFORE_MAX));
    }

    #[test]
    fn chance_adds_at_most_a_fifth() {
        let seconds = |chance| wait(Kind::Fibo, 1, None, chance).unwrap().as_secs_f64();
        assert!((seconds(0.0) - 10.0).abs() < 1e-6);
        assert!((seconds(1.0) - 12.0).abs() < 1e-6);
        assert!((seconds(f64::INFINITY) - 12.0).abs() < 1e-6);
    }
}
