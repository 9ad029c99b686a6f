//! Agents: what they have paid in, the keys they call with, and what they pay for a card.

use axum::{extract::State, response::Response};
use maud::{Markup, html};

use crate::{
    agents::{self, ApiKey},
    audit, catalogue,
    ledger::{self, Account, Entry, EntryFault, Line, Posted as Booked},
    moment::UnixMs,
    money::Vnd,
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{
            Tone, badge, codes, count, form_token, link, moment, money, needed, numbers, pager,
            table, words,
        },
        read::{
            Page,
            agents::{self as read_agents, AgentLine, KeyLine, PriceLine},
        },
        request::{At, Fields, Posted, Visitor, named},
        role::Right,
    },
    store::Write,
    word::{CardTypeId, Id, Reference},
};

pub(crate) async fn list(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let after = query.text("after");
    let mut read = desk.office.store.read().await?;
    let page = read_agents::list(&mut read, after, desk.now()).await?;
    let next = page.next(|agent| link("/office/agents", &[("after", agent.id.as_str())]));
    let first = (!after.is_empty()).then(|| "/office/agents".to_owned());
    let content = html! {
        (layout::head("Agents", None, html! {}))
        (layout::notice(&query))
        section .card {
            (list_table(&page))
            (pager(first, next))
        }
        @if visitor.may(Right::Agents) {
            section .card {
                header .card-head { h2 { "Add an agent" } }
                form .inline method="post" action="/office/agents" {
                    (form_token(&visitor))
                    (needed("id", "Id", "letters, digits, '.', '_' and '-'"))
                    button .main type="submit" { "Add" }
                }
            }
        }
    };
    Ok(layout::page(&visitor, Place::Agents, "Agents", content))
}

fn list_table(page: &Page<AgentLine>) -> Markup {
    let columns = [
        words("Agent"),
        numbers("Deposit"),
        numbers("Keys in use"),
        numbers(""),
    ];
    let row = |agent: &AgentLine| {
        let sales = link("/office/sales", &[("agent", agent.id.as_str())]);
        [
            html! { a href={ "/office/agents/" (agent.id) } { (agent.id) } },
            html! { (money(agent.deposit)) },
            html! { (count(agent.keys)) },
            html! { a href=(sales) { "Sales" } },
        ]
    };
    table(columns, page.lines.iter().map(row), "There are no agents.")
}

pub(crate) async fn add(State(desk): State<Desk>, posted: Posted) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Agents)?;
    let agent: Id = posted.form.need("id", "The id")?;
    let mut write = desk.office.store.write().await?;
    if read_agents::exists(write.connection(), &agent).await? {
        return Err(Failure::Conflict(format!("Agent {agent} is there already")));
    }
    agents::add(&mut write, &agent).await?;
    told(&desk, &mut write, &posted, "agent.added", &agent, "").await?;
    write.commit().await?;
    Ok(done(&agent, "agent"))
}

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(agent): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    let agent = named(&agent, "agent")?;
    page(&desk, &visitor, &agent, layout::notice(&query)).await
}

async fn page(
    desk: &Desk,
    visitor: &Visitor,
    agent: &Id,
    notice: Markup,
) -> Result<Markup, Failure> {
    let mut read = desk.office.store.read().await?;
    if !read_agents::exists(&mut read, agent).await? {
        return Err(Failure::Missing("agent"));
    }
    let account = Account::AgentDeposit(agent.clone());
    let deposit = ledger::balance(&mut read, &account).await?;
    let keys = read_agents::keys(&mut read, agent).await?;
    let prices = read_agents::prices(&mut read, agent).await?;
    let title = format!("Agent {agent}");
    let content = html! {
        (layout::head(&title, Some(("/office/agents", "Agents")), html! {
            a .button href=(link("/office/sales", &[("agent", agent.as_str())])) { "Sales" }
            a .button href={ "/office/ledger/accounts/" (account) } { "Statement" }
        }))
        (notice)
        div .columns {
            section .card {
                header .card-head { h2 { "Deposit" } p { strong { (money(deposit)) } } }
                @if visitor.may(Right::Money) { (deposit_form(visitor, agent)) }
            }
            section .card {
                header .card-head { h2 { "API keys" } }
                (key_table(visitor, agent, &keys, desk.now()))
                @if visitor.may(Right::Agents) {
                    form .pager method="post" action={ "/office/agents/" (agent) "/keys" } {
                        (form_token(visitor))
                        button type="submit" { "Make a key" }
                    }
                }
            }
        }
        section .card { header .card-head { h2 { "Prices" } } (price_table(visitor, agent, &prices)) }
    };
    Ok(layout::page(visitor, Place::Agents, &title, content))
}

