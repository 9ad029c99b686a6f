//! Runs as a report for people: a page of Markdown and a page of HTML with plots. Both say the same.

mod chart;
mod html;
mod markdown;
mod table;

use std::{fs, io, path::Path};

use super::{record::Record, summary::Summary};

/// What a report is made of.
pub(super) struct Report<'a> {
    pub(super) records: &'a [Record],
    /// Without the points of a scaling.
    pub(super) summaries: Vec<Summary<'a>>,
    /// The points of a scaling, those of one axis together.
    pub(super) axes: Vec<(&'a str, Vec<Summary<'a>>)>,
}

impl<'a> Report<'a> {
    /// Of these runs.
    pub(super) fn of(records: &'a [Record]) -> Self {
        let plain = records.iter().filter(|record| record.point.is_none());
        let mut axes: Vec<(&str, Vec<&Record>)> = Vec::new();
        for record in records {
            let Some(point) = &record.point else { continue };
            match axes.iter_mut().find(|(of, _)| *of == point.of) {
                Some((_, points)) => points.push(record),
                None => axes.push((&point.of, vec![record])),
            }
        }
        let axes = axes.into_iter();
        Self {
            records,
            summaries: Summary::all(plain),
            axes: axes
                .map(|(of, points)| (of, Summary::all(points)))
                .collect(),
        }
    }

    /// Writes both pages into the folder.
    ///
    /// # Errors
    /// When they cannot be written.
    pub(super) fn write(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("bench.md"), markdown::page(self))?;
        fs::write(folder.join("bench.html"), html::page(self))
    }

    /// What the runs have in common, in a sentence or two.
    fn preface(&self) -> String {
        let cores = self.records.first().map_or(0, |first| first.machine.cores);
        let others = self.records.iter().map(|run| run.machine.others_percent);
        let (least, most) = others.fold((f64::MAX, 0.0_f64), |(least, most), percent| {
            (least.min(percent), most.max(percent))
        });
        let unclean = self.records.iter().filter(|run| !run.is_clean).count();
        let clean = match unclean {
            0 => "In every run each request was answered once and well.".to_owned(),
            some => format!("{some} runs were not clean; see the faults."),
        };
        format!(
            "{} runs on {cores} cores, with everything on this machine: callers, router and networks. \
             Other programs took {least:.0} to {most:.0} % of the processors meanwhile. {clean} \
             Figures are medians, with the range of the runs in brackets.",
            self.records.len()
        )
    }

    /// The faults of all runs.
    fn faults(&self) -> Vec<String> {
        let of = |run: &'a Record| {
            let name = format!("{} #{}", run.scenario, run.run);
            run.faults
                .iter()
                .map(move |fault| format!("{name}: {fault}"))
        };
        self.records.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bench::record::Point;

    fn records() -> Vec<Record> {
        let mut records = vec![
            Record::example("messages-1024", 400_000.0),
            Record::example("messages-1024", 500_000.0),
            Record::example("window-10", 90_000.0),
        ];
        records[1].run = 2;
        records[2].faults = vec!["messages: 3 were sent, 2 <answered>".to_owned()];
        records[2].is_clean = false;
        for (value, cost) in [(1, 2.0), (500, 6.0)] {
            let mut point = Record::example("scale", 1_000.0);
            point.router.cpu_us = cost;
            point.point = Some(Point {
                of: "binds".to_owned(),
                value,
            });
            records.push(point);
        }
        records
    }

    #[test]
    fn both_pages_have_every_run_every_bar_and_every_fault() {
        let records = records();
        let report = Report::of(&records);
        for page in [markdown::page(&report), html::page(&report)] {
            for wanted in [
                "messages-1024 #1",
                "messages-1024 #2",
                "window-10 #1",
                "450,000",
                "500",
                "not flat",
            ] {
                assert!(page.contains(wanted), "{wanted} is not in {page}");
            }
        }
        assert!(markdown::page(&report).contains("3 were sent, 2 <answered>"));
        assert!(html::page(&report).contains("3 were sent, 2 &lt;answered&gt;"));
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere_and_every_tag_is_closed() {
        let records = records();
        let page = html::page(&Report::of(&records));
        for foreign in ["http://", "https://", "src=", "@import", "url("] {
            let own = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!own.contains(foreign), "{foreign}");
        }
        let (mut open, mut rest) = (Vec::new(), page.as_str());
        while let Some((_, tag)) = rest.split_once('<') {
            let (tag, behind) = tag.split_once('>').unwrap();
            rest = behind;
            if let Some(closed) = tag.strip_prefix('/') {
                assert_eq!(open.pop(), Some(closed), "{tag}");
                continue;
            }
            let name = tag.split_whitespace().next().unwrap();
            let has_no_end = ["!doctype", "meta", "br"].contains(&name);
            if !tag.ends_with('/') && !has_no_end {
                open.push(name);
            }
        }
        assert_eq!(open, Vec::<&str>::new());
    }

    #[test]
    fn a_report_of_nothing_is_one() {
        let report = Report::of(&[]);
        assert!(markdown::page(&report).contains("0 runs"));
        assert!(html::page(&report).contains("0 runs"));
    }
}
