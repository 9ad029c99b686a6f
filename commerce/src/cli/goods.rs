//! `commerce stock` and `commerce catalogue`: what is for sale, and the cards.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use clap::Subcommand;

use super::{
    Exit, Trouble,
    agent::refuse_unknown,
    books::{with_books, with_books_at},
    print,
};
use crate::{
    audit::{self, Who},
    catalogue::{self, CardType, Category},
    clock,
    config::{Config, Table, read_file},
    moment::Day,
    money::Vnd,
    stock::{self, CardFile, FILE_BYTES_MAX, FileFault, StockError},
    store::Write,
    word::{CardTypeId, Id},
};

/// What a card is worth at most: more is a slip of the pen.
const VALUE_MAX_DONG: i64 = 100_000_000;

/// More cards than any file brings.
const LOW_STOCK_MAX: u32 = 1_000_000;

#[derive(Subcommand)]
pub(super) enum StockArgs {
    /// Take the cards of a CSV file into stock, all or none. Their PIN codes are sealed.
    Import {
        /// Of which type they are.
        card_type: CardTypeId,
        /// The file, with the columns CARDSERIESNO, CARDPINCODE, CARDEXPIREDATE and perhaps CARDACCNO.
        file: PathBuf,
    },
    /// Show how many cards of each type on sale there are.
    Levels,
    /// Try again to open the cards that are set aside because their PIN codes could not be opened; those that
    /// can be opened are for sale again. Exit code 0 only if all of them are.
    Recheck,
}

#[derive(Subcommand)]
pub(super) enum CatalogueArgs {
    /// Add the categories and card types of a TOML file, or change what may change of them. What
    /// the file does not name stays as it is. config/catalogue.toml shows one.
    Put {
        /// The file.
        file: PathBuf,
    },
    /// Give an agent a price of his own.
    Price {
        /// Who.
        agent: Id,
        /// Which card type.
        card_type: CardTypeId,
        /// What he pays, in dong.
        amount: Vnd,
    },
}

pub(super) fn stock(config: &Path, args: StockArgs) -> Result<Exit, Trouble> {
    match args {
        StockArgs::Import { card_type, file } => import(config, &card_type, &file),
        StockArgs::Levels => levels(config),
        StockArgs::Recheck => recheck(config),
    }
}

fn import(config: &Path, card_type: &CardTypeId, path: &Path) -> Result<Exit, Trouble> {
    let config = Config::load(config)?;
    let unread = |error| Trouble::Failure(format!("{}: {error}", path.display()));
    let mut bytes = zeroize::Zeroizing::new(Vec::new());
    let file = File::open(path).map_err(unread)?;
    let limited = file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut bytes);
    limited.map_err(unread)?;
    let now = clock::now();
    let today = Day::of(now).map_err(Trouble::failure)?;
    let file = CardFile::parse(&bytes, today).map_err(|fault| of_file(path, &fault))?;
    with_books_at(&config.store, async |store| {
        let mut write = store.write().await.map_err(Trouble::failure)?;
        let imported = stock::import(&mut write, &config.keys, card_type, &file).await;
        let cards = imported.map_err(|error| match error {
            StockError::File(fault) => of_file(path, &fault),
            error => Trouble::failure(error),
        })?;
        let detail = format!("{cards} cards");
        record(&mut write, "stock.imported", card_type.as_str(), &detail).await?;
        write.commit().await.map_err(Trouble::failure)?;
        print(format_args!("{cards} cards of {card_type} are in stock"))?;
        Ok(Exit::Success)
    })
}

/// An audit line about a card type, a category or an agent.
async fn record(
    write: &mut Write,
    what: &'static str,
    subject: &str,
    detail: &str,
) -> Result<(), Trouble> {
    let recorded = audit::record(write, Who::Console, what, subject, detail, clock::now()).await;
    recorded.map_err(Trouble::failure)
}

/// A line for each line that is no card.
fn of_file(path: &Path, fault: &FileFault) -> Trouble {
    let path = path.display();
    let FileFault::Lines { lines, more } = fault else {
        return Trouble::Failure(format!("{path}: {fault}"));
    };
    let mut told: Vec<_> = lines
        .iter()
        .map(|fault| format!("{path}: {fault}"))
        .collect();
    if *more > 0 {
        told.push(format!("{path}: {more} others are no cards either"));
    }
    Trouble::Failure(told.join("\n"))
}

fn levels(config: &Path) -> Result<Exit, Trouble> {
    with_books(config, async |store| {
        let mut read = store.read().await.map_err(Trouble::failure)?;
        let levels = stock::levels(&mut read, clock::now()).await;
        for level in levels.map_err(Trouble::failure)? {
            let mark = if level.is_low() { " LOW" } else { "" };
            let faulty = match level.faulty {
                0 => String::new(),
                cards => format!(" FAULTY {cards}"),
            };
            let (card_type, free) = (level.card_type, level.free);
            print(format_args!("{card_type} {free}{mark}{faulty}"))?;
        }
        Ok(Exit::Success)
    })
}

