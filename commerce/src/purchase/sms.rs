//! What a subscriber's message does: all of it in the change that its reception belongs to, so that a
//! message that is handed over twice does nothing twice.
//!
//! A card code is sent again with a line in the audit log, in the same change.

use zeroize::Zeroizing;

use super::{
    Channel, Item, Order, Purchase, PurchaseError, Rules, State, Who,
    confirm::{cancel_within, confirm_within},
    decide, notice,
    order::order_within,
    record::{self, add_event},
    texts,
};
use crate::{
    audit,
    intake::Command,
    moment::UnixMs,
    outgoing,
    phone::Phone,
    port::{Message, Urgency},
    seal::Keys,
    stock,
    store::Write,
    word::Id,
};

/// Answers to a phone in an hour. Two services that answer each other would otherwise do so for ever.
const ANSWERS_HOUR_MAX: i64 = 30;

/// How often a card code is sent again; whoever has not got it then has another problem.
const RESENDS_MAX: i64 = 5;

/// For how long a card code is sent again. Later the number may belong to somebody else.
const RESEND_FOR_MS: i64 = 7 * 24 * 3_600_000;

/// For how long an answer is of use.
const ANSWER_VALID_S: u32 = 3_600;

/// A subscriber's message, understood.
#[derive(Clone, Debug)]
pub struct Received {
    /// By which its reception is known, at most 57 characters. No two messages have the same, and its
    /// repeat has it again.
    pub id: Id,
    /// Who sent it.
    pub phone: Phone,
    /// What it wants.
    pub command: Command,
}

/// Does what a message wants, and queues what is answered.
///
/// # Errors
/// The change has to be undone, and the message handed over again.
pub async fn handle(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    received: &Received,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let answer = match obey(write, keys, rules, received, now).await {
        Ok(answer) => answer,
        Err(PurchaseError::Refused(refusal)) => Some(texts::refused(&refusal, &rules.words)),
        Err(error) => return Err(error),
    };
    match answer {
        Some(text) => answer_with(write, keys, received, text, now).await,
        None => Ok(()),
    }
}

/// What is answered, unless another message does.
async fn obey(
    write: &mut Write,
    keys: &Keys,
    rules: &Rules,
    received: &Received,
    now: UnixMs,
) -> Result<Option<Zeroizing<String>>, PurchaseError> {
    let who = || Who::Phone(received.phone.clone());
    match &received.command {
        Command::Buy { card_type } => {
            let order = Order {
                phone: received.phone.clone(),
                channel: Channel::Sms,
                item: Item::Card(card_type.clone()),
                amount: None,
                idempotency_key: Some(received.id.clone()),
            };
            order_within(write, keys, rules, &order, now).await?;
            Ok(None)
        }
        Command::Confirm { code } => {
            let confirmed = confirm_within(write, keys, rules, &who(), code, now).await?;
            Ok(texts::confirmed(&confirmed))
        }
        Command::Cancel => {
            let cancelled = cancel_within(write, keys, &who(), now).await?;
            Ok(Some(texts::status(&cancelled.0)))
        }
        Command::Status => status(write, keys, &received.phone, now).await,
        Command::Help | Command::Unknown => Ok(Some(texts::help(&rules.words))),
    }
}

/// The last purchase; its card code once more, if it has one.
async fn status(
    write: &mut Write,
    keys: &Keys,
    phone: &Phone,
    now: UnixMs,
) -> Result<Option<Zeroizing<String>>, PurchaseError> {
    let Some(mut purchase) = record::last_of(write.connection(), phone).await? else {
        return Ok(Some(texts::no_purchase()));
    };
    if may_send_card_again(&purchase, now)
        && send_card_again(write, keys, &mut purchase, now).await?
    {
        return Ok(None);
    }
    Ok(Some(texts::status(&purchase)))
}

fn may_send_card_again(purchase: &Purchase, now: UnixMs) -> bool {
    matches!(purchase.state, State::Fulfilled | State::Completed)
        && matches!(purchase.item, Item::Card(_))
        && purchase.card_resends < RESENDS_MAX
        && now < purchase.created_at.plus_ms(RESEND_FOR_MS)
}

/// Sends a card code to the phone that has bought it, and notes that it did. Says nothing if the first
/// message is still to be sent.
async fn send_card_again(
    write: &mut Write,
    keys: &Keys,
    purchase: &mut Purchase,
    now: UnixMs,
) -> Result<bool, PurchaseError> {
    let last = outgoing::state(write.connection(), &notice::last_id(purchase)?).await?;
    if last == Some(outgoing::State::Waiting) {
        return Ok(false);
    }
    let cards = stock::handed_out(write.connection(), keys, &purchase.id).await?;
    let Some(card) = cards.first() else {
        return Ok(false);
    };
    purchase.card_resends += 1;
    let due_at = decide::due_on_entry(purchase.state, now);
    record::put_off(write, purchase, due_at).await?;
    let state = purchase.state;
    let detail = "the card code was asked for again";
    add_event(write, purchase, Some(state), detail, now).await?;
    let subscriber = audit::Who::Subscriber(&purchase.phone);
    let subject = stock::audit_subject(&card.card_type, &card.serial);
    let detail = format!("purchase {}", purchase.id);
    audit::record(write, subscriber, "card.sent_again", &subject, &detail, now).await?;
    notice::send_card(write, keys, purchase, card, now).await?;
    Ok(true)
}

async fn answer_with(
    write: &mut Write,
    keys: &Keys,
    received: &Received,
    text: Zeroizing<String>,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    let since = now.plus_ms(-3_600_000);
    let answers = outgoing::count_since(write.connection(), &received.phone, since).await?;
    if answers >= ANSWERS_HOUR_MAX {
        tracing::warn!(phone = ?received.phone, "is answered no more for a while");
        return Ok(());
    }
    let message = Message {
        id: super::derived(&received.id, "answer")?,
        to: received.phone.clone(),
        text,
        urgency: Urgency::Urgent,
        validity_s: ANSWER_VALID_S,
    };
    Ok(outgoing::queue(write, keys, &message, now).await?)
}
