//! What happened on each day, for the charts.

use std::collections::BTreeMap;

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::unfit;
use crate::{
    moment::{Day, DayFault, UnixMs},
    money::Vnd,
    store::{StoreError, at},
};

/// Days that a chart shows, today's the last.
pub(crate) const CHART_DAYS: i64 = 30;

/// A transaction of at least so much is counted apart.
pub(crate) const LARGE_DONG: i64 = 100_000;

const DAY_MS: i64 = 86_400_000;

/// What happened on a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DayCount {
    /// The day in Vietnam.
    pub(crate) day: Day,
    /// How many.
    pub(crate) count: i64,
    /// How many of these were of at least the large amount.
    pub(crate) large: i64,
    /// What they came to, in dong.
    pub(crate) dong: i64,
}

impl DayCount {
    /// Of a day on which there was nothing.
    pub(crate) fn none(day: Day) -> Self {
        Self {
            day,
            count: 0,
            large: 0,
            dong: 0,
        }
    }
}

/// The first and the last day of a chart.
pub(crate) fn ends(now: UnixMs) -> Result<(Day, Day), DayFault> {
    let first = now.plus_ms((1 - CHART_DAYS) * DAY_MS);
    Ok((Day::of(first)?, Day::of(now)?))
}

/// The days of a chart without a gap, the oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Days(Vec<DayCount>);

impl Days {
    /// Several counts of the same days together; days without any count nothing.
    pub(crate) fn of(
        now: UnixMs,
        counts: impl IntoIterator<Item = DayCount>,
    ) -> Result<Self, DayFault> {
        let mut days = BTreeMap::new();
        for ago in 0..CHART_DAYS {
            let day = Day::of(now.plus_ms(-ago * DAY_MS))?;
            days.insert(day, DayCount::none(day));
        }
        for one in counts {
            if let Some(day) = days.get_mut(&one.day) {
                day.count = day.count.saturating_add(one.count);
                day.large = day.large.saturating_add(one.large);
                day.dong = day.dong.saturating_add(one.dong);
            }
        }
        Ok(Self(days.into_values().collect()))
    }

    /// One number of each day.
    pub(crate) fn series(&self, of: impl Fn(&DayCount) -> i64) -> Vec<(String, i64)> {
        let point = |day: &DayCount| (day.day.to_string(), of(day));
        self.0.iter().map(point).collect()
    }

    /// One number of today, and of the day before it.
    pub(crate) fn last_two(&self, of: impl Fn(&DayCount) -> i64) -> (i64, i64) {
        let mut last = self.0.iter().rev().map(of);
        let today = last.next().unwrap_or(0);
        (today, last.next().unwrap_or(0))
    }
}

/// What was sold to agents on each day of the chart.
pub(crate) async fn sales_per_day(
    connection: &mut AnyConnection,
    now: UnixMs,
    large: Vnd,
) -> Result<Vec<DayCount>, StoreError> {
    // A day's number since the beginning of 1970, in Vietnam. What is older than the chart is left out there.
    let day = "((at_ms + 25200000) / 86400000)";
    let select = format!(
        "SELECT {day}, COUNT(*),
            CAST(SUM(CASE WHEN sold * sell_value >= $2 THEN 1 ELSE 0 END) AS BIGINT),
            CAST(SUM(sold * sell_value) AS BIGINT)
        FROM sale WHERE at_ms >= $1 GROUP BY {day}"
    );
    let rows = sqlx::query(&select)
        .bind(now.plus_ms(-CHART_DAYS * DAY_MS).0)
        .bind(large.dong())
        .fetch_all(connection);
    let rows = rows.await.map_err(at("sale"))?;
    let count = |row: &AnyRow| {
        let number = |column| row.try_get::<i64, _>(column).map_err(at("sale"));
        // UTC's midnight of that date is the morning of the same day in Vietnam.
        let morning = UnixMs(number(0)?.saturating_mul(DAY_MS));
        Ok(DayCount {
            day: Day::of(morning).map_err(|_| unfit("sale"))?,
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
        let day = |text: &str| text.parse::<Day>().unwrap();
        let one = DayCount {
            day: day("2026-11-22"),
            count: 2,
            large: 1,
            dong: 7,
        };
        let old = DayCount {
            day: day("2026-10-23"),
            ..one
        };
        let days = Days::of(LATE, [one, old, one]).unwrap();
        let series = days.series(|day| day.count);
        assert_eq!(series.len(), 30);
        assert_eq!(series[0], ("2026-10-24".to_owned(), 0));
        assert_eq!(series[29], ("2026-11-22".to_owned(), 4));
        assert_eq!(days.last_two(|day| day.dong), (14, 0));
        assert_eq!(ends(LATE), Ok((day("2026-10-24"), day("2026-11-22"))));
        assert_eq!(
            ends(UnixMs(LATE.0 + 1)),
            Ok((day("2026-10-25"), day("2026-11-23")))
        );
    }
}
