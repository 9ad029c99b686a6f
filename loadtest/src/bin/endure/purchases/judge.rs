//! What must hold between the handsets, commerce's books and the bank's. Each line has two sides that know
//! nothing of each other.

use std::collections::{BTreeMap, HashMap};

use commerce::{
    ledger::{self, Account},
    purchase::{self, Purchase, State},
    store::Store,
};
use loadtest::bank::{Bank, BankBooks};

use super::{
    Options, Victim,
    crowd::Story,
    is_ended,
    shop::{self, PRICE, ShopError},
};
use crate::{
    EndureError,
    verdict::{Grouped, Verdict},
};

/// Prints and judges.
pub(super) async fn judge(
    verdict: &mut Verdict,
    options: &Options,
    kills: &[Victim],
    story: &Story,
    purchases: &[Purchase],
    bank: &Bank,
    store: &Store,
) -> Result<(), EndureError> {
    println!(
        "  {} ordered, {} passwords sent back, {} refusals read, {} gave up, {} strange texts",
        Grouped(story.ordered),
        Grouped(story.confirmed),
        Grouped(story.refused),
        Grouped(story.gave_up),
        Grouped(story.strange),
    );
    for victim in [Victim::Commerce, Victim::Router, Victim::Postgres] {
        let count = kills.iter().filter(|own| **own == victim).count();
        verdict.line(
            count == options.kills as usize,
            format_args!("{count} kill -9 of {victim:?}"),
        );
    }
    ends(verdict, story, purchases);
    let books = bank.books();
    handsets(verdict, story, purchases);
    banks(verdict, purchases, &books);
    own_books(verdict, &books, store).await?;
    Ok(())
}

/// Every order became one purchase, and every purchase came to an end.
fn ends(verdict: &mut Verdict, story: &Story, purchases: &[Purchase]) {
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    for own in purchases {
        *states.entry(own.state.word()).or_default() += 1;
    }
    let states: Vec<String> = states
        .iter()
        .map(|(state, count)| format!("{} {state}", Grouped(*count)))
        .collect();
    println!("  purchases: {}", states.join(", "));
    let (count, ordered) = (purchases.len() as u64, story.ordered);
    verdict.line(
        count == ordered && ordered > 0,
        format_args!(
            "{} orders are {} purchases",
            Grouped(ordered),
            Grouped(count)
        ),
    );
    let open = purchases.iter().filter(|own| !is_ended(own.state)).count();
    verdict.line(open == 0, format_args!("{open} purchases have no end"));
    let sold = purchases.iter().filter(|own| is_sold(own)).count();
    verdict.line(
        sold as u64 * 2 > ordered,
        format_args!("{sold} purchases have their card, more than half of all"),
    );
}

fn is_sold(purchase: &Purchase) -> bool {
    matches!(purchase.state, State::Fulfilled | State::Completed)
}

/// A card code is on one handset, and on that of somebody whose purchase has it.
fn handsets(verdict: &mut Verdict, story: &Story, purchases: &[Purchase]) {
    let mut holders: HashMap<&str, Vec<&str>> = HashMap::new();
    for (phone, codes) in &story.codes {
        for code in codes {
            let holders = holders.entry(code).or_default();
            if !holders.contains(&phone.as_str()) {
                holders.push(phone);
            }
        }
    }
    let shared = holders.values().filter(|phones| phones.len() > 1).count();
    verdict.line(
        shared == 0,
        format_args!(
            "{} card codes are on handsets, {shared} on several",
            holders.len()
        ),
    );
    let mut of_phone: HashMap<&str, usize> = HashMap::new();
    for phones in holders.values() {
        for phone in phones {
            *of_phone.entry(phone).or_default() += 1;
        }
    }
    let (mut without, mut missing) = (0, 0);
    let mut sold: HashMap<&str, (usize, usize)> = HashMap::new();
    for own in purchases.iter().filter(|own| is_sold(own)) {
        let counts = sold.entry(own.phone.as_str()).or_default();
        counts.0 += 1;
        counts.1 += usize::from(own.state == State::Completed);
    }
    for (phone, codes) in &of_phone {
        let (fulfilled, _) = sold.get(phone).copied().unwrap_or_default();
        without += codes.saturating_sub(fulfilled);
    }
    for (phone, (_, completed)) in &sold {
        let codes = of_phone.get(phone).copied().unwrap_or_default();
        missing += completed.saturating_sub(codes);
    }
    verdict.line(
        without == 0,
        format_args!("{without} card codes are on a handset without a purchase that has them"),
    );
    verdict.line(
        missing == 0,
        format_args!("{missing} completed purchases have no code on their handset"),
    );
}

