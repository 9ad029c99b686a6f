//! What customers buy: a list to search in, and one purchase with what happened to it and what can be
//! done about it by hand.

use axum::{extract::State as Shared, response::Response};
use maud::{Markup, html};

use crate::{
    moment::UnixMs,
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{
            Tone, badge, codes, fact, field, form_token, hidden_code, link, moment, money, needed,
            nothing, numbers, pager, table, words,
        },
        read::{
            Page,
            cards::{self, CardLine},
        },
        request::{At, Fields, Posted, Visitor, named},
        role::Right,
    },
    purchase::{self, Event, Filter, Item, Purchase, Settlement, State},
    word::Id,
};

/// What an operator can decide, as its button names it, and what he says by it.
const SETTLEMENTS: [(&str, &str, Settlement); 3] = [
    (
        "Settle as paid",
        "The bank has debited the customer and keeps the money: he gets what he has paid for.",
        Settlement::Debited,
    ),
    (
        "Settle as refunded",
        "The customer has his money, because it was never debited or was given back.",
        Settlement::NotDebited,
    ),
    (
        "Ask the bank again",
        "Nothing is known yet; the same charge is asked about once more.",
        Settlement::AskAgain,
    ),
];

pub(crate) async fn list(
    Shared(desk): Shared<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let now = desk.now();
    let mut read = desk.office.store.read().await?;
    let before: Option<Id> = query.find("before", "The page")?;
    let page = if query.text("stuck") == "yes" {
        Page::whole(purchase::stuck(&mut read, now).await?)
    } else if let Some(id) = query.find("id", "The id")? {
        Page::whole(purchase::find(&mut read, &id).await?.into_iter().collect())
    } else {
        let last = match &before {
            Some(id) => purchase::find(&mut read, id).await?,
            None => None,
        };
        let filter = Filter {
            state: state_wanted(&query)?,
            phone: query.find("phone", "The number")?,
            before: last.map(|last| (last.created_at, last.id)),
            ..Filter::default()
        };
        Page::of(purchase::list(&mut read, &filter, Page::<Purchase>::ASKED).await?)
    };
    let stuck = html! { a .button href="/office/purchases?stuck=yes" { "Those that are stuck" } };
    let content = html! {
        (layout::head("Purchases", None, stuck))
        section .card { (search(&query)) }
        section .card { (list_table(&visitor, &page, now)) (ways(&page, &query, before.is_some())) }
    };
    Ok(layout::page(
        &visitor,
        Place::Purchases,
        "Purchases",
        content,
    ))
}

fn state_wanted(query: &Fields) -> Result<Option<State>, Failure> {
    match query.text("state") {
        "" => Ok(None),
        word => match State::of(word) {
            Some(state) => Ok(Some(state)),
            None => Err(Failure::Wrong("The state is none".to_owned())),
        },
    }
}

fn search(query: &Fields) -> Markup {
    html! {
        form .search method="get" action="/office/purchases" {
            (field("phone", "Phone", query.text("phone"), "0912345678"))
            (field("id", "Id", query.text("id"), ""))
            label .field {
                span { "State" }
                select name="state" {
                    option value="" { "All" }
                    @for state in State::ALL {
                        option value=(state.word()) selected[state.word() == query.text("state")] { (state) }
                    }
                }
            }
            div .go { button .main type="submit" { "Search" } a .button href="/office/purchases" { "Clear" } }
        }
    }
}

fn list_table(visitor: &Visitor, page: &Page<Purchase>, now: UnixMs) -> Markup {
    let columns = [
        codes("Id"),
        words("Began"),
        words("Phone"),
        words("What"),
        numbers("Amount"),
        words("Bank"),
        words("By"),
        words("State"),
    ];
    let row = |purchase: &Purchase| {
        [
            html! { a href={ "/office/purchases/" (purchase.id) } { (purchase.id) } },
            moment(purchase.created_at),
            html! { (visitor.phone(&purchase.phone)) },
            html! { (purchase.item) },
            html! { (money(purchase.amount)) },
            html! { (purchase.bank) },
            html! { (purchase.channel.word()) },
            state(purchase, now),
        ]
    };
    table(
        columns,
        page.lines.iter().map(row),
        "No purchase is like that.",
    )
}

fn state(purchase: &Purchase, now: UnixMs) -> Markup {
    let tone = match purchase.is_stuck(now) {
        true => Tone::Bad,
        false => Tone::Plain,
    };
    badge(tone, purchase.state.word())
}

