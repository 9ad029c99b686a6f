//! What a bank wants of a session. Every code differs from bank to bank, so all are configured.

use super::network::{self, NetworkCode};
use super::{EncodeError, Stan};
use crate::iso8583::frame::BODY_BYTES_MAX;
use crate::iso8583::security::Security;
use crate::iso8583::{Dialect, Framing, Message};
use ::time::OffsetDateTime;
use bytes::BytesMut;
use std::sync::Arc;
use std::time::Duration;

/// Who signs on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SignOnBy {
    /// Sampan, once the connection is up.
    #[default]
    Us,
    /// The bank, as some do that open the connection themselves.
    Bank,
}

/// How a session behaves, from a bank's configuration.
#[derive(Clone, Debug)]
pub struct SessionSettings {
    /// How messages are written.
    pub dialect: Arc<Dialect>,
    /// How frames are cut.
    pub framing: Framing,
    /// DE70 of the sign-on; `None` where the bank wants none.
    pub sign_on: Option<NetworkCode>,
    /// Whose it is.
    pub sign_on_by: SignOnBy,
    /// DE70 of the sign-off; `None` where the bank wants none.
    pub sign_off: Option<NetworkCode>,
    /// DE70 of the echo.
    pub echo: NetworkCode,
    /// DE70 of the bank's cutover to a new day, which is acknowledged.
    pub cutover: Option<NetworkCode>,
    /// How long the bank may take to answer the sign-on, or to send its own.
    pub sign_on_timeout: Duration,
    /// After how long a silence an echo is sent; `None` never sends one.
    pub echo_period: Option<Duration>,
    /// How long the bank may take to answer an echo or the sign-off.
    pub answer_timeout: Duration,
    /// Elements that every 0800 of ours carries besides, such as DE32 and DE33.
    pub elements: Vec<(u8, Box<[u8]>)>,
    /// DE39 of the answer to a request of the bank that nobody here serves.
    pub unsupported_code: String,
    /// MACs, the exchange of their keys, and PINs.
    pub security: Security,
}

impl SessionSettings {
    /// The seed's codes (001, 002, 301, and 201 for a cutover) and moderate times.
    pub fn new(dialect: Arc<Dialect>) -> Self {
        Self {
            framing: Framing::new(dialect.header(), BODY_BYTES_MAX, false),
            dialect,
            sign_on: Some(NetworkCode::SIGN_ON),
            sign_on_by: SignOnBy::Us,
            sign_off: Some(NetworkCode::SIGN_OFF),
            echo: NetworkCode::ECHO,
            cutover: Some(NetworkCode::CUTOVER),
            sign_on_timeout: Duration::from_secs(10),
            echo_period: Some(Duration::from_secs(30)),
            answer_timeout: Duration::from_secs(10),
            elements: Vec::new(),
            unsupported_code: network::FUNCTION_NOT_SUPPORTED.to_owned(),
            security: Security::default(),
        }
    }

    /// Writes a message for this bank, without a frame header. One that carries a MAC ends with room
    /// for it, which [`Session::send`](super::Session::send) fills: the key may change until then.
    ///
    /// # Errors
    /// [`EncodeError`] names the element at fault; `output` is unchanged.
    pub fn encode(&self, message: &Message, output: &mut BytesMut) -> Result<(), EncodeError> {
        let mac = self.security.mac.as_ref();
        let with_room = mac.and_then(|mac| mac.with_room(message));
        self.dialect
            .encode(with_room.as_ref().unwrap_or(message), output)
    }

    /// Whether the dialect can write the 0800 that these settings ask for: to be tried before a
    /// session needs it.
    ///
    /// # Errors
    /// [`EncodeError`] names the element at fault.
    pub fn check(&self) -> Result<(), EncodeError> {
        let moment = OffsetDateTime::UNIX_EPOCH;
        let request = network::request(self, self.echo, Stan::MAX, moment);
        self.dialect.encode(&request, &mut BytesMut::new())?;
        match network::answer(&request, network::ACCEPTED) {
            Some(answer) => self.dialect.encode(&answer, &mut BytesMut::new()),
            None => Ok(()),
        }
    }

    /// DE39 of the answer to what the bank asks. Only what Sampan can honour is accepted: to
    /// acknowledge a key exchange and keep the old key would break the next message.
    pub(super) fn answer_to(&self, code: Option<NetworkCode>) -> &'static str {
        let known = [self.sign_on, self.sign_off, Some(self.echo), self.cutover];
        match code {
            None => network::FORMAT_ERROR,
            Some(_) if known.contains(&code) => network::ACCEPTED,
            Some(_) => network::NOT_SUPPORTED,
        }
    }
}
