//! What the purchase logic wants of the networks, and all that it knows of them: a bank that is charged,
//! and messages that are sent. `router` fulfils it by the router's RPC; tests by what they need.
//!
//! Ids are the whole agreement: the same id is the same charge and the same message, and the network
//! tells its first outcome again. So whoever has heard nothing asks again with the same id, never with
//! another, and with all fields as they were: to the router the same id with another text or validity is a
//! mistake. Nothing here may hold a database change open while it waits.

use std::{fmt, future::Future, pin::Pin};

use zeroize::Zeroizing;

use crate::{money::Vnd, phone::Phone, word::Id};

/// An answer that is awaited.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, Unheard>> + Send + 'a>>;

/// Nothing was heard: the router is out of reach, or refused to say. What was asked for may have happened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the router has not answered: {0}")]
pub struct Unheard(pub String);

/// By what a bank knows an account that was linked: its token, 8 to 19 digits, never a card number.
#[derive(Clone, PartialEq, Eq)]
pub struct AccountToken(Zeroizing<String>);

impl AccountToken {
    /// Takes 8 to 19 digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_token = (8..=19).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
        is_token.then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// For its bank alone.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// Without the token.
impl fmt::Debug for AccountToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AccountToken(…)")
    }
}

/// A debit of a linked account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Charge {
    /// By which it is known for ever.
    pub id: Id,
    /// The bank, as the router names it.
    pub bank: Id,
    /// The account.
    pub account: AccountToken,
    /// How much.
    pub amount: Vnd,
}

/// What is known of a charge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Charged {
    /// The bank has debited. Final unless it is reversed.
    Approved {
        /// The bank's authorisation, perhaps empty.
        authorization: String,
    },
    /// The bank refused; its response code (DE39). Final.
    Declined {
        /// Two characters.
        response_code: String,
    },
    /// Nothing left the router. Final for this id; another id may be tried.
    NotSent {
        /// Why.
        why: String,
    },
    /// It is awaited. Ask again.
    Pending,
    /// It may have reached the bank and is being taken back. Ask again.
    Reversing,
    /// The bank has acknowledged that it is taken back. Final.
    Reversed,
    /// Nobody knows what the bank has: an operator of the router has to look. May become
    /// [`Charged::Resolved`].
    ReversalFailed,
    /// An operator has settled it with the bank by hand; how, in words. Final.
    Resolved {
        /// How.
        how: String,
    },
}

/// The banks behind the router.
pub trait Banks: Send + Sync + 'static {
    /// Charges an account, once for each id.
    fn charge<'a>(&'a self, charge: &'a Charge) -> Answer<'a, Charged>;
    /// What became of a charge; nothing if the router never had it, or has forgotten it.
    fn find<'a>(&'a self, id: &'a Id) -> Answer<'a, Option<Charged>>;
    /// Takes an approved charge back; the same again is the same.
    fn reverse<'a>(&'a self, id: &'a Id) -> Answer<'a, Charged>;
}

/// Who goes first where there is not room for all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Urgency {
    /// Somebody waits for it: a one-time password, a card code.
    Urgent,
    /// Everything else.
    Normal,
}

/// A message to a subscriber.
#[derive(Clone)]
pub struct Message {
    /// By which it is known for ever.
    pub id: Id,
    /// To whom.
    pub to: Phone,
    /// Its text, which may hold a password or a card code.
    pub text: Zeroizing<String>,
    /// Its turn.
    pub urgency: Urgency,
    /// For how many seconds it is of use.
    pub validity_s: u32,
}

/// Without the text.
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} to {:?})", self.id, self.to)
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    /// An SMSC has it.
    Accepted,
    /// It was not taken, and the subscriber does not have it.
    Refused {
        /// Whether the same id may be sent again later.
        again: bool,
        /// Why.
        why: String,
    },
    /// The subscriber may have it or not: it was sent, and nothing was heard.
    Unknown,
}

/// The SMSCs behind the router.
pub trait Messages: Send + Sync + 'static {
    /// Sends a message, once for each id.
    fn send<'a>(&'a self, message: &'a Message) -> Answer<'a, Sent>;
}