fn recheck(config: &Path) -> Result<Exit, Trouble> {
    let config = Config::load(config)?;
    with_books_at(&config.store, async |store| {
        let mut read = store.read().await.map_err(Trouble::failure)?;
        let cards = stock::faulty(&mut read).await.map_err(Trouble::failure)?;
        drop(read);
        let mut exit = Exit::Success;
        for card in &cards {
            let mut write = store.write().await.map_err(Trouble::failure)?;
            let (who, now) = (Who::Console, clock::now());
            match stock::give_back(&mut write, &config.keys, who, card, now).await {
                Ok(true) => {
                    write.commit().await.map_err(Trouble::failure)?;
                    let (card_type, serial) = (&card.card_type, &card.serial);
                    print(format_args!("{card_type} {serial} is for sale again"))?;
                }
                Ok(false) => {}
                Err(fault @ StockError::Pin { .. }) => {
                    print(format_args!("FAULTY {fault}"))?;
                    exit = Exit::Failure;
                }
                Err(error) => return Err(Trouble::failure(error)),
            }
        }
        Ok(exit)
    })
}

pub(super) fn catalogue(config: &Path, args: CatalogueArgs) -> Result<Exit, Trouble> {
    match args {
        CatalogueArgs::Put { file } => put(config, &file),
        CatalogueArgs::Price {
            agent,
            card_type,
            amount,
        } => price(config, &agent, &card_type, amount),
    }
}

/// What a file of the catalogue says.
struct Listed {
    categories: Vec<Category>,
    card_types: Vec<CardType>,
}

fn put(config: &Path, file: &Path) -> Result<Exit, Trouble> {
    let listed = read_file(file, listed)?;
    with_books(config, async |store| {
        let mut write = store.write().await.map_err(Trouble::failure)?;
        for category in &listed.categories {
            let put = catalogue::put_category(&mut write, category).await;
            put.map_err(Trouble::failure)?;
            let subject = format!("category:{}", category.code);
            record(
                &mut write,
                "catalogue.category",
                &subject,
                &category.name.to_string(),
            )
            .await?;
        }
        for card_type in &listed.card_types {
            let put = catalogue::put_card_type(&mut write, card_type).await;
            put.map_err(|error| Trouble::Failure(format!("{}: {error}", card_type.id)))?;
            let detail = offered(card_type);
            record(
                &mut write,
                "catalogue.card_type",
                card_type.id.as_str(),
                &detail,
            )
            .await?;
        }
        write.commit().await.map_err(Trouble::failure)?;
        let (categories, card_types) = (listed.categories.len(), listed.card_types.len());
        print(format_args!(
            "{categories} categories, {card_types} card types"
        ))?;
        Ok(Exit::Success)
    })
}

/// What may change of a card type.
fn offered(card_type: &CardType) -> String {
    let on_sale = if card_type.on_sale { "on" } else { "off" };
    let (price, low_stock) = (card_type.sell_value, card_type.low_stock);
    format!("{on_sale} sale at {price}, low below {low_stock}")
}

/// Categories stand in the order of the file.
fn listed(root: &Table<'_>) -> Option<Listed> {
    let mut place = 0;
    Some(Listed {
        categories: root.tables("category", |table| {
            place += 1;
            let (code, name) = (table.required_text("code"), table.required_text("name"));
            Some(Category {
                code: code?,
                name: name?,
                place,
            })
        }),
        card_types: root.tables("card_type", card_type),
    })
}

fn card_type(table: &Table<'_>) -> Option<CardType> {
    let dong = |key| {
        let dong = table.required(key)?.number(1..=VALUE_MAX_DONG)?;
        Vnd::new(dong).ok()
    };
    let (id, category) = (table.required_text("id"), table.required_text("category"));
    let (name, issuer) = (table.required_text("name"), table.required_text("issuer"));
    let (value, sell_value) = (dong("value"), dong("sell_value"));
    let on_sale = table.boolean("on_sale", true);
    let low_stock = table.number("low_stock", 0, 0..=LOW_STOCK_MAX);
    Some(CardType {
        id: id?,
        category: category?,
        name: name?,
        issuer: issuer?,
        value: value?,
        sell_value: sell_value?,
        on_sale,
        low_stock,
    })
}

fn price(config: &Path, agent: &Id, card_type: &CardTypeId, amount: Vnd) -> Result<Exit, Trouble> {
    if !amount.is_positive() {
        return Err(Trouble::failure("a price is more than nothing"));
    }
    with_books(config, async |store| {
        let mut write = store.write().await.map_err(Trouble::failure)?;
        refuse_unknown(write.connection(), agent).await?;
        let put = catalogue::put_agent_price(&mut write, agent, card_type, amount).await;
        put.map_err(Trouble::failure)?;
        let (subject, detail) = (format!("agent:{agent}"), format!("{card_type} at {amount}"));
        record(&mut write, "agent.price", &subject, &detail).await?;
        write.commit().await.map_err(Trouble::failure)?;
        print(format_args!("agent {agent} pays {amount} for {card_type}"))?;
        Ok(Exit::Success)
    })
}
