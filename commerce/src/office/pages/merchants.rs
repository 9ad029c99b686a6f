//! Merchants: what is registered of them, what is owed to them, and their orders. Nothing is changed here, and
//! no secret is read.

use axum::extract::State;
use maud::{Markup, html};

use crate::{
    ledger::{self, Account},
    merchants::{self, Merchant},
    moment::UnixMs,
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{Tone, badge, codes, fact, link, moment, money, numbers, pager, table, words},
        read::{
            Page,
            merchants::{self as read_merchants, OrderLine},
        },
        request::{At, Fields, Visitor, named},
    },
    word::{Id, Reference},
};

pub(crate) async fn list(State(desk): State<Desk>, visitor: Visitor) -> Result<Markup, Failure> {
    let mut read = desk.office.store.read().await?;
    let all = merchants::list(&mut read).await?;
    let columns = [
        words("Merchant"),
        words("Name"),
        words("State"),
        words("Since"),
    ];
    let row = |merchant: &Merchant| {
        let own = &merchant.registration;
        [
            html! { a href={ "/office/merchants/" (own.id) } { (own.id) } },
            html! { (own.name) },
            state(merchant),
            moment(merchant.made_at),
        ]
    };
    let content = html! {
        (layout::head("Merchants", None, html! {}))
        section .card { (table(columns, all.iter().map(row), "There are no merchants.")) }
    };
    Ok(layout::page(
        &visitor,
        Place::Merchants,
        "Merchants",
        content,
    ))
}

fn state(merchant: &Merchant) -> Markup {
    match merchant.active {
        true => badge(Tone::Good, "on"),
        false => badge(Tone::Bad, "ended"),
    }
}

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(id): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    let id: Id = named(&id, "merchant")?;
    let before: Option<Reference> = query.find("before", "The page")?;
    let mut read = desk.office.store.read().await?;
    let mut all = merchants::list(&mut read).await?.into_iter();
    let found = all.find(|own| own.registration.id == id);
    let merchant = found.ok_or(Failure::Missing("merchant"))?;
    let account = Account::MerchantPayable(id.clone());
    let owed = ledger::balance(&mut read, &account).await?;
    let page = read_merchants::orders(&mut read, &id, before.as_ref()).await?;
    let path = format!("/office/merchants/{id}");
    let next = page.next(|order| link(&path, &[("before", order.reference.as_str())]));
    let title = format!("Merchant {id}");
    let content = html! {
        (layout::head(&title, Some(("/office/merchants", "Merchants")), html! {
            a .button href={ "/office/ledger/accounts/" (account) } { "Statement" }
        }))
        section .card {
            (facts(&merchant, desk.now()))
            dl .facts { (fact("Owed to him", money(owed))) }
        }
        section .card {
            header .card-head { h2 { "Orders" } }
            (order_table(&page, desk.now()))
            (pager(before.is_some().then_some(path), next))
        }
    };
    Ok(layout::page(&visitor, Place::Merchants, &title, content))
}

fn facts(merchant: &Merchant, now: UnixMs) -> Markup {
    let own = &merchant.registration;
    html! {
        dl .facts {
            (fact("Name", own.name.as_str()))
            (fact("State", state(merchant)))
            @if !merchant.why.is_empty() { (fact("Because", merchant.why.as_str())) }
            (fact("Told at", own.ipn_url.as_str()))
            @for prefix in &own.return_prefixes { (fact("Customers return below", prefix.as_str())) }
            (fact("Orders from", money(own.amounts.least())))
            (fact("Orders to", money(own.amounts.most())))
            @if let Some(until) = merchant.previous_until.filter(|until| *until > now) {
                (fact("The secret before ends", moment(until)))
            }
        }
    }
}

fn order_table(page: &Page<OrderLine>, now: UnixMs) -> Markup {
    let columns = [
        codes("Order"),
        words("Came"),
        numbers("Amount"),
        words("State"),
        codes("Purchase"),
    ];
    let row = |order: &OrderLine| {
        [
            html! { (order.reference) },
            moment(order.opened_at),
            html! { (money(order.amount)) },
            order_state(order, now),
            html! {
                @match &order.purchase {
                    Some((id, _)) => a href={ "/office/purchases/" (id) } { (id) },
                    None => "–",
                }
            },
        ]
    };
    table(
        columns,
        page.lines.iter().map(row),
        "No customer was sent here yet.",
    )
}

/// Nobody can begin to pay an order whose time is over.
fn order_state(order: &OrderLine, now: UnixMs) -> Markup {
    let word = match &order.purchase {
        Some((_, state)) => state.word(),
        None if now < order.open_until => "open",
        None => "over",
    };
    badge(Tone::Plain, word)
}
