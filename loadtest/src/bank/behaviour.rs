//! What a bank simulator is told to be: its accounts, its pace and its faults. Data alone, so that
//! a test reads as the description of a bank.

use std::fmt;
use std::str::FromStr;

use super::security::BankSecurity;
use crate::fault::{Dice, NotUnderstood, Pace, Timing, Trigger};

/// DE39, two characters.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ResponseCode([u8; 2]);

impl ResponseCode {
    /// 00: approved or done.
    pub const APPROVED: Self = Self(*b"00");
    /// 06: error.
    pub const ERROR: Self = Self(*b"06");
    /// 12: invalid transaction.
    pub const INVALID: Self = Self(*b"12");
    /// 13: invalid amount.
    pub const INVALID_AMOUNT: Self = Self(*b"13");
    /// 14: no such card.
    pub const NO_SUCH_CARD: Self = Self(*b"14");
    /// 25: original record not found.
    pub const NOT_FOUND: Self = Self(*b"25");
    /// 30: format error.
    pub const FORMAT_ERROR: Self = Self(*b"30");
    /// 42: no such account.
    pub const NO_SUCH_ACCOUNT: Self = Self(*b"42");
    /// 51: insufficient funds.
    pub const INSUFFICIENT_FUNDS: Self = Self(*b"51");
    /// 91: issuer inoperative.
    pub const INOPERATIVE: Self = Self(*b"91");
    /// 96: system malfunction.
    pub const MALFUNCTION: Self = Self(*b"96");

    /// A code by its two characters.
    pub const fn new(code: [u8; 2]) -> Self {
        Self(code)
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [first, second] = self.0;
        write!(f, "{}{}", char::from(first), char::from(second))
    }
}

impl fmt::Debug for ResponseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for ResponseCode {
    type Err = NotUnderstood;

    fn from_str(given: &str) -> Result<Self, NotUnderstood> {
        match <[u8; 2]>::try_from(given.as_bytes()) {
            Ok(code) if code.iter().all(u8::is_ascii_alphanumeric) => Ok(Self(code)),
            _ => Err(NotUnderstood::new(
                given,
                "a response code of two characters",
            )),
        }
    }
}

/// An account as the bank opens with it.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// The card, 12 to 19 digits.
    pub pan: String,
    /// Its account number, for transfers by DE102 and DE103.
    pub number: Option<String>,
    /// Opening balance in minor units.
    pub balance_minor: i64,
}

impl Account {
    /// An account by its card.
    pub fn new(pan: &str, balance_minor: i64) -> Self {
        Self {
            pan: pan.to_owned(),
            number: None,
            balance_minor,
        }
    }
}

impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Account")
            .field("pan", &super::books::masked(&self.pan))
            .field("balance_minor", &self.balance_minor)
            .finish_non_exhaustive()
    }
}

/// What a financial request before the link's sign-on gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BeforeSignOn {
    /// No answer; it is counted.
    #[default]
    Ignore,
    /// A refusal with this code; it is counted too.
    Refuse(ResponseCode),
}

/// A decline and when it is given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Decline {
    /// Which financial requests.
    pub trigger: Trigger,
    /// DE39 of the answer.
    pub code: ResponseCode,
}

/// Which element of the answer carries a mini statement. Each of its lines has 23 characters:
/// DE7 of the movement (10), `D` or `C`, the amount in minor units (12); the newest line first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StatementElement {
    /// DE48, additional private data.
    #[default]
    De48,
    /// DE125.
    De125,
}

/// How reversals are treated. The two counts are per original, in the order of the fields: the
/// first messages stay unanswered, the next get 96, then it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reversing {
    /// How many messages of each reversal stay unanswered. They do reverse: it is the answer that
    /// is lost.
    pub silent_first: u32,
    /// How many messages of each reversal are then answered 96. They do not reverse.
    pub malfunction_first: u32,
    /// The answer for an original that is not on the books. The reversal is remembered, and the
    /// original not debited if it comes later.
    pub unknown_original: ResponseCode,
}

