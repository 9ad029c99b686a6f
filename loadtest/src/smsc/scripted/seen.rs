//! What a scripted SMSC got, in counts.

use std::collections::BTreeMap;
use std::fmt;

use crate::smsc::codes::{RESPONSE, command};
use crate::smsc::wire::Header;

/// Numbers of responses that are kept; a flood has more, and its first ones tell enough.
const ECHOED_MAX: usize = 10_000;

/// What a scripted SMSC got so far.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    counts: BTreeMap<String, u64>,
    echoed: Vec<u32>,
}

impl Seen {
    /// How many PDUs of a name, such as `submit_sm`, or with an error status `deliver_sm_resp:100`;
    /// also `connections`, and `reused_sequences`: requests under a number that was used before.
    pub fn of(&self, name: &str) -> u64 {
        self.counts.get(name).copied().unwrap_or(0)
    }

    /// Sequence numbers of deliver_sm_resp and enquire_link_resp, in their order.
    pub fn echoed(&self) -> &[u32] {
        &self.echoed
    }

    pub(super) fn count(&mut self, name: &str) {
        *self.counts.entry(name.to_owned()).or_default() += 1;
    }

    pub(super) fn take_down(&mut self, name: &str, header: Header) {
        match header.status {
            0 => self.count(name),
            status => self.count(&format!("{name}:{status}")),
        }
        let echoes = header.command == command::DELIVER_SM | RESPONSE
            || header.command == command::ENQUIRE_LINK | RESPONSE;
        if echoes && self.echoed.len() < ECHOED_MAX {
            self.echoed.push(header.sequence);
        }
    }
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, count) in &self.counts {
            writeln!(f, "{count:>8} {name}")?;
        }
        Ok(())
    }
}

/// The name by which a rule speaks of a PDU; all binds are one.
pub(super) fn name_of(header: Header) -> String {
    let name = match header.command & !RESPONSE {
        0 => return "generic_nack".to_owned(),
        command::BIND_RECEIVER | command::BIND_TRANSMITTER | command::BIND_TRANSCEIVER => "bind",
        command::QUERY_SM => "query_sm",
        command::SUBMIT_SM => "submit_sm",
        command::DELIVER_SM => "deliver_sm",
        command::UNBIND => "unbind",
        command::REPLACE_SM => "replace_sm",
        command::CANCEL_SM => "cancel_sm",
        command::ENQUIRE_LINK => "enquire_link",
        command::SUBMIT_MULTI => "submit_multi",
        command::DATA_SM => "data_sm",
        _ => "unknown",
    };
    match header.command & RESPONSE {
        0 => name.to_owned(),
        _ => format!("{name}_resp"),
    }
}
