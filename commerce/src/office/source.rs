//! What the office shows and others keep: customers, their purchases, and what is delivered to
//! partners. Whoever keeps it fulfils one of these; where nobody does, the pages say so.
//!
//! A change is handed in and committed by the office, with a line in the audit log. What is handed out
//! holds no PIN code, no password, no account token and no message's text.

use std::{future::Future, pin::Pin};

use sqlx::AnyConnection;

use super::read::figures::DayCount;
use crate::{
    moment::UnixMs,
    money::Vnd,
    phone::Phone,
    stock::Serial,
    store::{StoreError, Write},
    word::{CardTypeId, Id},
};

/// What is awaited of a source.
pub type Told<'a, T> = Pin<Box<dyn Future<Output = Result<T, SourceError>> + Send + 'a>>;

/// Why a source did not do something. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SourceError {
    /// It cannot be done as things stand; the sentence is shown to the operator.
    #[error("{0}")]
    Refused(String),
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Who is registered.
pub trait Customers: Send + Sync + 'static {
    /// How many were registered on each day since, days without any left out. `DayCount::day` is made
    /// in SQL as [`DAY_SQL`](super::DAY_SQL) says.
    fn registered_per_day<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        since: UnixMs,
    ) -> Told<'a, Vec<DayCount>>;
}

/// Which purchases are wanted; all of them where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PurchaseFilter {
    /// The one of that id.
    pub id: Option<Id>,
    /// Of that subscriber.
    pub phone: Option<Phone>,
    /// In that state.
    pub state: Option<Id>,
    /// Those that go on only if somebody looks after them.
    pub is_stuck: bool,
}

/// A purchase in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseLine {
    /// By which it is known for ever.
    pub id: Id,
    /// Whose it is.
    pub phone: Phone,
    /// What is bought.
    pub card_type: CardTypeId,
    /// For how much.
    pub amount: Vnd,
    /// From which bank.
    pub bank: Option<Id>,
    /// By SMS, by web.
    pub channel: String,
    /// Where it stands.
    pub state: String,
    /// Whether it goes on only if somebody looks after it.
    pub is_stuck: bool,
    /// When it began.
    pub created_at: UnixMs,
    /// When something happened to it last.
    pub updated_at: UnixMs,
}

/// Something that happened to a purchase or a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happened {
    /// When.
    pub at: UnixMs,
    /// What, in a word.
    pub what: String,
    /// The rest.
    pub detail: String,
}

/// What an operator can do about something, as a button.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WayOut {
    /// By which it comes back.
    pub word: &'static str,
    /// What the button says.
    pub label: &'static str,
    /// What it does, in a sentence.
    pub what: &'static str,
}

/// A purchase with all that is known of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PurchaseDetail {
    /// As it is in a list.
    pub line: PurchaseLine,
    /// What happened, the first first, at most some hundred.
    pub happened: Vec<Happened>,
    /// The cards that were handed out.
    pub cards: Vec<(CardTypeId, Serial)>,
    /// What can be done by hand as it stands.
    pub ways_out: Vec<WayOut>,
}

/// What customers buy.
pub trait Purchases: Send + Sync + 'static {
    /// Those that are wanted, the last ones first, from before the one with that id, at most so many.
    fn list<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        filter: &'a PurchaseFilter,
        before: Option<&'a Id>,
        lines_max: u32,
    ) -> Told<'a, Vec<PurchaseLine>>;

    /// One of them.
    fn find<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        id: &'a Id,
    ) -> Told<'a, Option<PurchaseDetail>>;

    /// Does what [`PurchaseDetail::ways_out`] offered. The office tells the audit log who and why.
    fn resolve<'a>(
        &'a self,
        write: &'a mut Write,
        id: &'a Id,
        way_out: &'a str,
        reason: &'a str,
        now: UnixMs,
    ) -> Told<'a, ()>;

    /// How many are stuck, counted to that many at most.
    fn stuck<'a>(&'a self, connection: &'a mut AnyConnection, count_max: u32) -> Told<'a, u64>;

    /// How many were completed on each day since and what they came to, with those apart of at least
    /// that amount.
    fn per_day<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        since: UnixMs,
        large: Vnd,
    ) -> Told<'a, Vec<DayCount>>;
}

/// Which deliveries are wanted; all of them where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeliveryFilter {
    /// To that partner.
    pub partner: Option<Id>,
    /// Those that are tried no more.
    pub is_dead: bool,
}

/// Something that is to be delivered to a partner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeliveryLine {
    /// By which it is known for ever.
    pub id: Id,
    /// To whom.
    pub partner: Id,
    /// What kind, as `sms` or `webhook`.
    pub kind: String,
    /// Where it stands.
    pub state: String,
    /// Whether it is tried no more.
    pub is_dead: bool,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried next.
    pub next_at: Option<UnixMs>,
    /// What the last try met with.
    pub last_error: String,
    /// Since when it waits.
    pub created_at: UnixMs,
}

/// What is delivered to partners.
pub trait Deliveries: Send + Sync + 'static {
    /// Those that are wanted, the last ones first, from before the one with that id, at most so many.
    fn list<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        filter: &'a DeliveryFilter,
        before: Option<&'a Id>,
        lines_max: u32,
    ) -> Told<'a, Vec<DeliveryLine>>;

    /// One of them, with its tries, the first first.
    fn find<'a>(
        &'a self,
        connection: &'a mut AnyConnection,
        id: &'a Id,
    ) -> Told<'a, Option<(DeliveryLine, Vec<Happened>)>>;

    /// Lets one that is tried no more be tried again.
    fn replay<'a>(&'a self, write: &'a mut Write, id: &'a Id, now: UnixMs) -> Told<'a, ()>;

    /// How many are tried no more, counted to that many at most.
    fn dead<'a>(&'a self, connection: &'a mut AnyConnection, count_max: u32) -> Told<'a, u64>;
}
