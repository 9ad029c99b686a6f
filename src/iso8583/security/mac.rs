//! Message authentication codes: how they are made, and where in a message they stand.
//!
//! A MAC is the last element of its message, DE64, or DE128 where the message has a secondary bitmap.
//! It is made over all octets before it as they travel, from the MTI on and with the bitmap that
//! announces it; the frame header is no part of the message.

use super::cipher::{Aes, Des, wrong_length};
use super::key::{CheckMethod, CheckValue, KeyError, Secret, first_half};
use crate::iso8583::bitmap::to_hex;
use crate::iso8583::field::{Content, Encoding, Length};
use crate::iso8583::{Dialect, Message};
use std::fmt;
use subtle::ConstantTimeEq as _;

/// DE64, the MAC of a message without a secondary bitmap.
pub const PRIMARY: u8 = 64;
/// DE128, the MAC of a message with one.
pub const SECONDARY: u8 = 128;
/// A MAC has 64 bits, whatever the algorithm.
pub const MAC_BYTES: usize = 8;

/// How a MAC is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacAlgorithm {
    /// ANSI X9.9 (ISO 9797-1 algorithm 1): CBC of single DES, zeros to a whole block.
    X99,
    /// ANSI X9.19, the retail MAC (ISO 9797-1 algorithm 3): as X9.9 under the left half of the key,
    /// the last block decrypted under the right and encrypted under the left half again.
    X919,
    /// AES-CMAC (RFC 4493), its leftmost eight octets.
    AesCmac,
}

/// How much of a MAC travels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MacLength {
    /// All eight octets.
    #[default]
    Eight,
    /// The leftmost four, as ANSI X9.9 has it, then zeros, which nobody looks at on receipt.
    Four,
}

impl MacLength {
    const fn octets(self) -> usize {
        match self {
            Self::Eight => MAC_BYTES,
            Self::Four => MAC_BYTES / 2,
        }
    }
}

/// A key that MACs are made with. It shows its check value.
pub struct MacKey {
    engine: Engine,
    secret: Secret,
    check_value: CheckValue,
}

enum Engine {
    X99(Des),
    X919 { left: Des, right: Des },
    AesCmac(Aes),
}

impl MacAlgorithm {
    /// How many octets its key may have.
    pub const fn key_lengths(self) -> &'static [usize] {
        match self {
            Self::X99 => &[8],
            Self::X919 => &[16],
            Self::AesCmac => &[16, 24, 32],
        }
    }

    /// How its keys are checked where a bank says nothing else.
    pub const fn check_method(self) -> CheckMethod {
        match self {
            Self::X99 | Self::X919 => CheckMethod::Des,
            Self::AesCmac => CheckMethod::Aes,
        }
    }
}

impl MacKey {
    /// A key for an algorithm.
    ///
    /// # Errors
    /// [`KeyError`] if it is not as long as the algorithm wants.
    pub fn new(algorithm: MacAlgorithm, secret: Secret) -> Result<Self, KeyError> {
        let octets = secret.octets();
        let engine = match (algorithm, octets.len()) {
            (MacAlgorithm::X99, 8) => Engine::X99(Des::new(&secret)?),
            (MacAlgorithm::X99, given) => {
                return Err(wrong_length(given, "the key of an X9.9 MAC has 8"));
            }
            (MacAlgorithm::X919, 16) => {
                let (left, right) = octets.split_at(8);
                let half = |octets: &[u8]| Secret::new(octets.to_vec().into());
                Engine::X919 {
                    left: Des::new(&half(left)?)?,
                    right: Des::new(&half(right)?)?,
                }
            }
            (MacAlgorithm::X919, given) => {
                return Err(wrong_length(given, "the key of an X9.19 MAC has 16"));
            }
            (MacAlgorithm::AesCmac, _) => Engine::AesCmac(Aes::new(&secret)?),
        };
        let check_value = CheckValue::of(&secret, algorithm.check_method())?;
        Ok(Self {
            engine,
            secret,
            check_value,
        })
    }

    /// The MAC of `data`.
    pub fn mac(&self, data: &[u8]) -> [u8; MAC_BYTES] {
        match &self.engine {
            Engine::X99(des) => cbc(des, data),
            Engine::X919 { left, right } => {
                let mut block = cbc(left, data);
                right.decrypt(&mut block);
                left.encrypt(&mut block);
                block
            }
            Engine::AesCmac(aes) => first_half(aes.cmac(data)),
        }
    }

    /// Whether `mac` is that of `data`, in a time that does not tell how much of it is right.
    pub fn verifies(&self, data: &[u8], mac: &[u8], length: MacLength) -> bool {
        let own = self.mac(data);
        let (own, theirs) = (own.get(..length.octets()), mac.get(..length.octets()));
        mac.len() == MAC_BYTES
            && own
                .zip(theirs)
                .is_some_and(|(own, theirs)| own.ct_eq(theirs).into())
    }

    /// Its check value, by the method of its algorithm.
    pub fn check_value(&self) -> CheckValue {
        self.check_value
    }

