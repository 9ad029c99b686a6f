//! What customers buy: a list to search in, and one purchase with what happened to it and what can be
//! done about it by hand.

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use crate::{
    audit,
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{
            Tone, badge, codes, fact, field, form_token, hidden_code, link, moment, money, needed,
            nothing, numbers, pager, table, words,
        },
        read::Page,
        request::{At, Fields, Posted, Visitor, named},
        role::Right,
        source::{Happened, PurchaseDetail, PurchaseFilter, PurchaseLine, Purchases},
    },
    stock::Serial,
    word::{CardTypeId, Id},
};

fn source(desk: &Desk) -> Result<&dyn Purchases, Failure> {
    let purchases = desk.office.purchases.as_deref();
    purchases.ok_or(Failure::Missing("part: this service sells to agents alone"))
}

pub(crate) async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let filter = PurchaseFilter {
        id: query.find("id", "The id")?,
        phone: query.find("phone", "The number")?,
        state: query.find("state", "The state")?,
        is_stuck: query.text("stuck") == "yes",
    };
    let before: Option<Id> = query.find("before", "The page")?;
    let mut read = desk.office.store.read().await?;
    let asked = Page::<PurchaseLine>::ASKED;
    let lines = source(&desk)?
        .list(&mut read, &filter, before.as_ref(), asked)
        .await?;
    let page = Page::of(lines);
    let content = html! {
        (layout::head("Purchases", None, html! {}))
        section .card { (search(&query, filter.is_stuck)) }
        section .card { (list_table(&visitor, &page)) (ways(&page, &query, before.is_some())) }
    };
    Ok(layout::page(
        &visitor,
        Place::Purchases,
        "Purchases",
        content,
    ))
}

fn search(query: &Fields, is_stuck: bool) -> Markup {
    html! {
        form .search method="get" action="/office/purchases" {
            (field("phone", "Phone", query.text("phone"), "0912345678"))
            (field("id", "Id", query.text("id"), ""))
            (field("state", "State", query.text("state"), ""))
            label .field {
                span { "Which" }
                select name="stuck" {
                    option value="" { "All" }
                    option value="yes" selected[is_stuck] { "Those that are stuck" }
                }
            }
            div .go { button .main type="submit" { "Search" } a .button href="/office/purchases" { "Clear" } }
        }
    }
}

fn list_table(visitor: &Visitor, page: &Page<PurchaseLine>) -> Markup {
    let columns = [
        codes("Id"),
        words("Began"),
        words("Phone"),
        words("Card type"),
        numbers("Amount"),
        words("Bank"),
        words("By"),
        words("State"),
    ];
    let row = |line: &PurchaseLine| {
        [
            html! { a href={ "/office/purchases/" (line.id) } { (line.id) } },
            moment(line.created_at),
            html! { (visitor.phone(&line.phone)) },
            html! { (line.card_type) },
            html! { (money(line.amount)) },
            html! { @if let Some(bank) = &line.bank { (bank) } },
            html! { (line.channel) },
            state(line),
        ]
    };
    table(
        columns,
        page.lines.iter().map(row),
        "No purchase is like that.",
    )
}

fn state(line: &PurchaseLine) -> Markup {
    let tone = if line.is_stuck {
        Tone::Bad
    } else {
        Tone::Plain
    };
    badge(tone, &line.state)
}

