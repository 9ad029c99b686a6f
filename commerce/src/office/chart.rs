//! Charts of days as SVG, made here: no script draws them, and a table says the same to whoever cannot
//! see them.

use maud::{Markup, html};

use super::parts::count;

/// The drawing's size and what its axes take of it, in units that a page scales.
const WIDTH: f64 = 560.0;
const HEIGHT: f64 = 220.0;
const LEFT: f64 = 52.0;
const RIGHT: f64 = 18.0;
const TOP: f64 = 14.0;
const BOTTOM: f64 = 28.0;

/// Lines across a chart beside the one at its foot.
const LINES_MAX: i64 = 4;

/// Every so many days have their date written, today among them.
const DATE_EVERY: usize = 5;

/// A chart of one number for each day, as `("2026-11-22", 7)`, with its table.
pub(super) fn of_days(title: &str, what: &str, points: &[(String, i64)]) -> Markup {
    let all = points.iter().map(|(_, number)| number);
    let sum = all.fold(0_i64, |sum, number| sum.saturating_add(*number));
    html! {
        section .card .chart {
            header .card-head {
                h2 { (title) }
                p .total { strong { (count(sum)) } " in " (points.len()) " days" }
            }
            (drawing(title, what, points))
            details {
                summary { "The same as a table" }
                div .table {
                    table {
                        thead { tr { th { "Day" } th .num { (what) } } }
                        tbody {
                            @for (day, number) in points.iter().rev() {
                                tr { td { (day) } td .num { (count(*number)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn drawing(title: &str, what: &str, points: &[(String, i64)]) -> Markup {
    let largest = points.iter().map(|(_, number)| *number).max().unwrap_or(0);
    let scale = Scale::of(largest);
    let slot = (WIDTH - LEFT - RIGHT) / points.len().max(1) as f64;
    let from_last = |place: usize| points.len() - 1 - place;
    html! {
        svg viewBox={ "0 0 " (WIDTH) " " (HEIGHT) } role="img" aria-label={ (title) ", a bar for each day" } {
            @for line in scale.lines() {
                line .grid .foot[line == 0] x1=(LEFT) x2=(WIDTH - RIGHT) y1=(scale.y(line)) y2=(scale.y(line)) {}
                text .axis x=(LEFT - 8.0) y=(scale.y(line) + 4.0) text-anchor="end" { (short(line)) }
            }
            @for (place, (day, number)) in points.iter().enumerate() {
                @let x = LEFT + slot * place as f64;
                g .day {
                    title { (date(day)) ": " (count(*number)) " " (what) }
                    rect .hit x=(tenths(x)) y=(TOP) width=(tenths(slot)) height=(HEIGHT - TOP - BOTTOM) {}
                    @if *number > 0 {
                        rect .bar x=(tenths(x + slot * 0.16)) y=(tenths(scale.y(*number)))
                            width=(tenths(slot * 0.68)) height=(tenths(scale.height(*number))) rx="2.5" {}
                    }
                }
                @if from_last(place).is_multiple_of(DATE_EVERY) {
                    text .axis x=(tenths(x + slot / 2.0)) y=(HEIGHT - 9.0) text-anchor="middle" { (date(day)) }
                }
            }
        }
    }
}

/// From numbers to heights.
struct Scale {
    step: i64,
    top: i64,
}

impl Scale {
    /// Steps of 1, 2 or 5 times a power of ten, at most four to the top.
    fn of(largest: i64) -> Self {
        let mut step: i64 = 1;
        for factor in [2, 5, 10].into_iter().cycle().take(3 * 18) {
            if step.saturating_mul(LINES_MAX) >= largest {
                break;
            }
            // Of 1, 2 and 5 each is what comes of the power of ten before it.
            let power = 10_i64.pow(step.ilog10());
            step = power.saturating_mul(factor);
        }
        let steps = (largest.max(1) - 1) / step + 1;
        Self {
            step,
            top: steps.saturating_mul(step),
        }
    }

    /// The numbers at which lines go across.
    fn lines(&self) -> impl Iterator<Item = i64> {
        (0..=self.top / self.step).map(|line| line * self.step)
    }

    fn height(&self, number: i64) -> f64 {
        let share = number as f64 / self.top as f64;
        share.clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }

    fn y(&self, number: i64) -> f64 {
        HEIGHT - BOTTOM - self.height(number)
    }
}

/// As `22/11`.
fn date(day: &str) -> String {
    let mut parts = day.split('-').skip(1);
    match (parts.next(), parts.next()) {
        (Some(month), Some(day)) => format!("{day}/{month}"),
        _ => day.to_owned(),
    }
}

/// As `20k`, to fit beside an axis.
fn short(number: i64) -> String {
    match number {
        1_000_000.. if number % 100_000 == 0 => format!("{}M", number as f64 / 1_000_000.0),
        1_000.. if number % 100 == 0 => format!("{}k", number as f64 / 1_000.0),
        _ => count(number),
    }
}

fn tenths(length: f64) -> f64 {
    (length * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(numbers: &[i64]) -> Vec<(String, i64)> {
        let day = |(day, number): (i32, &i64)| (format!("2026-11-{day:02}"), *number);
        (1..).zip(numbers).map(day).collect()
    }

    fn steps(largest: i64) -> (i64, i64) {
        let scale = Scale::of(largest);
        (scale.step, scale.top)
    }

    #[test]
    fn lines_are_at_round_numbers_and_the_top_one_is_over_all_bars() {
        assert_eq!(steps(0), (1, 1));
        assert_eq!(steps(1), (1, 1));
        assert_eq!(steps(4), (1, 4));
        assert_eq!(steps(5), (2, 6));
        assert_eq!(steps(9), (5, 10));
        assert_eq!(steps(20), (5, 20));
        assert_eq!(steps(21), (10, 30));
        assert_eq!(steps(1_234), (500, 1_500));
        for largest in [7, 99, 12_345, 987_654_321] {
            let scale = Scale::of(largest);
            let lines: Vec<_> = scale.lines().collect();
            assert!(lines.len() <= 5 && scale.top >= largest, "{lines:?}");
        }
    }

    #[test]
    fn bars_are_as_high_as_their_numbers_and_nothing_has_no_bar() {
        let drawn = drawing("Sales", "sales", &points(&[0, 2, 4])).into_string();
        assert_eq!(drawn.matches("class=\"bar\"").count(), 2);
        let whole = HEIGHT - TOP - BOTTOM;
        assert!(
            drawn.contains(&format!("height=\"{}\" rx", whole / 2.0)),
            "{drawn}"
        );
        assert!(drawn.contains(&format!("y=\"{TOP}\"")), "{drawn}");
        assert!(drawn.contains("<title>03/11: 4 sales</title>"), "{drawn}");
        for numbers in [&[][..], &[0, 0], &[i64::MAX]] {
            let drawn = drawing("Sales", "sales", &points(numbers)).into_string();
            assert!(!drawn.contains("NaN") && !drawn.contains("inf"), "{drawn}");
        }
    }

    #[test]
    fn a_table_says_the_same_with_the_last_day_first() {
        let shown = of_days("Sales <b>", "sales", &points(&[5, 1_200])).into_string();
        let table = "<td>2026-11-02</td><td class=\"num\">1,200</td></tr>\
                     <tr><td>2026-11-01</td><td class=\"num\">5</td>";
        assert!(shown.contains(table), "{shown}");
        assert!(shown.contains("<strong>1,205</strong>"), "{shown}");
        assert!(shown.contains("Sales &lt;b&gt;") && !shown.contains("<b>"));
    }

    #[test]
    fn numbers_beside_an_axis_are_short() {
        for (number, text) in [
            (0, "0"),
            (500, "500"),
            (1_500, "1.5k"),
            (20_000, "20k"),
            (2_500_000, "2.5M"),
        ] {
            assert_eq!(short(number), text);
        }
    }
}
