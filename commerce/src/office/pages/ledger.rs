//! The books: all of them in one table, the accounts, and what moved on each.

use axum::extract::State;
use maud::{Markup, html};
use sqlx::AnyConnection;

use crate::{
    ledger::{self, Account, Side, StatementLine, TrialRow},
    money::Vnd,
    office::{
        Desk,
        failure::Failure,
        layout::{self, Place},
        parts::{
            Tone, badge, count, fact, link, moment, money, nothing, numbers, pager, table, words,
        },
        read::{
            PAGE_LINES, Page,
            books::{self, AccountLine, PostingLine},
        },
        request::{At, Fields, Visitor, named},
        role::Right,
    },
    word::Reference,
};

pub(crate) async fn show(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let mut read = desk.office.store.read().await?;
    let rows = ledger::trial_balance(&mut read).await?;
    let checked = match query.text("check") {
        "yes" => Some(check(&visitor, &mut read).await?),
        _ => None,
    };
    let content = html! {
        (layout::head("Ledger", None, html! {
            a .button href="/office/ledger/accounts" { "All accounts" }
            @if visitor.may(Right::Books) {
                a .button href="/office/ledger?check=yes" { "Check every posting" }
            }
        }))
        @if let Some(checked) = checked { (checked) }
        section .card { header .card-head { h2 { "Trial balance" } } (trial(&rows)?) }
    };
    Ok(layout::page(&visitor, Place::Ledger, "Ledger", content))
}

/// It reads every posting, so not everybody may ask for it.
async fn check(visitor: &Visitor, read: &mut AnyConnection) -> Result<Markup, Failure> {
    visitor.needs(Right::Books)?;
    let faults = ledger::faults(read).await?;
    Ok(html! {
        @if faults.is_empty() {
            p .notice .good role="status" { "Every account has what its postings make." }
        } @else {
            div .notice .bad role="alert" {
                strong { "These accounts have not what their postings make. The tables were changed by hand:" }
                ul { @for name in &faults { li { a href=(account_path(name)) { (name) } } } }
            }
        }
    })
}

fn trial(rows: &[TrialRow]) -> Result<Markup, Failure> {
    let sum = |of: fn(&TrialRow) -> Vnd| {
        Vnd::sum(rows.iter().map(of)).map_err(|fault| Failure::internal(&fault))
    };
    let (debits, credits) = (sum(debit)?, sum(credit)?);
    Ok(html! {
        @if rows.is_empty() { (nothing("Nothing has been booked yet.")) } @else {
            div .table {
                table {
                    thead { tr { th { "Accounts" } th .num { "How many" } th .num { "Debit" } th .num { "Credit" } } }
                    tbody { @for row in rows { tr {
                        td { a href=(link("/office/ledger/accounts", &[("kind", &row.kind)])) { (row.kind) } }
                        td .num { (count(row.accounts)) }
                        td .num { (positive(debit(row))) }
                        td .num { (positive(credit(row))) }
                    } } }
                    tfoot { tr {
                        td colspan="2" {
                            @if debits == credits { (badge(Tone::Good, "balanced")) }
                            @else { (badge(Tone::Bad, "not balanced")) }
                        }
                        td .num { (money(debits)) }
                        td .num { (money(credits)) }
                    } }
                }
            }
        }
    })
}

fn debit(row: &TrialRow) -> Vnd {
    row.debit.max(Vnd::ZERO)
}

fn credit(row: &TrialRow) -> Vnd {
    row.debit.negated().max(Vnd::ZERO)
}

fn positive(amount: Vnd) -> String {
    if amount.is_positive() {
        money(amount)
    } else {
        String::new()
    }
}

fn account_path(name: &str) -> String {
    format!("/office/ledger/accounts/{name}")
}

pub(crate) async fn accounts(
    State(desk): State<Desk>,
    visitor: Visitor,
    query: Fields,
) -> Result<Markup, Failure> {
    let (kind, after) = (query.text("kind"), query.text("after"));
    let mut read = desk.office.store.read().await?;
    let of_kind = (!kind.is_empty()).then_some(kind);
    let page = books::accounts(&mut read, of_kind, after).await?;
    let to = |after: &str| {
        link(
            "/office/ledger/accounts",
            &[("kind", kind), ("after", after)],
        )
    };
    let next = page.next(|line| to(&line.account.to_string()));
    let first = (!after.is_empty()).then(|| to(""));
    let title = of_kind.map_or("Accounts".to_owned(), |kind| format!("Accounts: {kind}"));
    let content = html! {
        (layout::head(&title, Some(("/office/ledger", "Ledger")), html! {}))
        section .card { (account_table(&page)) (pager(first, next)) }
    };
    Ok(layout::page(&visitor, Place::Ledger, &title, content))
}