impl Default for Reversing {
    fn default() -> Self {
        let unknown_original = ResponseCode::NOT_FOUND;
        Self {
            silent_first: 0,
            malfunction_first: 0,
            unknown_original,
        }
    }
}

/// How the messages of a bank travel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Wire {
    /// Behind a length of four ASCII digits, all in ASCII.
    #[default]
    Ascii,
    /// Behind a length of two binary octets, digits packed two to an octet, bitmaps and binary
    /// elements as they are.
    Packed,
}

/// What a bank simulator does. The default has no account and answers at once.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BankBehaviour {
    /// Accounts that are opened at the start, and on a change of behaviour where they are new.
    pub accounts: Vec<Account>,
    /// Opens an account with this balance for every unknown card. `None` declines them with 14.
    pub open_unknown_minor: Option<i64>,
    /// Signs on itself on each new connection, and counts as signed on once that is answered 00.
    pub signs_on: bool,
    /// How its messages travel.
    pub wire: Wire,
    /// What a financial request before the sign-on gets.
    pub before_sign_on: BeforeSignOn,
    /// Where mini statements go.
    pub statement: StatementElement,
    /// The pace of answers to financial requests.
    pub timing: Timing,
    /// Reversals.
    pub reversing: Reversing,

    /// Financial requests declined without a look at the account.
    pub decline: Option<Decline>,
    /// Financial requests left unanswered.
    pub silent: Trigger,
    /// Whether those move money all the same. Either way they are on the books as received.
    pub silent_debits: bool,
    /// Financial requests after which the connection drops without an answer.
    pub disconnect: Trigger,
    /// Whether those move money before. Either way they are on the books as received.
    pub disconnect_debits: bool,
    /// Financial requests that move money and are answered with garbage in a sound frame.
    pub garbage: Trigger,
    /// Financial requests whose answer is written twice.
    pub answers_twice: Trigger,
    /// Financial requests and reversals that are answered at once by another link, if one is signed on.
    pub answers_elsewhere: Trigger,
    /// The code that refuses every 0800.
    pub refuse_network: Option<ResponseCode>,
    /// Leaves every 0800 unanswered.
    pub ignore_network: bool,
    /// Reads and says nothing.
    pub black_hole: bool,

    /// MACs under session keys; `None` has none and looks at none.
    pub security: Option<BankSecurity>,
    /// Financial requests of which the bank sends a chargeback, 0422.
    pub chargebacks: Trigger,
    /// Answers to what the bank asked that it acts as if they had not come, and asks again.
    pub lose_answers: Trigger,
}

/// A behaviour with its running counts.
#[derive(Debug)]
pub(super) struct Live {
    pub(super) behaviour: BankBehaviour,
    pub(super) pace: Pace,
    pub(super) decline: Dice,
    pub(super) silent: Dice,
    pub(super) disconnect: Dice,
    pub(super) garbage: Dice,
    pub(super) change_key: Dice,
    pub(super) wrong_mac: Dice,
    pub(super) chargebacks: Dice,
    pub(super) lose_answers: Dice,
    pub(super) answers_twice: Dice,
    pub(super) answers_elsewhere: Dice,
}

impl Live {
    pub(super) fn new(behaviour: BankBehaviour) -> Self {
        let security = behaviour.security.as_ref();
        let change_key = security.map_or(Trigger::Never, |own| own.change_key);
        let wrong_mac = security.map_or(Trigger::Never, |own| own.wrong_mac);
        Self {
            change_key: Dice::new(change_key),
            wrong_mac: Dice::new(wrong_mac),
            chargebacks: Dice::new(behaviour.chargebacks),
            lose_answers: Dice::new(behaviour.lose_answers),
            pace: Pace::new(behaviour.timing),
            decline: Dice::new(behaviour.decline.map_or(Trigger::Never, |d| d.trigger)),
            silent: Dice::new(behaviour.silent),
            disconnect: Dice::new(behaviour.disconnect),
            garbage: Dice::new(behaviour.garbage),
            answers_twice: Dice::new(behaviour.answers_twice),
            answers_elsewhere: Dice::new(behaviour.answers_elsewhere),
            behaviour,
        }
    }
}
