//! Who gets messages of subscribers: a partner's address, what he gets, and what his calls are signed with.
//!
//! A partner keeps his id and kind for ever, because deliveries name him by them. A secret is shown when it
//! is made and never again.

use std::time::Duration;

use ipnet::IpNet;
use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Filter, PushError, Secret, SecretFault, Signer, unfit};
use crate::{
    egress::{CallUrl, Egress},
    moment::UnixMs,
    seal::{Keys, SealFault, envelope},
    store::{StoreError, Write, at},
    word::{Id, word},
};

/// Partners, active or not: each message is compared with all of them.
pub const PARTNERS_MAX: u32 = 200;

/// Networks of one partner.
pub const NETWORKS_MAX: usize = 16;

/// How long a secret that was replaced usually signs on.
pub const SECRET_OVERLAP: Duration = Duration::from_secs(24 * 60 * 60);

word! {
    /// The service that a partner has registered, for people.
    ServiceName, 64, "any characters but those of control",
    |char| !char.is_control()
}

word! {
    /// What a partner is for, for people.
    Description, 200, "any characters but those of control",
    |char| !char.is_control()
}

/// How a partner is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PartnerKind {
    /// `GET` as FiboSMS does it, signed if there is a secret.
    Fibo,
    /// `POST` of JSON as Standard Webhooks describes it, always signed.
    Json,
}

impl PartnerKind {
    /// As the table has it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fibo => "fibo",
            Self::Json => "json",
        }
    }

    fn of_word(word: &str) -> Result<Self, StoreError> {
        match word {
            "fibo" => Ok(Self::Fibo),
            "json" => Ok(Self::Json),
            _ => Err(unfit("a kind that is none")),
        }
    }
}

/// What a partner registers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// By which it is known for ever.
    pub id: Id,
    /// How it is called.
    pub kind: PartnerKind,
    /// Where.
    pub url: CallUrl,
    /// Whether it may be called without TLS.
    pub plain_http: bool,
    /// If there are any, it is called in these networks alone.
    pub networks: Vec<IpNet>,
    /// Which messages it gets.
    pub filter: Filter,
    /// For people.
    pub service: ServiceName,
    /// For people.
    pub description: Description,
}

/// A partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partner {
    /// What was registered.
    pub registration: Registration,
    /// Whether it gets messages.
    pub active: bool,
    /// Why it was last switched on or off; perhaps empty.
    pub why: String,
    /// Whether its calls are signed.
    pub signed: bool,
    /// Until when the previous secret signs too.
    pub previous_until: Option<UnixMs>,
    /// Since when it is one.
    pub made_at: UnixMs,
}

/// Whether calls are signed from the beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signing {
    /// With a new secret.
    New,
    /// With a secret that the partner has already.
    With(Secret),
    /// Not at all, which a FiboSMS page may want.
    None,
}

/// Adds a partner, active at once, and gives the secret that was made for it.
///
/// # Errors
/// There is one of that id, there are too many, the URL may not be called, or a webhook is to go unsigned.
pub async fn add(
    write: &mut Write,
    keys: &Keys,
    egress: &Egress,
    new: &Registration,
    signing: Signing,
    now: UnixMs,
) -> Result<Option<Secret>, PushError> {
    egress.check(&new.url, new.plain_http)?;
    if new.networks.len() > NETWORKS_MAX {
        return Err(PushError::Networks);
    }
    let (made, secret) = match signing {
        Signing::None if new.kind == PartnerKind::Json => return Err(SecretFault::Missing.into()),
        Signing::None => (None, None),
        Signing::With(secret) => (None, Some(secret)),
        Signing::New => Secret::make().map(|secret| (Some(secret.clone()), Some(secret)))?,
    };
    let sealed = secret
        .map(|secret| seal(keys, &new.id, &secret))
        .transpose()?;
    let key = sealed.as_ref().map(|_| keys.current().id().to_string());
    if count(write.connection()).await? >= i64::from(PARTNERS_MAX) {
        return Err(PushError::TooMany);
    }
    let networks: Vec<String> = new.networks.iter().map(ToString::to_string).collect();
    let Filter {
        number,
        keyword,
        prefix,
    } = &new.filter;
    let insert =
        "INSERT INTO partner (id, kind, url, service, description, number, keyword, prefix,
            plain_http, networks, active, secret, secret_key, made_at_ms)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, 1, $11, $12, $13)
        ON CONFLICT (id) DO NOTHING";
    let inserted = sqlx::query(insert)
        .bind(new.id.as_str())
        .bind(new.kind.word())
        .bind(new.url.as_str())
        .bind(new.service.as_str())
        .bind(new.description.as_str())
        .bind(number.as_ref().map_or("", |number| number.as_str()))
        .bind(keyword.as_ref().map_or("", |keyword| keyword.as_str()))
        .bind(prefix.as_ref().map_or("", |prefix| prefix.as_str()))
        .bind(i64::from(new.plain_http))
        .bind(networks.join(" "))
        .bind(sealed)
        .bind(key)
        .bind(now.0)
        .execute(write.connection());
    match inserted.await.map_err(at("partner"))?.rows_affected() {
        0 => Err(PushError::Exists(new.id.clone())),
        _ => Ok(made),
    }
}

