//! What a response is found by: the class of the MTI and the STAN.
//!
//! The class is part of the key because some banks want a reversal under the STAN of what it
//! reverses: a late 0210 and the 0430 then differ by class alone. Function and originator are folded
//! away, so that 0210 finds 0200, 0430 finds 0420 and 0421, and a bank that answers 0420 with 0410
//! is understood too. Banks that need further elements in the key (DE41, DE37) will bring them here.

use super::mti::Class;
use super::{Message, Mti, Stan};

/// DE11, the system trace audit number.
pub(super) const DE_STAN: u8 = 11;

/// The key of an exchange in flight with one bank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MatchKey {
    class: Class,
    stan: Stan,
}

/// A message without a STAN that could be matched: DE11 is missing or not six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the {mti} has no DE11 of six digits to match it by")]
pub struct NoStan {
    /// What kind of message it was.
    pub mti: Mti,
}

impl MatchKey {
    /// The key of an exchange.
    pub const fn new(mti: Mti, stan: Stan) -> Self {
        Self {
            class: mti.class,
            stan,
        }
    }

    /// Which kind of exchange it is.
    pub const fn class(self) -> Class {
        self.class
    }

    /// The key of a message, the same for a request, its repeats and its response.
    ///
    /// # Errors
    /// [`NoStan`] if DE11 is missing or not six digits.
    pub fn of(message: &Message) -> Result<Self, NoStan> {
        let mti = message.mti();
        let stan = message.stan().ok_or(NoStan { mti })?;
        Ok(Self::new(mti, stan))
    }

    /// The STAN of the exchange.
    pub const fn stan(self) -> Stan {
        self.stan
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(mti: &str, stan: &str) -> Result<MatchKey, NoStan> {
        MatchKey::of(Message::new(mti.parse().unwrap()).set(11, stan))
    }

    #[test]
    fn a_response_and_a_repeat_have_the_key_of_the_original() {
        assert_eq!(key("0210", "000124"), key("0200", "000124"));
        assert_eq!(key("0421", "000124"), key("0420", "000124"));
        assert_eq!(key("0430", "000124"), key("0421", "000124"));
    }

    #[test]
    fn a_reversal_under_the_same_stan_has_another_key() {
        assert_ne!(key("0430", "000124"), key("0210", "000124"));
        assert_ne!(key("0210", "000124"), key("0210", "000125"));
    }

    #[test]
    fn a_message_without_a_sound_stan_has_no_key() {
        let mti = Mti::FINANCIAL_RESPONSE;
        assert_eq!(key("0210", "12a456"), Err(NoStan { mti }));
        assert_eq!(MatchKey::of(&Message::new(mti)), Err(NoStan { mti }));
    }
}