fn ways(page: &Page<PurchaseLine>, query: &Fields, is_later: bool) -> Markup {
    let to = |before: &str| {
        let fields = [
            ("phone", query.text("phone")),
            ("id", query.text("id")),
            ("state", query.text("state")),
            ("stuck", query.text("stuck")),
            ("before", before),
        ];
        link("/office/purchases", &fields)
    };
    let next = page.next(|line| line.id.to_string());
    pager(is_later.then(|| to("")), next.map(|next| to(&next)))
}

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(id): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    let id: Id = named(&id, "purchase")?;
    let mut read = desk.office.store.read().await?;
    let found = source(&desk)?.find(&mut read, &id).await?;
    let detail = found.ok_or(Failure::Missing("purchase"))?;
    let line = &detail.line;
    let title = format!("Purchase {id}");
    let content = html! {
        (layout::head(&title, Some(("/office/purchases", "Purchases")), state(line)))
        (layout::notice(&query))
        section .card {
            dl .facts {
                (fact("Phone", visitor.phone(&line.phone)))
                (fact("Card type", html! { a href={ "/office/stock/" (line.card_type) } { (line.card_type) } }))
                (fact("Amount", money(line.amount)))
                (fact("Bank", line.bank.as_ref().map_or("none", Id::as_str)))
                (fact("By", line.channel.as_str()))
                (fact("Began", moment(line.created_at)))
                (fact("Last change", moment(line.updated_at)))
            }
        }
        div .columns {
            section .card { header .card-head { h2 { "What happened" } } (happened(&detail.happened)) }
            div .column {
                @if visitor.may(Right::Money) && !detail.ways_out.is_empty() {
                    section .card { header .card-head { h2 { "By hand" } } (ways_out(&visitor, &detail)) }
                }
                section .card { header .card-head { h2 { "Cards" } } (cards(&detail)) }
            }
        }
    };
    Ok(layout::page(&visitor, Place::Purchases, &title, content))
}

/// What happened, one thing under another.
pub(super) fn happened(all: &[Happened]) -> Markup {
    html! {
        @if all.is_empty() { (nothing("Nothing yet.")) } @else {
            ol .line { @for one in all { li {
                p { strong { (one.what) } }
                @if !one.detail.is_empty() { p { (one.detail) } }
                (moment(one.at))
            } } }
        }
    }
}

fn cards(detail: &PurchaseDetail) -> Markup {
    let columns = [codes("Serial"), words("PIN code"), numbers("")];
    let row = |(card_type, serial): &(CardTypeId, Serial)| {
        [
            html! { (serial) },
            hidden_code(),
            html! { a href={ "/office/cards/" (card_type) "/" (serial) } { "Open" } },
        ]
    };
    table(
        columns,
        detail.cards.iter().map(row),
        "None was handed out.",
    )
}

fn ways_out(visitor: &Visitor, detail: &PurchaseDetail) -> Markup {
    html! {
        form .stack method="post" action={ "/office/purchases/" (detail.line.id) "/resolve" } {
            (form_token(visitor))
            (needed("reason", "Reason", "what you found out, and from whom"))
            @for way_out in &detail.ways_out {
                div .choice {
                    button type="submit" name="way_out" value=(way_out.word) { (way_out.label) }
                    p .hint { (way_out.what) }
                }
            }
        }
    }
}

pub(crate) async fn resolve(
    State(desk): State<Desk>,
    At(id): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Money)?;
    let id: Id = named(&id, "purchase")?;
    let (reason, way_out) = (posted.form.reason()?, posted.form.text("way_out"));
    let (purchases, now) = (source(&desk)?, desk.now());
    let mut write = desk.office.store.write().await?;
    let found = purchases.find(write.connection(), &id).await?;
    let found = found.ok_or(Failure::Missing("purchase"))?;
    if !found.ways_out.iter().any(|way| way.word == way_out) {
        let why = "The purchase has gone on since you looked, and this cannot be done any more";
        return Err(Failure::Conflict(why.to_owned()));
    }
    purchases
        .resolve(&mut write, &id, way_out, reason, now)
        .await?;
    let (who, subject) = (posted.visitor.who(), format!("purchase:{id}"));
    let detail = format!("{way_out}: {reason}");
    audit::record(&mut write, who, "purchase.resolved", &subject, &detail, now).await?;
    write.commit().await?;
    let path = format!("/office/purchases/{id}");
    Ok(layout::redirect(&link(&path, &[("done", "resolved")])))
}
