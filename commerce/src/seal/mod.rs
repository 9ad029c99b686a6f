//! Keeps PIN codes of cards and other secrets so that the database alone gives none away.
//!
//! Nothing here may put a secret or a key into a log, an error or a `Debug`.

pub(crate) mod envelope;
mod key;
mod pin;

pub use envelope::SealFault;
pub use key::{KeyFault, KeyId, KeySource, Keys, MasterKey};
pub use pin::{PinCode, PinFault};
pub(crate) use pin::{index, open, seal};