fn account_table(page: &Page<AccountLine>) -> Markup {
    let columns = [
        words("Account"),
        words("Grows by"),
        numbers("Postings"),
        numbers("Balance"),
    ];
    let row = |line: &AccountLine| {
        [
            html! { a href=(account_path(&line.account.to_string())) { (line.account) } },
            html! { (grows_by(&line.account)) },
            html! { (count(line.postings)) },
            html! { (money(line.balance)) },
        ]
    };
    table(
        columns,
        page.lines.iter().map(row),
        "There is no such account.",
    )
}

fn grows_by(account: &Account) -> &'static str {
    match account.side() {
        Side::Debit => "debit",
        Side::Credit => "credit",
    }
}

pub(crate) async fn statement(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(name): At<String>,
    query: Fields,
) -> Result<Markup, Failure> {
    let account: Account = named(&name, "account")?;
    let mut read = desk.office.store.read().await?;
    let line = books::account(&mut read, &account).await?;
    let line = line.ok_or(Failure::Missing("account"))?;
    // Postings are numbered without a gap, so a page is found by counting from the last one.
    let last: Option<i64> = query.find("to", "The page")?;
    let last = last.unwrap_or(line.postings).clamp(0, line.postings);
    let after = (last - i64::from(PAGE_LINES)).max(0);
    let wanted = u32::try_from(last - after).unwrap_or(0);
    let mut lines = ledger::statement(&mut read, &account, after, wanted).await?;
    lines.reverse();
    let path = account_path(&name);
    let next = (after > 0).then(|| link(&path, &[("to", &after.to_string())]));
    let first = (last < line.postings).then(|| path.clone());
    let content = html! {
        (layout::head(&name, Some(("/office/ledger/accounts", "Accounts")), html! {}))
        section .card {
            dl .facts {
                (fact("Balance", money(line.balance)))
                (fact("Grows by", grows_by(&account)))
                (fact("Postings", count(line.postings)))
                (fact("Not below", line.floor.map_or("no limit".to_owned(), money)))
                (fact("Not above", line.ceiling.map_or("no limit".to_owned(), money)))
            }
        }
        section .card {
            header .card-head { h2 { "Statement" } p { "the last posting first" } }
            (statement_table(&lines))
            (pager(first, next))
        }
    };
    Ok(layout::page(&visitor, Place::Ledger, &name, content))
}

fn statement_table(lines: &[StatementLine]) -> Markup {
    let columns = [
        words("Entry"),
        words("No."),
        words("Time"),
        numbers("Amount"),
        numbers("Balance"),
    ];
    let row = |line: &StatementLine| {
        [
            html! { a href={ "/office/ledger/entries/" (line.entry) } { (line.entry) } },
            html! { (line.number) },
            moment(line.at),
            html! { (money(line.amount)) },
            html! { (money(line.balance)) },
        ]
    };
    table(columns, lines.iter().map(row), "Nothing has moved here.")
}

pub(crate) async fn entry(
    State(desk): State<Desk>,
    visitor: Visitor,
    At(reference): At<String>,
) -> Result<Markup, Failure> {
    let reference: Reference = named(&reference, "entry")?;
    let mut read = desk.office.store.read().await?;
    let found = books::entry(&mut read, &reference).await?;
    let (at, postings) = found.ok_or(Failure::Missing("entry"))?;
    let title = reference.as_str();
    let content = html! {
        (layout::head(title, Some(("/office/ledger", "Ledger")), html! { "Booked " (moment(at)) }))
        section .card { header .card-head { h2 { "Postings" } } (posting_table(&postings)) }
    };
    Ok(layout::page(&visitor, Place::Ledger, title, content))
}

fn posting_table(postings: &[PostingLine]) -> Markup {
    let columns = [words("Account"), numbers("Debit"), numbers("Credit")];
    let row = |posting: &PostingLine| {
        [
            html! { a href=(account_path(&posting.account.to_string())) { (posting.account) } },
            html! { (positive(posting.amount)) },
            html! { (positive(posting.amount.negated())) },
        ]
    };
    table(columns, postings.iter().map(row), "It has no postings.")
}
