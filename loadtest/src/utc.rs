//! UTC timestamps in the two short forms that receipts and ISO 8583 elements want. Nothing else of
//! a calendar belongs here.

use std::time::{SystemTime, UNIX_EPOCH};

/// A moment of UTC, broken into its parts.
#[derive(Clone, Copy)]
pub(crate) struct Utc {
    year: u64,
    month: u64,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Utc {
    /// Now, by the wall clock.
    pub(crate) fn now() -> Self {
        // A clock before 1970 is shown as 1970: the simulators only print the time.
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        Self::from_unix(since.map_or(0, |elapsed| elapsed.as_secs()))
    }

    /// The moment `seconds` after 1970-01-01T00:00:00Z, by the civil-calendar arithmetic that
    /// counts years from 1 March so that the leap day comes last.
    pub(crate) fn from_unix(seconds: u64) -> Self {
        let days = seconds / 86_400 + 719_468;
        let era = days / 146_097;
        let day_of_era = days % 146_097;
        let year_of_era =
            (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let month_from_march = (5 * day_of_year + 2) / 153;
        let month = if month_from_march < 10 {
            month_from_march + 3
        } else {
            month_from_march - 9
        };
        Self {
            year: era * 400 + year_of_era + u64::from(month <= 2),
            month,
            day: day_of_year - (153 * month_from_march + 2) / 5 + 1,
            hour: seconds / 3_600 % 24,
            minute: seconds / 60 % 60,
            second: seconds % 60,
        }
    }

    /// `YYMMDDhhmm`, the date form of a delivery receipt (SMPP 3.4 appendix B).
    pub(crate) fn receipt_date(self) -> String {
        let Self {
            year,
            month,
            day,
            hour,
            minute,
            ..
        } = self;
        format!("{:02}{month:02}{day:02}{hour:02}{minute:02}", year % 100)
    }

    /// `YYMMDDhhmmss000+`, the absolute time form of SMPP 3.4 7.1.1 in UTC.
    pub(crate) fn smpp_absolute(self) -> String {
        format!("{}{:02}000+", self.receipt_date(), self.second)
    }

    /// `hhmmss`, DE12.
    pub(crate) fn time(self) -> String {
        format!("{:02}{:02}{:02}", self.hour, self.minute, self.second)
    }

    /// `MMDD`, DE13.
    pub(crate) fn date(self) -> String {
        format!("{:02}{:02}", self.month, self.day)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_leap_day_and_the_turn_of_a_year_are_dated_rightly() {
        assert_eq!(Utc::from_unix(1_709_208_000).receipt_date(), "2402291200");
        assert_eq!(
            Utc::from_unix(1_704_067_199).smpp_absolute(),
            "231231235959000+"
        );
        assert_eq!(Utc::from_unix(1_704_067_200).receipt_date(), "2401010000");
        assert_eq!(Utc::from_unix(0).time(), "000000");
        assert_eq!(Utc::from_unix(951_782_400).date(), "0229");
    }
}
