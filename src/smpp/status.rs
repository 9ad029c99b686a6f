//! Command status values by the names of SMPP 3.4 table 5-2; unknown ones are preserved.
//!
//! Whether a status is temporary is not said here: precedents conflict, so it is configured per
//! SMSC.

use std::fmt;

/// The `command_status` of a PDU: zero in requests, the outcome in responses (SMPP 3.4 5.1.3).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct CommandStatus(pub u32);

macro_rules! statuses {
    ($($value:literal $name:ident $text:literal)*) => {
        impl CommandStatus {
            $(#[doc = concat!($text, " (", stringify!($value), ").")]
            pub const $name: Self = Self($value);)*

            /// Every status of table 5-2, in its order.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The name of the standard, or `None` for a reserved or vendor's value.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(stringify!($name)),)*
                    _ => None,
                }
            }

            /// What the standard says the status means.
            pub fn meaning(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($text),)*
                    _ => None,
                }
            }
        }
    };
}

statuses! {
    0x0000_0000 ESME_ROK "No error"
    0x0000_0001 ESME_RINVMSGLEN "Message length is invalid"
    0x0000_0002 ESME_RINVCMDLEN "Command length is invalid"
    0x0000_0003 ESME_RINVCMDID "Invalid command id"
    0x0000_0004 ESME_RINVBNDSTS "Incorrect bind status for given command"
    0x0000_0005 ESME_RALYBND "ESME already in bound state"
    0x0000_0006 ESME_RINVPRTFLG "Invalid priority flag"
    0x0000_0007 ESME_RINVREGDLVFLG "Invalid registered delivery flag"
    0x0000_0008 ESME_RSYSERR "System error"
    0x0000_000A ESME_RINVSRCADR "Invalid source address"
    0x0000_000B ESME_RINVDSTADR "Invalid destination address"
    0x0000_000C ESME_RINVMSGID "Message id is invalid"
    0x0000_000D ESME_RBINDFAIL "Bind failed"
    0x0000_000E ESME_RINVPASWD "Invalid password"
    0x0000_000F ESME_RINVSYSID "Invalid system id"
    0x0000_0011 ESME_RCANCELFAIL "Cancel SM failed"
    0x0000_0013 ESME_RREPLACEFAIL "Replace SM failed"
    0x0000_0014 ESME_RMSGQFUL "Message queue full"
    0x0000_0015 ESME_RINVSERTYP "Invalid service type"
    0x0000_0033 ESME_RINVNUMDESTS "Invalid number of destinations"
    0x0000_0034 ESME_RINVDLNAME "Invalid distribution list name"
    0x0000_0040 ESME_RINVDESTFLAG "Destination flag is invalid"
    0x0000_0042 ESME_RINVSUBREP "Invalid submit with replace request"
    0x0000_0043 ESME_RINVESMCLASS "Invalid esm_class field data"
    0x0000_0044 ESME_RCNTSUBDL "Cannot submit to distribution list"
    0x0000_0045 ESME_RSUBMITFAIL "submit_sm or submit_multi failed"
    0x0000_0048 ESME_RINVSRCTON "Invalid source address TON"
    0x0000_0049 ESME_RINVSRCNPI "Invalid source address NPI"
    0x0000_0050 ESME_RINVDSTTON "Invalid destination address TON"
    0x0000_0051 ESME_RINVDSTNPI "Invalid destination address NPI"
    0x0000_0053 ESME_RINVSYSTYP "Invalid system_type field"
    0x0000_0054 ESME_RINVREPFLAG "Invalid replace_if_present flag"
    0x0000_0055 ESME_RINVNUMMSGS "Invalid number of messages"
    0x0000_0058 ESME_RTHROTTLED "Throttling error: the ESME has exceeded its message limits"
    0x0000_0061 ESME_RINVSCHED "Invalid scheduled delivery time"
    0x0000_0062 ESME_RINVEXPIRY "Invalid message validity period"
    0x0000_0063 ESME_RINVDFTMSGID "Predefined message invalid or not found"
    0x0000_0064 ESME_RX_T_APPN "ESME receiver temporary application error"
    0x0000_0065 ESME_RX_P_APPN "ESME receiver permanent application error"
    0x0000_0066 ESME_RX_R_APPN "ESME receiver reject message error"
    0x0000_0067 ESME_RQUERYFAIL "query_sm request failed"
    0x0000_00C0 ESME_RINVOPTPARSTREAM "Error in the optional part of the PDU body"
    0x0000_00C1 ESME_ROPTPARNOTALLWD "Optional parameter not allowed"
    0x0000_00C2 ESME_RINVPARLEN "Invalid parameter length"
    0x0000_00C3 ESME_RMISSINGOPTPARAM "Expected optional parameter missing"
    0x0000_00C4 ESME_RINVOPTPARAMVAL "Invalid optional parameter value"
    0x0000_00FE ESME_RDELIVERYFAILURE "Delivery failure (used for data_sm_resp)"
    0x0000_00FF ESME_RUNKNOWNERR "Unknown error"
}

impl CommandStatus {
    /// True for `ESME_ROK` alone.
    pub fn is_ok(self) -> bool {
        self.0 == 0
    }
}

/// The name of the standard, or the value as eight hexadecimal digits.
impl fmt::Display for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => write!(f, "{:#010x}", self.0),
        }
    }
}

impl fmt::Debug for CommandStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_status_shows_its_name_and_an_unknown_one_its_value() {
        assert_eq!(CommandStatus(0x58).to_string(), "ESME_RTHROTTLED");
        assert_eq!(CommandStatus(0x0400).to_string(), "0x00000400");
        assert_eq!(CommandStatus(0x0400).name(), None);
    }

    #[test]
    fn the_table_is_sorted_so_no_value_is_named_twice() {
        assert!(CommandStatus::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(CommandStatus::ALL.len(), 48);
    }
}
