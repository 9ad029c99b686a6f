//! Plots as inline SVG. Colours are the page's classes, so that light and dark are its affair; every
//! mark has a title that tells its figures.

use std::fmt::Write as _;

use super::html::escaped;

/// Of all plots, in units of their view box.
const WIDTH: f64 = 720.0;
/// Left of the bars, for the scenarios' names.
const NAMES: f64 = 150.0;
/// Right of the bars, for the figures.
const FIGURES: f64 = 90.0;
const ROW: f64 = 26.0;
const BAR: f64 = 14.0;

/// A horizontal bar of one or several pieces.
pub(super) struct Bar {
    pub(super) name: String,
    /// Class and length of each piece.
    pub(super) pieces: Vec<(&'static str, f64)>,
    /// From where to where it went in several runs.
    pub(super) range: Option<(f64, f64)>,
    /// Where it is to reach.
    pub(super) mark: Option<f64>,
    pub(super) figure: String,
    pub(super) title: String,
}

/// Horizontal bars under each other, all to one scale.
pub(super) fn bars(bars: &[Bar]) -> String {
    let reach = |bar: &Bar| {
        let whole: f64 = bar.pieces.iter().map(|(_, length)| length).sum();
        let range = bar.range.map_or(0.0, |(_, max)| max);
        whole.max(range).max(bar.mark.unwrap_or_default())
    };
    let most = bars.iter().map(reach).fold(f64::MIN_POSITIVE, f64::max);
    let x = |value: f64| NAMES + value / most * (WIDTH - NAMES - FIGURES);
    let height = ROW * bars.len() as f64 + 4.0;
    let mut svg = open(WIDTH, height);
    for (row, bar) in bars.iter().enumerate() {
        let top = ROW * row as f64 + (ROW - BAR) / 2.0;
        let middle = top + BAR / 2.0;
        svg += &format!("<g><title>{}</title>", escaped(&bar.title));
        text(&mut svg, "name", NAMES - 8.0, middle + 4.0, &bar.name);
        let mut from = 0.0;
        for (class, length) in &bar.pieces {
            let (left, right) = (x(from), x(from + length));
            from += length;
            write_to(
                &mut svg,
                format_args!(
                    r#"<rect class="{class}" x="{left:.1}" y="{top:.1}" width="{:.1}" height="{BAR}"/>"#,
                    (right - left).max(0.5)
                ),
            );
        }
        if let Some((min, max)) = bar.range.filter(|(min, max)| min < max) {
            line(&mut svg, "range", [(x(min), middle), (x(max), middle)]);
        }
        if let Some(mark) = bar.mark {
            let at = x(mark);
            line(&mut svg, "mark", [(at, top - 3.0), (at, top + BAR + 3.0)]);
        }
        let end = x(from.max(bar.range.map_or(0.0, |(_, max)| max)));
        // Behind the mark where it would stand on it.
        let hidden = bar
            .mark
            .map(x)
            .filter(|at| (end..end + FIGURES).contains(at));
        let right = hidden.unwrap_or(end) + 6.0;
        text(&mut svg, "figure", right, middle + 4.0, &bar.figure);
        svg += "</g>";
    }
    svg + "</svg>"
}

/// How a curve's axis is divided.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly.
    Linear,
    /// By powers of ten.
    Log,
    /// Percent by their distance from 100: 90, 99, 99.9.
    Nines,
}

impl Scale {
    fn place(self, value: f64) -> f64 {
        match self {
            Self::Linear => value,
            Self::Log => value.max(1e-3).log10(),
            Self::Nines => -(1.0 - (value / 100.0).min(0.999_95)).log10(),
        }
    }
}

/// A curve with its axes.
pub(super) struct Curve<'a> {
    pub(super) points: Vec<(f64, f64)>,
    pub(super) x: Scale,
    pub(super) y: Scale,
    /// Where the axes are labelled, and how.
    pub(super) x_ticks: Vec<(f64, String)>,
    pub(super) y_ticks: Vec<(f64, String)>,
    pub(super) caption: &'a str,
    /// Whether each point has a dot of its own.
    pub(super) dots: bool,
    pub(super) size: (f64, f64),
}

/// Draws it.
pub(super) fn curve(curve: &Curve<'_>) -> String {
    const LEFT: f64 = 46.0;
    const BOTTOM: f64 = 20.0;
    const TOP: f64 = 20.0;
    let (width, height) = curve.size;
    let span = |places: &mut dyn Iterator<Item = f64>| {
        let (mut low, mut high) = (f64::MAX, f64::MIN);
        for place in places {
            (low, high) = (low.min(place), high.max(place));
        }
        (low, (high - low).max(1e-9))
    };
    let xs = curve.points.iter().map(|(x, _)| *x);
    let ys = curve.points.iter().map(|(_, y)| *y);
    let x_span = span(
        &mut xs
            .chain(curve.x_ticks.iter().map(|it| it.0))
            .map(|x| curve.x.place(x)),
    );
    let y_span = span(
        &mut ys
            .chain(curve.y_ticks.iter().map(|it| it.0))
            .map(|y| curve.y.place(y)),
    );
    let x = |value| LEFT + (curve.x.place(value) - x_span.0) / x_span.1 * (width - LEFT - 12.0);
    let floor = height - BOTTOM;
    let y = |value| floor - (curve.y.place(value) - y_span.0) / y_span.1 * (floor - TOP);
    let mut svg = open(width, height);
    text(&mut svg, "caption", 0.0, 11.0, curve.caption);
    for (value, label) in &curve.y_ticks {
        line(
            &mut svg,
            "grid",
            [(LEFT, y(*value)), (width - 12.0, y(*value))],
        );
        text(&mut svg, "tick end", LEFT - 6.0, y(*value) + 4.0, label);
    }
    for (value, label) in &curve.x_ticks {
        text(&mut svg, "tick middle", x(*value), height - 5.0, label);
    }
    let places: Vec<_> = curve
        .points
        .iter()
        .map(|(px, py)| (x(*px), y(*py)))
        .collect();
    line(&mut svg, "curve", places.iter().copied());
    if curve.dots {
        for ((px, py), (at, up)) in curve.points.iter().zip(&places) {
            write_to(
                &mut svg,
                format_args!(
                    r#"<circle class="dot" cx="{at:.1}" cy="{up:.1}" r="3.5"><title>{px}: {py:.2}</title></circle>"#
                ),
            );
        }
    }
    svg + "</svg>"
}

fn open(width: f64, height: f64) -> String {
    format!(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img">"#)
}

fn text(svg: &mut String, class: &str, x: f64, y: f64, text: &str) {
    write_to(
        svg,
        format_args!(
            r#"<text class="{class}" x="{x:.1}" y="{y:.1}">{}</text>"#,
            escaped(text)
        ),
    );
}

fn line(svg: &mut String, class: &str, points: impl IntoIterator<Item = (f64, f64)>) {
    let points = points.into_iter().map(|(x, y)| format!("{x:.1},{y:.1}"));
    let points: Vec<_> = points.collect();
    write_to(
        svg,
        format_args!(
            r#"<polyline class="{class}" points="{}"/>"#,
            points.join(" ")
        ),
    );
}

fn write_to(svg: &mut String, what: std::fmt::Arguments<'_>) {
    // A String takes everything.
    svg.write_fmt(what).ok();
}
