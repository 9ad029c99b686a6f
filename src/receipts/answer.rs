//! What the inbox asks of receipts, in the inbox's words. It decides nothing.

use std::time::Instant;

use super::{Asked, Correlation, Mark, Receipts};
use crate::{
    clock,
    inbox::{self, AboutRequest, Correlate, Event, EventKind, Receipt},
};

impl Correlate for Receipts {
    fn correlate(
        &self,
        now: Instant,
        smsc: &str,
        source: &[u8],
        receipt: &Receipt,
    ) -> inbox::Correlation {
        let asked = Asked {
            smsc,
            message_id: &receipt.message_id,
            message_state: receipt.message_state,
            source,
        };
        match Receipts::correlate(self, now, &asked) {
            Correlation::Known(known) => inbox::Correlation::Known(AboutRequest {
                request_id: known.id,
                client: known.client.as_str().into(),
                part: known.part,
                parts: known.parts,
                whole_state: known.whole_state,
            }),
            Correlation::Repeated => inbox::Correlation::Repeated,
            Correlation::Unknown => inbox::Correlation::Unknown,
            Correlation::Hold => inbox::Correlation::Hold,
            Correlation::Refuse => inbox::Correlation::Refuse,
            Correlation::Forged => inbox::Correlation::Forged,
        }
    }

    fn settled(&self, events: &mut dyn Iterator<Item = &Event>, are_durable: bool) {
        let marks: Vec<Mark> = events
            .filter_map(|event| match &event.kind {
                EventKind::Receipt(receipt) if receipt.request.is_some() => {
                    self.mark(&event.peer, &receipt.message_id)
                }
                EventKind::Receipt(_) | EventKind::Message(_) | EventKind::Bank(_) => None,
            })
            .collect();
        if !marks.is_empty() {
            self.settle(clock::now(), marks, are_durable);
        }
    }
}
