//! MACs in the session: filled in as a message is sent, because the key may change until then, and
//! verified before what was received is believed.

use super::{Class, Message, NetworkCode, Reply, Session, SessionError};
use crate::iso8583::security::mac::{self, MAC_BYTES, MacForm};
use crate::iso8583::security::{MacKey, MacLength, MacRules};
use std::sync::Arc;
use std::time::Instant;

/// Why a received message is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum MacFault {
    /// It has none, and has to.
    #[error("it has no MAC")]
    Missing,
    /// It is not that of the message under any key that is believed.
    #[error("its MAC is wrong")]
    Wrong,
    /// There is no key yet to verify it with.
    #[error("there is no session key yet to verify its MAC with")]
    NoKey,
}

/// What fills in the MAC of one message.
pub(super) struct Seal {
    key: Arc<MacKey>,
    form: MacForm,
    length: MacLength,
}

impl Seal {
    /// The MAC of a message that ends with room for it.
    fn mac_of(&self, payload: &[u8]) -> Result<[u8; MAC_BYTES], SessionError> {
        let room = payload.len().checked_sub(self.form.octets());
        let (covered, room) = room
            .and_then(|at| payload.split_at_checked(at))
            .ok_or(SessionError::NoRoom)?;
        match self.form.is_room(room) {
            true => Ok(self.key.mac(covered)),
            false => Err(SessionError::NoRoom),
        }
    }

    /// Writes it at the end of what was framed.
    fn write(&self, mac: [u8; MAC_BYTES], framed: &mut [u8]) {
        let room = framed.len().saturating_sub(self.form.octets());
        if let Some(room) = framed.get_mut(room..) {
            self.form.write(mac, self.length, room);
        }
    }
}

impl Session {
    fn mac_rules(&self) -> Option<&Arc<MacRules>> {
        self.settings.security.mac.as_ref()
    }

    /// What a message of that class is sealed with; `None` if it carries no MAC.
    pub(super) fn seal_for(&self, class: Class) -> Result<Option<Seal>, SessionError> {
        let Some(rules) = self.mac_rules().filter(|own| own.classes.contains(&class)) else {
            return Ok(None);
        };
        let key = rules.keys.current().ok_or(SessionError::NoKey)?;
        // The configuration sees to it that both MAC elements have this form.
        let form = MacForm::of(&self.settings.dialect, mac::PRIMARY);
        let form = form.map_err(|_| SessionError::NoRoom)?;
        let length = rules.length;
        Ok(Some(Seal { key, form, length }))
    }

    /// The same for an 0800 or 0810 of the session's own. They go without a MAC as long as there is no
    /// key, and those of the key exchange always do.
    pub(super) fn seal_for_own(&self, message: &Message) -> Option<Seal> {
        let code = message.get(70).and_then(NetworkCode::parse);
        if self.is_key_exchange(code) {
            return None;
        }
        self.seal_for(message.mti().class).ok().flatten()
    }

    /// Frames what was encoded and fills in its MAC. On an error nothing was written.
    pub(super) fn put(
        &mut self,
        payload: &[u8],
        seal: Option<Seal>,
        reply: Reply,
    ) -> Result<(), SessionError> {
        if self.output.len() > super::OUTPUT_BYTES_MAX {
            return Err(SessionError::OutputFull);
        }
        let sealed = match seal {
            Some(seal) => Some((seal.mac_of(payload)?, seal)),
            None => None,
        };
        let (framing, output) = (self.settings.framing, &mut self.output);
        match reply {
            Reply::Begins => framing.put_frame(payload, output)?,
            Reply::To(tpdu) => framing.put_answer(payload, tpdu, output)?,
        }
        if let Some((mac, seal)) = sealed {
            seal.write(mac, &mut self.output);
        }
        Ok(())
    }

    /// Whether a received message may be believed; `raw` is the message as it came.
    pub(super) fn authenticate(
        &self,
        now: Instant,
        message: &Message,
        raw: &[u8],
    ) -> Result<(), MacFault> {
        let Some(rules) = self.mac_rules().filter(|own| own.covers(message.mti())) else {
            return Ok(());
        };
        let is_network = message.mti().class == Class::NetworkManagement;
        if is_network && self.is_of_key_exchange(message) {
            return Ok(()); // Its key proves itself, by the key that it is closed under.
        }
        let keys = rules.keys.believed(now);
        if keys.iter().all(Option::is_none) {
            // Without network management there would never be a key.
            return if is_network {
                Ok(())
            } else {
                Err(MacFault::NoKey)
            };
        }
        let Some((number, received)) = mac::received(message) else {
            let may_lack = message.mti().is_response() && !rules.required_on_answers;
            return if may_lack {
                Ok(())
            } else {
                Err(MacFault::Missing)
            };
        };
        let form = MacForm::of(&self.settings.dialect, number).map_err(|_| MacFault::Missing)?;
        let covered = raw.len().checked_sub(form.octets());
        let covered = covered.and_then(|end| raw.get(..end)).unwrap_or_default();
        let is_right = |key: &Arc<MacKey>| key.verifies(covered, received, rules.length);
        match keys.iter().flatten().any(is_right) {
            true => Ok(()),
            false => Err(MacFault::Wrong),
        }
    }
}
