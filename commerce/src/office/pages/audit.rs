//! Who did what.

use axum::extract::State;
use maud::{Markup, html};

use crate::{
    audit::{self, AuditFilter, AuditLine},
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{field, link, moment, nothing, pager},
        read::Page,
        request::{Fields, Visitor},
        role::Right,
    },
};

pub(crate) async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    visitor.needs(Right::Audit)?;
    let wanted = |name| Some(query.text(name).to_owned()).filter(|text| !text.is_empty());
    let filter = AuditFilter {
        who: wanted("who"),
        what: wanted("what"),
        subject: wanted("subject"),
    };
    let before: Option<i64> = query.find("before", "The page")?;
    let mut read = desk.office.store.read().await?;
    let lines = audit::list(&mut read, &filter, before, Page::<AuditLine>::ASKED).await?;
    let page = Page::of(lines);
    let to = |before: &str| {
        let fields = [
            ("who", query.text("who")),
            ("what", query.text("what")),
            ("subject", query.text("subject")),
            ("before", before),
        ];
        link("/office/audit", &fields)
    };
    let next = page.next(|line| to(&line.number.to_string()));
    let content = html! {
        (layout::head("Audit log", None, html! {}))
        section .card {
            form .search method="get" action="/office/audit" {
                (field("who", "Who", query.text("who"), "operator:anna"))
                (field("what", "What", query.text("what"), "card.shown"))
                (field("subject", "To what", query.text("subject"), "agent:shop-1"))
                div .go { button .main type="submit" { "Search" } a .button href="/office/audit" { "Clear" } }
            }
        }
        section .card { (table(&page)) (pager(before.map(|_| to("")), next)) }
    };
    Ok(layout::page(&visitor, Place::Audit, "Audit log", content))
}

fn table(page: &Page<AuditLine>) -> Markup {
    html! {
        @if page.lines.is_empty() { (nothing("Nothing like that was done.")) } @else {
            div .table {
                table {
                    thead { tr { th { "Time" } th { "Who" } th { "What" } th { "To what" } th { "Detail" } } }
                    tbody { @for line in &page.lines { tr {
                        td { (moment(line.at)) }
                        td { (line.who) }
                        td .code { (line.what) }
                        td .code { (line.subject) }
                        td .wrap { (line.detail) }
                    } } }
                }
            }
        }
    }
}
