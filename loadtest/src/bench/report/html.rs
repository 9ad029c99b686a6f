//! The report as one HTML page that needs nothing else: plots first, tables behind.

use super::{
    Report,
    chart::{self, Bar, Curve, Scale},
    table::{self, KINDS, Table, ms, name, whole},
};
use crate::bench::{
    bar::Figure,
    record::{Record, Traffic},
    scale::growth,
    summary::Summary,
};

const STYLE: &str = include_str!("style.css");
/// Of a curve beside others.
const SMALL: (f64, f64) = (340.0, 150.0);

/// The page.
pub(super) fn page(report: &Report<'_>) -> String {
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>loadtest bench</title><style>{STYLE}</style></head><body><main>\
         <h1>loadtest bench</h1><p class=\"lead\">{}</p>",
        escaped(&report.preface())
    );
    let faults = report.faults();
    if !faults.is_empty() {
        page += "<section class=\"faults\"><h2>Faults</h2><ul>";
        for fault in faults {
            page += &format!("<li>{}</li>", escaped(&fault));
        }
        page += "</ul></section>";
    }
    for (kind, of) in KINDS {
        let bars = throughput(report, of);
        if !bars.is_empty() {
            let about =
                "Medians; the thin line is the range of the runs, the upright mark the bar.";
            section(
                &mut page,
                &format!("{kind} per second"),
                about,
                &chart::bars(&bars),
            );
        }
    }
    if !report.summaries.is_empty() {
        let about = "Microseconds for each message, payment and event: \
            <i class=\"key user\"></i> router, user <i class=\"key system\"></i> router, system \
            <i class=\"key callers\"></i> callers <i class=\"key networks\"></i> networks";
        section(
            &mut page,
            "Processor time",
            about,
            &chart::bars(&costs(report)),
        );
    }
    if !report.axes.is_empty() {
        let cards: String = report
            .axes
            .iter()
            .map(|(of, points)| scaling(of, points))
            .collect();
        let about = "The router's microseconds per message.";
        let cards = format!("<div class=\"cards\">{cards}</div>");
        section(&mut page, "Scaling", about, &cards);
    }
    for summary in &report.summaries {
        page += &scenario(summary);
    }
    for one in table::all(report) {
        page += &as_html(&one);
    }
    page + "</main></body></html>\n"
}

/// `about` is ours and may hold tags.
fn section(page: &mut String, title: &str, about: &str, content: &str) {
    *page += &format!(
        "<section><h2>{}</h2><p>{about}</p>{content}</section>",
        escaped(title)
    );
}

fn throughput(report: &Report<'_>, of: fn(&Record) -> &Option<Traffic>) -> Vec<Bar> {
    let bar = |summary: &Summary<'_>| {
        let spread = summary.spread(|run| Some(of(run).as_ref()?.per_s))?;
        let is_rate = |what| {
            matches!(
                what,
                Figure::MessagesPerS | Figure::PaymentsPerS | Figure::EventsPerS
            )
        };
        let mut marks = summary
            .bars()
            .into_iter()
            .filter(|(bar, _)| is_rate(bar.what));
        let figure = whole(spread.median);
        Some(Bar {
            name: name(summary),
            pieces: vec![("rate", spread.median)],
            range: Some((spread.min, spread.max)),
            mark: marks.next().map(|(bar, _)| bar.bar),
            title: format!("{}: {figure}/s", name(summary)),
            figure,
        })
    };
    report.summaries.iter().filter_map(bar).collect()
}

fn costs(report: &Report<'_>) -> Vec<Bar> {
    let bar = |summary: &Summary<'_>| {
        let median = |figure: fn(&Record) -> f64| {
            let spread = summary.spread(|run| Some(figure(run)));
            spread.map_or(0.0, |it| it.median)
        };
        let pieces = vec![
            ("user", median(|run| run.router.user_us)),
            ("system", median(|run| run.router.system_us)),
            ("callers", median(|run| run.harness.generator_us)),
            ("networks", median(|run| run.harness.sinks_us)),
        ];
        let wanted = summary.bars().into_iter();
        let mut wanted = wanted.filter(|(bar, _)| bar.what == Figure::CpuUs);
        let told: Vec<_> = pieces
            .iter()
            .map(|(piece, us)| format!("{piece} {us:.2}"))
            .collect();
        Bar {
            name: name(summary),
            range: None,
            mark: wanted.next().map(|(bar, _)| bar.bar),
            figure: format!("{:.2} µs", median(|run| run.router.cpu_us)),
            title: format!("{}: {} µs", name(summary), told.join(", ")),
            pieces,
        }
    };
    let loaded = report.summaries.iter();
    loaded
        .filter(|summary| {
            summary
                .spread(|run| run.asked().map(|it| it.per_s))
                .is_some()
        })
        .map(bar)
        .collect()
}

