//! Puts the parts of a long message together to the one message that its sender wrote.

use super::event::{Event, EventKind, MobileOriginated};
use crate::smpp::text;

/// The whole from its slots in their order, `None` for a part that did not arrive. `None` if nothing
/// did. What is not the text comes from the first part that is there.
pub(super) fn join(slots: &[Option<&Event>]) -> Option<Event> {
    let first = slots.iter().flatten().next()?;
    let parts: Vec<&MobileOriginated> = slots
        .iter()
        .flatten()
        .filter_map(|event| match &event.kind {
            EventKind::Message(message) => Some(message),
            EventKind::Receipt(_) => None,
        })
        .collect();
    let head = *parts.first()?;
    let data: Vec<u8> = parts.iter().flat_map(|part| part.data.to_vec()).collect();
    let missing = (1u8..).zip(slots).filter(|(_, slot)| slot.is_none());
    Some(Event {
        kind: EventKind::Message(MobileOriginated {
            text: joined_text(&parts, &data),
            data: data.into(),
            parts: u8::try_from(slots.len()).unwrap_or(u8::MAX),
            missing_parts: missing.map(|(number, _)| number).collect(),
            ..head.clone()
        }),
        ..(*first).clone()
    })
}

/// Octets of one coding are decoded together, because a character may lie on both sides of a seam.
fn joined_text(parts: &[&MobileOriginated], data: &[u8]) -> Option<String> {
    let coding = parts.first()?.data_coding;
    match parts.iter().all(|part| part.data_coding == coding) {
        true => text::decode(coding, data),
        false => parts.iter().map(|part| part.text.as_deref()).collect(),
    }
}
