//! The report as Markdown.

use super::{Report, table};

/// The page.
pub(super) fn page(report: &Report<'_>) -> String {
    let mut page = format!("# loadtest bench\n\n{}\n", report.preface());
    let faults = report.faults();
    if !faults.is_empty() {
        page += "\n## Faults\n\n";
        for fault in faults {
            page += &format!("- {fault}\n");
        }
    }
    for table in table::all(report) {
        page += &format!("\n## {}\n\n{}\n\n", table.title, table.about);
        page += &row(table.head.iter().copied());
        page += &row(table.head.iter().map(|_| "---"));
        for cells in &table.rows {
            page += &row(cells.iter().map(String::as_str));
        }
    }
    page
}

fn row<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let cells: Vec<_> = cells.map(|cell| cell.replace('|', "\\|")).collect();
    format!("| {} |\n", cells.join(" | "))
}
