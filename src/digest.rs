//! SipHash-2-4 with 128 bits (Aumasson and Bernstein, 2012): short names for long keys. And its
//! quicker form, SipHash-1-3 with 64 bits, for fingerprints: to tell what one caller has changed.
//!
//! Both are keyed with a secret, so that nobody who chooses an id can make two of them meet, and are
//! the same in every version of Sampan, so that names may be stored. SHA-256 would serve as well and
//! costs several times as much on processors without instructions for it. They must never be used
//! where somebody who knows the key is an adversary.

use std::hash::{BuildHasher, Hasher, RandomState};

/// Sixteen bytes that stand for a longer key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Digest(u64, u64);

impl Digest {
    /// The bytes, for a record.
    pub fn to_bytes(self) -> [u8; 16] {
        (u128::from(self.0) | u128::from(self.1) << 64).to_le_bytes()
    }

    /// What [`Digest::to_bytes`] gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let both = u128::from_le_bytes(bytes);
        Self(both as u64, (both >> 64) as u64)
    }

    /// The first half, where a fingerprint need not be proof against chance over billions.
    pub fn short(self) -> u64 {
        self.0
    }
}

/// The secret that digests depend on. Kept with what is stored under them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct DigestKey(u64, u64);

impl DigestKey {
    /// A new secret, from the system's randomness.
    pub fn random() -> Self {
        let word = || RandomState::new().build_hasher().finish();
        Self(word(), word())
    }

    /// The secret as it is stored.
    pub fn to_bytes(self) -> [u8; 16] {
        Digest(self.0, self.1).to_bytes()
    }

    /// What [`DigestKey::to_bytes`] gave.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let Digest(first, second) = Digest::from_bytes(bytes);
        Self(first, second)
    }

    /// Begins a digest of octets, however they are cut.
    pub fn begin(self) -> Digester {
        Digester {
            state: self.state_of_both(),
            tail: 0,
            length: 0,
        }
    }

    /// Begins a digest of whole words, which is quicker.
    pub fn begin_words(self) -> Words<2> {
        Words {
            state: self.state_of_both(),
            words: 0,
        }
    }

    /// Begins a fingerprint.
    pub fn begin_fingerprint(self) -> Fingerprinter {
        Fingerprinter {
            state: self.state(),
            words: 0,
        }
    }

    fn state_of_both(self) -> State {
        let mut state = self.state();
        state.0[1] ^= 0xee;
        state
    }

    fn state(self) -> State {
        State([
            self.0 ^ 0x736f_6d65_7073_6575,
            self.1 ^ 0x646f_7261_6e64_6f6d,
            self.0 ^ 0x6c79_6765_6e65_7261,
            self.1 ^ 0x7465_6462_7974_6573,
        ])
    }
}

impl std::fmt::Debug for DigestKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<masked>")
    }
}

/// A digest under way.
#[derive(Clone)]
pub struct Digester {
    state: State,
    /// Bytes that do not fill a word yet, the first one lowest.
    tail: u64,
    length: usize,
}

impl Digester {
    /// Adds bytes; how they are cut into calls makes no difference.
    #[inline]
    pub fn bytes(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        let held = self.length % 8;
        let word = little_endian(rest);
        self.length += rest.len();
        self.tail |= word << (8 * held);
        if held + rest.len() >= 8 {
            self.state.absorb::<2>(self.tail);
            self.tail = word >> (8 * (8 - held));
        }
    }

    /// Adds bytes after their length, so that neighbouring fields cannot be taken for each other.
    pub fn field(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.bytes(bytes);
    }

    /// Adds a number, the same as its eight bytes, the lowest first.
    #[inline]
    pub fn number(&mut self, number: u64) {
        let held = self.length % 8;
        self.length += 8;
        self.state.absorb::<2>(self.tail | number << (8 * held));
        self.tail = match held {
            0 => 0,
            _ => number >> (8 * (8 - held)),
        };
    }

    /// The digest of all that was added.
    pub fn end(mut self) -> Digest {
        self.state
            .absorb::<2>(self.tail | (self.length as u64) << 56);
        self.state.squeeze_both()
    }
}

/// A digest under way of numbers, and of octets that are whole words of it, so that nothing is shifted:
/// SipHash with so many rounds for each word.
#[derive(Clone)]
pub struct Words<const ROUNDS: u32> {
    state: State,
    words: u64,
}

/// A fingerprint under way.
pub type Fingerprinter = Words<1>;

impl<const ROUNDS: u32> Words<ROUNDS> {
    /// Adds a number.
    #[inline]
    pub fn number(&mut self, number: u64) {
        self.state.absorb::<ROUNDS>(number);
        self.words += 1;
    }

    /// Adds octets, and zeros up to a whole word. Whoever calls it adds how many there are.
    #[inline]
    pub fn octets(&mut self, octets: &[u8]) {
        let (words, rest) = octets.as_chunks::<8>();
        for word in words {
            self.number(u64::from_le_bytes(*word));
        }
        if !rest.is_empty() {
            self.number(little_endian(rest));
        }
    }

    /// Adds octets after their length, so that neighbouring fields cannot be taken for each other.
    #[inline]
    pub fn field(&mut self, octets: &[u8]) {
        self.number(octets.len() as u64);
        self.octets(octets);
    }

    /// The length stands in the highest octet of the last word.
    #[inline]
    fn end_words(&mut self) {
        self.state.absorb::<ROUNDS>((8 * self.words) << 56);
    }
}

