//! What happened on each day, for the charts.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    moment::{Day, UnixMs},
    money::Vnd,
    store::{StoreError, at},
};

/// Days that a chart shows, today's the last.
pub(crate) const CHART_DAYS: i64 = 30;

/// A transaction of at least so much is counted apart.
pub(crate) const LARGE_DONG: i64 = 100_000;

/// From UTC to Vietnam's time.
const VIETNAM_MS: i64 = 7 * 3_600_000;

const DAY_MS: i64 = 86_400_000;

/// The number of the day in Vietnam of a column in milliseconds, which stands for `{at}`: what
/// [`DayCount::day`] is to be.
pub const DAY_SQL: &str = "(({at} + 25200000) / 86400000)";

/// What happened on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DayCount {
    /// Days since the beginning of 1970, in Vietnam.
    pub day: i64,
    /// How many.
    pub count: i64,
    /// How many of these were of at least the large amount.
    pub large: i64,
    /// What they came to, in dong.
    pub dong: i64,
}

/// The days of a chart without a gap, the oldest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Days(Vec<DayCount>);

impl Days {
    /// When the first day began.
    pub(crate) fn since(now: UnixMs) -> UnixMs {
        UnixMs((day_of(now) - CHART_DAYS + 1) * DAY_MS - VIETNAM_MS)
    }

    /// Several counts of the same days together; days without any count nothing.
    pub(crate) fn of(now: UnixMs, counts: impl IntoIterator<Item = DayCount>) -> Self {
        let today = day_of(now);
        let days = (today - CHART_DAYS + 1..=today).map(|day| {
            let none = DayCount {
                day,
                ..DayCount::default()
            };
            (day, none)
        });
        let mut days: BTreeMap<i64, DayCount> = days.collect();
        for one in counts {
            if let Some(day) = days.get_mut(&one.day) {
                day.count = day.count.saturating_add(one.count);
                day.large = day.large.saturating_add(one.large);
                day.dong = day.dong.saturating_add(one.dong);
            }
        }
        Self(days.into_values().collect())
    }

    /// One number of each day.
    pub(crate) fn series(&self, of: impl Fn(&DayCount) -> i64) -> Vec<(String, i64)> {
        let point = |day: &DayCount| (name(day.day), of(day));
        self.0.iter().map(point).collect()
    }

    /// Today, and the day before it.
    pub(crate) fn last_two(&self) -> (DayCount, DayCount) {
        let mut last = self.0.iter().rev().copied();
        let today = last.next().unwrap_or_default();
        (today, last.next().unwrap_or_default())
    }
}

fn day_of(now: UnixMs) -> i64 {
    now.0.saturating_add(VIETNAM_MS).div_euclid(DAY_MS)
}

/// As `2026-11-22`.
fn name(day: i64) -> String {
    let noon = UnixMs(day.saturating_mul(DAY_MS));
    Day::of(noon).map_or_else(|_| day.to_string(), |day| day.to_string())
}

/// What was sold to agents on each day since.
pub(crate) async fn sales_per_day(
    connection: &mut AnyConnection,
    since: UnixMs,
    large: Vnd,
) -> Result<Vec<DayCount>, StoreError> {
    let day = DAY_SQL.replace("{at}", "at_ms");
    let select = format!(
        "SELECT {day}, COUNT(*),
            CAST(SUM(CASE WHEN sold * sell_value >= $2 THEN 1 ELSE 0 END) AS BIGINT),
            CAST(SUM(sold * sell_value) AS BIGINT)
        FROM sale WHERE at_ms >= $1 GROUP BY {day}"
    );
    let rows = sqlx::query(&select)
        .bind(since.0)
        .bind(large.dong())
        .fetch_all(connection);
    let rows = rows.await.map_err(at("sale"))?;
    let count = |row: &AnyRow| {
        let number = |column| row.try_get::<i64, _>(column).map_err(at("sale"));
        Ok(DayCount {
            day: number(0)?,
            count: number(1)?,
            large: number(2)?,
            dong: number(3)?,
        })
    };
    rows.iter().map(count).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-22T16:59:59.999Z, the last moment of a day in Vietnam.
    const LATE: UnixMs = UnixMs(1_795_366_799_999);

    #[test]
    fn a_chart_has_thirty_days_in_vietnam_without_a_gap() {
        let today = day_of(LATE);
        assert_eq!(day_of(UnixMs(LATE.0 + 1)), today + 1);
        let one = DayCount {
            day: today,
            count: 2,
            large: 1,
            dong: 7,
        };
        let old = DayCount {
            day: today - CHART_DAYS,
            ..one
        };
        let days = Days::of(LATE, [one, old, one]);
        let series = days.series(|day| day.count);
        assert_eq!(series.len(), 30);
        assert_eq!(series[0], ("2026-10-24".to_owned(), 0));
        assert_eq!(series[29], ("2026-11-22".to_owned(), 4));
        assert_eq!(days.last_two().0.dong, 14);
        // The beginning of the first day, and not a millisecond before.
        assert_eq!(day_of(Days::since(LATE)), today - 29);
        assert_eq!(day_of(UnixMs(Days::since(LATE).0 - 1)), today - 30);
    }
}
