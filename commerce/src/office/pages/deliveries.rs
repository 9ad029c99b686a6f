//! What is delivered to partners, and what is tried no more until somebody says so.

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use crate::{
    audit,
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{
            Tone, badge, codes, count, fact, field, form_token, link, moment, numbers, pager,
            sentences, table, words,
        },
        read::Page,
        request::{At, Fields, Posted, Visitor, named},
        role::Right,
        source::{Deliveries, DeliveryFilter, DeliveryLine},
    },
    word::Id,
};

use super::purchases::happened;

fn source(desk: &Desk) -> Result<&dyn Deliveries, Failure> {
    let deliveries = desk.office.deliveries.as_deref();
    deliveries.ok_or(Failure::Missing(
        "part: this service delivers nothing to partners",
    ))
}

pub(crate) async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let filter = DeliveryFilter {
        partner: query.find("partner", "The partner")?,
        is_dead: query.text("dead") == "yes",
    };
    let before: Option<Id> = query.find("before", "The page")?;
    let mut read = desk.office.store.read().await?;
    let asked = Page::<DeliveryLine>::ASKED;
    let lines = source(&desk)?
        .list(&mut read, &filter, before.as_ref(), asked)
        .await?;
    let page = Page::of(lines);
    let to = |before: &str| {
        let fields = [
            ("partner", query.text("partner")),
            ("dead", query.text("dead")),
            ("before", before),
        ];
        link("/office/deliveries", &fields)
    };
    let next = page.next(|line| to(line.id.as_str()));
    let content = html! {
        (layout::head("Deliveries", None, html! {}))
        section .card {
            form .search method="get" action="/office/deliveries" {
                (field("partner", "Partner", query.text("partner"), ""))
                label .field {
                    span { "Which" }
                    select name="dead" {
                        option value="" { "All" }
                        option value="yes" selected[filter.is_dead] { "Dead letters" }
                    }
                }
                div .go { button .main type="submit" { "Search" } a .button href="/office/deliveries" { "Clear" } }
            }
        }
        section .card { (list_table(&visitor, &page)) (pager(before.map(|_| to("")), next)) }
    };
    Ok(layout::page(
        &visitor,
        Place::Deliveries,
        "Deliveries",
        content,
    ))
}

fn list_table(visitor: &Visitor, page: &Page<DeliveryLine>) -> Markup {
    let columns = [
        codes("Id"),
        words("Since"),
        words("Partner"),
        words("Kind"),
        numbers("Tries"),
        words("Next try"),
        sentences("The last try met with"),
        words("State"),
        numbers(""),
    ];
    let row = |line: &DeliveryLine| {
        [
            html! { a href={ "/office/deliveries/" (line.id) } { (line.id) } },
            moment(line.created_at),
            html! { (line.partner) },
            html! { (line.kind) },
            html! { (line.tries) },
            html! { @if let Some(at) = line.next_at { (moment(at)) } @else { "–" } },
            html! { (line.last_error) },
            state(line),
            replay_form(visitor, line),
        ]
    };
    table(
        columns,
        page.lines.iter().map(row),
        "No delivery is like that.",
    )
}

fn state(line: &DeliveryLine) -> Markup {
    let tone = if line.is_dead { Tone::Bad } else { Tone::Plain };
    badge(tone, &line.state)
}

fn replay_form(visitor: &Visitor, line: &DeliveryLine) -> Markup {
    html! {
        @if line.is_dead && visitor.may(Right::Deliveries) {
            form method="post" action={ "/office/deliveries/" (line.id) "/replay" } {
                (form_token(visitor))
                button .small type="submit" { "Try again" }
            }
        }
    }
}

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(id): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    let id: Id = named(&id, "delivery")?;
    let mut read = desk.office.store.read().await?;
    let found = source(&desk)?.find(&mut read, &id).await?;
    let (line, tries) = found.ok_or(Failure::Missing("delivery"))?;
    let title = format!("Delivery {id}");
    let beside = html! { (state(&line)) (replay_form(&visitor, &line)) };
    let content = html! {
        (layout::head(&title, Some(("/office/deliveries", "Deliveries")), beside))
        (layout::notice(&query))
        section .card {
            dl .facts {
                (fact("Partner", line.partner.as_str()))
                (fact("Kind", line.kind.as_str()))
                (fact("Since", moment(line.created_at)))
                (fact("Tries", count(i64::from(line.tries))))
                (fact("Next try", html! { @if let Some(at) = line.next_at { (moment(at)) } @else { "–" } }))
            }
        }
        section .card { header .card-head { h2 { "Tries" } } (happened(&tries)) }
    };
    Ok(layout::page(&visitor, Place::Deliveries, &title, content))
}

pub(crate) async fn replay(
    State(desk): State<Desk>,
    At(id): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Deliveries)?;
    let id: Id = named(&id, "delivery")?;
    let (deliveries, now) = (source(&desk)?, desk.now());
    let mut write = desk.office.store.write().await?;
    deliveries.replay(&mut write, &id, now).await?;
    let (who, subject) = (posted.visitor.who(), format!("delivery:{id}"));
    audit::record(&mut write, who, "delivery.replayed", &subject, "", now).await?;
    write.commit().await?;
    let path = format!("/office/deliveries/{id}");
    Ok(layout::redirect(&link(&path, &[("done", "replayed")])))
}
