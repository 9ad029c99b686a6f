//! How the shop does: key figures, and the charts of the last days.

use axum::extract::State;
use maud::{Markup, html};
use sqlx::AnyConnection;

use crate::{
    customers, deliveries,
    ledger::{self, TrialRow},
    moment::UnixMs,
    money::Vnd,
    office::{
        Desk, chart,
        failure::Failure,
        layout::{self, Place},
        parts::{count, moment, money},
        read::figures::{self, DayCount, Days, LARGE_DONG},
        request::Visitor,
    },
    purchase, stock,
};

pub(crate) async fn show(State(desk): State<Desk>, visitor: Visitor) -> Result<Markup, Failure> {
    let now = desk.now();
    let mut read = desk.office.store.read().await?;
    let transactions = transactions(&mut read, now).await?;
    let registered = registered(&mut read, now).await?;
    let content = html! {
        (layout::head("Overview", None, html! { "As of " (moment(now)) }))
        div .figures {
            (today(&transactions))
            (waiting(&mut read, now).await?)
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
            (chart::of_days(
                "Registered customers per day",
                "customers",
                &registered.series(|day| day.count),
            ))
        }
    };
    Ok(layout::page(&visitor, Place::Overview, "Overview", content))
}

/// What is bought by agents and by customers, together.
async fn transactions(read: &mut AnyConnection, now: UnixMs) -> Result<Days, Failure> {
    let large = Vnd::new(LARGE_DONG).unwrap_or(Vnd::MAX);
    let mut counts = figures::sales_per_day(read, now, large).await?;
    let (from, to) = figures::ends(now)?;
    for day in purchase::per_day(read, from, to, Vnd::ZERO).await? {
        counts.push(DayCount {
            count: day.purchases,
            dong: day.amount.dong(),
            ..DayCount::none(day.day)
        });
    }
    for day in purchase::per_day(read, from, to, large).await? {
        counts.push(DayCount {
            large: day.purchases,
            ..DayCount::none(day.day)
        });
    }
    Ok(Days::of(now, counts)?)
}

async fn registered(read: &mut AnyConnection, now: UnixMs) -> Result<Days, Failure> {
    let (from, to) = figures::ends(now)?;
    let counts = customers::registered_by_day(read, from, to).await?;
    let counts = counts.into_iter().map(|(day, count)| DayCount {
        count,
        ..DayCount::none(day)
    });
    Ok(Days::of(now, counts)?)
}

fn today(transactions: &Days) -> Markup {
    let (number, number_before) = transactions.last_two(|day| day.count);
    let (dong, dong_before) = transactions.last_two(|day| day.dong);
    html! {
        div .figure {
            span { "Transactions today" }
            strong { (count(number)) }
            small { (count(number_before)) " yesterday" }
        }
        div .figure {
            span { "Turnover today" }
            strong { (count(dong)) "\u{a0}₫" }
            small { (count(dong_before)) "\u{a0}₫ yesterday" }
        }
    }
}

/// What waits for somebody to look after it.
async fn waiting(read: &mut AnyConnection, now: UnixMs) -> Result<Markup, Failure> {
    let levels = stock::levels(read, now).await?;
    let low = levels.iter().filter(|level| level.is_low()).count();
    let low = i64::try_from(low).unwrap_or(i64::MAX);
    let of_types = format!("of {} on sale", levels.len());
    let stuck = purchase::stuck(read, now).await?.len();
    // A list has no more of them.
    let stuck_text = match stuck >= purchase::LIST_MAX as usize {
        true => "and more need a look",
        false => "need a look",
    };
    let stuck = i64::try_from(stuck).unwrap_or(i64::MAX);
    let dead = deliveries::figures(read).await?;
    let dead = dead.iter().map(|figures| figures.dead).sum();
    Ok(html! {
        (waits("Low stock", "/office/stock", low, &of_types, "warn"))
        (waits("Stuck purchases", "/office/purchases?stuck=yes", stuck, stuck_text, "bad"))
        (waits("Dead letters", "/office/deliveries?state=dead", dead, "are tried no more", "warn"))
    })
}

fn waits(name: &str, path: &str, number: i64, beside: &str, tone: &str) -> Markup {
    let class = if number > 0 { tone } else { "" };
    html! {
        a .figure .(class) href=(path) {
            span { (name) }
            strong { (count(number)) }
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
