//! A message: its MTI and its elements, sparse.
//!
//! A received message shares the buffer that it came in; an element that is set is copied once into
//! the message's own buffer. So a message costs two or three allocations, whatever its elements.

use super::mask::masked;
use super::match_key::DE_STAN;
use super::{Mti, Stan};
use bytes::Bytes;
use std::fmt;

/// An MTI and the elements 2 to 128, in the form that the standard describes: digits and letters
/// as ASCII, `b` elements as bytes, whatever the dialect makes of them on the wire.
#[derive(Clone)]
pub struct Message {
    mti: Mti,
    /// Rising by number.
    slots: Vec<Slot>,
    /// The frame that a received message came in.
    received: Bytes,
    /// What has been set. A value that is replaced leaves a hole, which is short-lived.
    own: Vec<u8>,
}

#[derive(Clone, Copy)]
struct Slot {
    number: u8,
    place: Place,
    // Frames and values are far shorter than 4 GiB, and slots of 12 octets are kept by the million.
    start: u32,
    length: u32,
}

impl Slot {
    fn new(number: u8, place: Place, start: usize, length: usize) -> Self {
        Self {
            number,
            place,
            start: start as u32,
            length: length as u32,
        }
    }
}

#[derive(Clone, Copy)]
enum Place {
    Received,
    Own,
}

/// Room for the elements of a usual financial message, so that building one does not reallocate.
const USUAL_ELEMENTS: usize = 24;
/// Room for the values of a usual financial message.
const USUAL_BYTES: usize = 256;

impl Message {
    /// A message without elements.
    pub fn new(mti: Mti) -> Self {
        Self {
            mti,
            slots: Vec::with_capacity(USUAL_ELEMENTS),
            received: Bytes::new(),
            own: Vec::with_capacity(USUAL_BYTES),
        }
    }

    /// A message of which the decoder will push the elements, in rising order.
    pub(super) fn over(mti: Mti, received: Bytes, elements: usize) -> Self {
        Self {
            mti,
            slots: Vec::with_capacity(elements),
            received,
            own: Vec::new(),
        }
    }

    /// Adds an element that lies in the received buffer and follows all others by number.
    pub(super) fn push_received(&mut self, number: u8, start: usize, length: usize) {
        self.slots
            .push(Slot::new(number, Place::Received, start, length));
    }

    /// Adds an element that follows all others by number and does not lie in the received buffer as
    /// it is; its value.
    pub(super) fn push_own(&mut self, number: u8, value: impl Iterator<Item = u8>) -> &[u8] {
        if self.own.is_empty() {
            self.own.reserve(USUAL_BYTES);
        }
        let start = self.own.len();
        self.own.extend(value);
        let length = self.own.len() - start;
        self.slots
            .push(Slot::new(number, Place::Own, start, length));
        self.own.get(start..).unwrap_or_default()
    }

    /// The message type.
    pub fn mti(&self) -> Mti {
        self.mti
    }

    /// Changes the message type: a 0420 becomes a 0421, all else being the same.
    pub fn set_mti(&mut self, mti: Mti) {
        self.mti = mti;
    }

    /// The value of an element, as bytes.
    pub fn get(&self, number: u8) -> Option<&[u8]> {
        let index = self.find(number).ok()?;
        self.slots.get(index).map(|slot| self.value(slot))
    }

    /// The value of an element as text. `None` too for bytes that are no UTF-8.
    pub fn text(&self, number: u8) -> Option<&str> {
        std::str::from_utf8(self.get(number)?).ok()
    }

    /// Whether the element is present.
    pub fn has(&self, number: u8) -> bool {
        self.find(number).is_ok()
    }

    /// DE11, if it is six digits.
    pub fn stan(&self) -> Option<Stan> {
        Stan::parse(self.get(DE_STAN)?)
    }