async fn count(connection: &mut AnyConnection) -> Result<i64, StoreError> {
    let row = sqlx::query("SELECT count(*) FROM partner").fetch_one(connection);
    row.await
        .and_then(|row| row.try_get(0))
        .map_err(at("partner"))
}

/// Switches a partner on or off and keeps the reason. What waits for one that is off becomes dead letters.
///
/// # Errors
/// There is no such partner.
pub async fn set_active(
    write: &mut Write,
    id: &Id,
    active: bool,
    why: &str,
) -> Result<(), PushError> {
    let updated = sqlx::query("UPDATE partner SET active = $2, why = $3 WHERE id = $1")
        .bind(id.as_str())
        .bind(i64::from(active))
        .bind(why)
        .execute(write.connection());
    found(id, updated.await.map_err(at("partner"))?.rows_affected())
}

/// Lets a partner be called elsewhere from the next attempt on.
///
/// # Errors
/// There is no such partner, or the URL may not be called.
pub async fn change_url(
    write: &mut Write,
    egress: &Egress,
    id: &Id,
    url: &CallUrl,
    plain_http: bool,
) -> Result<(), PushError> {
    egress.check(url, plain_http)?;
    let updated = sqlx::query("UPDATE partner SET url = $2, plain_http = $3 WHERE id = $1")
        .bind(id.as_str())
        .bind(url.as_str())
        .bind(i64::from(plain_http))
        .execute(write.connection());
    found(id, updated.await.map_err(at("partner"))?.rows_affected())
}

fn found(id: &Id, rows: u64) -> Result<(), PushError> {
    match rows {
        0 => Err(PushError::NoPartner(id.clone())),
        _ => Ok(()),
    }
}

/// Makes a new secret and gives it. The present one, if there is one, signs beside it for the overlap.
///
/// # Errors
/// There is no such partner, or its present secret cannot be opened.
pub async fn change_secret(
    write: &mut Write,
    keys: &Keys,
    id: &Id,
    overlap: Duration,
    now: UnixMs,
) -> Result<Secret, PushError> {
    let select = "SELECT secret FROM partner WHERE id = $1";
    let row = sqlx::query(select)
        .bind(id.as_str())
        .fetch_optional(write.connection());
    let row = row.await.map_err(at("partner"))?;
    let row = row.ok_or_else(|| PushError::NoPartner(id.clone()))?;
    // Both are under the same key from now on.
    let present = secret(keys, id, &row, 0)?;
    let present = present.map(|secret| seal(keys, id, &secret)).transpose()?;
    let overlap_ms = i64::try_from(overlap.as_millis()).unwrap_or(i64::MAX);
    let until = present.as_ref().map(|_| now.0.saturating_add(overlap_ms));
    let made = Secret::make()?;
    let update = "UPDATE partner SET secret = $2, previous_secret = $3, previous_until_ms = $4,
            secret_key = $5 WHERE id = $1";
    let updated = sqlx::query(update)
        .bind(id.as_str())
        .bind(seal(keys, id, &made)?)
        .bind(present)
        .bind(until)
        .bind(keys.current().id().to_string())
        .execute(write.connection());
    updated.await.map_err(at("partner"))?;
    Ok(made)
}

const COLUMNS: &str =
    "secret, previous_secret, id, kind, url, plain_http, networks, number, keyword,
    prefix, service, description, active, why, previous_until_ms, made_at_ms";

/// All partners, by id.
///
/// # Errors
/// The database.
pub async fn list(connection: &mut AnyConnection) -> Result<Vec<Partner>, StoreError> {
    let select = format!("SELECT {COLUMNS} FROM partner ORDER BY id");
    let rows = sqlx::query(&select).fetch_all(connection);
    rows.await
        .map_err(at("partner"))?
        .iter()
        .map(partner)
        .collect()
}

