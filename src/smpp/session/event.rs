//! What a session tells the one that drives it.

use std::time::Duration;

use thiserror::Error;

use super::State;
use crate::smpp::codec::FrameError;
use crate::smpp::command::CommandId;
use crate::smpp::octets::COctetString;
use crate::smpp::pdu::{AlertNotification, BindKind, DataSm, DeliverSm, Outbind, Pdu, SubmitSm};
use crate::smpp::status::CommandStatus;
use crate::smpp::wire::DecodeError;

/// Something the driver has to act on, or to count.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The bind succeeded.
    Bound {
        /// Which ways messages may go.
        kind: BindKind,
        /// The peer's name; empty where its response had none.
        system_id: COctetString<16>,
        /// The peer's version, if it told: on an ESME sc_interface_version, on an SMSC the bind's.
        interface_version: Option<u8>,
    },
    /// The bind was refused. An ESME's session closes; an SMSC's waits for another bind.
    BindRefused {
        /// Why.
        status: CommandStatus,
        /// What follows from it.
        class: BindRefusal,
    },
    /// The peer answered a request. Whether anyone still waits for it is the window's to know.
    Response {
        /// The request's number.
        sequence: u32,
        /// What the response is, to be held against the request.
        command: CommandId,
        /// The outcome.
        status: CommandStatus,
        /// The response, or why its body cannot be read; the outcome is known all the same.
        pdu: Result<Pdu, DecodeError>,
    },
    /// The peer could not understand the request of this number.
    Nack {
        /// The request's number.
        sequence: u32,
        /// Why.
        status: CommandStatus,
    },
    /// The peer could not understand something and does not say what (sequence number 0).
    SessionNack {
        /// Why.
        status: CommandStatus,
    },
    /// An ESME submitted a message; to be answered with `respond`.
    Submit {
        /// To be echoed.
        sequence: u32,
        /// The message.
        submit_sm: SubmitSm,
    },
    /// The SMSC delivered a message or a receipt; to be answered with `respond`.
    Deliver {
        /// To be echoed.
        sequence: u32,
        /// The message.
        deliver_sm: DeliverSm,
    },
    /// The peer sent a data_sm; to be answered with `respond`.
    Data {
        /// To be echoed.
        sequence: u32,
        /// The message.
        data_sm: DataSm,
    },
    /// An ESME sent submit_multi, query_sm, cancel_sm or replace_sm; to be answered with `respond`.
    Request {
        /// To be echoed.
        sequence: u32,
        /// The request.
        pdu: Pdu,
    },
    /// A subscriber can be reached again. It has no response.
    Alert(AlertNotification),
    /// The SMSC asked for a bind, which has been written.
    Outbind(Outbind),
    /// The peer unbound and has its answer: no new requests, responses are still matched.
    PeerUnbinding,
    /// The session is over. Nothing follows.
    Closed(CloseReason),
    /// Something of the peer's that changes nothing; to be counted.
    Ignored(Oddity),
}

/// What follows from a refused bind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BindRefusal {
    /// system_id, password or system_type: a person has to act, so alarm and try slowly.
    Credentials,
    /// The SMSC still holds an earlier session: wait its timeout out.
    AlreadyBound,
    /// Anything else: back off.
    Other,
}

impl BindRefusal {
    /// What follows from a bind_resp with this status.
    pub fn of(status: CommandStatus) -> Self {
        match status {
            CommandStatus::ESME_RINVSYSID
            | CommandStatus::ESME_RINVPASWD
            | CommandStatus::ESME_RINVSYSTYP => Self::Credentials,
            CommandStatus::ESME_RALYBND => Self::AlreadyBound,
            _ => Self::Other,
        }
    }
}

/// Why a session ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum CloseReason {
    /// The peer sent a length that cannot be.
    #[error("the peer's stream cannot be read: {0}")]
    BadFrame(#[from] FrameError),
    /// No bind, or no response to it, within the bind timeout.
    #[error("the peer did not complete the bind within {0:?}")]
    BindTimeout(Duration),
    /// The SMSC refused the bind.
    #[error("the SMSC refused the bind: {0}")]
    BindRefused(CommandStatus),
    /// Nothing came from the peer, not even the answer to enquire_link.
    #[error("the peer was silent for {0:?} and did not answer enquire_link")]
    PeerSilent(Duration),
    /// Our unbind was answered.
    #[error("unbound, and the peer agreed")]
    Unbound,
    /// Our unbind was not answered within the grace.
    #[error("unbound, but the peer did not answer within {0:?}")]
    UnbindUnanswered(Duration),
    /// The peer unbound, and the grace for what was in flight is over.
    #[error("the peer unbound")]
    PeerUnbound,
}

/// Whose doing an end is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fault {
    /// In good order, at our wish.
    Ourselves,
    /// The link's settings: a person has to act.
    Settings,
    /// The peer, or the network between.
    Peer,
}

impl CloseReason {
    /// Whose doing it is.
    pub fn fault(&self) -> Fault {
        match self {
            Self::Unbound => Fault::Ourselves,
            Self::BindRefused(status) if BindRefusal::of(*status) == BindRefusal::Credentials => {
                Fault::Settings
            }
            _ => Fault::Peer,
        }
    }
}

/// Something of the peer's that is off the standard and was contained.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Oddity {
    /// A command id that 3.4 does not have; a request got generic_nack ESME_RINVCMDID.
    #[error("{command} with sequence number {sequence} is no command of SMPP 3.4")]
    UnknownCommand {
        /// The id.
        command: CommandId,
        /// Its number.
        sequence: u32,
    },
    /// A body that cannot be read; a request was refused.
    #[error("sequence number {sequence}: {error}")]
    Undecodable {
        /// Its number.
        sequence: u32,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A response that nothing can be waiting for.
    #[error("{command} with sequence number {sequence} answers nothing")]
    UnexpectedResponse {
        /// What it is.
        command: CommandId,
        /// Its number.
        sequence: u32,
        /// Its status.
        status: CommandStatus,
    },
    /// A request that this state or this side does not allow; it was refused.
    #[error("{command} with sequence number {sequence} is not allowed in {state}")]
    OutOfState {
        /// What it is.
        command: CommandId,
        /// Its number.
        sequence: u32,
        /// The session's state.
        state: State,
    },
}
