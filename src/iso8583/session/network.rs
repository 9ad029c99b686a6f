//! The network management messages that a session writes by itself: 0800 and the answers to it.

use super::settings::SessionSettings;
use super::{Message, Mti, OffsetDateTime, Stan};
use crate::iso8583::time::transmission;
use std::fmt;

/// DE39 of what is done.
pub(super) const ACCEPTED: &str = "00";
/// DE39 of what Sampan does not do: invalid transaction.
pub(super) const NOT_SUPPORTED: &str = "12";
/// DE39 of a request without a readable DE70: format error.
pub(super) const FORMAT_ERROR: &str = "30";

/// DE39 of a request that nobody serves: requested function not supported.
pub(super) const FUNCTION_NOT_SUPPORTED: &str = "40";

/// DE70, the network management information code: three digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct NetworkCode([u8; 3]);

impl NetworkCode {
    /// 001, sign-on.
    pub const SIGN_ON: Self = Self(*b"001");
    /// 002, sign-off.
    pub const SIGN_OFF: Self = Self(*b"002");
    /// 301, echo.
    pub const ECHO: Self = Self(*b"301");
    /// 201, cutover.
    pub const CUTOVER: Self = Self(*b"201");

    /// 161, key exchange.
    pub const KEY_EXCHANGE: Self = Self(*b"161");

    /// Reads three digits. `None` for anything else.
    pub fn parse(value: &[u8]) -> Option<Self> {
        let digits: [u8; 3] = value.try_into().ok()?;
        digits
            .iter()
            .all(u8::is_ascii_digit)
            .then_some(Self(digits))
    }

    /// The three digits of DE70.
    pub const fn digits(self) -> [u8; 3] {
        self.0
    }
}

impl fmt::Display for NetworkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0.escape_ascii())
    }
}

impl fmt::Debug for NetworkCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NetworkCode({self})")
    }
}

/// An 0800.
pub(super) fn request(
    settings: &SessionSettings,
    code: NetworkCode,
    stan: Stan,
    utc: OffsetDateTime,
) -> Message {
    let mut message = Message::new(Mti::NETWORK_REQUEST);
    for (number, value) in &settings.elements {
        message.set(*number, value);
    }
    message
        .set(7, transmission(utc))
        .set(11, stan.digits())
        .set(70, code.digits());
    message
}

/// The answer to the bank's 0800: its own time, trace, institutions and code, and DE39. `None` for
/// what wants no answer.
pub(super) fn answer(request: &Message, response_code: &str) -> Option<Message> {
    let mut answer = Message::new(request.mti().response()?);
    for number in [7, 11, 32, 33, 70] {
        // Received text may hold what must not be sent, and then DE70 was not understood either.
        if let Some(value) = request.get(number)
            && value.iter().all(u8::is_ascii_digit)
        {
            answer.set(number, value);
        }
    }
    answer.set(39, response_code);
    Some(answer)
}
