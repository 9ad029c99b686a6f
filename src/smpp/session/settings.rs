//! What a session needs to know before it starts.

use std::time::Duration;

use crate::smpp::codec::FRAME_OCTETS_MAX;
use crate::smpp::octets::{COctetString, Password};
use crate::smpp::pdu::Bind;
use crate::smpp::status::CommandStatus;

/// The interface_version of SMPP 3.4 (5.2.4).
pub const INTERFACE_VERSION_3_4: u8 = 0x34;

/// Times and sizes that hold for either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionLimits {
    /// How long the bind may take, from the connection to its response.
    pub bind_timeout: Duration,
    /// After this long without any PDU from the peer it is asked; after as long again it is dead.
    pub enquire_link_period: Duration,
    /// How long to go on reading after an unbind of either side.
    pub unbind_grace: Duration,
    /// Longest PDU in octets, in either direction.
    pub frame_octets_max: usize,
}

impl Default for SessionLimits {
    fn default() -> Self {
        Self {
            bind_timeout: Duration::from_secs(10),
            enquire_link_period: Duration::from_secs(30),
            unbind_grace: Duration::from_secs(5),
            frame_octets_max: FRAME_OCTETS_MAX,
        }
    }
}

/// An ESME's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionSettings {
    /// The bind that opens it: kind, system_id, password, system_type, interface_version and
    /// address range.
    pub bind: Bind,
    /// Times and sizes.
    pub limits: SessionLimits,
}

/// An SMSC's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmscSettings {
    /// The SMSC's own name.
    pub system_id: COctetString<16>,
    /// What to send as sc_interface_version; old SMSCs send none.
    pub interface_version: Option<u8>,
    /// Who may bind.
    pub admission: Admission,
    /// Times and sizes.
    pub limits: SessionLimits,
}

/// Who may bind to an SMSC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// Everybody, whatever the password.
    Anyone,
    /// These and nobody else.
    Accounts(Vec<Account>),
    /// Nobody, for this reason.
    Refuse(CommandStatus),
}

/// An ESME that may bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub system_id: COctetString<16>,
    /// Its password.
    pub password: Password,
}

impl Admission {
    /// The status of the response to `bind`.
    pub(super) fn judge(&self, bind: &Bind) -> CommandStatus {
        match self {
            Self::Anyone => CommandStatus::ESME_ROK,
            Self::Refuse(status) => *status,
            Self::Accounts(accounts) => {
                match accounts
                    .iter()
                    .find(|account| account.system_id == bind.system_id)
                {
                    None => CommandStatus::ESME_RINVSYSID,
                    Some(account) if account.password != bind.password => {
                        CommandStatus::ESME_RINVPASWD
                    }
                    Some(_) => CommandStatus::ESME_ROK,
                }
            }
        }
    }
}
