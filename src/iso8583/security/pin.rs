//! PIN blocks (ISO 9564-1 formats 0 and 3) from the key of one zone to that of another.
//!
//! [`PinTranslator`] is the door behind which an HSM stands: the PIN is then in clear nowhere outside
//! it. [`SoftwarePins`] does the same in this process, where the PIN is in clear for some microseconds;
//! PCI PIN security allows that for tests only. `docs/BANKS.md` says how PKCS#11 stands behind the door.
//!
//! Architecture invariant: there is one error for all that can be wrong with a block. Which digit it
//! was would tell a caller with many tries the PIN.

use super::cipher::Des;
use super::key::{KeyError, Secret};
use std::fmt;
use zeroize::{Zeroize, Zeroizing};

/// ISO 9564-1: a PIN has 4 to 12 digits.
const PIN_DIGITS: std::ops::RangeInclusive<u8> = 4..=12;
/// The nibbles behind the control and length nibbles.
const DIGIT_NIBBLES: u8 = 14;
/// As many digits of the PAN, its check digit left out, go into a block.
const PAN_DIGITS: usize = 12;

/// An encrypted PIN block, DE52. It shows nothing and is wiped when it is dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct PinBlock([u8; 8]);

impl PinBlock {
    /// Eight octets; `None` for another length.
    pub fn new(octets: &[u8]) -> Option<Self> {
        octets.try_into().ok().map(Self)
    }

    /// The octets, for the message and nothing else.
    pub fn octets(&self) -> &[u8; 8] {
        &self.0
    }
}

impl Drop for PinBlock {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for PinBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PinBlock")
    }
}

/// How a PIN is put into a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PinFormat {
    /// Format 0: filled up with F.
    Iso0,
    /// Format 3: filled up at random, so that equal PINs make other blocks.
    Iso3,
}

/// Why a PIN block was not translated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Not a block of this format and card under this key. Which of them, is not told.
    #[error("the PIN block is under another key, of another format or of another card")]
    Block,
    /// What translates is out of order, such as an HSM that does not answer.
    #[error("PIN blocks cannot be translated now")]
    Unavailable,
}

/// Takes PIN blocks from the key of the caller's zone to that of the bank's.
pub trait PinTranslator: Send + Sync {
    /// Translates the block of a card. It is called in the one task that makes the payments of a bank,
    /// which waits for it: it must answer within a bounded time, and that time is the bank's limit.
    ///
    /// # Errors
    /// [`PinError`]; the payment is then not sent.
    fn translate(&self, block: &PinBlock, pan: &[u8]) -> Result<PinBlock, PinError>;
}

/// Octets that nobody can foretell, from the system; `None` if it has none.
pub type Entropy = fn() -> Option<[u8; 8]>;

/// Translation in this process.
pub struct SoftwarePins {
    from: Zone,
    to: Zone,
    entropy: Entropy,
}

/// A zone: its key, and the format of its blocks.
pub struct Zone {
    key: Des,
    format: PinFormat,
}

impl Zone {
    /// A zone whose key is triple DES.
    ///
    /// # Errors
    /// [`KeyError`] for single DES and for a key that is no better.
    pub fn new(key: &Secret, format: PinFormat) -> Result<Self, KeyError> {
        key.refuse_degenerate()?;
        match Des::new(key)? {
            Des::Single(_) => Err(KeyError::Length {
                given: 8,
                wanted: "a PIN encryption key has 16 or 24",
            }),
            key => Ok(Self { key, format }),
        }
    }
}

impl SoftwarePins {
    /// A translator between two zones.
    pub fn new(from: Zone, to: Zone, entropy: Entropy) -> Self {
        Self { from, to, entropy }
    }
}

impl PinTranslator for SoftwarePins {
    fn translate(&self, block: &PinBlock, pan: &[u8]) -> Result<PinBlock, PinError> {
        let pan = pan_field(pan).ok_or(PinError::Block)?;
        let mut clear = Zeroizing::new(block.0);
        self.from.key.decrypt(&mut clear);
        let field = Zeroizing::new(u64::from_be_bytes(*clear) ^ pan);
        let pin = read(self.from.format, &field).ok_or(PinError::Block)?;
        let fill = match self.to.format {
            PinFormat::Iso0 => u64::MAX,
            PinFormat::Iso3 => random_fill((self.entropy)().ok_or(PinError::Unavailable)?),
        };
        let field = Zeroizing::new(write(self.to.format, &pin, fill));
        let mut out = (*field ^ pan).to_be_bytes();
        self.to.key.encrypt(&mut out);
        Ok(PinBlock(out))
    }
}

