//! The PDUs that are a header and nothing else: unbind, enquire_link, generic_nack (SMPP 3.4 4.2,
//! 4.3, 4.11). Octets after their header are ignored: some peers send them.

use bytes::BytesMut;

use super::{Encode, Request, Response};
use crate::smpp::command::CommandId;
use crate::smpp::status::CommandStatus;

macro_rules! header_only {
    ($($(#[$doc:meta])* $name:ident $id:ident $kind:ident)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub struct $name;

        impl Encode for $name {
            fn command_id(&self) -> CommandId {
                CommandId::$id
            }

            fn encode_body(&self, _status: CommandStatus, _out: &mut BytesMut) {}
        }

        impl $kind for $name {}
    )*};
}

header_only! {
    /// Ends a session in good order (4.2.1).
    Unbind UNBIND Request
    /// Answers unbind (4.2.2).
    UnbindResp UNBIND_RESP Response
    /// Asks whether the peer still lives (4.11.1).
    EnquireLink ENQUIRE_LINK Request
    /// Answers enquire_link (4.11.2).
    EnquireLinkResp ENQUIRE_LINK_RESP Response
    /// Says that a PDU could not be understood (4.3.1); its status says why.
    GenericNack GENERIC_NACK Response
}