fn scaling(of: &str, points: &[Summary<'_>]) -> String {
    let point = |summary: &Summary<'_>| {
        let value = summary.runs().first()?.point.as_ref()?.value as f64;
        Some((value, summary.spread(|run| Some(run.router.cpu_us))?.median))
    };
    let points: Vec<_> = points.iter().filter_map(point).collect();
    let costs: Vec<_> = points.iter().map(|(_, cost)| *cost).collect();
    let most = costs.iter().copied().fold(0.0, f64::max);
    let verdict =
        growth(&costs).map_or("", |(_, is_flat)| if is_flat { "flat" } else { "not flat" });
    let drawn = chart::curve(&Curve {
        x_ticks: points.iter().map(|(x, _)| (*x, whole(*x))).collect(),
        y_ticks: [0.0, most / 2.0, most]
            .map(|y| (y, format!("{y:.1}")))
            .to_vec(),
        points,
        x: Scale::Log,
        y: Scale::Linear,
        caption: &format!("{of} ({verdict})"),
        dots: true,
        size: SMALL,
    });
    format!("<div class=\"card\">{drawn}</div>")
}

/// The curves of the run in the middle.
fn scenario(summary: &Summary<'_>) -> String {
    let Some(run) = summary.typical() else {
        return String::new();
    };
    let mut cards = String::new();
    for (kind, of) in KINDS {
        let Some(traffic) = of(run) else { continue };
        cards += &card(&latency(kind, traffic));
        cards += &card(&over_time(kind, traffic));
    }
    if run.router.rss_mib.len() > 1 {
        cards += &card(&memory(run));
    }
    format!(
        "<section><h2>{}</h2><p>{}<br><small>{}; run #{}</small></p><div class=\"cards\">{cards}</div></section>",
        escaped(&run.scenario),
        escaped(&run.about),
        escaped(&run.settings),
        run.run,
    )
}

fn card(drawn: &str) -> String {
    format!("<div class=\"card\">{drawn}</div>")
}

fn latency(kind: &str, traffic: &Traffic) -> String {
    let curve = traffic.latency.curve.iter();
    let points: Vec<_> = curve
        .map(|(percent, us)| (*percent, us / 1_000.0))
        .collect();
    let least = points.first().map_or(1.0, |(_, ms)| ms.max(0.001));
    let most = points.last().map_or(1.0, |(_, ms)| ms.max(0.001));
    let decades = (least.log10().floor() as i32)..=(most.log10().ceil() as i32);
    let label = |ms: f64| if ms < 1.0 { format!("{ms}") } else { whole(ms) };
    chart::curve(&Curve {
        points,
        x: Scale::Nines,
        y: Scale::Log,
        x_ticks: [50.0, 90.0, 99.0, 99.9, 99.99]
            .map(|x| (x, format!("{x}")))
            .to_vec(),
        y_ticks: decades
            .map(|power| 10.0_f64.powi(power))
            .map(|ms| (ms, label(ms)))
            .collect(),
        caption: &format!(
            "latency of {kind} in ms by percentile: p50 {}, p99 {}",
            ms(traffic.latency.p50_us),
            ms(traffic.latency.p99_us)
        ),
        dots: true,
        size: SMALL,
    })
}

fn over_time(kind: &str, traffic: &Traffic) -> String {
    let bin_s = Traffic::bin_s();
    let per_s = traffic.over_time.iter().map(|count| *count as f64 / bin_s);
    let points: Vec<_> = (0..)
        .zip(per_s)
        .map(|(bin, per_s)| (f64::from(bin) * bin_s, per_s))
        .collect();
    let most = points.iter().map(|(_, per_s)| *per_s).fold(1.0, f64::max);
    let end = points.last().map_or(0.0, |(seconds, _)| seconds + bin_s);
    chart::curve(&Curve {
        points,
        x: Scale::Linear,
        y: Scale::Linear,
        x_ticks: vec![(0.0, "0".to_owned()), (end, format!("{end:.0} s"))],
        y_ticks: [0.0, most].map(|y| (y, thousands(y))).to_vec(),
        caption: &format!("{kind} per second, over time"),
        dots: false,
        size: SMALL,
    })
}

fn memory(run: &Record) -> String {
    let points: Vec<_> = (0..)
        .zip(&run.router.rss_mib)
        .map(|(look, mib)| (f64::from(look) / 2.0, *mib))
        .collect();
    let most = run.router.peak_mib;
    let end = points.last().map_or(0.0, |(seconds, _)| *seconds);
    chart::curve(&Curve {
        points,
        x: Scale::Linear,
        y: Scale::Linear,
        x_ticks: vec![(0.0, "0".to_owned()), (end, format!("{end:.0} s"))],
        y_ticks: [0.0, most].map(|y| (y, format!("{y:.0}"))).to_vec(),
        caption: "the router's memory in MiB, over time",
        dots: false,
        size: SMALL,
    })
}

fn thousands(value: f64) -> String {
    match value {
        value if value < 1_000.0 => whole(value),
        value => format!("{}k", whole(value / 1_000.0)),
    }
}

fn as_html(table: &Table) -> String {
    let mut html = format!(
        "<section><h2>{}</h2><p>{}</p><div class=\"wide\"><table><thead><tr>",
        escaped(&table.title),
        escaped(table.about)
    );
    for head in &table.head {
        html += &format!("<th>{}</th>", escaped(head));
    }
    html += "</tr></thead><tbody>";
    for row in &table.rows {
        html += "<tr>";
        for cell in row {
            let class = match cell.as_str() {
                "missed" | "NO" => " class=\"bad\"",
                "reached" | "in sight, reached" => " class=\"good\"",
                _ => "",
            };
            html += &format!("<td{class}>{}</td>", escaped(cell));
        }
        html += "</tr>";
    }
    html + "</tbody></table></div></section>"
}

/// A text between tags.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