fn deposit_form(visitor: &Visitor, agent: &Id) -> Markup {
    html! {
        form .stack method="post" action={ "/office/agents/" (agent) "/deposit" } {
            (form_token(visitor))
            div .inline {
                (needed("amount", "Amount in dong", "1000000"))
                (needed("bank", "Bank", "vcb"))
            }
            (needed("reference", "The bank's own reference", "FT26326000123"))
            p .hint { "A bank's reference is one deposit: the same again is not booked twice." }
            div { button .main type="submit" { "Book the deposit" } }
        }
    }
}

fn key_table(visitor: &Visitor, agent: &Id, keys: &[KeyLine], now: UnixMs) -> Markup {
    let columns = [
        codes("Begins with"),
        words("Made"),
        words("Ends"),
        numbers(""),
    ];
    let row = |key: &KeyLine| {
        [
            html! { (key.prefix) "…" },
            moment(key.made_at),
            html! { @if let Some(at) = key.ends_at { (moment(at)) } @else { "–" } },
            key_state(visitor, agent, key, now),
        ]
    };
    table(columns, keys.iter().map(row), "There are no keys.")
}

fn key_state(visitor: &Visitor, agent: &Id, key: &KeyLine, now: UnixMs) -> Markup {
    if key.ends_at.is_some_and(|at| at <= now) {
        return badge(Tone::Plain, "ended");
    }
    if !visitor.may(Right::Agents) {
        return badge(Tone::Good, "in use");
    }
    html! {
        form method="post" action={ "/office/agents/" (agent) "/keys/end" } {
            (form_token(visitor))
            input type="hidden" name="prefix" value=(key.prefix);
            button .small .danger type="submit" { "End it now" }
        }
    }
}

fn price_table(visitor: &Visitor, agent: &Id, prices: &[PriceLine]) -> Markup {
    let columns = [
        words("Card type"),
        numbers("Value"),
        numbers("Price of others"),
        numbers("Own price"),
        numbers(""),
    ];
    let row = |price: &PriceLine| {
        [
            html! { a href={ "/office/stock/" (price.card_type) } { (price.card_type) } },
            html! { (money(price.value)) },
            html! { (money(price.listed)) },
            html! { @if let Some(own) = price.own { strong { (money(own)) } } @else { "–" } },
            html! {
                @if visitor.may(Right::Agents) { (price_form(visitor, agent, &price.card_type)) }
            },
        ]
    };
    table(columns, prices.iter().map(row), "Nothing is on sale.")
}

fn price_form(visitor: &Visitor, agent: &Id, card_type: &CardTypeId) -> Markup {
    let label = format!("Another price for {card_type}, in dong");
    html! {
        form .inline method="post" action={ "/office/agents/" (agent) "/prices" } {
            (form_token(visitor))
            input type="hidden" name="card_type" value=(card_type);
            input type="text" name="price" inputmode="numeric" placeholder="another price"
                aria-label=(label) autocomplete="off" maxlength="20" required;
            button .small type="submit" { "Set" }
        }
    }
}

/// The deposit is a debit of the bank and a credit of the agent. The bank's reference is the entry's,
/// so that one payment is booked once and for one agent.
pub(crate) async fn deposit(
    State(desk): State<Desk>,
    At(agent): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Money)?;
    let agent: Id = named(&agent, "agent")?;
    let amount: Vnd = posted.form.need("amount", "The amount")?;
    let bank: Id = posted.form.need("bank", "The bank")?;
    let banks_own: Id = posted.form.need("reference", "The bank's reference")?;
    let reference = format!("deposit:{bank}:{banks_own}").parse::<Reference>();
    let reference = reference.map_err(|_| too_long())?;
    if !amount.is_positive() {
        return Err(Failure::Wrong(
            "The amount is not more than nothing".to_owned(),
        ));
    }
    let lines = [
        Line::debit(Account::BankSettlement(bank), amount),
        Line::credit(Account::AgentDeposit(agent.clone()), amount),
    ];
    let entry = Entry::new(reference.clone(), desk.now(), lines);
    let entry = entry.map_err(|fault: EntryFault| Failure::Wrong(fault.to_string()))?;
    let mut write = desk.office.store.write().await?;
    if !read_agents::exists(write.connection(), &agent).await? {
        return Err(Failure::Missing("agent"));
    }
    if ledger::post(&mut write, &entry).await? == Booked::Stands {
        return Ok(done(&agent, "deposit-stands"));
    }
    let detail = format!("{} as {reference}", money(amount));
    told(&desk, &mut write, &posted, "agent.deposit", &agent, &detail).await?;
    write.commit().await?;
    Ok(done(&agent, "deposit"))
}