/// The bank has of each account the price of its cards, and nothing of anybody else's.
fn banks(verdict: &mut Verdict, purchases: &[Purchase], books: &BankBooks) {
    let mut paid: HashMap<String, i64> = HashMap::new();
    for own in purchases.iter().filter(|own| is_sold(own)) {
        *paid.entry(own.phone.as_str().to_owned()).or_default() += own.amount.dong();
    }
    let (mut orphan, mut unpaid, mut taken_back) = (0, 0, 0);
    for account in &books.accounts {
        let gone = account.opening_minor - account.balance_minor;
        let last = account.pan.get(account.pan.len().saturating_sub(4)..);
        let subscriber = last
            .and_then(|digits| digits.parse().ok())
            .map(shop::number);
        let due = subscriber
            .and_then(|phone| paid.remove(&phone))
            .unwrap_or(0);
        orphan += u64::from(gone > due);
        unpaid += u64::from(gone < due);
        taken_back += account.credited_minor / PRICE.unsigned_abs();
    }
    unpaid += paid.values().filter(|due| **due > 0).count() as u64;
    println!("  the bank has taken {} debits back", Grouped(taken_back));
    verdict.line(
        orphan == 0,
        format_args!("{orphan} accounts are debited for more than their cards"),
    );
    verdict.line(
        unpaid == 0,
        format_args!("{unpaid} accounts are debited for less than their cards"),
    );
}

/// Commerce's own verdict, and its settlement account beside the bank's books.
async fn own_books(
    verdict: &mut Verdict,
    books: &BankBooks,
    store: &Store,
) -> Result<(), EndureError> {
    let wrong = |error: String| EndureError::Shop(ShopError::Books(error));
    let mut read = store.read().await.map_err(ShopError::Store)?;
    let found = purchase::verdict(&mut read).await;
    let found = found.map_err(|error| wrong(error.to_string()))?;
    for line in &found {
        println!("    {line}");
    }
    verdict.line(
        found.is_empty(),
        format_args!("{} faults in commerce's purchases", found.len()),
    );
    let faults = ledger::faults(&mut read).await;
    let faults = faults.map_err(|error| wrong(error.to_string()))?;
    let rows = ledger::trial_balance(&mut read).await;
    let rows = rows.map_err(|error| wrong(error.to_string()))?;
    let sum: i64 = rows.iter().map(|row| row.debit.dong()).sum();
    verdict.line(
        faults.is_empty() && sum == 0,
        format_args!(
            "the ledger sums to {sum}, and {} accounts are wrong",
            faults.len()
        ),
    );
    let bank = shop::BANK.parse().map_err(|_| wrong("a bank".to_owned()))?;
    let settlement = ledger::balance(&mut read, &Account::BankSettlement(bank)).await;
    let settlement = settlement.map_err(|error| wrong(error.to_string()))?.dong();
    let accounts = books.accounts.iter();
    let gone: i64 = accounts
        .map(|own| own.opening_minor - own.balance_minor)
        .sum();
    verdict.line(
        settlement == gone,
        format_args!("the ledger has {settlement} at the bank, which has taken {gone}"),
    );
    Ok(())
}