/// A partner, and what its calls are signed with now.
pub(super) async fn find(
    connection: &mut AnyConnection,
    keys: &Keys,
    id: &Id,
    now: UnixMs,
) -> Result<Option<(Partner, Option<Signer>)>, PushError> {
    let select = format!("SELECT {COLUMNS} FROM partner WHERE id = $1");
    let row = sqlx::query(&select)
        .bind(id.as_str())
        .fetch_optional(connection);
    let Some(row) = row.await.map_err(at("partner"))? else {
        return Ok(None);
    };
    let partner = partner(&row)?;
    let previous = match partner.previous_until {
        Some(until) if until > now => secret(keys, id, &row, 1)?,
        _ => None,
    };
    let present = secret(keys, id, &row, 0)?;
    let signer = present.map(|present| Signer::new(present, previous));
    Ok(Some((partner, signer)))
}

/// The active partners and what they get.
pub(super) async fn filters(
    connection: &mut AnyConnection,
) -> Result<Vec<(Id, PartnerKind, Filter)>, StoreError> {
    let select = "SELECT id, kind, number, keyword, prefix FROM partner
        WHERE active = 1 ORDER BY id LIMIT $1";
    let rows = sqlx::query(select)
        .bind(i64::from(PARTNERS_MAX))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("partner"))?;
    let entry = |row: &AnyRow| {
        let kind = PartnerKind::of_word(&text(row, 1)?)?;
        Ok((id(row, 0)?, kind, filter(row, 2)?))
    };
    rows.iter().map(entry).collect()
}

fn partner(row: &AnyRow) -> Result<Partner, StoreError> {
    let flag = |column| Ok(row.try_get::<i64, _>(column).map_err(at("partner"))? == 1);
    let time = |column| row.try_get::<Option<i64>, _>(column).map_err(at("partner"));
    let secret: Option<Vec<u8>> = row.try_get(0).map_err(at("partner"))?;
    let networks = text(row, 6)?;
    let networks = networks.split_whitespace().map(str::parse);
    Ok(Partner {
        registration: Registration {
            id: id(row, 2)?,
            kind: PartnerKind::of_word(&text(row, 3)?)?,
            url: text(row, 4)?
                .parse()
                .map_err(|_| unfit("a URL that is none"))?,
            plain_http: flag(5)?,
            networks: networks
                .collect::<Result<_, _>>()
                .map_err(|_| unfit("a network that is none"))?,
            filter: filter(row, 7)?,
            service: text(row, 10)?
                .parse()
                .map_err(|_| unfit("a service that is none"))?,
            description: text(row, 11)?.parse().map_err(|_| unfit("a description"))?,
        },
        active: flag(12)?,
        why: text(row, 13)?,
        signed: secret.is_some(),
        previous_until: time(14)?.map(UnixMs),
        made_at: UnixMs(time(15)?.unwrap_or_default()),
    })
}

/// A filter whose three columns begin at that one.
fn filter(row: &AnyRow, first: usize) -> Result<Filter, StoreError> {
    let given = |column| Ok(Some(text(row, column)?).filter(|text| !text.is_empty()));
    let none = "a filter that is none";
    Ok(Filter {
        number: parsed(given(first)?, none)?,
        keyword: parsed(given(first + 1)?, none)?,
        prefix: parsed(given(first + 2)?, none)?,
    })
}

fn parsed<T: std::str::FromStr>(text: Option<String>, why: &str) -> Result<Option<T>, StoreError> {
    let parsed = text.map(|text| text.parse()).transpose();
    parsed.map_err(|_| unfit(why))
}

fn text(row: &AnyRow, column: usize) -> Result<String, StoreError> {
    row.try_get(column).map_err(at("partner"))
}

fn id(row: &AnyRow, column: usize) -> Result<Id, StoreError> {
    text(row, column)?
        .parse()
        .map_err(|_| unfit("an id that is none"))
}

/// The secret of a column, if there is one.
fn secret(keys: &Keys, id: &Id, row: &AnyRow, column: usize) -> Result<Option<Secret>, PushError> {
    let sealed: Option<Vec<u8>> = row.try_get(column).map_err(at("partner"))?;
    let Some(sealed) = sealed else {
        return Ok(None);
    };
    let opened = envelope::open(keys, &context(id), &sealed);
    let opened = opened.map_err(|fault| seal_error(id, fault))?;
    Ok(Some(opened.parse()?))
}

fn seal(keys: &Keys, id: &Id, secret: &Secret) -> Result<Vec<u8>, PushError> {
    let sealed = envelope::seal(keys.current(), &context(id), secret.reveal().as_bytes());
    sealed.map_err(|fault| seal_error(id, fault))
}

pub(crate) fn context(id: &Id) -> Vec<u8> {
    format!("partner {id}").into_bytes()
}

fn seal_error(partner: &Id, fault: SealFault) -> PushError {
    PushError::Seal {
        partner: partner.clone(),
        fault,
    }
}