    /// Whether both are the same key.
    pub(super) fn is_the_same(&self, other: &Self) -> bool {
        self.secret == other.secret
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacKey({})", self.check_value)
    }
}

/// The last block of CBC from a start of zeros, the data being filled up with zeros.
fn cbc(des: &Des, data: &[u8]) -> [u8; 8] {
    let mut block = [0; 8];
    for piece in data.chunks(block.len()) {
        for (own, octet) in block.iter_mut().zip(piece) {
            *own ^= octet;
        }
        des.encrypt(&mut block);
    }
    block
}

/// Puts zeros where the MAC of the message will be written as it is sent.
pub fn make_room(message: &mut Message) {
    // A MAC under the other number would be one that nothing follows up, or two.
    message.remove(PRIMARY);
    message.remove(SECONDARY);
    let number = match message.last_number() {
        Some(65..) => SECONDARY,
        _ => PRIMARY,
    };
    message.set(number, [0; MAC_BYTES]);
}

/// The MAC of a received message: its last element, if that is one.
pub fn received(message: &Message) -> Option<(u8, &[u8])> {
    let number = message.last_number()?;
    let is_mac = number == PRIMARY || number == SECONDARY;
    message
        .get(number)
        .filter(|_| is_mac)
        .map(|mac| (number, mac))
}

/// How a dialect writes MACs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MacForm {
    /// Eight octets.
    Binary,
    /// Sixteen hexadecimal characters.
    Hex,
}

impl MacForm {
    /// The form of DE64 or DE128 in a dialect.
    ///
    /// # Errors
    /// What the element would have to be.
    pub fn of(dialect: &Dialect, number: u8) -> Result<Self, &'static str> {
        const WANTED: &str =
            "has to be content \"b\", length \"fixed\", max 8, encoding \"hex\" or \"binary\"";
        let spec = dialect.element(number).ok_or(WANTED)?;
        match (spec.content(), spec.length(), spec.encoding()) {
            (Content::Bytes, Length::Fixed(8), Encoding::Hex) => Ok(Self::Hex),
            (Content::Bytes, Length::Fixed(8), Encoding::Binary) => Ok(Self::Binary),
            _ => Err(WANTED),
        }
    }

    /// How many octets it takes in a message.
    pub const fn octets(self) -> usize {
        match self {
            Self::Binary => MAC_BYTES,
            Self::Hex => MAC_BYTES * 2,
        }
    }

    /// Whether these octets are the room that [`make_room`] has left.
    pub fn is_room(self, octets: &[u8]) -> bool {
        let zero = match self {
            Self::Binary => 0,
            Self::Hex => b'0',
        };
        octets.len() == self.octets() && octets.iter().all(|octet| *octet == zero)
    }

    /// Writes a MAC, as much of it as travels, into its room.
    pub fn write(self, mac: [u8; MAC_BYTES], length: MacLength, room: &mut [u8]) {
        let bits = u64::from_be_bytes(mac);
        let bits = match length {
            MacLength::Eight => bits,
            MacLength::Four => bits & 0xFFFF_FFFF_0000_0000,
        };
        match self {
            Self::Binary => copy(&bits.to_be_bytes(), room),
            Self::Hex => copy(&to_hex(bits), room),
        }
    }
}

