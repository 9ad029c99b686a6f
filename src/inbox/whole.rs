//! Puts the parts of a long message together to the one message that its sender wrote.

use super::event::{Event, EventKind, MobileOriginated};
use crate::smpp::{language::Shifts, text};

/// The whole from its slots in their order, `None` for a part that did not arrive. `None` if nothing
/// did. What is not the text comes from the first part that is there.
pub(super) fn join(slots: &[Option<&Event>]) -> Option<Event> {
    let first = slots.iter().flatten().next()?;
    let parts: Vec<Option<&MobileOriginated>> = slots
        .iter()
        .map(|slot| match &(*slot)?.kind {
            EventKind::Message(message) => Some(message),
            EventKind::Receipt(_) | EventKind::Bank(_) => None,
        })
        .collect();
    let arrived = || parts.iter().copied().flatten();
    let head = arrived().next()?;
    let data: Vec<&[u8]> = arrived().map(|part| &part.data[..]).collect();
    let missing = (1u8..).zip(slots).filter(|(_, slot)| slot.is_none());
    Some(Event {
        kind: EventKind::Message(MobileOriginated {
            text: joined_text(&parts),
            data: data.concat().into(),
            parts: u8::try_from(slots.len()).unwrap_or(u8::MAX),
            missing_parts: missing.map(|(number, _)| number).collect(),
            ..head.clone()
        }),
        ..(*first).clone()
    })
}

/// What is read in the same tables is decoded as one, because a character may lie on both sides of a
/// seam: an escape and its septet, a surrogate pair, or the two octets of one unit. Where a part is
/// missing nothing is joined across the gap. `None` if some of it is no text of its coding.
fn joined_text(slots: &[Option<&MobileOriginated>]) -> Option<String> {
    let alike = |one: &Option<&MobileOriginated>, next: &Option<&MobileOriginated>| {
        one.is_some() && one.map(tables) == next.map(tables)
    };
    let mut text = String::new();
    for run in slots.chunk_by(alike) {
        let Some((data_coding, shifts)) = run.iter().flatten().next().map(|part| tables(part))
        else {
            continue;
        };
        let octets = run.iter().flatten().map(|part| &part.data[..]);
        let octets: Vec<u8> = octets.collect::<Vec<_>>().concat();
        text.push_str(&text::decode_shifted(data_coding, &octets, shifts)?);
    }
    Some(text)
}

/// In which tables a part is read.
fn tables(part: &MobileOriginated) -> (u8, Shifts) {
    (part.data_coding, Shifts::in_header(&part.user_data_header))
}

#[cfg(test)]
mod tests {
    use std::slice::from_ref;

    use bytes::Bytes;

    use super::*;
    use crate::inbox::Address;

    fn address(number: &'static str) -> Address {
        Address {
            number: Bytes::from_static(number.as_bytes()),
            ton: None,
            npi: None,
        }
    }

    fn part(data_coding: u8, header: &[u8], data: &[u8]) -> Event {
        let message = MobileOriginated {
            // As a link brings it: what the part alone reads as, or nothing.
            text: text::decode_shifted(data_coding, data, Shifts::in_header(header)),
            data: Bytes::copy_from_slice(data),
            data_coding,
            user_data_header: Bytes::copy_from_slice(header),
            ..MobileOriginated::default()
        };
        Event {
            peer: "one".into(),
            link: "one/1".into(),
            source: address("1"),
            destination: address("1"),
            kind: EventKind::Message(message),
        }
    }

    fn text_of(slots: &[Option<&Event>]) -> Option<String> {
        match join(slots).unwrap().kind {
            EventKind::Message(message) => message.text,
            EventKind::Receipt(_) | EventKind::Bank(_) => panic!("no message"),
        }
    }

    fn whole_text(parts: &[Event]) -> Option<String> {
        text_of(&parts.iter().map(Some).collect::<Vec<_>>())
    }

    #[test]
    fn a_seam_between_an_escape_and_its_septet_leaves_one_character() {
        let parts = [part(0, &[], b"5 \x1b"), part(0, &[], b"e each")];
        assert_eq!(whole_text(&parts).as_deref(), Some("5 € each"));
    }

    #[test]
    fn a_seam_in_a_surrogate_pair_or_in_one_unit_leaves_one_character() {
        let parts = [part(8, &[], &[0xD8, 0x3D]), part(8, &[], &[0xDE, 0x00])];
        assert!(
            parts
                .iter()
                .all(|part| whole_text(from_ref(part)).is_none())
        );
        assert_eq!(whole_text(&parts).as_deref(), Some("😀"));
        let parts = [part(8, &[], &[0x01]), part(8, &[], &[0x10, 0x00, 0xE3])];
        assert_eq!(whole_text(&parts).as_deref(), Some("Đã"));
    }

    #[test]
    fn the_national_tables_of_the_header_hold_across_a_seam() {
        // Turkish, single shift: the escape before `g` is a letter of its own.
        let header = |number| [8, 0, 3, 7, 2, number, 0x24, 1, 1];
        let parts = [part(0, &header(1), b"da\x1b"), part(0, &header(2), b"g")];
        assert_eq!(whole_text(&parts).as_deref(), Some("dağ"));
    }

    #[test]
    fn parts_of_several_codings_are_read_each_in_its_own() {
        let parts = [
            part(0, &[], b"a"),
            part(8, &[], &[0xD8, 0x3D]),
            part(8, &[], &[0xDE, 0x00]),
            part(0, &[], b"\x00"),
        ];
        assert_eq!(whole_text(&parts).as_deref(), Some("a😀@"));
    }

    #[test]
    fn nothing_is_joined_across_a_part_that_is_missing() {
        let (first, last) = (part(0, &[], b"a\x1b"), part(0, &[], b"e"));
        let slots = [Some(&first), None, Some(&last)];
        assert_eq!(text_of(&slots).as_deref(), Some("a e"));
    }

    #[test]
    fn a_whole_with_a_part_that_is_no_text_has_its_octets_and_no_text() {
        let parts = [part(0, &[], b"a"), part(4, &[], &[0xFF])];
        assert_eq!(whole_text(&parts), None);
        let EventKind::Message(message) = join(&[Some(&parts[0]), Some(&parts[1])]).unwrap().kind
        else {
            panic!("a receipt");
        };
        assert_eq!(&message.data[..], [b'a', 0xFF]);
    }
}