fn too_long() -> Failure {
    Failure::Wrong("The bank and its reference are too long together".to_owned())
}

/// The key is in this answer and nowhere else, ever again.
pub(crate) async fn make_key(
    State(desk): State<Desk>,
    At(agent): At<String>,
    posted: Posted,
) -> Result<Markup, Failure> {
    posted.visitor.needs(Right::Agents)?;
    let agent: Id = named(&agent, "agent")?;
    let mut write = desk.office.store.write().await?;
    if !read_agents::exists(write.connection(), &agent).await? {
        return Err(Failure::Missing("agent"));
    }
    let key = agents::make_key(&mut write, &agent, desk.now()).await?;
    told(
        &desk,
        &mut write,
        &posted,
        "agent.key_made",
        &agent,
        key.prefix(),
    )
    .await?;
    write.commit().await?;
    page(&desk, &posted.visitor, &agent, new_key(&key)).await
}

fn new_key(key: &ApiKey) -> Markup {
    html! {
        section .card {
            header .card-head { h2 { "The new key" } }
            code .secret .long #key { (key.reveal()) }
            p .hint { "Give it to the agent now: it is shown once, and nobody can read it again." }
        }
    }
}

pub(crate) async fn end_key(
    State(desk): State<Desk>,
    At(agent): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Agents)?;
    let agent: Id = named(&agent, "agent")?;
    let prefix = posted.form.text("prefix");
    let mut write = desk.office.store.write().await?;
    if agents::end_key(&mut write, &agent, prefix, desk.now()).await? == 0 {
        return Err(Failure::Missing("key"));
    }
    told(
        &desk,
        &mut write,
        &posted,
        "agent.key_ended",
        &agent,
        prefix,
    )
    .await?;
    write.commit().await?;
    Ok(done(&agent, "key-ended"))
}

pub(crate) async fn set_price(
    State(desk): State<Desk>,
    At(agent): At<String>,
    posted: Posted,
) -> Result<Response, Failure> {
    posted.visitor.needs(Right::Agents)?;
    let agent: Id = named(&agent, "agent")?;
    let card_type: CardTypeId = posted.form.need("card_type", "The card type")?;
    let price: Vnd = posted.form.need("price", "The price")?;
    if !price.is_positive() {
        return Err(Failure::Wrong(
            "The price is not more than nothing".to_owned(),
        ));
    }
    let mut write = desk.office.store.write().await?;
    let prices = read_agents::prices(write.connection(), &agent).await?;
    let is_sold = prices.iter().any(|line| line.card_type == card_type);
    if !is_sold || !read_agents::exists(write.connection(), &agent).await? {
        return Err(Failure::Missing("agent or card type"));
    }
    catalogue::put_agent_price(&mut write, &agent, &card_type, price).await?;
    let detail = format!("{card_type} at {}", money(price));
    told(&desk, &mut write, &posted, "agent.price", &agent, &detail).await?;
    write.commit().await?;
    Ok(done(&agent, "price"))
}

/// An audit line about an agent.
async fn told(
    desk: &Desk,
    write: &mut Write,
    posted: &Posted,
    what: &'static str,
    agent: &Id,
    detail: &str,
) -> Result<(), Failure> {
    let (who, subject) = (posted.visitor.who(), format!("agent:{agent}"));
    Ok(audit::record(write, who, what, &subject, detail, desk.now()).await?)
}

fn done(agent: &Id, what: &str) -> Response {
    let path = format!("/office/agents/{agent}");
    layout::redirect(&link(&path, &[("done", what)]))
}
