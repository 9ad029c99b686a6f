//! Points in time and days as the books write them. Nothing here reads a clock: the time is handed in.

use std::{fmt, str::FromStr};

use time::{Date, Duration, Month, OffsetDateTime};

/// Vietnam is seven hours ahead of UTC all year.
const VIETNAM: Duration = Duration::hours(7);

/// Milliseconds since the beginning of 1970, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixMs(pub i64);

impl UnixMs {
    /// So many milliseconds later, or earlier if negative; the end of time is not passed.
    pub const fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// A day of the calendar, in Vietnam.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(Date);

/// A text that is no day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a day, as 2026-12-30")]
pub struct DayFault;

impl Day {
    /// The day in Vietnam at that time.
    ///
    /// # Errors
    /// It is thousands of years away.
    pub fn of(at: UnixMs) -> Result<Self, DayFault> {
        let utc = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000));
        let local = utc.ok().and_then(|utc| utc.checked_add(VIETNAM));
        local.map(|local| Self(local.date())).ok_or(DayFault)
    }

    /// When it is over in Vietnam.
    ///
    /// # Errors
    /// It is thousands of years away.
    pub fn end(self) -> Result<UnixMs, DayFault> {
        let next = self.0.next_day().ok_or(DayFault)?;
        let midnight = next.midnight().assume_utc().unix_timestamp();
        let midnight_s = midnight - VIETNAM.whole_seconds();
        Ok(UnixMs(midnight_s * 1_000))
    }
}

/// As `2026-12-30`, whose order as text is that of the days.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.0.to_calendar_date();
        write!(f, "{year:04}-{:02}-{day:02}", u8::from(month))
    }
}

impl FromStr for Day {
    type Err = DayFault;

    fn from_str(text: &str) -> Result<Self, DayFault> {
        let digits = |text: &str, length: usize| {
            let are_digits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
            are_digits.then(|| text.parse::<u16>().ok()).flatten()
        };
        let parts: Vec<&str> = text.split('-').collect();
        let [year, month, day] = parts[..] else {
            return Err(DayFault);
        };
        let parts = (digits(year, 4), digits(month, 2), digits(day, 2));
        let (Some(year), Some(month), Some(day)) = parts else {
            return Err(DayFault);
        };
        // Two digits fit an octet.
        let (month, day) = (month as u8, day as u8);
        let month = Month::try_from(month).map_err(|_| DayFault)?;
        let date = Date::from_calendar_date(i32::from(year), month, day);
        date.map(Self).map_err(|_| DayFault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_begins_at_midnight_in_vietnam() {
        let day = |ms| Day::of(UnixMs(ms)).unwrap().to_string();
        // 2026-11-22T16:59:59.999Z, and a millisecond later.
        assert_eq!(day(1_795_366_799_999), "2026-11-22");
        assert_eq!(day(1_795_366_800_000), "2026-11-23");
        let ended = "2026-11-22".parse::<Day>().unwrap().end();
        assert_eq!(ended, Ok(UnixMs(1_795_366_800_000)));
        assert_eq!(Day::of(UnixMs(i64::MAX)), Err(DayFault));
    }

    #[test]
    fn a_day_is_one_of_the_calendar() {
        assert_eq!(
            "2016-12-30".parse::<Day>().unwrap().to_string(),
            "2016-12-30"
        );
        for text in [
            "",
            "2016-12",
            "2016-02-30",
            "2016-13-01",
            "16-12-30",
            "2016-1-30",
            "+016-12-30",
        ] {
            assert_eq!(text.parse::<Day>(), Err(DayFault), "{text}");
        }
    }
}
