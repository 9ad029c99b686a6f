//! `commerce partner`: who gets subscribers' messages, and what could not be delivered to them.

use std::path::Path;

use clap::{Args, Subcommand, ValueEnum};
use ipnet::IpNet;

use super::{Exit, Trouble, books::with_books_at, print};
use crate::{
    audit::{self, Who},
    clock,
    config::Config,
    deliveries::{self, Reason, State},
    egress::{CallUrl, Egress},
    push::{
        self, Description, Filter, Keyword, PartnerKind, Prefix, Registration, SECRET_OVERLAP,
        ServiceName, ServiceNumber, Signing,
    },
    store::{Store, Write},
    word::Id,
};

/// Dead letters that one look shows.
const SHOWN_MAX: u32 = 100;

/// How a partner is called.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub(super) enum KindArg {
    /// GET with message, phone and guid, answered by XML with a status.
    Fibo,
    /// POST of JSON, signed as Standard Webhooks has it.
    Json,
}

/// What a partner registers.
#[derive(Args)]
pub(super) struct AddArgs {
    /// By which he is known for ever.
    id: Id,
    /// How he is called.
    #[arg(long, value_enum)]
    kind: KindArg,
    /// Where.
    #[arg(long)]
    url: CallUrl,
    /// He may be called without TLS.
    #[arg(long)]
    plain_http: bool,
    /// He is called in this network alone; may be given several times.
    #[arg(long)]
    network: Vec<IpNet>,
    /// Only messages to this number.
    #[arg(long)]
    number: Option<ServiceNumber>,
    /// Only messages that begin with this word.
    #[arg(long)]
    keyword: Option<Keyword>,
    /// Only messages of numbers that begin so.
    #[arg(long)]
    prefix: Option<Prefix>,
    /// The calls of a FiboSMS page are signed too.
    #[arg(long)]
    sign: bool,
    /// The service that he has registered.
    #[arg(long, default_value = "SMS")]
    service: ServiceName,
    /// What he is for.
    #[arg(long, default_value = "-")]
    description: Description,
}

// No Debug, as of all arguments.
#[derive(Subcommand)]
pub(super) enum PartnerArgs {
    /// Add a partner. The secret that signs his calls is printed this once.
    Add(Box<AddArgs>),
    /// Show all partners.
    List,
    /// Switch a partner off; what waits for him becomes dead letters.
    Off {
        /// Who.
        id: Id,
        /// Why.
        #[arg(long)]
        reason: Reason,
    },
    /// Switch him on.
    On {
        /// Who.
        id: Id,
        /// Why.
        #[arg(long)]
        reason: Reason,
    },
    /// Make a new secret, beside which the old one signs for a day.
    Secret {
        /// Whose.
        id: Id,
    },
    /// Show the last deliveries that are tried no more.
    Dead,
    /// Let a dead letter go out again, under the same guid.
    Replay {
        /// Its number.
        number: i64,
    },
    /// Give a dead letter up.
    Drop {
        /// Its number.
        number: i64,
        /// Why.
        #[arg(long)]
        reason: Reason,
    },
}

pub(super) fn partner(config: &Path, args: PartnerArgs) -> Result<Exit, Trouble> {
    let config = Config::load(config)?;
    with_books_at(&config.store, async |store| match args {
        PartnerArgs::List => list(store).await,
        PartnerArgs::Dead => dead(store).await,
        args => {
            let mut write = store.write().await.map_err(Trouble::failure)?;
            let told = change(&mut write, &config, args).await?;
            write.commit().await.map_err(Trouble::failure)?;
            // Only now, because a secret that was shown has to be one.
            print(format_args!("{told}"))?;
            Ok(Exit::Success)
        }
    })
}

async fn list(store: &Store) -> Result<Exit, Trouble> {
    let mut read = store.read().await.map_err(Trouble::failure)?;
    for partner in push::list(&mut read).await.map_err(Trouble::failure)? {
        let state = if partner.active { "on " } else { "off" };
        let own = partner.registration;
        let (id, kind, host) = (own.id, own.kind.word(), own.url.host().to_owned());
        print(format_args!(
            "{id:<24} {kind:<5} {state} {host:<32} {}",
            partner.why
        ))?;
    }
    Ok(Exit::Success)
}

