//! `commerce merchant`: shops whose customers pay here, and the secrets that they sign with.

use std::path::Path;

use clap::{Args, Subcommand};

use super::{Exit, Trouble, books::with_books_at, print};
use crate::{
    audit::{self, Who},
    clock,
    config::Config,
    deliveries::Reason,
    egress::{CallUrl, Egress},
    merchants::{
        self, Amounts, Merchant, MerchantName, Registration, ReturnPrefix, SECRET_OVERLAP,
    },
    money::Vnd,
    store::{Store, Write},
    word::Id,
};

/// What a merchant registers.
#[derive(Args)]
pub(super) struct AddArgs {
    /// By which he is known for ever.
    id: Id,
    /// By which customers know him.
    #[arg(long)]
    name: MerchantName,
    /// Where he is told what became of his orders.
    #[arg(long)]
    ipn_url: CallUrl,
    /// He may be called without TLS.
    #[arg(long)]
    plain_http: bool,
    /// Below which his customers return; may be given several times.
    #[arg(long, required = true)]
    return_url: Vec<ReturnPrefix>,
    /// The least that an order may cost, in dong.
    #[arg(long, value_name = "DONG")]
    least: Vnd,
    /// The most that an order may cost, in dong.
    #[arg(long, value_name = "DONG")]
    most: Vnd,
}

// No Debug, as of all arguments.
#[derive(Subcommand)]
pub(super) enum MerchantArgs {
    /// Add a merchant. The secret that both sides sign with is printed this once.
    Add(Box<AddArgs>),
    /// Show all merchants.
    List,
    /// Show what is registered of one.
    Show {
        /// Who.
        id: Id,
    },
    /// Make a new secret and print it, this once. We sign with it at once; the old one is taken for a day.
    RotateSecret {
        /// Whose.
        id: Id,
    },
    /// Let no customer begin to pay him any more. What was begun goes on.
    End {
        /// Who.
        id: Id,
        /// Why.
        #[arg(long)]
        reason: Reason,
    },
}

pub(super) fn merchant(config: &Path, args: MerchantArgs) -> Result<Exit, Trouble> {
    let config = Config::load(config)?;
    with_books_at(&config.store, async |store| match args {
        MerchantArgs::List => list(store).await,
        MerchantArgs::Show { id } => show(store, &id).await,
        MerchantArgs::Add(args) => {
            changed(store, async |write| add(write, &config, *args).await).await
        }
        MerchantArgs::RotateSecret { id } => {
            changed(store, async |write| rotate(write, &config, &id).await).await
        }
        MerchantArgs::End { id, reason } => {
            changed(store, async |write| end(write, &id, &reason).await).await
        }
    })
}

/// Makes a change and says what it was, only now, because a secret that was shown has to be one.
async fn changed(
    store: &Store,
    change: impl AsyncFnOnce(&mut Write) -> Result<String, Trouble>,
) -> Result<Exit, Trouble> {
    let mut write = store.write().await.map_err(Trouble::failure)?;
    let told = change(&mut write).await?;
    write.commit().await.map_err(Trouble::failure)?;
    print(format_args!("{told}"))?;
    Ok(Exit::Success)
}

async fn list(store: &Store) -> Result<Exit, Trouble> {
    let mut read = store.read().await.map_err(Trouble::failure)?;
    for merchant in merchants::list(&mut read).await.map_err(Trouble::failure)? {
        let (id, name) = (&merchant.registration.id, &merchant.registration.name);
        print(format_args!("{id:<24} {} {name}", state(&merchant)))?;
    }
    Ok(Exit::Success)
}

fn state(merchant: &Merchant) -> &'static str {
    match merchant.active {
        true => "on   ",
        false => "ended",
    }
}

async fn show(store: &Store, id: &Id) -> Result<Exit, Trouble> {
    let mut read = store.read().await.map_err(Trouble::failure)?;
    let all = merchants::list(&mut read).await.map_err(Trouble::failure)?;
    let found = all.into_iter().find(|own| own.registration.id == *id);
    let merchant = found.ok_or_else(|| Trouble::Failure(format!("there is no merchant {id}")))?;
    let own = &merchant.registration;
    let (least, most) = (own.amounts.least(), own.amounts.most());
    print(format_args!("name {}", own.name))?;
    print(format_args!("state {} {}", state(&merchant), merchant.why))?;
    print(format_args!("ipn {}", own.ipn_url.as_str()))?;
    for prefix in &own.return_prefixes {
        print(format_args!("returns below {}", prefix.as_str()))?;
    }
    print(format_args!("amounts {least} to {most}"))?;
    if merchant
        .previous_until
        .is_some_and(|until| until > clock::now())
    {
        print(format_args!("the secret before is still taken"))?;
    }
    Ok(Exit::Success)
}

async fn add(write: &mut Write, config: &Config, args: AddArgs) -> Result<String, Trouble> {
    let egress = Egress::new(config.push.egress.clone()).map_err(Trouble::failure)?;
    let registration = Registration {
        id: args.id,
        name: args.name,
        ipn_url: args.ipn_url,
        plain_http: args.plain_http,
        return_prefixes: args.return_url,
        amounts: Amounts::new(args.least, args.most).map_err(Trouble::failure)?,
    };
    let now = clock::now();
    let made = merchants::add(write, &config.keys, &egress, &registration, now).await;
    let made = made.map_err(Trouble::failure)?;
    record(write, "merchant.added", &registration.id, "").await?;
    Ok(made.reveal().to_owned())
}

async fn rotate(write: &mut Write, config: &Config, id: &Id) -> Result<String, Trouble> {
    let now = clock::now();
    let made = merchants::change_secret(write, &config.keys, id, SECRET_OVERLAP, now).await;
    let made = made.map_err(Trouble::failure)?;
    record(write, "merchant.secret", id, "").await?;
    Ok(made.reveal().to_owned())
}

async fn end(write: &mut Write, id: &Id, reason: &Reason) -> Result<String, Trouble> {
    let done = merchants::set_active(write, id, false, reason.as_str()).await;
    done.map_err(Trouble::failure)?;
    record(write, "merchant.ended", id, reason.as_str()).await?;
    Ok(format!("no customer begins to pay merchant {id} any more"))
}

async fn record(
    write: &mut Write,
    what: &'static str,
    id: &Id,
    detail: &str,
) -> Result<(), Trouble> {
    let subject = format!("merchant:{id}");
    let recorded = audit::record(write, Who::Console, what, &subject, detail, clock::now()).await;
    recorded.map_err(Trouble::failure)
}
