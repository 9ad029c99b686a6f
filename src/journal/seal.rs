//! Seals rows: nobody reads one without the key, changes it, or puts it in the place of another.
//!
//! ```text
//!   form 1 | key id 4 | salt 16 | counter 8 | content, AES-256-GCM | tag 16
//! ```
//!
//! Two rows under one key and nonce would show what they have in common, so that must never happen.
//! Each opening of the journal draws a salt and derives a key of its own from it; the nonce is a
//! counter under that key, which no row gets twice. The head and the row's number are authenticated
//! with the content, so a row cannot be moved, nor said to be under another key.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::atomic::{AtomicU64, Ordering::Relaxed},
};

use ring::{
    aead::{Aad, LessSafeKey, Nonce},
    error::Unspecified,
    rand::{SecureRandom as _, SystemRandom},
};
use zeroize::Zeroizing;

use super::{
    key::{KeyId, Keys},
    wire::Damaged,
};

/// The first byte of a row; another layout gets another number.
const FORM: u8 = 1;

const SALT_BYTES: usize = 16;
const HEAD_BYTES: usize = 1 + KeyId::BYTES + SALT_BYTES + size_of::<u64>();

/// Derived keys that a reader keeps, one for each opening that has rows left. More are derived anew,
/// a few microseconds each.
const SUBKEYS_MAX: usize = 1_024;

/// What is authenticated beside the content: the head and the number.
const AAD_BYTES: usize = HEAD_BYTES + size_of::<u64>();

type Salt = [u8; SALT_BYTES];

/// Why a row cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RowFault {
    /// It is shorter than any row.
    #[error("is cut short: it has {0} bytes")]
    Short(usize),
    /// A later version wrote it.
    #[error(
        "has form {0}, and this version of Sampan knows form {FORM}; run the version that wrote it"
    )]
    Form(u8),
    /// Its key is not among those configured.
    #[error(
        "is sealed with key {0}, which is not configured; add that key to journal.previous_keys"
    )]
    Key(KeyId),
    /// It is not what was sealed.
    #[error(
        "does not fit its seal under key {0}: it was damaged, changed or moved; restore the file \
         from a copy"
    )]
    Seal(KeyId),
    /// What was sealed is not what this version seals.
    #[error("{0}")]
    Content(#[from] Damaged),
    /// The journal's own row, number 0, is not there.
    #[error("is missing, and holds what the others are read by; restore the file from a copy")]
    Missing,
}

/// Seals the rows of one opening.
pub(super) struct Sealer {
    key: LessSafeKey,
    id: KeyId,
    salt: Salt,
    counter: AtomicU64,
}

impl Sealer {
    /// Under a fresh key, derived from the current one.
    ///
    /// # Errors
    /// The system gives no randomness.
    pub(super) fn new(keys: &Keys) -> Result<Self, Unspecified> {
        let mut salt = Salt::default();
        SystemRandom::new().fill(&mut salt)?;
        Ok(Self {
            key: keys.current().subkey(&salt)?,
            id: keys.current().id(),
            salt,
            counter: AtomicU64::new(0),
        })
    }

    /// Appends the row of that number with the content that `write` appends, which is in memory in clear
    /// no longer than that.
    ///
    /// # Errors
    /// The content is longer than AES-GCM can take, 64 GiB. What was appended is of no use then.
    pub(super) fn seal(
        &self,
        number: u64,
        to: &mut Vec<u8>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Result<(), Unspecified> {
        /// Of a usual row, so that none is moved and left behind in clear where memory grows.
        const USUAL_BYTES: usize = 1_024;
        // At a billion rows a second it would run round after 500 years.
        let counter = self.counter.fetch_add(1, Relaxed);
        to.reserve(USUAL_BYTES);
        let start = to.len();
        to.push(FORM);
        to.extend(self.id.to_bytes());
        to.extend(self.salt);
        to.extend(counter.to_be_bytes());
        write(to);
        let (_, row) = to.split_at_mut(start);
        let (head, content) = row.split_at_mut(HEAD_BYTES);
        let aad = Aad::from(authenticated(head, number));
        let tag = self
            .key
            .seal_in_place_separate_tag(nonce(counter), aad, content)?;
        to.extend(tag.as_ref());
        Ok(())
    }
}

/// Reads rows of any opening under any of the keys.
pub(super) struct Unsealer<'k> {
    keys: &'k Keys,
    subkeys: HashMap<(KeyId, Salt), LessSafeKey>,
}

impl<'k> Unsealer<'k> {
    pub(super) fn new(keys: &'k Keys) -> Self {
        Self {
            keys,
            subkeys: HashMap::new(),
        }
    }

    /// The content of the row of that number, and the key that it was sealed with.
    ///
    /// # Errors
    /// It is not as it was sealed, or its key is not here.
    pub(super) fn open(
        &mut self,
        number: u64,
        row: &[u8],
    ) -> Result<(KeyId, Zeroizing<Vec<u8>>), RowFault> {
        match row.first() {
            Some(&FORM) => {}
            Some(other) => return Err(RowFault::Form(*other)),
            None => return Err(RowFault::Short(0)),
        }
        let short = || RowFault::Short(row.len());
        let (head, sealed) = row.split_at_checked(HEAD_BYTES).ok_or_else(short)?;
        let (id, salt, counter) = fields(head).ok_or_else(short)?;
        let wrong = |_| RowFault::Seal(id);
        let key = self.subkey(id, salt)?;
        let aad = Aad::from(authenticated(head, number));
        let mut content = Zeroizing::new(sealed.to_vec());
        let length = key
            .open_in_place(nonce(counter), aad, &mut content)
            .map_err(wrong)?
            .len();
        content.truncate(length);
        Ok((id, content))
    }

    fn subkey(&mut self, id: KeyId, salt: Salt) -> Result<&LessSafeKey, RowFault> {
        if self.subkeys.len() >= SUBKEYS_MAX && !self.subkeys.contains_key(&(id, salt)) {
            self.subkeys.clear();
        }
        let master = self.keys.find(id).ok_or(RowFault::Key(id))?;
        match self.subkeys.entry((id, salt)) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(new) => {
                let subkey = master.subkey(&salt).map_err(|_| RowFault::Seal(id))?;
                Ok(new.insert(subkey))
            }
        }
    }
}

/// What a head says after its form.
fn fields(head: &[u8]) -> Option<(KeyId, Salt, u64)> {
    let (_, rest) = head.split_first()?;
    let (id, rest) = rest.split_first_chunk()?;
    let (salt, rest) = rest.split_first_chunk()?;
    let counter = u64::from_be_bytes(*rest.first_chunk()?);
    Some((KeyId::from_bytes(*id), *salt, counter))
}

fn authenticated(head: &[u8], number: u64) -> [u8; AAD_BYTES] {
    let mut bytes = [0; AAD_BYTES];
    let all = head.iter().copied().chain(number.to_be_bytes());
    bytes.iter_mut().zip(all).for_each(|(to, from)| *to = from);
    bytes
}

fn nonce(counter: u64) -> Nonce {
    let [a, b, c, d, e, f, g, h] = counter.to_be_bytes();
    Nonce::assume_unique_for_key([0, 0, 0, 0, a, b, c, d, e, f, g, h])
}