fn ways(page: &Page<Purchase>, query: &Fields, is_later: bool) -> Markup {
    let to = |before: &str| {
        let fields = [
            ("phone", query.text("phone")),
            ("state", query.text("state")),
            ("before", before),
        ];
        link("/office/purchases", &fields)
    };
    let next = page.next(|purchase| purchase.id.to_string());
    pager(is_later.then(|| to("")), next.map(|next| to(&next)))
}

pub(crate) async fn show(
    Shared(desk): Shared<Desk>,
    visitor: Visitor,
    At(id): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    let id: Id = named(&id, "purchase")?;
    let mut read = desk.office.store.read().await?;
    let found = purchase::find(&mut read, &id).await?;
    let purchase = found.ok_or(Failure::Missing("purchase"))?;
    let events = purchase::events(&mut read, &id).await?;
    let cards = cards::of(&mut read, id.as_str()).await?;
    let may_settle = visitor.may(Right::Money) && purchase.state == State::ManualReview;
    let title = format!("Purchase {id}");
    let content = html! {
        (layout::head(&title, Some(("/office/purchases", "Purchases")), state(&purchase, desk.now())))
        (layout::notice(&query))
        section .card { (facts(&visitor, &purchase)) }
        div .columns {
            section .card { header .card-head { h2 { "What happened" } } (happened(&events)) }
            div .column {
                @if may_settle {
                    section .card { header .card-head { h2 { "By hand" } } (ways_out(&visitor, &id)) }
                }
                section .card { header .card-head { h2 { "Cards" } } (sold(&cards)) }
            }
        }
    };
    Ok(layout::page(&visitor, Place::Purchases, &title, content))
}

fn facts(visitor: &Visitor, purchase: &Purchase) -> Markup {
    html! {
        dl .facts {
            (fact("Phone", visitor.phone(&purchase.phone)))
            @match &purchase.item {
                Item::Card(card_type) => {
                    (fact("Card type", html! { a href={ "/office/stock/" (card_type) } { (card_type) } }))
                }
                Item::Order { merchant, reference } => {
                    (fact("Merchant", html! { a href={ "/office/merchants/" (merchant) } { (merchant) } }))
                    (fact("Order", reference.as_str()))
                }
            }
            (fact("Amount", money(purchase.amount)))
            (fact("Bank", purchase.bank.as_str()))
            @if let Some(code) = &purchase.response_code { (fact("The bank said", code.as_str())) }
            (fact("By", purchase.channel.word()))
            (fact("Began", moment(purchase.created_at)))
            (fact("Last change", moment(purchase.updated_at)))
        }
    }
}

/// What happened, one thing under another.
fn happened(events: &[Event]) -> Markup {
    html! {
        ol .line { @for event in events { li {
            p { strong { (event.to) } }
            @if !event.detail.is_empty() { p { (event.detail) } }
            (moment(event.at))
        } } }
        @if events.is_empty() { (nothing("Nothing yet.")) }
    }
}

fn sold(cards: &[CardLine]) -> Markup {
    let columns = [codes("Serial"), words("PIN code"), numbers("")];
    let row = |card: &CardLine| {
        [
            html! { (card.serial) },
            hidden_code(),
            html! { a href={ "/office/cards/" (card.card_type) "/" (card.serial) } { "Open" } },
        ]
    };
    table(columns, cards.iter().map(row), "None was handed out.")
}

fn ways_out(visitor: &Visitor, id: &Id) -> Markup {
    html! {
        form .stack method="post" action={ "/office/purchases/" (id) "/resolve" } {
            (form_token(visitor))
            (needed("reason", "Reason", "what you found out, and from whom"))
            @for (label, what, settlement) in SETTLEMENTS {
                div .choice {
                    button type="submit" name="way_out" value=(settlement.word()) { (label) }
                    p .hint { (what) }
                }
            }
        }
    }
}

pub(crate) async fn resolve(
    Shared(desk): Shared<Desk>,
    At(id): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Money)?;
    let id: Id = named(&id, "purchase")?;
    let (reason, way_out) = (posted.form.reason()?, posted.form.text("way_out"));
    let mut settlements = SETTLEMENTS.into_iter();
    let settlement = settlements.find(|(.., settlement)| settlement.word() == way_out);
    let (.., settlement) =
        settlement.ok_or_else(|| Failure::Wrong("There is no such way out".to_owned()))?;
    let (keys, name, now) = (&desk.office.keys, posted.visitor.name(), desk.now());
    let mut write = desk.office.store.write().await?;
    purchase::settle(&mut write, keys, &id, settlement, name, reason, now).await?;
    write.commit().await?;
    let path = format!("/office/purchases/{id}");
    Ok(layout::redirect(&link(&path, &[("done", "resolved")])))
}
