//! What the shop begins with: card types and cards, customers with accounts, agents with deposits. Of one
//! card type there are too few cards, some customers have too little money, and one agent's deposit ends
//! in the middle of an order, so that all of this occurs.

use std::{collections::HashMap, sync::Arc};

use commerce::{
    agents::{self, ApiKey},
    catalogue::{self, CardType, Category},
    customers,
    ledger::{self, Account, Entry, Line},
    moment::{Day, UnixMs},
    money::Vnd,
    port::AccountToken,
    seal::Keys,
    stock::{self, CardFile},
    store::{Store, Write},
    word::Id,
};

use super::{Card, Fault};

/// Subscribers, each of whom buys once.
const CUSTOMERS: u32 = 200;
/// Agents, and the orders of each.
const AGENTS: u32 = 4;
const ORDERS: u32 = 50;

/// The prefixes of the SMSCs' numbers and of the banks' accounts.
const PHONES: [&str; 2] = ["8498", "8490"];
const ACCOUNTS: [&str; 2] = ["970436", "970406"];
/// Above the numbers and the cards of the other traffic.
const FIRST_PHONE: u32 = 9_000_000;
const FIRST_ACCOUNT: u32 = 1_000;

/// What most customers have on their account, and what some have: less than any card.
const RICH_MINOR: i64 = 1_000_000;
const POOR_MINOR: i64 = 5_000;

/// The last day of all cards.
const EXPIRY: &str = "2035-12-31";

/// A card type, what it costs, and how many cards there are.
pub(crate) struct Ware {
    pub(crate) id: &'static str,
    category: &'static str,
    issuer: &'static str,
    pub(crate) value: i64,
    sell_value: i64,
    cards: u32,
}

const MOBI10: Ware = Ware {
    id: "MOBI10",
    category: "MOBI",
    issuer: "mobifone",
    value: 10_000,
    sell_value: 9_450,
    cards: 600,
};
const VINA20: Ware = Ware {
    id: "VINA20",
    category: "VINA",
    issuer: "vinaphone",
    value: 20_000,
    sell_value: 18_900,
    cards: 400,
};
/// Fewer than subscribers alone want.
const VIET50: Ware = Ware {
    id: "VIET50",
    category: "VIET",
    issuer: "viettel",
    value: 50_000,
    sell_value: 47_000,
    cards: 30,
};
static WARES: [Ware; 3] = [MOBI10, VINA20, VIET50];

/// What the shop has and who comes to it.
pub(crate) struct Goods {
    /// All cards as they were printed, by their serial.
    pub(crate) printed: HashMap<String, Printed>,
    pub(crate) customers: Vec<Customer>,
    pub(crate) agents: Vec<Arc<Agent>>,
}

/// A card as it was printed.
pub(crate) struct Printed {
    pub(crate) pin: String,
    pub(crate) ware: &'static Ware,
}

impl Goods {
    /// What the card is, if it is one that was printed so.
    pub(crate) fn ware_of(&self, card: &Card) -> Option<&'static Ware> {
        let printed = self.printed.get(&card.serial)?;
        (printed.pin == card.pin).then_some(printed.ware)
    }

    /// The ids of all card types.
    pub(crate) fn card_types(&self) -> impl Iterator<Item = &'static str> {
        WARES.iter().map(|ware| ware.id)
    }
}

/// A subscriber with an account.
pub(crate) struct Customer {
    pub(crate) phone: String,
    /// Of which SMSC, by its place.
    pub(crate) smsc: usize,
    pub(crate) bank: String,
    /// By what the bank knows the account.
    pub(crate) account: String,
    pub(crate) opening_minor: i64,
    pub(crate) wants: &'static str,
}

impl Customer {
    fn new(number: u32, banks: &[&str]) -> Self {
        let (smsc, bank) = (number as usize % 2, number as usize / 2 % 2);
        let wants = match number % 5 {
            4 => &VIET50,
            1 | 3 => &VINA20,
            _ => &MOBI10,
        };
        Self {
            phone: format!("{}{:07}", PHONES[smsc], FIRST_PHONE + number),
            smsc,
            bank: banks.get(bank).copied().unwrap_or_default().to_owned(),
            account: format!("{}{:010}", ACCOUNTS[bank], FIRST_ACCOUNT + number),
            opening_minor: match number % 10 {
                1 => POOR_MINOR,
                _ => RICH_MINOR,
            },
            wants: wants.id,
        }
    }

    /// The account as books show it.
    pub(crate) fn masked_account(&self) -> String {
        let (first, rest) = self.account.split_at(6);
        let (hidden, last) = rest.split_at(rest.len() - 4);
        format!("{first}{}{last}", "*".repeat(hidden.len()))
    }
}