/// A PIN in clear: its digits, left-aligned in the nibbles of a block.
struct Pin {
    digits: Zeroizing<u64>,
    length: u8,
}

/// The nibble at an index from the left.
fn nibble(field: u64, index: u8) -> u8 {
    (field >> (60 - 4 * u32::from(index)) & 0xF) as u8
}

/// The bits of the digits of a PIN of that length, within its block.
fn digit_bits(length: u8) -> u64 {
    let digits = u64::MAX << (64 - 4 * u32::from(length));
    digits >> 8
}

/// The bits of what fills a block up behind the digits.
fn fill_bits(length: u8) -> u64 {
    u64::MAX >> 8 & !digit_bits(length)
}

/// Reads the PIN field of a block; every nibble of it has to be right.
fn read(format: PinFormat, field: &u64) -> Option<Pin> {
    let length = nibble(*field, 1);
    if nibble(*field, 0) != format.control() || !PIN_DIGITS.contains(&length) {
        return None;
    }
    let is_sound = (0..DIGIT_NIBBLES).all(|index| {
        let value = nibble(*field, index + 2);
        match (index < length, format) {
            (true, _) => value <= 9,
            (false, PinFormat::Iso0) => value == 0xF,
            (false, PinFormat::Iso3) => value >= 0xA,
        }
    });
    is_sound.then(|| Pin {
        digits: Zeroizing::new(field & digit_bits(length)),
        length,
    })
}

fn write(format: PinFormat, pin: &Pin, fill: u64) -> u64 {
    let head = u64::from(format.control()) << 60 | u64::from(pin.length) << 56;
    head | *pin.digits | fill & fill_bits(pin.length)
}

impl PinFormat {
    const fn control(self) -> u8 {
        match self {
            Self::Iso0 => 0,
            Self::Iso3 => 3,
        }
    }
}

/// Nibbles from A to F. Six values from sixteen are not quite even, which the standard allows: they
/// have to be such that the same filling hardly comes again.
fn random_fill(entropy: [u8; 8]) -> u64 {
    let random = u64::from_be_bytes(entropy);
    (0..16).fold(0, |fill, index| {
        fill << 4 | u64::from(0xA + nibble(random, index) % 6)
    })
}

