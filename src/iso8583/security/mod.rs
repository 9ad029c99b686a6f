//! Security with a bank: keys, MACs, the exchange of session keys, and the translation of PIN blocks.
//!
//! | module | what it is |
//! |---|---|
//! | [`key`] | keys as octets that are wiped when they are dropped, and their check values |
//! | `cipher` | DES, triple DES and AES on single blocks, for the modules here |
//! | [`mac`] | ANSI X9.9, ANSI X9.19 and AES-CMAC, and where in a message a MAC stands |
//! | [`wrap`] | session keys that arrive under a key encryption key |
//! | [`keyring`] | the keys that all links of one bank share |
//! | [`pin`] | PIN blocks of ISO 9564 from one zone's key to another's |
//!
//! Architecture invariant: no key, PIN or PIN block appears in a `Debug`, an error or an event, and
//! each key is wiped from memory when the last holder lets go of it. A check value is no secret: it
//! is what two sides compare aloud.
//!
//! Single DES and ECB are weak by today's measure. They are here because banks still ask for them;
//! what a bank does not ask for is not configured.

mod cipher;
pub mod key;
pub mod keyring;
pub mod mac;
pub mod pin;
pub mod wrap;

pub use key::{CheckValue, KeyError, Secret};
pub use keyring::Keyring;
pub use mac::{MacAlgorithm, MacKey, MacLength};
pub use pin::{PinBlock, PinError, PinFormat, PinTranslator, SoftwarePins};
pub use wrap::{KeyFault, KeyLayout, KeyWrap, WrappingKey};

use super::Message;
use super::mti::{Class, Mti};
use super::session::NetworkCode;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// How a bank secures its messages. The default secures nothing and refuses PINs.
#[derive(Clone, Debug, Default)]
pub struct Security {
    /// The MACs; `None` where the bank has none.
    pub mac: Option<Arc<MacRules>>,
    /// What is done with DE52 of a caller.
    pub pin: PinPolicy,
}

/// Which messages carry a MAC, and by which key.
#[derive(Debug)]
pub struct MacRules {
    /// How it is made.
    pub algorithm: MacAlgorithm,
    /// How much of it travels.
    pub length: MacLength,
    /// The classes of messages that carry one, both ways.
    pub classes: Vec<Class>,
    /// Whether an answer of the bank without a MAC is disbelieved. A request of the bank always
    /// needs one, and one that is there always has to be right.
    pub required_on_answers: bool,
    /// The key of now. The links of a bank share it.
    pub keys: Arc<Keyring>,
    /// How it changes; `None` for a key that the configuration gives once and for all.
    pub exchange: Option<ExchangeRules>,
}

impl MacRules {
    /// Whether such messages carry a MAC.
    pub fn covers(&self, mti: Mti) -> bool {
        self.classes.contains(&mti.class)
    }

    /// The message with room for its MAC, if it is one that carries it: the last element, zeros.
    pub fn with_room(&self, message: &Message) -> Option<Message> {
        self.covers(message.mti()).then(|| {
            let mut message = message.clone();
            mac::make_room(&mut message);
            message
        })
    }
}

/// How session keys are exchanged.
#[derive(Debug)]
pub struct ExchangeRules {
    /// DE70 of the exchange.
    pub code: NetworkCode,
    /// Opens the keys that arrive.
    pub wrapping_key: WrappingKey,
    /// Where they stand.
    pub layout: KeyLayout,
    /// DE39 of the answer to a key that cannot be used.
    pub refusal_code: String,
    /// Whether the first link to sign on asks for a key. Otherwise the bank sends one.
    pub request_at_sign_on: bool,
    /// How long after the sign-on the key may take; then the connection is made anew.
    pub key_timeout: Duration,
    /// How long after a change answers under the key before are still believed.
    pub previous_key: Duration,
}

/// What is done with a caller's PIN block, DE52.
#[derive(Clone, Default)]
pub enum PinPolicy {
    /// The payment is refused: a block under a key that the bank does not have would only be declined,
    /// and one that goes through unlooked at is nobody's responsibility.
    #[default]
    Refuse,
    /// The caller has the bank's own key, and the block goes as it is.
    Pass,
    /// From the caller's zone key to the bank's.
    Translate(Arc<dyn PinTranslator>),
}

impl fmt::Debug for PinPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refuse => "Refuse",
            Self::Pass => "Pass",
            Self::Translate(_) => "Translate",
        })
    }
}
