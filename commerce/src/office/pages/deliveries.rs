//! What is delivered to partners, and what is tried no more until somebody says so. No payload is here.

use axum::{extract::State as Shared, response::Response};
use maud::{Markup, html};

use crate::{
    audit,
    deliveries::{self, Delivery, Filter, Reason, State},
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{
            Tone, badge, codes, count, fact, field, form_token, link, moment, needed, numbers,
            pager, sentences, table, words,
        },
        read::Page,
        request::{At, Fields, Posted, Visitor, named},
        role::Right,
    },
};

pub(crate) async fn list(
    Shared(desk): Shared<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let filter = Filter {
        state: state_wanted(&query)?,
        target: query.find("partner", "The partner")?,
        before: query.find("before", "The page")?,
    };
    let mut read = desk.office.store.read().await?;
    let page = Page::of(deliveries::list(&mut read, &filter, Page::<Delivery>::ASKED).await?);
    let to = |before: &str| {
        let fields = [
            ("partner", query.text("partner")),
            ("state", query.text("state")),
            ("before", before),
        ];
        link("/office/deliveries", &fields)
    };
    let next = page.next(|delivery| to(&delivery.number.to_string()));
    let content = html! {
        (layout::head("Deliveries", None, html! {}))
        section .card { (search(&query)) }
        section .card { (list_table(&visitor, &page)) (pager(filter.before.map(|_| to("")), next)) }
    };
    Ok(layout::page(
        &visitor,
        Place::Deliveries,
        "Deliveries",
        content,
    ))
}

fn state_wanted(query: &Fields) -> Result<Option<State>, Failure> {
    let word = query.text("state");
    let state = State::ALL.into_iter().find(|state| state.word() == word);
    match word.is_empty() || state.is_some() {
        true => Ok(state),
        false => Err(Failure::Wrong("The state is none".to_owned())),
    }
}

fn search(query: &Fields) -> Markup {
    html! {
        form .search method="get" action="/office/deliveries" {
            (field("partner", "Partner", query.text("partner"), ""))
            label .field {
                span { "State" }
                select name="state" {
                    option value="" { "All" }
                    @for state in State::ALL {
                        option value=(state.word()) selected[state.word() == query.text("state")] { (state.word()) }
                    }
                }
            }
            div .go { button .main type="submit" { "Search" } a .button href="/office/deliveries" { "Clear" } }
        }
    }
}

fn list_table(visitor: &Visitor, page: &Page<Delivery>) -> Markup {
    let columns = [
        codes("Guid"),
        words("Since"),
        words("Partner"),
        words("Kind"),
        numbers("Tries"),
        words("Next try"),
        sentences("The last try met with"),
        words("State"),
        numbers(""),
    ];
    let row = |delivery: &Delivery| {
        [
            html! { a href={ "/office/deliveries/" (delivery.number) } { (delivery.guid) } },
            moment(delivery.made_at),
            html! { (delivery.target) },
            html! { (delivery.kind.word()) },
            html! { (delivery.attempts) },
            next_try(delivery),
            html! { (delivery.why) },
            state(delivery),
            html! { @if delivery.state == State::Dead { (replay_form(visitor, delivery)) } },
        ]
    };
    table(
        columns,
        page.lines.iter().map(row),
        "No delivery is like that.",
    )
}

fn next_try(delivery: &Delivery) -> Markup {
    html! { @if delivery.state == State::Waiting { (moment(delivery.due_at)) } @else { "–" } }
}

fn state(delivery: &Delivery) -> Markup {
    let tone = match delivery.state {
        State::Dead => Tone::Bad,
        State::Waiting | State::Done | State::Dropped => Tone::Plain,
    };
    badge(tone, delivery.state.word())
}