/// The account number field: four zero nibbles and the last twelve digits before the check digit.
fn pan_field(pan: &[u8]) -> Option<u64> {
    let (_check_digit, digits) = pan.split_last()?;
    let last = digits.get(digits.len().saturating_sub(PAN_DIGITS)..)?;
    last.iter().try_fold(0, |field, digit| {
        digit
            .is_ascii_digit()
            .then(|| field << 4 | u64::from(digit - b'0'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: &str = "0123456789ABCDEFFEDCBA9876543210";
    const TO: &str = "2315208C9110AD40FEDCBA98765432100123456789ABCDEF";
    const PAN: &[u8] = b"43219876543210987";

    fn zone(key: &str, format: PinFormat) -> Zone {
        Zone::new(&Secret::from_hex(key).unwrap(), format).unwrap()
    }

    fn encrypted(key: &str, clear: u64) -> PinBlock {
        let mut block = clear.to_be_bytes();
        zone(key, PinFormat::Iso0).key.encrypt(&mut block);
        PinBlock(block)
    }

    fn decrypted(key: &str, block: &PinBlock) -> u64 {
        let mut block = block.0;
        zone(key, PinFormat::Iso0).key.decrypt(&mut block);
        u64::from_be_bytes(block)
    }

    fn translated(formats: [PinFormat; 2], clear: u64, pan: &[u8]) -> Result<u64, PinError> {
        let [from, to] = formats;
        let entropy = || Some([0x5A, 0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD]);
        let pins = SoftwarePins::new(zone(FROM, from), zone(TO, to), entropy);
        let block = pins.translate(&encrypted(FROM, clear), pan)?;
        Ok(decrypted(TO, &block))
    }

    use PinFormat::{Iso0, Iso3};

    #[test]
    fn a_format_0_block_is_read_and_written_as_published() {
        // ID TECH, "PIN block formats": PIN 1234, PAN 43219876543210987.
        let block = 0x0412_AC89_ABCD_EF67;
        assert_eq!(translated([Iso0, Iso0], block, PAN), Ok(block));
    }

    #[test]
    fn a_format_3_block_is_read_as_published_and_becomes_format_0() {
        // IBM, "ISO Format 3": PIN 123456, account number without its check digit 111222333444555,
        // intermediate block 36123456AFBECDDC.
        let pan = b"1112223334445557";
        let block = 0x3612_1675_9CFA_8889;
        // 0 6 123456 FFFFFFFF over 0000 222333444555.
        let expected = 0x0612_3456_FFFF_FFFF ^ 0x0000_2223_3344_4555;
        assert_eq!(translated([Iso3, Iso0], block, pan), Ok(expected));
    }

    #[test]
    fn a_format_3_block_is_filled_from_a_to_f_by_chance() {
        let block = 0x0412_AC89_ABCD_EF67;
        let made = translated([Iso0, Iso3], block, PAN).unwrap();
        let field = made ^ 0x0000_9876_5432_1098;
        assert_eq!(field >> 40, 0x34_1234, "{field:016X}");
        assert!(
            (6..16).all(|index| nibble(field, index) >= 0xA),
            "{field:016X}"
        );
        assert_ne!(field & 0x00FF_FFFF_FFFF, 0x00FF_FFFF_FFFF);
        assert_eq!(translated([Iso3, Iso0], made, PAN), Ok(block));
    }

    #[test]
    fn pins_of_4_to_12_digits_pass_and_no_others() {
        let pan = 0x0000_9876_5432_1098;
        for length in 0..16_u64 {
            let filled = 0x00FF_FFFF_FFFF_FFFF;
            let digits = (0x0012_3456_7890_1234 & !(filled >> (4 * length.min(14))))
                | filled >> (4 * length.min(14));
            let field = length << 56 | digits;
            let told = translated([Iso0, Iso0], field ^ pan, PAN);
            assert_eq!(told.is_ok(), (4..=12).contains(&length), "{length}");
        }
    }

    #[test]
    fn a_block_of_another_card_key_or_format_has_one_error() {
        let block = 0x0412_AC89_ABCD_EF67;
        let wrong = Err(PinError::Block);
        assert_eq!(translated([Iso0, Iso0], block, b"43219876543210187"), wrong);
        assert_eq!(translated([Iso3, Iso0], block, PAN), wrong);
        assert_eq!(
            translated([Iso0, Iso0], block ^ 0x0000_0A00_0000_0000, PAN),
            wrong
        );
        assert_eq!(translated([Iso0, Iso0], block, b"card"), wrong);
        assert_eq!(translated([Iso0, Iso0], block, b""), wrong);
        let pins = SoftwarePins::new(zone(TO, Iso0), zone(FROM, Iso0), || None);
        let told = pins.translate(&encrypted(FROM, block), PAN);
        assert_eq!(told, Err(PinError::Block));
    }

    #[test]
    fn without_entropy_no_format_3_block_is_made() {
        let pins = SoftwarePins::new(zone(FROM, Iso0), zone(TO, Iso3), || None);
        let told = pins.translate(&encrypted(FROM, 0x0412_AC89_ABCD_EF67), PAN);
        assert_eq!(told, Err(PinError::Unavailable));
    }

    #[test]
    fn a_short_card_number_is_filled_with_zeros_on_the_left() {
        assert_eq!(pan_field(b"12345678"), Some(0x123_4567));
    }

    #[test]
    fn a_pin_encryption_key_is_never_single_des() {
        for hex in ["0123456789ABCDEF", "0123456789ABCDEF0123456789ABCDEF"] {
            let key = Secret::from_hex(hex).unwrap();
            assert!(Zone::new(&key, Iso0).is_err());
        }
    }

    #[test]
    fn a_block_shows_nothing() {
        assert_eq!(format!("{:?}", PinBlock([1; 8])), "PinBlock");
        assert_eq!(PinBlock::new(&[0; 7]), None);
    }
}
