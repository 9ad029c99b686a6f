//! Purchases: who has a card has paid for it, who has none has not, and all books say the same: the
//! handsets', the agents', the banks' and the shop's.

use std::collections::{HashMap, HashSet};

use commerce::purchase::{State, Why};
use loadtest::bank::{
    Bank,
    books::{AccountBook, Entry},
};

use super::{Comparison, Line, Section, counted};
use crate::{
    networks::Named,
    purchases::{Card, Customer, Handset, Kept, Trade},
    report::Grouped,
};

pub(crate) fn compare(trade: &Trade<'_>, banks: &[Named<Bank>], comparison: &mut Comparison) {
    let page = Page::new(trade);
    comparison.sections.push(page.subscribers());
    for (bank, mark) in banks.iter().zip(&trade.marks) {
        comparison.sections.push(page.bank(bank, *mark));
    }
    comparison.sections.push(page.agents());
    comparison.sections.push(page.shop());
    comparison.missing.extend(page.missing());
}

/// Everything about purchases.
struct Page<'a> {
    trade: &'a Trade<'a>,
    /// Purchases by their phone; there is one of each.
    purchases: HashMap<&'a str, &'a Kept>,
}

impl<'a> Page<'a> {
    fn new(trade: &'a Trade<'a>) -> Self {
        let purchases = trade.books.purchases.iter();
        Self {
            trade,
            purchases: purchases
                .map(|own| (own.purchase.phone.as_str(), own))
                .collect(),
        }
    }

