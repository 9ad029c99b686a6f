//! Sales to agents: a list to search in, and one with its cards. No PIN code is opened here.

use axum::extract::State;
use maud::{Markup, html};

use crate::office::{
    Desk,
    failure::Failure,
    layout::{self, Place},
    parts::{
        Tone, badge, codes, count, fact, field, hidden_code, link, moment, money, numbers, pager,
        table, words,
    },
    read::{
        Page, cards,
        cards::CardLine,
        sales::{self, SaleFilter, SaleLine},
    },
    request::{At, Fields, Visitor, named},
};

pub(crate) async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let filter = SaleFilter {
        agent: query.find("agent", "The agent")?,
        card_type: query.find("card_type", "The card type")?,
        sell_dest_no: query.find("dest", "The agent's own number")?,
        serial: query.find("serial", "The serial")?,
        number: query.find("number", "The number")?,
    };
    let before = query.find("before", "The page")?;
    let mut read = desk.office.store.read().await?;
    let page = sales::list(&mut read, &filter, before).await?;
    let content = html! {
        (layout::head("Sales to agents", None, html! {}))
        section .card {
            form .search method="get" action="/office/sales" {
                (field("agent", "Agent", query.text("agent"), ""))
                (field("dest", "SELLDESTNO", query.text("dest"), ""))
                (field("serial", "Serial", query.text("serial"), ""))
                (field("card_type", "Card type", query.text("card_type"), "MOBI100"))
                (field("number", "Number", query.text("number"), ""))
                div .go { button .main type="submit" { "Search" } a .button href="/office/sales" { "Clear" } }
            }
        }
        section .card { (list_table(&page)) (ways(&page, &query, before.is_some())) }
    };
    Ok(layout::page(&visitor, Place::Sales, "Sales", content))
}

fn list_table(page: &Page<SaleLine>) -> Markup {
    let columns = [
        words("Number"),
        words("Time"),
        words("Agent"),
        words("Card type"),
        numbers("Cards"),
        numbers("Amount"),
        words("SELLDESTNO"),
        numbers(""),
    ];
    let row = |sale: &SaleLine| {
        [
            html! { a href={ "/office/sales/" (sale.number) } { (sale.number) } },
            moment(sale.at),
            html! { a href={ "/office/agents/" (sale.agent) } { (sale.agent) } },
            html! { (sale.card_type) },
            html! { (sale.sold) },
            html! { (amount(sale)) },
            html! { (sale.sell_dest_no.as_deref().unwrap_or_default()) },
            short(sale),
        ]
    };
    table(columns, page.lines.iter().map(row), "No sale is like that.")
}

fn ways(page: &Page<SaleLine>, query: &Fields, is_later: bool) -> Markup {
    let to = |before: &str| {
        let kept = |name| query.text(name);
        let fields = [
            ("agent", kept("agent")),
            ("dest", kept("dest")),
            ("serial", kept("serial")),
            ("card_type", kept("card_type")),
            ("number", kept("number")),
            ("before", before),
        ];
        link("/office/sales", &fields)
    };
    let next = page.next(|sale| sale.number.to_string());
    pager(is_later.then(|| to("")), next.map(|next| to(&next)))
}

fn amount(sale: &SaleLine) -> String {
    sale.amount().map(money).unwrap_or_default()
}

fn short(sale: &SaleLine) -> Markup {
    match sale.short.as_deref() {
        Some("stock") => badge(Tone::Warn, "stock ran out"),
        Some(_) => badge(Tone::Warn, "deposit ran out"),
        None => html! {},
    }
}

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(number): At<String>,
) -> Result<Markup, Failure> {
    let number: i64 = named(&number, "sale")?;
    let mut read = desk.office.store.read().await?;
    let sale = sales::find(&mut read, number).await?;
    let sale = sale.ok_or(Failure::Missing("sale"))?;
    let cards = cards::of(&mut read, &format!("sale-{number}")).await?;
    let title = format!("Sale {number}");
    let entry = format!("sale:{number}");
    let content = html! {
        (layout::head(&title, Some(("/office/sales", "Sales")), short(&sale)))
        section .card {
            dl .facts {
                (fact("Time", moment(sale.at)))
                (fact("Agent", html! { a href={ "/office/agents/" (sale.agent) } { (sale.agent) } }))
                (fact("Card type", html! { a href={ "/office/stock/" (sale.card_type) } { (sale.card_type) } }))
                (fact("Cards", html! { (count(sale.sold)) " of " (count(sale.wanted)) " wanted" }))
                (fact("Price of one", money(sale.sell_value)))
                (fact("Amount", amount(&sale)))
                (fact("SELLDESTNO", sale.sell_dest_no.as_deref().unwrap_or("none")))
                (fact("In the books", html! { a href={ "/office/ledger/entries/" (entry) } { (entry) } }))
            }
        }
        section .card { header .card-head { h2 { "Cards" } } (sold_cards(&cards)) }
    };
    Ok(layout::page(&visitor, Place::Sales, &title, content))
}

/// Cards that were sold, their codes hidden.
fn sold_cards(cards: &[CardLine]) -> Markup {
    let columns = [
        codes("Serial"),
        words("Card type"),
        words("PIN code"),
        words("Expires"),
        numbers(""),
    ];
    let row = |card: &CardLine| {
        [
            html! { (card.serial) },
            html! { (card.card_type) },
            hidden_code(),
            html! { (card.expires_on) },
            html! { a href={ "/office/cards/" (card.card_type) "/" (card.serial) } { "Open" } },
        ]
    };
    table(columns, cards.iter().map(row), "There is no card.")
}