async fn dead(store: &Store) -> Result<Exit, Trouble> {
    let mut read = store.read().await.map_err(Trouble::failure)?;
    let filter = deliveries::Filter {
        state: Some(State::Dead),
        ..deliveries::Filter::default()
    };
    let dead = deliveries::list(&mut read, &filter, SHOWN_MAX).await;
    for own in dead.map_err(Trouble::failure)? {
        print(format_args!(
            "{:>10} {:<8} {:<24} {:<32} {}",
            own.number,
            own.kind.word(),
            own.target,
            own.guid,
            own.why
        ))?;
    }
    Ok(Exit::Success)
}

/// Makes a change with its line in the audit log, and says what it was.
async fn change(write: &mut Write, config: &Config, args: PartnerArgs) -> Result<String, Trouble> {
    let now = clock::now();
    let (what, subject, detail, told) = match args {
        PartnerArgs::List | PartnerArgs::Dead => return Ok(String::new()),
        PartnerArgs::Add(args) => return add(write, config, *args).await,
        PartnerArgs::Off { id, reason } => {
            let done = push::set_active(write, &id, false, reason.as_str()).await;
            done.map_err(Trouble::failure)?;
            let told = format!("partner {id} gets nothing more");
            (
                "partner.off",
                format!("partner:{id}"),
                reason.as_str().to_owned(),
                told,
            )
        }
        PartnerArgs::On { id, reason } => {
            let done = push::set_active(write, &id, true, reason.as_str()).await;
            done.map_err(Trouble::failure)?;
            let told = format!("partner {id} gets messages");
            (
                "partner.on",
                format!("partner:{id}"),
                reason.as_str().to_owned(),
                told,
            )
        }
        PartnerArgs::Secret { id } => {
            let made = push::change_secret(write, &config.keys, &id, SECRET_OVERLAP, now).await;
            let told = made.map_err(Trouble::failure)?.reveal().to_string();
            (
                "partner.secret",
                format!("partner:{id}"),
                String::new(),
                told,
            )
        }
        PartnerArgs::Replay { number } => {
            let done = deliveries::replay(write, number, now).await;
            if !done.map_err(Trouble::failure)? {
                return Err(Trouble::Failure(format!("{number} cannot go out again")));
            }
            let told = format!("{number} goes out again");
            (
                "delivery.replayed",
                format!("delivery:{number}"),
                String::new(),
                told,
            )
        }
        PartnerArgs::Drop { number, reason } => {
            let done = deliveries::drop(write, number, &reason, now).await;
            if !done.map_err(Trouble::failure)? {
                return Err(Trouble::Failure(format!("{number} is no dead letter")));
            }
            let told = format!("{number} is given up");
            (
                "delivery.dropped",
                format!("delivery:{number}"),
                reason.as_str().to_owned(),
                told,
            )
        }
    };
    let recorded = audit::record(write, Who::Console, what, &subject, &detail, now).await;
    recorded.map_err(Trouble::failure)?;
    Ok(told)
}

async fn add(write: &mut Write, config: &Config, args: AddArgs) -> Result<String, Trouble> {
    let AddArgs {
        id,
        kind,
        url,
        plain_http,
        network,
        number,
        keyword,
        prefix,
        sign,
        service,
        description,
    } = args;
    let (kind, signing) = match (kind, sign) {
        (KindArg::Json, _) => (PartnerKind::Json, Signing::New),
        (KindArg::Fibo, true) => (PartnerKind::Fibo, Signing::New),
        (KindArg::Fibo, false) => (PartnerKind::Fibo, Signing::None),
    };
    let egress = Egress::new(config.push.egress.clone()).map_err(Trouble::failure)?;
    let registration = Registration {
        id: id.clone(),
        kind,
        url,
        plain_http,
        networks: network,
        filter: Filter {
            number,
            keyword,
            prefix,
        },
        service,
        description,
    };
    let now = clock::now();
    let added = push::add(write, &config.keys, &egress, &registration, signing, now).await;
    let secret = added.map_err(Trouble::failure)?;
    let subject = format!("partner:{id}");
    let recorded = audit::record(write, Who::Console, "partner.added", &subject, "", now).await;
    recorded.map_err(Trouble::failure)?;
    Ok(match secret {
        Some(secret) => secret.reveal().to_string(),
        None => format!("partner {id} is there"),
    })
}