    /// Sets an element. Whether the number exists and the value fits is the dialect's to say:
    /// encoding refuses what does not.
    pub fn set(&mut self, number: u8, value: impl AsRef<[u8]>) -> &mut Self {
        let value = value.as_ref();
        let slot = Slot::new(number, Place::Own, self.own.len(), value.len());
        self.own.extend_from_slice(value);
        match self.find(number) {
            Ok(index) => {
                if let Some(old) = self.slots.get_mut(index) {
                    *old = slot;
                }
            }
            Err(index) => self.slots.insert(index, slot),
        }
        self
    }

    /// Takes an element away; whether it was there.
    pub fn remove(&mut self, number: u8) -> bool {
        match self.find(number) {
            Ok(index) => {
                self.slots.remove(index);
                true
            }
            Err(_) => false,
        }
    }

    /// The elements, rising by number.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (u8, &[u8])> {
        self.slots
            .iter()
            .map(|slot| (slot.number, self.value(slot)))
    }

    /// The numbers of the elements, rising.
    pub fn numbers(&self) -> impl ExactSizeIterator<Item = u8> {
        self.slots.iter().map(|slot| slot.number)
    }

    /// The number of the last element.
    pub fn last_number(&self) -> Option<u8> {
        self.slots.last().map(|slot| slot.number)
    }

    /// How many elements there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    fn find(&self, number: u8) -> Result<usize, usize> {
        // Elements are mostly set in rising order, and then belong at the end.
        match self.slots.last() {
            Some(last) if last.number >= number => {
                self.slots.binary_search_by_key(&number, |slot| slot.number)
            }
            _ => Err(self.slots.len()),
        }
    }

    fn value(&self, slot: &Slot) -> &[u8] {
        let buffer = match slot.place {
            Place::Received => &self.received[..],
            Place::Own => &self.own[..],
        };
        // Slots are only made for ranges that exist.
        let start = slot.start as usize;
        buffer
            .get(start..start + slot.length as usize)
            .unwrap_or_default()
    }
}

impl PartialEq for Message {
    fn eq(&self, other: &Self) -> bool {
        self.mti == other.mti && self.iter().eq(other.iter())
    }
}

impl Eq for Message {}

/// Shows card data masked; see [`mask`](super::mask).
impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.mti)?;
        for (number, value) in self.iter() {
            write!(f, " {number}={}", masked(number, value))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(message: &Message) -> Vec<u8> {
        message.iter().map(|(number, _)| number).collect()
    }

    #[test]
    fn elements_are_kept_in_rising_order_however_they_are_set() {
        let mut message = Message::new(Mti::FINANCIAL_REQUEST);
        message.set(49, "704").set(3, "000000").set(11, "000124");
        assert_eq!(numbers(&message), [3, 11, 49]);
        assert_eq!(message.text(49), Some("704"));
        assert_eq!(message.stan(), Stan::new(124));
    }

    #[test]
    fn a_set_element_replaces_and_a_removed_one_is_gone() {
        let mut message = Message::new(Mti::FINANCIAL_REQUEST);
        message.set(3, "000000").set(3, "010000").set(4, "1");
        assert_eq!(message.get(3), Some(&b"010000"[..]));
        assert!(message.remove(3));
        assert!(!message.remove(3));
        assert_eq!(numbers(&message), [4]);
        assert_eq!(message.get(3), None);
    }

    #[test]
    fn messages_are_equal_by_their_values_not_by_how_they_were_built() {
        let mut one = Message::new(Mti::FINANCIAL_REQUEST);
        one.set(4, "1").set(3, "000000").set(4, "2");
        let mut other = Message::new(Mti::FINANCIAL_REQUEST);
        other.set(3, "000000").set(4, "2");
        assert_eq!(one, other);
        other.set_mti(Mti::FINANCIAL_RESPONSE);
        assert_ne!(one, other);
    }

    #[test]
    fn debug_shows_no_card_data() {
        let mut message = Message::new(Mti::FINANCIAL_REQUEST);
        message
            .set(2, "9704361234561234")
            .set(35, "9704361234561234=2512")
            .set(52, [1, 2, 3, 4, 5, 6, 7, 8]);
        let shown = format!("{message:?}");
        assert!(shown.contains("970436******1234"), "{shown}");
        assert!(
            !shown.contains("123456") && !shown.contains("2512"),
            "{shown}"
        );
    }
}