/// An agent with a key.
pub(crate) struct Agent {
    pub(crate) name: String,
    pub(crate) key: ApiKey,
    /// What he has paid in.
    pub(crate) deposit: i64,
    /// His own price, if he has one.
    own_price: Option<(&'static str, i64)>,
    pub(crate) orders: Vec<Order>,
}

/// What an agent orders.
pub(crate) struct Order {
    pub(crate) number: u32,
    pub(crate) ware: &'static str,
    pub(crate) count: u32,
}

impl Agent {
    /// What he pays for such a card.
    pub(crate) fn price(&self, ware: &Ware) -> i64 {
        match self.own_price {
            Some((id, price)) if id == ware.id => price,
            _ => ware.sell_value,
        }
    }
}

/// Who agents are: the first has a price of his own, the third wants some of the scarce cards, fewer than
/// there are, and the last has a deposit for a hundred cards, of which he orders three at a time.
fn plan(place: u32) -> (i64, Option<(&'static str, i64)>, Vec<Order>) {
    let order = |number: u32| {
        let (ware, count) = match place {
            2 if number % 3 == 2 => (&VIET50, 1),
            3 => (&MOBI10, 3),
            _ => (&WARES[number as usize % 2], 1 + (number + place) % 3),
        };
        Order {
            number,
            ware: ware.id,
            count,
        }
    };
    let deposit = match place {
        3 => 100 * MOBI10.sell_value,
        _ => 10_000_000,
    };
    let own_price = (place == 0).then_some((MOBI10.id, 9_300));
    (deposit, own_price, (0..ORDERS).map(order).collect())
}

/// Puts everything into the books, one change.
pub(super) async fn furnish(
    store: &Store,
    keys: &Keys,
    banks: &[&str],
    now: UnixMs,
) -> Result<Goods, Fault> {
    let mut write = store.write().await?;
    let mut printed = HashMap::new();
    for (place, ware) in WARES.iter().enumerate() {
        list(&mut write, place, ware).await?;
        stock_up(&mut write, keys, place, ware, &mut printed, now).await?;
    }
    let customers: Vec<_> = (0..CUSTOMERS)
        .map(|number| Customer::new(number, banks))
        .collect();
    for customer in &customers {
        let account = AccountToken::parse(&customer.account).ok_or("an account is none")?;
        let (phone, bank) = (customer.phone.parse()?, customer.bank.parse()?);
        customers::register(&mut write, keys, &phone, &bank, &account, now).await?;
    }
    let mut agents = Vec::new();
    for place in 0..AGENTS {
        agents.push(Arc::new(take_on(&mut write, place, now).await?));
    }
    write.commit().await?;
    Ok(Goods {
        printed,
        customers,
        agents,
    })
}

async fn list(write: &mut Write, place: usize, ware: &Ware) -> Result<(), Fault> {
    let category = Category {
        code: ware.category.parse()?,
        name: ware.issuer.parse()?,
        place: u32::try_from(place)?,
    };
    catalogue::put_category(write, &category).await?;
    let card_type = CardType {
        id: ware.id.parse()?,
        category: category.code,
        name: format!("Thẻ {}", ware.id).parse()?,
        issuer: ware.issuer.parse()?,
        value: Vnd::new(ware.value)?,
        sell_value: Vnd::new(ware.sell_value)?,
        on_sale: true,
        low_stock: 10,
    };
    Ok(catalogue::put_card_type(write, &card_type).await?)
}

/// Prints the cards and brings them into stock by a file.
async fn stock_up(
    write: &mut Write,
    keys: &Keys,
    place: usize,
    ware: &'static Ware,
    printed: &mut HashMap<String, Printed>,
    now: UnixMs,
) -> Result<(), Fault> {
    let mut file = String::from("CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\n");
    for number in 0..ware.cards {
        let serial = format!("{}-{number:06}", ware.id);
        let pin = format!("{place}{:06}{number:06}", fastrand::u32(..1_000_000));
        file.push_str(&format!("{serial},{pin},{EXPIRY}\n"));
        printed.insert(serial, Printed { pin, ware });
    }
    let file = CardFile::parse(file.as_bytes(), Day::of(now)?)?;
    stock::import(write, keys, &ware.id.parse()?, &file).await?;
    Ok(())
}

async fn take_on(write: &mut Write, place: u32, now: UnixMs) -> Result<Agent, Fault> {
    let (deposit, own_price, orders) = plan(place);
    let name = format!("shop-{}", place + 1);
    let id: Id = name.parse()?;
    agents::add(write, &id).await?;
    if let Some((ware, price)) = own_price {
        catalogue::put_agent_price(write, &id, &ware.parse()?, Vnd::new(price)?).await?;
    }
    let paid = Vnd::new(deposit)?;
    // At none of the banks whose books are compared.
    let lines = [
        Line::debit(Account::BankSettlement("deposits".parse()?), paid),
        Line::credit(Account::AgentDeposit(id.clone()), paid),
    ];
    let entry = Entry::new(format!("deposit:{id}").parse()?, now, lines)?;
    ledger::post(write, &entry).await?;
    Ok(Agent {
        key: agents::make_key(write, &id, now).await?,
        name,
        deposit,
        own_price,
        orders,
    })
}
