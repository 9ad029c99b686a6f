//! MACs (ANSI X9.19) and session keys of the simulator, from code of its own: the last block goes
//! through two-key triple DES at once, where the router decrypts and encrypts under its two halves.
//!
//! A bank with security gives a key by 0810 to whoever asks by 0800/161, and changes it when it likes
//! by an 0800 of its own. It believes the key before for as long as it lives: what is in flight at a
//! change was sent before.

use bytes::{BufMut, BytesMut};
use des::cipher::{BlockEncrypt, KeyInit};
use des::{Des, TdesEde2};

use super::wire::Message;
use crate::fault::Trigger;

/// Hexadecimal characters of a MAC.
const MAC_CHARACTERS: usize = 16;
/// The room of a MAC while it is being made.
const ROOM: &[u8] = b"0000000000000000";
/// Octets of the header that a MAC is not made over.
const HEADER_BYTES: usize = super::wire::HEADER_BYTES;

/// How a bank secures its messages.
#[derive(Clone, PartialEq)]
pub struct BankSecurity {
    /// The key encryption key: both halves of a triple DES key.
    pub kek: [u8; 16],
    /// Financial requests after which the bank changes the key, over the link that they came by.
    pub change_key: Trigger,
    /// Answers that carry a wrong MAC.
    pub wrong_mac: Trigger,
}

/// A key is not shown, not even a test's.
impl std::fmt::Debug for BankSecurity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BankSecurity")
            .field("change_key", &self.change_key)
            .field("wrong_mac", &self.wrong_mac)
            .finish_non_exhaustive()
    }
}

/// The session keys of a bank, the newest last.
#[derive(Default)]
pub(super) struct Keys(Vec<[u8; 16]>);

impl Keys {
    /// Makes a new key; the value of DE48 that carries it.
    pub(super) fn change(&mut self, kek: &[u8; 16]) -> String {
        let key: [u8; 16] = std::array::from_fn(|_| fastrand::u8(..));
        self.0.push(key);
        let [left, right] = halves(&key);
        let check = triple(&key, [0; 8]) >> 40;
        format!(
            "{:016X}{:016X}{check:06X}",
            triple(kek, left),
            triple(kek, right)
        )
    }

    /// Whether there is a key.
    pub(super) fn are_given(&self) -> bool {
        !self.0.is_empty()
    }

    /// Whether the message, without its header, ends with its MAC in DE64 or DE128 under any key that
    /// was given.
    pub(super) fn believe(&self, message: &Message<'_>, octets: &[u8]) -> bool {
        let last = (2..=128)
            .rev()
            .find(|element| message.get(*element).is_some());
        let Some(mac) = last.filter(|last| [64, 128].contains(last)) else {
            return false;
        };
        let covered = without_mac(octets);
        self.0.iter().any(|key| {
            let expected = format!("{:016X}", mac_of(key, covered));
            message.get(mac) == Some(expected.as_bytes())
        })
    }

    /// Writes a message with its MAC under the newest key, or with another one.
    pub(super) fn write(&self, message: &Message<'_>, out: &mut BytesMut, wrong: bool) {
        let Some(key) = self.0.last() else {
            return message.write(out);
        };
        let mut sealed = *message;
        let is_long = (65..=128).any(|element| sealed.get(element).is_some());
        sealed.put(if is_long { 128 } else { 64 }, ROOM);
        let start = out.len() + HEADER_BYTES;
        sealed.write(out);
        out.truncate(out.len() - MAC_CHARACTERS);
        let mac = mac_of(key, out.get(start..).unwrap_or_default());
        out.put_slice(format!("{:016X}", mac ^ u64::from(wrong)).as_bytes());
    }
}

/// A message without the MAC at its end.
pub(super) fn without_mac(octets: &[u8]) -> &[u8] {
    let end = octets.len().saturating_sub(MAC_CHARACTERS);
    octets.get(..end).unwrap_or_default()
}

fn halves(key: &[u8; 16]) -> [[u8; 8]; 2] {
    let (left, right) = key.split_at(8);
    [left, right].map(|half| std::array::from_fn(|at| half.get(at).copied().unwrap_or(0)))
}

fn triple(key: &[u8; 16], block: [u8; 8]) -> u64 {
    let mut block = block.into();
    TdesEde2::new(key.into()).encrypt_block(&mut block);
    u64::from_be_bytes(block.into())
}

/// ANSI X9.19.
fn mac_of(key: &[u8; 16], data: &[u8]) -> u64 {
    let [left, _] = halves(key);
    let single = Des::new(&left.into());
    let mut blocks = data.chunks(8).peekable();
    let mut state = 0_u64;
    while let Some(block) = blocks.next() {
        let mut padded = [0; 8];
        padded
            .iter_mut()
            .zip(block)
            .for_each(|(to, from)| *to = *from);
        state ^= u64::from_be_bytes(padded);
        if blocks.peek().is_none() {
            return triple(key, state.to_be_bytes());
        }
        let mut block = state.to_be_bytes().into();
        single.encrypt_block(&mut block);
        state = u64::from_be_bytes(block.into());
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mac_is_that_of_iso_9797_1() {
        // ISO/IEC 9797-1:2011, B.4, algorithm 3, padding method 1.
        let key = 0x0123_4567_89AB_CDEF_FEDC_BA98_7654_3210_u128.to_be_bytes();
        assert_eq!(
            mac_of(&key, b"Now is the time for all "),
            0xA1C7_2E74_EA3F_A9B6
        );
        assert_eq!(
            mac_of(&key, b"Now is the time for it"),
            0x2E2B_1428_CC78_254F
        );
    }

    #[test]
    fn what_a_bank_writes_it_believes_and_what_is_changed_not() {
        let mut keys = Keys::default();
        let kek = [7; 16];
        assert_eq!(keys.change(&kek).len(), 38);
        let mut answer = Message::new(*b"0210");
        answer.put(39, b"00");
        for wrong in [false, true] {
            let mut out = BytesMut::new();
            keys.write(&answer, &mut out, wrong);
            let octets = &out[HEADER_BYTES..];
            let read = Message::read(octets).unwrap();
            assert_eq!(keys.believe(&read, octets), !wrong);
        }
    }
}
