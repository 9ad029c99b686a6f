//! Command ids of SMPP 3.4 table 5-1; unknown ones are preserved.

use std::fmt;

/// The `command_id` of a PDU. Bit 31 marks a response.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub u32);

macro_rules! commands {
    ($($value:literal $constant:ident $name:literal)*) => {
        impl CommandId {
            $(#[doc = concat!("`", $name, "` (", stringify!($value), ").")]
            pub const $constant: Self = Self($value);)*

            /// Every command of SMPP 3.4.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];

            /// The name of the standard, or `None` for a reserved or vendor's id.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

commands! {
    0x0000_0001 BIND_RECEIVER "bind_receiver"
    0x0000_0002 BIND_TRANSMITTER "bind_transmitter"
    0x0000_0003 QUERY_SM "query_sm"
    0x0000_0004 SUBMIT_SM "submit_sm"
    0x0000_0005 DELIVER_SM "deliver_sm"
    0x0000_0006 UNBIND "unbind"
    0x0000_0007 REPLACE_SM "replace_sm"
    0x0000_0008 CANCEL_SM "cancel_sm"
    0x0000_0009 BIND_TRANSCEIVER "bind_transceiver"
    0x0000_000B OUTBIND "outbind"
    0x0000_0015 ENQUIRE_LINK "enquire_link"
    0x0000_0021 SUBMIT_MULTI "submit_multi"
    0x0000_0102 ALERT_NOTIFICATION "alert_notification"
    0x0000_0103 DATA_SM "data_sm"
    0x8000_0000 GENERIC_NACK "generic_nack"
    0x8000_0001 BIND_RECEIVER_RESP "bind_receiver_resp"
    0x8000_0002 BIND_TRANSMITTER_RESP "bind_transmitter_resp"
    0x8000_0003 QUERY_SM_RESP "query_sm_resp"
    0x8000_0004 SUBMIT_SM_RESP "submit_sm_resp"
    0x8000_0005 DELIVER_SM_RESP "deliver_sm_resp"
    0x8000_0006 UNBIND_RESP "unbind_resp"
    0x8000_0007 REPLACE_SM_RESP "replace_sm_resp"
    0x8000_0008 CANCEL_SM_RESP "cancel_sm_resp"
    0x8000_0009 BIND_TRANSCEIVER_RESP "bind_transceiver_resp"
    0x8000_0015 ENQUIRE_LINK_RESP "enquire_link_resp"
    0x8000_0021 SUBMIT_MULTI_RESP "submit_multi_resp"
    0x8000_0103 DATA_SM_RESP "data_sm_resp"
}

const RESPONSE_BIT: u32 = 0x8000_0000;

impl CommandId {
    /// True when bit 31 is set: a response, or generic_nack.
    pub fn is_response(self) -> bool {
        self.0 & RESPONSE_BIT != 0
    }

    /// The id of the response to this request. A response is its own.
    pub fn response(self) -> Self {
        Self(self.0 | RESPONSE_BIT)
    }
}

/// The name of the standard, or the value as eight hexadecimal digits.
impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_response_is_its_request_with_bit_31_set() {
        assert_eq!(CommandId::SUBMIT_SM.response(), CommandId::SUBMIT_SM_RESP);
        assert!(CommandId::GENERIC_NACK.is_response());
        assert!(!CommandId::ALERT_NOTIFICATION.is_response());
        assert_eq!(CommandId::ALL.len(), 27);
    }

    #[test]
    fn an_unknown_command_keeps_its_value() {
        assert_eq!(CommandId(0x0001_0200).name(), None);
        assert_eq!(CommandId(0x0001_0200).to_string(), "0x00010200");
    }
}
