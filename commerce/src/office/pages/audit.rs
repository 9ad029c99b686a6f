//! Who did what.

use axum::extract::State;
use maud::{Markup, html};

use crate::{
    audit::{self, AuditFilter, AuditLine},
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{codes, field, link, moment, pager, sentences, table, words},
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
        section .card { (list_table(&page)) (pager(before.map(|_| to("")), next)) }
    };
    Ok(layout::page(&visitor, Place::Audit, "Audit log", content))
}

fn list_table(page: &Page<AuditLine>) -> Markup {
    let columns = [
        codes("What"),
        words("Time"),
        words("Who"),
        codes("To what"),
        sentences("Detail"),
    ];
    let row = |line: &AuditLine| {
        [
            html! { (line.what) },
            moment(line.at),
            html! { (line.who) },
            html! { (line.subject) },
            html! { (line.detail) },
        ]
    };
    table(
        columns,
        page.lines.iter().map(row),
        "Nothing like that was done.",
    )
}