impl Words<1> {
    /// The fingerprint of all that was added.
    #[inline]
    pub fn end(mut self) -> u64 {
        self.end_words();
        self.state.0[2] ^= 0xff;
        self.state.squeeze::<3>()
    }
}

impl Words<2> {
    /// The digest of all that was added.
    #[inline]
    pub fn end(mut self) -> Digest {
        self.end_words();
        self.state.squeeze_both()
    }
}

#[derive(Clone)]
struct State([u64; 4]);

impl State {
    #[inline]
    fn absorb<const ROUNDS: u32>(&mut self, word: u64) {
        self.0[3] ^= word;
        self.rounds::<ROUNDS>();
        self.0[0] ^= word;
    }

    #[inline]
    fn squeeze<const ROUNDS: u32>(&mut self) -> u64 {
        self.rounds::<ROUNDS>();
        self.0.iter().fold(0, |all, v| all ^ v)
    }

    /// The end of SipHash-2-4 with 128 bits.
    #[inline]
    fn squeeze_both(&mut self) -> Digest {
        self.0[2] ^= 0xee;
        let first = self.squeeze::<4>();
        self.0[1] ^= 0xdd;
        Digest(first, self.squeeze::<4>())
    }

    #[inline]
    fn rounds<const ROUNDS: u32>(&mut self) {
        let [v0, v1, v2, v3] = &mut self.0;
        for _ in 0..ROUNDS {
            *v0 = v0.wrapping_add(*v1);
            *v1 = v1.rotate_left(13) ^ *v0;
            *v0 = v0.rotate_left(32);
            *v2 = v2.wrapping_add(*v3);
            *v3 = v3.rotate_left(16) ^ *v2;
            *v0 = v0.wrapping_add(*v3);
            *v3 = v3.rotate_left(21) ^ *v0;
            *v2 = v2.wrapping_add(*v1);
            *v1 = v1.rotate_left(17) ^ *v2;
            *v2 = v2.rotate_left(32);
        }
    }
}

/// At most eight bytes as a number. Two reads that may overlap take the place of a loop.
#[inline]
fn little_endian(bytes: &[u8]) -> u64 {
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let [first, last] = [first, last].map(|half| u64::from(u32::from_le_bytes(*half)));
        return first | last << (8 * (bytes.len() - 4));
    }
    match *bytes {
        [] => 0,
        [a] => u64::from(a),
        [a, b] => u64::from(u16::from_le_bytes([a, b])),
        [a, b, c, ..] => u64::from(u32::from_le_bytes([a, b, c, 0])),
    }
}

/// The hasher of maps whose keys are digests already.
#[derive(Clone, Default)]
pub struct AsItIs(u64);

impl Hasher for AsItIs {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 ^= little_endian(bytes.get(..8).unwrap_or(bytes));
    }

    fn write_u64(&mut self, half: u64) {
        self.0 ^= half;
    }
}

#[cfg(test)]
mod tests {
    use std::hash::DefaultHasher;

    use proptest::prelude::*;

    use super::*;

    fn key() -> DigestKey {
        DigestKey::from_bytes(std::array::from_fn(|i| i as u8))
    }

    fn digest(bytes: &[u8]) -> String {
        let mut digester = key().begin();
        digester.bytes(bytes);
        let bytes = digester.end().to_bytes();
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    #[test]
    fn the_vectors_of_the_authors_hold() {
        assert_eq!(digest(&[]), "a3817f04ba25a8e66df67214c7550293");
        assert_eq!(digest(&[0]), "da87c1d86b99af44347659119b22fc45");
    }

    /// The standard library's hasher is SipHash-1-3 with a key of zeros.
    #[test]
    fn a_fingerprint_is_siphash_1_3_of_its_words() {
        let mut fingerprint = DigestKey(0, 0).begin_fingerprint();
        let mut expected = DefaultHasher::new();
        assert_eq!(DigestKey(0, 0).begin_fingerprint().end(), expected.finish());
        for word in [1, u64::MAX, 0x0123_4567_89ab_cdef] {
            fingerprint.number(word);
            expected.write(&word.to_le_bytes());
        }
        fingerprint.octets(b"twelve bytes");
        expected.write(b"twelve bytes\0\0\0\0");
        assert_eq!(fingerprint.end(), expected.finish());
    }

    #[test]
    fn a_digest_of_words_is_that_of_their_octets() {
        let (mut words, mut octets) = (key().begin_words(), key().begin());
        words.field(b"order-000017");
        octets.field(b"order-000017");
        octets.bytes(&[0; 4]);
        assert_eq!(words.end(), octets.end());
    }

    #[test]
    fn fields_are_told_apart_by_their_lengths() {
        let fields = |first: &[u8], second: &[u8]| {
            let mut digester = key().begin();
            digester.field(first);
            digester.field(second);
            digester.end()
        };
        assert_ne!(fields(b"shop", b"1"), fields(b"sho", b"p1"));
    }

    #[test]
    fn two_keys_give_two_digests_and_a_stored_key_gives_the_same() {
        let (one, other) = (DigestKey::random(), DigestKey::random());
        assert_ne!(one.begin().end(), other.begin().end());
        let stored = DigestKey::from_bytes(one.to_bytes());
        assert_eq!(one.begin().end(), stored.begin().end());
    }

    proptest! {
        #[test]
        fn how_bytes_are_cut_makes_no_difference(bytes: Vec<u8>, cut: prop::sample::Index) {
            let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
            let mut digester = key().begin();
            digester.bytes(first);
            digester.bytes(second);
            let mut whole = key().begin();
            whole.bytes(&bytes);
            prop_assert_eq!(digester.end(), whole.end());
        }
    }
}
