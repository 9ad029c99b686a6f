//! The ISO 8583:1987 protocol core: messages, their dialects, frames, and the network management
//! session with a bank.
//!
//! Architecture invariant: nothing here does I/O, reads a clock, knows tokio or imports anything
//! from the rest of the crate. Bytes and times are passed in; bytes and events come out.
//!
//! Architecture invariant: no byte of a peer can panic, and no PAN, track, PIN or card code appears
//! in any error or `Debug` of this module in clear.
//!
//! ```text
//!  bytes ─► frame ─► codec (driven by a dialect) ─► Message ─► session ─► events
//! ```

pub mod amount;
pub mod answer;
mod bcd;
pub mod bitmap;
pub mod codec;
pub mod composite;
pub mod currency;
pub mod describe;
pub mod dialect;
mod ebcdic;
pub mod field;
pub mod frame;
pub mod mask;
pub mod match_key;
pub mod message;
pub mod mti;
mod mti_pattern;
pub mod original;
pub mod security;
pub mod session;
pub mod stan;
pub mod time;

pub use codec::{DecodeError, EncodeError};
pub use composite::Composite;
pub use dialect::Dialect;
pub use frame::{Frame, FrameError, Framing};
pub use match_key::{MatchElement, MatchElements, MatchKey};
pub use message::Message;
pub use mti::Mti;
pub use mti_pattern::MtiPattern;
pub use original::OriginalData;
pub use stan::Stan;

/// The number of the last element that the primary and secondary bitmap can announce.
pub const LAST_ELEMENT: u8 = 128;
