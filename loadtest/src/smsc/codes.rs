//! The numbers of SMPP 3.4: command ids, status values, TLV tags. Only those that a message centre
//! meets.

/// Set in the command id of every response (5.1.2.1).
pub(super) const RESPONSE: u32 = 0x8000_0000;

/// Command ids (5.1.2.1).
pub(super) mod command {
    pub(crate) const GENERIC_NACK: u32 = 0x8000_0000;
    pub(crate) const BIND_RECEIVER: u32 = 0x0000_0001;
    pub(crate) const BIND_TRANSMITTER: u32 = 0x0000_0002;
    pub(crate) const QUERY_SM: u32 = 0x0000_0003;
    pub(crate) const SUBMIT_SM: u32 = 0x0000_0004;
    pub(crate) const DELIVER_SM: u32 = 0x0000_0005;
    pub(crate) const UNBIND: u32 = 0x0000_0006;
    pub(crate) const REPLACE_SM: u32 = 0x0000_0007;
    pub(crate) const CANCEL_SM: u32 = 0x0000_0008;
    pub(crate) const BIND_TRANSCEIVER: u32 = 0x0000_0009;
    pub(crate) const ENQUIRE_LINK: u32 = 0x0000_0015;
    pub(crate) const SUBMIT_MULTI: u32 = 0x0000_0021;
    pub(crate) const DATA_SM: u32 = 0x0000_0103;
}

/// Command status values (5.1.3) that the simulator gives or understands.
pub mod status {
    /// ESME_ROK: no error.
    pub const ROK: u32 = 0x00;
    /// ESME_RINVMSGLEN: message length is invalid.
    pub const RINVMSGLEN: u32 = 0x01;
    /// ESME_RINVCMDLEN: command length is invalid.
    pub const RINVCMDLEN: u32 = 0x02;
    /// ESME_RINVCMDID: invalid command id.
    pub const RINVCMDID: u32 = 0x03;
    /// ESME_RINVBNDSTS: incorrect bind status for the command.
    pub const RINVBNDSTS: u32 = 0x04;
    /// ESME_RALYBND: already in bound state.
    pub const RALYBND: u32 = 0x05;
    /// ESME_RSYSERR: system error.
    pub const RSYSERR: u32 = 0x08;
    /// ESME_RINVSRCADR: invalid source address.
    pub const RINVSRCADR: u32 = 0x0A;
    /// ESME_RINVDSTADR: invalid destination address.
    pub const RINVDSTADR: u32 = 0x0B;
    /// ESME_RBINDFAIL: bind failed.
    pub const RBINDFAIL: u32 = 0x0D;
    /// ESME_RINVPASWD: invalid password.
    pub const RINVPASWD: u32 = 0x0E;
    /// ESME_RINVSYSID: invalid system id.
    pub const RINVSYSID: u32 = 0x0F;
    /// ESME_RCANCELFAIL: cancel_sm failed.
    pub const RCANCELFAIL: u32 = 0x11;
    /// ESME_RREPLACEFAIL: replace_sm failed.
    pub const RREPLACEFAIL: u32 = 0x13;
    /// ESME_RMSGQFUL: message queue full.
    pub const RMSGQFUL: u32 = 0x14;
    /// ESME_RINVDLNAME: invalid distribution list name.
    pub const RINVDLNAME: u32 = 0x34;
    /// ESME_RTHROTTLED: the ESME has exceeded its message limit.
    pub const RTHROTTLED: u32 = 0x58;
    /// ESME_RX_T_APPN: temporary error of the receiving application.
    pub const RX_T_APPN: u32 = 0x64;
    /// ESME_RX_P_APPN: permanent error of the receiving application.
    pub const RX_P_APPN: u32 = 0x65;
    /// ESME_RX_R_APPN: the receiving application rejects the message.
    pub const RX_R_APPN: u32 = 0x66;
    /// ESME_RQUERYFAIL: query_sm failed.
    pub const RQUERYFAIL: u32 = 0x67;
    /// ESME_RINVPARLEN: invalid parameter length.
    pub const RINVPARLEN: u32 = 0xC2;
}

/// TLV tags (5.3.2).
pub(super) mod tag {
    pub(crate) const RECEIPTED_MESSAGE_ID: u16 = 0x001E;
    pub(crate) const SC_INTERFACE_VERSION: u16 = 0x0210;
    pub(crate) const MESSAGE_PAYLOAD: u16 = 0x0424;
    pub(crate) const MESSAGE_STATE: u16 = 0x0427;
}
