//! What the shop's own books say once all is over, read through its library as an auditor would.

use std::collections::HashMap;

use commerce::{
    ledger::{self, Account, STATEMENT_LINES_MAX},
    moment::UnixMs,
    purchase::{self, Filter, LIST_MAX, Purchase, State},
    stock,
    store::Store,
};

use super::{Fault, Goods};

/// The shop's books.
#[derive(Default)]
pub(crate) struct Books {
    pub(crate) purchases: Vec<Kept>,
    /// What each bank owes for purchases, by its name.
    pub(crate) settlements: HashMap<String, i64>,
    /// Of each agent, in their order.
    pub(crate) deposits: Vec<Deposit>,
    /// Cards that are free.
    pub(crate) free: u64,
    /// What came in for cards.
    pub(crate) takings: i64,
    /// By how much the debits of all accounts are more than their credits.
    pub(crate) imbalance: i64,
    /// Accounts that are not what their postings make, and purchases that must not be.
    pub(crate) faults: usize,
    pub(crate) wrong_purchases: usize,
}

/// A purchase and where it has been.
pub(crate) struct Kept {
    pub(crate) purchase: Purchase,
    pub(crate) was_unknown: bool,
    pub(crate) was_reversing: bool,
}

impl Kept {
    /// Whether nothing becomes of it any more. One whose last message may not have arrived stays fulfilled.
    pub(crate) fn is_closed(&self) -> bool {
        self.purchase.state.is_final() || self.is_paid()
    }

    /// Whether its card is its subscriber's, and its money the shop's.
    pub(crate) fn is_paid(&self) -> bool {
        matches!(self.purchase.state, State::Fulfilled | State::Completed)
    }
}

/// What an agent has paid in advance.
pub(crate) struct Deposit {
    pub(crate) balance: i64,
    /// Sales that were paid from it.
    pub(crate) sales: usize,
}

impl Books {
    /// Reads them.
    pub(super) async fn read(store: &Store, goods: &Goods, now: UnixMs) -> Result<Self, Fault> {
        let mut read = store.read().await?;
        let mut books = Self::default();
        for purchase in purchases(store).await? {
            let events = purchase::events(&mut read, &purchase.id).await?;
            let was = |state| events.iter().any(|event| event.to == state);
            books.purchases.push(Kept {
                was_unknown: was(State::Unknown),
                was_reversing: was(State::Reversing),
                purchase,
            });
        }
        for customer in &goods.customers {
            if !books.settlements.contains_key(&customer.bank) {
                let account = Account::BankSettlement(customer.bank.parse()?);
                let balance = ledger::balance(&mut read, &account).await?;
                books
                    .settlements
                    .insert(customer.bank.clone(), balance.dong());
            }
        }
        for agent in &goods.agents {
            let account = Account::AgentDeposit(agent.name.parse()?);
            let lines = ledger::statement(&mut read, &account, 0, STATEMENT_LINES_MAX).await?;
            let sales = lines.iter().filter(|line| !line.amount.is_positive());
            books.deposits.push(Deposit {
                balance: ledger::balance(&mut read, &account).await?.dong(),
                sales: sales.count(),
            });
        }
        for level in stock::levels(&mut read, now).await? {
            books.free += u64::try_from(level.free)?;
        }
        for card_type in goods.card_types() {
            let account = Account::Stock(card_type.parse()?);
            books.takings -= ledger::balance(&mut read, &account).await?.dong();
        }
        let trial = ledger::trial_balance(&mut read).await?;
        books.imbalance = trial.iter().map(|row| row.debit.dong()).sum();
        books.faults = ledger::faults(&mut read).await?.len();
        books.wrong_purchases = purchase::verdict(&mut read).await?.len();
        Ok(books)
    }

    /// Purchases that the router took back by itself.
    pub(crate) fn reversing(&self) -> usize {
        self.purchases
            .iter()
            .filter(|own| own.was_reversing)
            .count()
    }
}

/// Whether nothing is under way any more.
pub(super) async fn are_closed(store: &Store) -> Result<bool, Fault> {
    let purchases = purchases(store).await?;
    let mut states = purchases.iter().map(|purchase| purchase.state);
    Ok(states.all(|state| state.is_final()))
}

async fn purchases(store: &Store) -> Result<Vec<Purchase>, Fault> {
    let mut read = store.read().await?;
    let mut all = Vec::new();
    let mut filter = Filter::default();
    loop {
        let page = purchase::list(&mut read, &filter, LIST_MAX).await?;
        let is_last = page.len() < LIST_MAX as usize;
        filter.before = page.last().map(|own| (own.created_at, own.id.clone()));
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}
