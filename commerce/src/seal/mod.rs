//! Keeps PIN codes of cards so that the database alone gives none away.
//!
//! Nothing here may put a PIN code or a key into a log, an error or a `Debug`.

mod key;
mod pin;

pub use key::{KeyFault, KeyId, KeySource, Keys, MasterKey};
pub use pin::{PinCode, PinFault};
pub(crate) use pin::{index, open, seal};
