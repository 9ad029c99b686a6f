//! Which payments a list is of.

use clap::{Args, builder::PossibleValuesParser};
use time::{Date, Month, OffsetDateTime, Time};

use super::Trouble;
use crate::{
    clock,
    journal::{Kept, KeptState},
};

/// Those that meet every condition.
#[derive(Args)]
pub(in crate::cli) struct Filter {
    /// Only payments of this bank.
    #[arg(long)]
    bank: Option<String>,
    /// Only payments of this client.
    #[arg(long)]
    client: Option<String>,
    /// Only payments in this state; several may be named.
    #[arg(long = "state", value_name = "STATE", value_parser = states())]
    states: Vec<String>,
    /// Only payments that began then or later: 2026-11-22, 2026-11-22T05:00:00Z (UTC), or a time ago,
    /// such as 30m, 24h or 7d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

fn states() -> PossibleValuesParser {
    PossibleValuesParser::new(KeptState::ALL.map(KeptState::as_str))
}

/// A filter whose words were understood.
pub(super) struct Sought {
    filter: Filter,
    since_utc_ms: i64,
}

impl Filter {
    /// Reads what may be written wrongly.
    pub(super) fn read(self) -> Result<Sought, Trouble> {
        let since_utc_ms = match &self.since {
            None => i64::MIN,
            Some(text) => since_utc_ms(text, clock::now().utc).ok_or_else(|| {
                Trouble::Usage(format!(
                    "--since: {text:?} is no time such as 2026-11-22, 2026-11-22T05:00:00Z, 30m, 24h \
                     or 7d"
                ))
            })?,
        };
        let filter = self;
        Ok(Sought {
            filter,
            since_utc_ms,
        })
    }
}

impl Sought {
    /// Whether it is one of them.
    pub(super) fn takes(&self, kept: &Kept) -> bool {
        let is = |sought: &Option<String>, own: &str| sought.as_ref().is_none_or(|it| it == own);
        let states = &self.filter.states;
        is(&self.filter.bank, &kept.bank)
            && is(&self.filter.client, kept.key.client.as_str())
            && (states.is_empty() || states.iter().any(|state| state == kept.state().as_str()))
            && kept.began_utc_ms >= self.since_utc_ms
    }
}

fn since_utc_ms(text: &str, now: OffsetDateTime) -> Option<i64> {
    if let Some(at) = text.len().checked_sub(1)
        && let Some((count, unit)) = text.split_at_checked(at)
        && let Ok(count) = count.parse::<i64>()
    {
        let unit_ms: i64 = match unit {
            "m" => 60_000,
            "h" => 3_600_000,
            "d" => 86_400_000,
            _ => return None,
        };
        let ago_ms = count.checked_mul(unit_ms).filter(|ago| *ago >= 0)?;
        return utc_ms(now).checked_sub(ago_ms);
    }
    let (date, time) = match text.split_once('T') {
        Some((date, time)) => (date, time_of_day(time.strip_suffix('Z')?)?),
        None => (text, Time::MIDNIGHT),
    };
    let [year, month, day] = numbers(date, '-')?;
    let month = Month::try_from(u8::try_from(month).ok()?).ok()?;
    let date = Date::from_calendar_date(i32::from(year), month, u8::try_from(day).ok()?).ok()?;
    Some(utc_ms(date.with_time(time).assume_utc()))
}

fn time_of_day(text: &str) -> Option<Time> {
    let parts = numbers(text, ':')?.map(|part| u8::try_from(part).unwrap_or(u8::MAX));
    let [hour, minute, second] = parts;
    Time::from_hms(hour, minute, second).ok()
}

/// Three numbers between separators.
fn numbers(text: &str, separator: char) -> Option<[u16; 3]> {
    let mut parts = text.split(separator);
    let mut next = || parts.next()?.parse().ok();
    let numbers = [next()?, next()?, next()?];
    parts.next().is_none().then_some(numbers)
}

fn utc_ms(at: OffsetDateTime) -> i64 {
    at.unix_timestamp() * 1_000 + i64::from(at.millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_day_an_instant_or_so_long_ago() {
        // `date -u -d 2026-11-22 +%s`
        let day = 1_795_305_600_000;
        let now = OffsetDateTime::from_unix_timestamp(day / 1_000 + 7_200).unwrap();
        for (text, ms) in [
            ("2026-11-22", day),
            ("2026-11-22T00:00:01Z", day + 1_000),
            ("120m", day),
            ("1h", day + 3_600_000),
            ("1d", day + 7_200_000 - 86_400_000),
        ] {
            assert_eq!(since_utc_ms(text, now), Some(ms), "{text}");
        }
        for wrong in [
            "",
            "x",
            "5",
            "-5m",
            "7w",
            "2026-11-31",
            "2026-11",
            "2026-11-22T00:00:00",
            "2026-11-22T25:00:00Z",
            "99999999999999999999d",
            "9223372036854775807d",
            "é",
        ] {
            assert_eq!(since_utc_ms(wrong, now), None, "{wrong}");
        }
    }
}