fn replay_form(visitor: &Visitor, delivery: &Delivery) -> Markup {
    let can = delivery.state != State::Waiting && delivery.has_payload;
    html! {
        @if can && visitor.may(Right::Deliveries) {
            form method="post" action={ "/office/deliveries/" (delivery.number) "/replay" } {
                (form_token(visitor))
                button .small type="submit" { "Try again" }
            }
        }
    }
}

fn drop_form(visitor: &Visitor, delivery: &Delivery) -> Markup {
    let can = matches!(delivery.state, State::Waiting | State::Dead);
    html! {
        @if can && visitor.may(Right::Deliveries) {
            section .card {
                header .card-head { h2 { "Give it up" } }
                form .stack method="post" action={ "/office/deliveries/" (delivery.number) "/drop" } {
                    (form_token(visitor))
                    (needed("reason", "Reason", "why the partner need not have it"))
                    button type="submit" { "Give it up" }
                }
            }
        }
    }
}

pub(crate) async fn show(
    Shared(desk): Shared<Desk>,
    visitor: Visitor,
    At(number): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    let number: i64 = named(&number, "delivery")?;
    let mut read = desk.office.store.read().await?;
    let found = deliveries::find(&mut read, number).await?;
    let delivery = found.ok_or(Failure::Missing("delivery"))?;
    let title = format!("Delivery {number}");
    let beside = html! { (state(&delivery)) (replay_form(&visitor, &delivery)) };
    let content = html! {
        (layout::head(&title, Some(("/office/deliveries", "Deliveries")), beside))
        (layout::notice(&query))
        section .card {
            dl .facts {
                (fact("Guid", delivery.guid.as_str()))
                (fact("Partner", delivery.target.as_str()))
                (fact("Kind", delivery.kind.word()))
                (fact("Since", moment(delivery.made_at)))
                (fact("Tries", count(i64::from(delivery.attempts))))
                (fact("Series of tries", count(i64::from(delivery.series))))
                (fact("Next try", next_try(&delivery)))
                @if let Some(at) = delivery.ended_at { (fact("Ended", moment(at))) }
                @if !delivery.why.is_empty() { (fact("Why", delivery.why.as_str())) }
            }
        }
        (drop_form(&visitor, &delivery))
    };
    Ok(layout::page(&visitor, Place::Deliveries, &title, content))
}

pub(crate) async fn replay(
    Shared(desk): Shared<Desk>,
    At(number): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Deliveries)?;
    let number: i64 = named(&number, "delivery")?;
    let now = desk.now();
    let mut write = desk.office.store.write().await?;
    if !deliveries::replay(&mut write, number, now).await? {
        return Err(gone(
            "It waits for its next try already, or its text is gone",
        ));
    }
    let (who, subject) = (posted.visitor.who(), format!("delivery:{number}"));
    audit::record(&mut write, who, "delivery.replayed", &subject, "", now).await?;
    write.commit().await?;
    let path = format!("/office/deliveries/{number}");
    Ok(layout::redirect(&link(&path, &[("done", "replayed")])))
}

pub(crate) async fn drop(
    Shared(desk): Shared<Desk>,
    At(number): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Deliveries)?;
    let number: i64 = named(&number, "delivery")?;
    let reason: Reason = posted.form.reason()?.parse().map_err(wrong_reason)?;
    let now = desk.now();
    let mut write = desk.office.store.write().await?;
    if !deliveries::drop(&mut write, number, &reason, now).await? {
        return Err(gone("It has been delivered or given up"));
    }
    let (who, subject) = (posted.visitor.who(), format!("delivery:{number}"));
    let detail = reason.to_string();
    audit::record(&mut write, who, "delivery.dropped", &subject, &detail, now).await?;
    write.commit().await?;
    let path = format!("/office/deliveries/{number}");
    Ok(layout::redirect(&link(&path, &[("done", "dropped")])))
}

fn gone(why: &str) -> Failure {
    Failure::Conflict(why.to_owned())
}

fn wrong_reason(fault: deliveries::ReasonFault) -> Failure {
    Failure::Wrong(format!("The reason is none: {fault}"))
}
