//! Commerce as a child process on PostgreSQL: what it needs to sell, its configuration, its start and its
//! death. What it sells from is put there by its own library, before it runs.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use commerce::{
    catalogue::{self, CardType, CatalogueError, Category},
    clock, customers,
    money::Vnd,
    phone::Phone,
    port::AccountToken,
    seal::{Keys, MasterKey},
    stock::{self, CardFile, FILE_CARDS_MAX},
    store::{Location, Store, StoreError, Write},
    word::Id,
};
use loadtest::child::Child;

/// How long a program may take to start; it brings its tables up to date first.
const START_MAX: Duration = Duration::from_secs(60);
/// Of a run that is over a moment later; it protects nothing.
pub(super) const KEY: &str = "5f6b65792d6f662d612d72756e2d6f662d656e647572652d736563726574732e";
/// What is sold.
pub(super) const CARD_TYPE: &str = "MOBI10";
/// For how much.
pub(super) const PRICE: i64 = 10_000;
/// The bank of all customers, as the router names it.
pub(super) const BANK: &str = "vietcom";
/// The beginning of their tokens.
const TOKEN_PREFIX: &str = "970436000000";

/// Why nothing can be sold.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ShopError {
    #[error(
        "{path}: {source}; build it with `cargo build --workspace --bins`, in the same profile"
    )]
    Program { path: String, source: io::Error },
    #[error("the folder for commerce: {0}")]
    Folder(#[source] io::Error),
    #[error("commerce did not start within {limit_s} s; the end of its log:\n{log}", limit_s = START_MAX.as_secs())]
    Start { log: String },
    #[error("killing commerce: {0}")]
    Kill(#[source] io::Error),
    #[error("commerce's books: {0}")]
    Store(#[from] StoreError),
    #[error("commerce's books: {0}")]
    Books(String),
}

fn wrong(error: impl std::fmt::Display) -> ShopError {
    ShopError::Books(error.to_string())
}

impl From<CatalogueError> for ShopError {
    fn from(error: CatalogueError) -> Self {
        wrong(error)
    }
}

/// The number of a subscriber, and his token, whose last four digits are his own.
pub(super) fn number(subscriber: u32) -> String {
    format!("8490{subscriber:07}")
}

fn token(subscriber: u32) -> String {
    format!("{TOKEN_PREFIX}{subscriber:04}")
}

/// The PIN code of a card, by which it is known.
fn pin(card: usize) -> String {
    format!("{:014}", 70_000_000_000_000_u64 + card as u64)
}

/// A shop and its books.
pub(super) struct Shop {
    program: PathBuf,
    folder: PathBuf,
    pub(super) store: Store,
}

impl Shop {
    /// Puts the cards and the customers there.
    pub(super) async fn furnish(
        folder: &Path,
        program: Option<&Path>,
        database: &str,
        router: &str,
        customers: u32,
        cards: usize,
    ) -> Result<Self, ShopError> {
        let program = match program {
            Some(program) => program.to_owned(),
            None => env::current_exe()
                .map_err(ShopError::Folder)?
                .with_file_name("commerce"),
        };
        let configuration = configuration(database, router);
        fs::write(folder.join("commerce.toml"), configuration).map_err(ShopError::Folder)?;
        fs::write(folder.join("commerce.key"), KEY).map_err(ShopError::Folder)?;
        let location: Location = database.parse().map_err(wrong)?;
        let shop = Self {
            program,
            folder: folder.to_owned(),
            store: Store::open(&location).await?,
        };
        shop.put(customers, cards).await?;
        Ok(shop)
    }

    async fn put(&self, customers: u32, cards: usize) -> Result<(), ShopError> {
        let keys = Keys::new(MasterKey::parse(KEY).map_err(wrong)?, Vec::new());
        let mut write = self.store.write().await?;
        put_card_type(&mut write).await?;
        let numbers: Vec<usize> = (0..cards).collect();
        for numbers in numbers.chunks(FILE_CARDS_MAX) {
            put_cards(&mut write, &keys, numbers).await?;
        }
        for subscriber in 0..customers {
            let phone: Phone = number(subscriber).parse().map_err(wrong)?;
            let token = AccountToken::parse(&token(subscriber));
            let token = token.ok_or_else(|| wrong("a token that is none"))?;
            let bank: Id = BANK.parse().map_err(wrong)?;
            let registered =
                customers::register(&mut write, &keys, &phone, &bank, &token, clock::now());
            registered.await.map_err(wrong)?;
        }
        Ok(write.commit().await?)
    }

    /// Starts the program and waits until it serves.
    pub(super) async fn start(&self) -> Result<Child, ShopError> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log());
        let mut command = Command::new(&self.program);
        command
            .args(["serve", "--config"])
            .arg(self.folder.join("commerce.toml"))
            .stdin(Stdio::null())
            .stderr(log.map_err(ShopError::Folder)?);
        let mut child = Child::start(&mut command).map_err(|source| ShopError::Program {
            path: self.program.display().to_string(),
            source,
        })?;
        match child.says(START_MAX).await {
            Some(line) if line.starts_with("commerce is ready") => Ok(child),
            _ => Err(ShopError::Start {
                log: self.log_end(),
            }),
        }
    }

    fn log(&self) -> PathBuf {
        self.folder.join("commerce.log")
    }

    fn log_end(&self) -> String {
        let log = fs::read_to_string(self.log()).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        let from = lines.len().saturating_sub(25);
        lines.get(from..).unwrap_or_default().join("\n")
    }
}

async fn put_card_type(write: &mut Write) -> Result<(), ShopError> {
    let category = Category {
        code: "MOBI".parse().map_err(wrong)?,
        name: "MobiFone".parse().map_err(wrong)?,
        place: 1,
    };
    catalogue::put_category(write, &category).await?;
    let price = Vnd::new(PRICE).map_err(wrong)?;
    let card_type = CardType {
        id: CARD_TYPE.parse().map_err(wrong)?,
        category: category.code,
        name: "MobiFone 10.000".parse().map_err(wrong)?,
        issuer: "mobifone".parse().map_err(wrong)?,
        value: price,
        sell_value: price,
        on_sale: true,
        low_stock: 0,
    };
    Ok(catalogue::put_card_type(write, &card_type).await?)
}

async fn put_cards(write: &mut Write, keys: &Keys, numbers: &[usize]) -> Result<(), ShopError> {
    let mut file = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\n".to_owned();
    for card in numbers {
        file += &format!("S{card},{},2099-12-30\n", pin(*card));
    }
    let today = commerce::moment::Day::of(clock::now()).map_err(wrong)?;
    let file = CardFile::parse(file.as_bytes(), today).map_err(wrong)?;
    let card_type = CARD_TYPE.parse().map_err(wrong)?;
    stock::import(write, keys, &card_type, &file)
        .await
        .map_err(wrong)?;
    Ok(())
}

fn configuration(database: &str, router: &str) -> String {
    format!(
        r#"
[store]
location = "{database}"

[keys]
current = "file:commerce.key"

[http]
listen = "127.0.0.1:0"

[admin]
listen = "127.0.0.1:0"

[log]
level = "warn"

[router]
address = "{router}"
call_timeout_ms = 5000

[sms]
# Who begins anew does so soon, and the SMSC repeats what was not acknowledged within a second.
repeat_window_s = 10

[purchase]
open_max = 10
day_orders_max = 100000
day_amount_max = 1000000000

[purchase.otp]
life_s = 30
day_max = 100000
"#
    )
}
