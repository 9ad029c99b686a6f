//! How the shop does: key figures, and the charts of the last days.

use axum::extract::State;
use maud::{Markup, html};
use sqlx::AnyConnection;

use crate::{
    ledger::{self, TrialRow},
    moment::UnixMs,
    money::Vnd,
    office::{
        Desk, chart,
        failure::Failure,
        layout::{self, Place},
        parts::{count, moment, money},
        read::figures::{self, Days, LARGE_DONG},
        request::Visitor,
    },
    stock,
};

/// What waits for somebody is counted to this many: more are too many in any case.
const WAITING_MAX: u32 = 1_000;

pub(crate) async fn show(State(desk): State<Desk>, visitor: Visitor) -> Result<Markup, Failure> {
    let now = desk.now();
    let mut read = desk.office.store.read().await?;
    let transactions = transactions(&desk, &mut read, now).await?;
    let registered = registered(&desk, &mut read, now).await?;
    let content = html! {
        (layout::head("Overview", None, html! { "As of " (moment(now)) }))
        div .figures {
            (today(&transactions))
            (waiting(&desk, &mut read, now).await?)
            (books(&ledger::trial_balance(&mut read).await?)?)
        }
        div .charts {
            (chart::of_days("Transactions per day", "transactions", &transactions.series(|day| day.count)))
            (chart::of_days("Turnover per day", "dong", &transactions.series(|day| day.dong)))
            (chart::of_days(
                "Transactions of 100,000 ₫ and more",
                "transactions",
                &transactions.series(|day| day.large),
            ))
            @if let Some(registered) = registered {
                (chart::of_days(
                    "Registered customers per day",
                    "customers",
                    &registered.series(|day| day.count),
                ))
            }
        }
    };
    Ok(layout::page(&visitor, Place::Overview, "Overview", content))
}

/// What is bought by agents and by customers, together.
async fn transactions(desk: &Desk, read: &mut AnyConnection, now: UnixMs) -> Result<Days, Failure> {
    let (since, large) = (Days::since(now), Vnd::new(LARGE_DONG).unwrap_or(Vnd::MAX));
    let mut counts = figures::sales_per_day(read, since, large).await?;
    if let Some(purchases) = &desk.office.purchases {
        counts.extend(purchases.per_day(read, since, large).await?);
    }
    Ok(Days::of(now, counts))
}

async fn registered(
    desk: &Desk,
    read: &mut AnyConnection,
    now: UnixMs,
) -> Result<Option<Days>, Failure> {
    let Some(customers) = &desk.office.customers else {
        return Ok(None);
    };
    let counts = customers.registered_per_day(read, Days::since(now)).await?;
    Ok(Some(Days::of(now, counts)))
}

fn today(transactions: &Days) -> Markup {
    let (today, yesterday) = transactions.last_two();
    html! {
        div .figure {
            span { "Transactions today" }
            strong { (count(today.count)) }
            small { (count(yesterday.count)) " yesterday" }
        }
        div .figure {
            span { "Turnover today" }
            strong { (count(today.dong)) "\u{a0}₫" }
            small { (count(yesterday.dong)) "\u{a0}₫ yesterday" }
        }
    }
}

/// What waits for somebody to look after it.
async fn waiting(desk: &Desk, read: &mut AnyConnection, now: UnixMs) -> Result<Markup, Failure> {
    let levels = stock::levels(read, now).await?;
    let low = levels.iter().filter(|level| level.is_low()).count();
    let stuck = match &desk.office.purchases {
        Some(purchases) => Some(purchases.stuck(read, WAITING_MAX).await?),
        None => None,
    };
    let dead = match &desk.office.deliveries {
        Some(deliveries) => Some(deliveries.dead(read, WAITING_MAX).await?),
        None => None,
    };
    let of_types = format!("of {} on sale", levels.len());
    Ok(html! {
        (waits("Low stock", "/office/stock", low, &of_types, "warn"))
        @if let Some(stuck) = stuck {
            (waits("Stuck purchases", "/office/purchases?stuck=yes", stuck, "need a look", "bad"))
        }
        @if let Some(dead) = dead {
            (waits("Dead letters", "/office/deliveries?dead=yes", dead, "are tried no more", "warn"))
        }
    })
}

fn waits(name: &str, path: &str, number: impl TryInto<i64>, beside: &str, tone: &str) -> Markup {
    let number: i64 = number.try_into().unwrap_or(i64::MAX);
    let class = if number > 0 { tone } else { "" };
    html! {
        a .figure .(class) href=(path) {
            span { (name) }
            strong { (count(number)) @if number >= i64::from(WAITING_MAX) { "+" } }
            small { (beside) }
        }
    }
}

fn books(rows: &[TrialRow]) -> Result<Markup, Failure> {
    let sum =
        Vnd::sum(rows.iter().map(|row| row.debit)).map_err(|fault| Failure::internal(&fault))?;
    let agents = rows.iter().find(|row| row.kind == "agent");
    let deposits = agents.map_or(Vnd::ZERO, |row| row.debit.negated());
    let accounts = agents.map_or(0, |row| row.accounts);
    let is_balanced = sum == Vnd::ZERO;
    Ok(html! {
        a .figure href="/office/ledger/accounts?kind=agent" {
            span { "Agents' deposits" }
            strong { (money(deposits)) }
            small { (count(accounts)) " accounts" }
        }
        a .figure .bad[!is_balanced] href="/office/ledger" {
            span { "Books" }
            strong { @if is_balanced { "Balanced" } @else { (money(sum)) } }
            small { @if is_balanced { "debits are credits" } @else { "more debits than credits" } }
        }
    })
}
