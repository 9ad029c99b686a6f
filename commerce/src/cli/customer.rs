//! `commerce customer`: phones that a bank account is linked with.

use std::{
    io::{self, Read as _},
    path::Path,
};

use clap::Subcommand;
use zeroize::Zeroizing;

use super::{Exit, Trouble, books::with_books_at, print};
use crate::{
    audit::{self, Who},
    clock,
    config::Config,
    customers::{self, CustomerState, Registered},
    phone::Phone,
    port::AccountToken,
    seal::Keys,
    store::Write,
    word::Id,
};

/// Octets of standard input that are read: a token has 19 and its line an end.
const TOKEN_BYTES_MAX: u64 = 64;

// No Debug, as of all arguments.
#[derive(Subcommand)]
pub(super) enum CustomerArgs {
    /// Link a phone with an account, by the bank's token of it, which is read from standard input: 8 to 19
    /// digits, never a card number. A link is never changed.
    Link {
        /// As 0912345678 or 84912345678.
        phone: Phone,
        /// The bank, as the router names it.
        #[arg(long)]
        bank: Id,
    },
    /// Let a customer buy no more. What he has confirmed goes on.
    Block {
        /// Whose.
        phone: Phone,
    },
    /// Let him buy again.
    Unblock {
        /// Whose.
        phone: Phone,
    },
}

pub(super) fn customer(config: &Path, args: CustomerArgs) -> Result<Exit, Trouble> {
    let config = Config::load(config)?;
    let token = match &args {
        CustomerArgs::Link { .. } => Some(token()?),
        CustomerArgs::Block { .. } | CustomerArgs::Unblock { .. } => None,
    };
    with_books_at(&config.store, async |store| {
        let mut write = store.write().await.map_err(Trouble::failure)?;
        let told = change(&mut write, &config.keys, args, token).await?;
        write.commit().await.map_err(Trouble::failure)?;
        print(format_args!("{told}"))?;
        Ok(Exit::Success)
    })
}

/// An argument would stand in the list of processes.
fn token() -> Result<AccountToken, Trouble> {
    let mut text = Zeroizing::new(String::new());
    let mut input = io::stdin().lock().take(TOKEN_BYTES_MAX);
    let read = input.read_to_string(&mut text);
    read.map_err(|error| Trouble::failure(format!("standard input: {error}")))?;
    AccountToken::parse(text.trim())
        .ok_or_else(|| Trouble::failure("standard input is not a token of 8 to 19 digits"))
}

async fn change(
    write: &mut Write,
    keys: &Keys,
    args: CustomerArgs,
    token: Option<AccountToken>,
) -> Result<String, Trouble> {
    let now = clock::now();
    let (what, phone, told) = match args {
        CustomerArgs::Link { phone, bank } => {
            let token = token.ok_or_else(|| Trouble::failure("there is no token"))?;
            let done = customers::register(write, keys, &phone, &bank, &token, now).await;
            let told = match done.map_err(Trouble::failure)? {
                Registered::New => format!("{phone} is linked with an account of {bank}"),
                Registered::Stands => format!("{phone} was linked with that account before"),
            };
            ("customer.linked", phone, told)
        }
        CustomerArgs::Block { phone } => {
            let done = customers::set_state(write, &phone, CustomerState::Blocked).await;
            done.map_err(Trouble::failure)?;
            let told = format!("{phone} buys no more");
            ("customer.blocked", phone, told)
        }
        CustomerArgs::Unblock { phone } => {
            let done = customers::set_state(write, &phone, CustomerState::Active).await;
            done.map_err(Trouble::failure)?;
            let told = format!("{phone} may buy");
            ("customer.unblocked", phone, told)
        }
    };
    let subject = format!("customer:{phone}");
    let recorded = audit::record(write, Who::Console, what, &subject, "", now).await;
    recorded.map_err(Trouble::failure)?;
    Ok(told)
}