    fn kept(&self) -> impl Iterator<Item = &'a Kept> {
        self.trade.books.purchases.iter()
    }

    fn handsets(&self) -> impl Iterator<Item = &'a Handset> {
        self.trade.handsets.iter()
    }

    fn bought_by_sms(&self) -> impl Iterator<Item = &'a Card> {
        self.handsets().flat_map(|own| &own.cards)
    }

    fn bought_by_agents(&self) -> impl Iterator<Item = &'a Card> {
        self.trade.got.iter().flat_map(|own| &own.cards)
    }

    fn subscribers(&self) -> Section {
        Section {
            title: "commerce: subscribers, by SMS".to_owned(),
            lines: vec![self.orders(), self.cards(), self.failed(), self.in_doubt()],
        }
    }

    fn orders(&self) -> Line {
        let typed = self.trade.handsets.len();
        let none = self.handsets().filter(|own| own.is_out_of_stock).count();
        let others: usize = self.handsets().map(|own| own.others).sum();
        let ordered = self.trade.books.purchases.len();
        let open = self.kept().filter(|own| !own.is_closed()).count();
        let told = format!("{typed} typed in, {none} out of stock");
        let books = format!("{ordered} purchases, {open} not ended");
        Line::new("orders", told, books)
            .equal((typed - none) as u64, ordered as u64)
            .equal(ordered as u64, self.purchases.len() as u64)
            .none(open, "not ended")
            .none(others, "texts that nobody expects")
    }

    /// A card is on the handset of each purchase that is paid, and on no other.
    fn cards(&self) -> Line {
        let shown = self.bought_by_sms().count();
        let paid = self.kept().filter(|own| own.is_paid()).count();
        let as_printed = self.as_printed(self.bought_by_sms());
        let elsewhere = self
            .of_each()
            .filter(|(_, handset, kept)| {
                let due = usize::from(kept.is_some_and(Kept::is_paid));
                handset.cards.len() != due
            })
            .count();
        let books = format!("{paid} fulfilled, {as_printed} codes as imported");
        Line::new("cards", counted(shown, "on handsets"), books)
            .equal(shown as u64, paid as u64)
            .none(shown.abs_diff(as_printed), "with another code")
            .none(elsewhere, "handsets with another number of cards")
    }

    fn failed(&self) -> Line {
        let told = self.handsets().filter(|own| own.is_failed).count();
        let failed = || {
            self.kept()
                .filter(|own| own.purchase.state == State::Failed)
        };
        let because = |why| failed().filter(|own| own.purchase.why == Some(why)).count();
        let (all, declined, reversed) = (
            failed().count(),
            because(Why::Declined),
            because(Why::Reversed),
        );
        let books = format!("{all} failed: {declined} declined, {reversed} reversed");
        Line::new("failed", counted(told, "told: nothing is debited"), books)
            .equal(told as u64, all as u64)
    }

    /// What nobody knew the end of for a while, and was taken back, left neither card nor debit.
    fn in_doubt(&self) -> Line {
        let told = self.handsets().filter(|own| own.was_in_doubt).count();
        let unknown = self.kept().filter(|own| own.was_unknown).count();
        let reversing = self.trade.books.reversing();
        let cards: usize = self
            .of_each()
            .filter(|(_, _, kept)| kept.is_some_and(|own| own.was_reversing))
            .map(|(_, handset, _)| handset.cards.len())
            .sum();
        let books = format!("{reversing} REVERSING, {unknown} UNKNOWN; {cards} got a card");
        Line::new("in doubt", counted(told, "told to wait"), books)
            .equal(told as u64, reversing as u64)
            .none(cards, "cards for what was reversed")
    }

    /// Each customer with his handset, and his purchase if he has one.
    fn of_each(&self) -> impl Iterator<Item = (&'a Customer, &'a Handset, Option<&'a Kept>)> {
        let customers = self.trade.goods.customers.iter();
        customers.zip(self.handsets()).map(|(customer, handset)| {
            let kept = self.purchases.get(customer.phone.as_str());
            (customer, handset, kept.copied())
        })
    }

    fn as_printed(&self, cards: impl Iterator<Item = &'a Card>) -> usize {
        let as_printed = cards.filter(|card| self.trade.goods.ware_of(card).is_some());
        as_printed.count()
    }

    fn bank(&self, bank: &Named<Bank>, mark: usize) -> Section {
        let books = bank.simulator.books();
        let entries = books.entries.get(mark..).unwrap_or_default();
        let customers = self.trade.goods.customers.iter();
        let masked: HashSet<String> = customers.map(Customer::masked_account).collect();
        let accounts = books.accounts.iter();
        let accounts: Vec<&AccountBook> = accounts
            .filter(|account| masked.contains(&account.pan))
            .collect();
        Section {
            title: format!("commerce: bank {} ({})", bank.name, bank.temper),
            lines: vec![
                self.debits(&bank.name, entries, &accounts),
                self.money(&bank.name, &accounts),
            ],
        }
    }

    /// Since the purchases began a debit stands for each that is paid, on its customer's account, and no
    /// other.
    fn debits(&self, bank: &str, entries: &[Entry], accounts: &[&AccountBook]) -> Line {
        let of_bank = self
            .of_each()
            .filter(|(customer, ..)| customer.bank == bank);
        let due: HashMap<String, i64> = of_bank
            .filter_map(|(customer, _, kept)| {
                let paid = kept.filter(|own| own.is_paid())?;
                Some((customer.masked_account(), paid.purchase.amount.dong()))
            })
            .collect();
        let standing = entries.iter().filter(|entry| entry.stands()).count();
        let unlike = accounts.iter().filter(|account| {
            let due = due.get(&account.pan).copied().unwrap_or(0);
            account.net_minor() != -due
        });
        let unlike = unlike.count();
        let books = format!("{standing} debits stand, {unlike} accounts unlike");
        Line::new("debits", counted(due.len(), "purchases paid"), books)
            .equal(due.len() as u64, standing as u64)
            .none(unlike, "accounts with another sum")
    }

    fn money(&self, bank: &str, accounts: &[&AccountBook]) -> Line {
        let settlement = self.trade.books.settlements.get(bank);
        let settlement = settlement.copied().unwrap_or_default();
        let debited: u64 = accounts.iter().map(|own| own.debited_minor).sum();
        let credited: u64 = accounts.iter().map(|own| own.credited_minor).sum();
        let net: i64 = accounts.iter().map(|own| -own.net_minor()).sum();
        let told = format!("{} VND in the ledger", vnd(settlement));
        let books = format!(
            "{} VND: {} less {}",
            vnd(net),
            Grouped(debited),
            Grouped(credited)
        );
        Line::new("money", told, books).none(usize::from(settlement != net), "other sum")
    }

    fn agents(&self) -> Section {
        Section {
            title: "commerce: agents, by S2Sell".to_owned(),
            lines: vec![
                self.sales(),
                self.repeats(),
                self.agents_cards(),
                self.deposits(),
            ],
        }
    }

    fn sales(&self) -> Line {
        let got = || self.trade.got.iter();
        let sales: usize = got().map(|own| own.sales).sum();
        let in_part: usize = got().map(|own| own.in_part).sum();
        let without: usize = got().map(|own| own.without).sum();
        let told = format!("{sales} sold, {in_part} in part; {without} not");
        let kept: usize = self.trade.books.deposits.iter().map(|own| own.sales).sum();
        Line::new("orders", told, counted(kept, "sales paid from deposits"))
            .equal(sales as u64, kept as u64)
            .equal((sales + without) as u64, self.agents_orders() as u64)
    }

    fn agents_orders(&self) -> usize {
        let agents = self.trade.goods.agents.iter();
        agents.map(|agent| agent.orders.len()).sum()
    }

    fn repeats(&self) -> Line {
        let repeats: usize = self.trade.got.iter().map(|own| own.repeats).sum();
        let unlike: usize = self.trade.got.iter().map(|own| own.unlike).sum();
        let books = format!("{unlike} got other cards then");
        Line::new("repeats", counted(repeats, "orders sent twice"), books)
            .none(unlike, "got other cards")
    }

    fn agents_cards(&self) -> Line {
        let got = self.bought_by_agents().count();
        let as_printed = self.as_printed(self.bought_by_agents());
        Line::new(
            "cards",
            counted(got, "got"),
            counted(as_printed, "codes as imported"),
        )
        .equal(got as u64, as_printed as u64)
    }

    /// What the agents' cards cost is what is gone from their deposits, for each of them.
    fn deposits(&self) -> Line {
        let (mut spent, mut gone, mut unlike) = (0, 0, 0);
        let agents = self.trade.goods.agents.iter().zip(&self.trade.got);
        for ((agent, got), deposit) in agents.zip(&self.trade.books.deposits) {
            let prices = got.cards.iter().filter_map(|card| {
                let ware = self.trade.goods.ware_of(card)?;
                Some(agent.price(ware))
            });
            let (own, less) = (prices.sum::<i64>(), agent.deposit - deposit.balance);
            unlike += usize::from(own != less);
            spent += own;
            gone += less;
        }
        let told = format!("{} VND for cards", vnd(spent));
        let books = format!("{} VND less, {unlike} deposits unlike", vnd(gone));
        Line::new("deposits", told, books).none(unlike, "deposits with another sum")
    }

    fn shop(&self) -> Section {
        Section {
            title: "commerce: stock and ledger".to_owned(),
            lines: vec![self.stock(), self.buyers(), self.takings(), self.ledger()],
        }
    }

    fn stock(&self) -> Line {
        let bought = self.bought_by_sms().chain(self.bought_by_agents()).count();
        let (printed, free) = (self.trade.goods.printed.len(), self.trade.books.free);
        let gone = (printed as u64).saturating_sub(free);
        let books = format!(
            "{} gone: {} imported, {} free",
            Grouped(gone),
            Grouped(printed as u64),
            Grouped(free)
        );
        Line::new("stock", counted(bought, "cards with buyers"), books).equal(bought as u64, gone)
    }

    fn buyers(&self) -> Line {
        let mut serials = HashSet::new();
        let all = self.bought_by_sms().chain(self.bought_by_agents());
        let twice = all.filter(|card| !serials.insert(&card.serial)).count();
        let told = counted(serials.len(), "different cards");
        Line::new("buyers", told, format!("{twice} with two buyers")).none(twice, "sold twice")
    }

    /// What buyers paid is what the stock's accounts have taken in.
    fn takings(&self) -> Line {
        let goods = self.trade.goods;
        let of_subscribers = self.bought_by_sms().filter_map(|card| goods.ware_of(card));
        let mut paid: i64 = of_subscribers.map(|ware| ware.value).sum();
        for (agent, got) in goods.agents.iter().zip(&self.trade.got) {
            let wares = got.cards.iter().filter_map(|card| goods.ware_of(card));
            paid += wares.map(|ware| agent.price(ware)).sum::<i64>();
        }
        let takings = self.trade.books.takings;
        let told = format!("{} VND for cards", vnd(paid));
        Line::new("takings", told, format!("{} VND", vnd(takings)))
            .none(usize::from(paid != takings), "other sum")
    }

    fn ledger(&self) -> Line {
        let books = &self.trade.books;
        let told = format!("debits less credits: {}", books.imbalance);
        let said = format!(
            "{} accounts wrong, {} purchases wrong",
            books.faults, books.wrong_purchases
        );
        Line::new("ledger", told, said)
            .none(usize::from(books.imbalance != 0), "imbalance")
            .none(books.faults, "accounts wrong")
            .none(books.wrong_purchases, "purchases wrong")
    }

    /// What the demo wants to show, and did not.
    fn missing(&self) -> Vec<String> {
        let failed = |why| self.kept().any(|own| own.purchase.why == Some(why));
        let in_part = self.trade.got.iter().any(|own| own.in_part > 0);
        let repeats = self.trade.got.iter().any(|own| own.repeats > 0);
        let in_doubt = |own: &Kept| own.was_unknown || own.was_reversing;
        let wanted = [
            (self.bought_by_sms().next().is_some(), "a card on a handset"),
            (
                self.handsets().any(|own| own.is_out_of_stock),
                "a subscriber who found no card",
            ),
            (failed(Why::Declined), "a purchase that its bank declined"),
            (
                self.kept().any(in_doubt),
                "a purchase that went through UNKNOWN or REVERSING",
            ),
            (in_part, "an agent's order that was sold in part"),
            (repeats, "an agent's order that was sent twice"),
        ];
        let missing = wanted.into_iter().filter(|(occurred, _)| !occurred);
        missing.map(|(_, what)| what.to_owned()).collect()
    }
}

/// An amount with its digits in groups.
fn vnd(dong: i64) -> String {
    let sign = if dong < 0 { "-" } else { "" };
    format!("{sign}{}", Grouped(dong.unsigned_abs()))
}