fn copy(from: &[u8], to: &mut [u8]) {
    for (to, from) in to.iter_mut().zip(from) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::iso8583::Mti;

    fn key(algorithm: MacAlgorithm, hex: &str) -> MacKey {
        MacKey::new(algorithm, Secret::from_hex(hex).unwrap()).unwrap()
    }

    fn mac(algorithm: MacAlgorithm, hex: &str, data: &[u8]) -> String {
        let mac = key(algorithm, hex).mac(data);
        String::from_utf8(to_hex(u64::from_be_bytes(mac)).to_vec()).unwrap()
    }

    #[test]
    fn x9_9_agrees_with_fips_113() {
        // FIPS PUB 113, appendix B: the data is filled up with zeros to 32 octets. The MAC that
        // travels there is its left half, F1D30F68.
        let data = b"7654321 Now is the time for ";
        let made = mac(MacAlgorithm::X99, "0123456789ABCDEF", data);
        assert_eq!(made, "F1D30F6849312CA4");
    }

    #[test]
    fn x9_19_agrees_with_iso_9797_1_and_bouncy_castle() {
        // ISO/IEC 9797-1:2011, B.4, algorithm 3, padding method 1.
        let iso = "0123456789ABCDEFFEDCBA9876543210";
        let made = mac(MacAlgorithm::X919, iso, b"Now is the time for all ");
        assert_eq!(made, "A1C72E74EA3FA9B6");
        let made = mac(MacAlgorithm::X919, iso, b"Now is the time for it");
        assert_eq!(made, "2E2B1428CC78254F");
        // Bouncy Castle, ISO9797Alg3MacTest.
        let own = "7CA110454A1A6E570131D9619DC1376E";
        let made = mac(MacAlgorithm::X919, own, b"Hello World !!!!");
        assert_eq!(made, "F09B856213BAB83B");
    }

    #[test]
    fn aes_cmac_agrees_with_rfc_4493() {
        // RFC 4493 section 4, examples 1 to 4; NIST SP 800-38B D.3 for the key of 32 octets.
        let key = "2B7E151628AED2A6ABF7158809CF4F3C";
        let data: Vec<u8> = [
            0x6BC1_BEE2_2E40_9F96_E93D_7E11_7393_172A_u128,
            0xAE2D_8A57_1E03_AC9C_9EB7_6FAC_45AF_8E51,
            0x30C8_1C46_A35C_E411_E5FB_C119_1A0A_52EF,
            0xF69F_2445_DF4F_9B17_AD2B_417B_E66C_3710,
        ]
        .iter()
        .flat_map(|block| block.to_be_bytes())
        .collect();
        for (length, expected) in [
            (0, "BB1D6929E9593728"),
            (16, "070A16B46B4D4144"),
            (40, "DFA66747DE9AE630"),
            (64, "51F0BEBF7E3B9D92"),
        ] {
            let made = mac(MacAlgorithm::AesCmac, key, &data[..length]);
            assert_eq!(made, expected, "{length} octets");
        }
        let long = "603DEB1015CA71BE2B73AEF0857D77811F352C073B6108D72D9810A30914DFF4";
        let made = mac(MacAlgorithm::AesCmac, long, &data[..16]);
        assert_eq!(made, "28A7023F452E8F82");
    }

    #[test]
    fn a_key_has_the_length_that_its_algorithm_wants() {
        for algorithm in [MacAlgorithm::X99, MacAlgorithm::X919, MacAlgorithm::AesCmac] {
            for length in [8, 16, 24, 32] {
                let secret = Secret::from_hex(&"5A".repeat(length)).unwrap();
                let is_key = MacKey::new(algorithm, secret).is_ok();
                assert_eq!(is_key, algorithm.key_lengths().contains(&length));
            }
        }
    }

    #[test]
    fn a_mac_with_one_bit_changed_or_over_other_data_is_wrong() {
        let key = key(MacAlgorithm::X919, "0123456789ABCDEFFEDCBA9876543210");
        let mac = key.mac(b"0200");
        assert!(key.verifies(b"0200", &mac, MacLength::Eight));
        assert!(!key.verifies(b"0201", &mac, MacLength::Eight));
        for bit in 0..64 {
            let changed = (u64::from_be_bytes(mac) ^ 1 << bit).to_be_bytes();
            assert!(!key.verifies(b"0200", &changed, MacLength::Eight), "{bit}");
            let is_behind = bit < 32;
            assert_eq!(key.verifies(b"0200", &changed, MacLength::Four), is_behind);
        }
        assert!(!key.verifies(b"0200", &mac[..4], MacLength::Four));
        assert!(!key.verifies(b"0200", b"", MacLength::Eight));
    }

    #[test]
    fn a_key_shows_its_check_value_alone() {
        let key = key(MacAlgorithm::X919, "0123456789ABCDEFFEDCBA9876543210");
        assert_eq!(format!("{key:?}"), "MacKey(08D7B4)");
    }

    #[test]
    fn room_is_made_in_de64_and_with_a_secondary_bitmap_in_de128() {
        let mut message = Message::new(Mti::FINANCIAL_REQUEST);
        message.set(3, "000000").set(128, [7; 8]);
        make_room(&mut message);
        assert_eq!(received(&message), Some((64, &[0; 8][..])));
        assert!(!message.has(128));
        message.set(90, "0".repeat(42));
        make_room(&mut message);
        assert_eq!(received(&message), Some((128, &[0; 8][..])));
        assert!(!message.has(64));
    }

    #[test]
    fn a_mac_that_is_not_the_last_element_is_none() {
        let mut message = Message::new(Mti::FINANCIAL_RESPONSE);
        assert_eq!(received(&message), None);
        message.set(39, "00").set(64, [1; 8]);
        assert_eq!(received(&message), Some((64, &[1; 8][..])));
        message.set(102, "1");
        assert_eq!(received(&message), None, "what follows it is unprotected");
    }

    #[test]
    fn a_mac_is_written_in_the_form_of_the_dialect() {
        let mac = [0x01, 0x23, 0x45, 0x67, 0x89, 0xAB, 0xCD, 0xEF];
        let written = |form: MacForm, length| {
            let mut room = vec![0; form.octets()];
            form.write(mac, length, &mut room);
            room
        };
        assert_eq!(written(MacForm::Hex, MacLength::Eight), b"0123456789ABCDEF");
        assert_eq!(written(MacForm::Hex, MacLength::Four), b"0123456700000000");
        assert_eq!(written(MacForm::Binary, MacLength::Eight), mac);
        let dialect = Dialect::iso8583_1987_ascii();
        assert_eq!(MacForm::of(dialect, 64), Ok(MacForm::Hex));
        assert!(MacForm::of(dialect, 63).is_err());
    }
}
