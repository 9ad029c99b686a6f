//! The SMPP 3.4 core: PDUs, framing, text, receipts and the session state machine.
//!
//! Everything here is a pure function of bytes, commands and a clock that is passed in.
//!
//! Architecture Invariant: this module does no I/O, reads no clock, knows no runtime and imports
//! nothing from the rest of the crate. A peer's bytes cannot make it panic, loop or allocate
//! beyond the frame limit.
//!
//! | module | holds |
//! |---|---|
//! | [`codec`] | framing: header, length, limit |
//! | [`pdu`] | one type per PDU, and [`Pdu`] over them all |
//! | [`octets`], [`address`], [`tlv`], [`status`], [`command`] | the fields PDUs are made of |
//! | [`text`], [`segment`] | characters to octets, and a long text to parts |
//! | [`language`] | the national tables of GSM 03.38 |
//! | [`compose`], [`transliterate`] | which coding a text gets, and Vietnamese in the letters of GSM 03.38 |
//! | [`concatenation`], [`reassembly`] | which part a message is, and the parts made whole again |
//! | [`receipt`] | what a deliver_sm says about an earlier message |
//! | [`session`] | states, timers, what is answered without asking |
//! | [`describe`], [`mask`] | a PDU for human eyes and for captures, masked |
//! | [`parties`] | the numbers that a PDU names |

pub mod address;
pub mod codec;
pub mod command;
pub mod compose;
pub mod concatenation;
pub mod describe;
mod gsm7;
pub mod language;
pub mod mask;
pub(crate) mod octet_words;
pub mod octets;
pub mod parties;
pub mod pdu;
pub mod reassembly;
pub mod receipt;
pub mod segment;
pub mod session;
pub mod status;
pub mod text;
pub mod tlv;
pub mod transliterate;
mod wire;

pub use address::{Address, AddressError, Npi, Ton};
pub use codec::{Frame, FrameError, Header};
pub use command::CommandId;
pub use octets::{COctetString, MessageId, OctetError, ShortMessage};
pub use pdu::Pdu;
pub use status::CommandStatus;
pub use tlv::{Tag, Tlv, Tlvs};
pub use wire::{DecodeError, DecodeFault};
