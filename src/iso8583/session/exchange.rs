//! The exchange of session keys: the bank sends one by an 0800 of its own, or in answer to ours.
//!
//! The messages of the exchange carry no MAC themselves: what they bring is closed under a key that
//! only the two sides have, and is checked by its check value.

use super::{APPROVED, CloseReason, Event, NetworkCode, Now, Phase, Session, SessionSettings};
use super::{Bytes, Message, Reply, Stans, network};
use crate::iso8583::security::keyring::Share;
use crate::iso8583::security::{ExchangeRules, KeyFault, MacKey, MacRules};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a session that waits for a key looks whether another link has got it: sessions do not
/// know of each other. It is a wait of once per sign-on.
const LOOK: Duration = Duration::from_millis(50);

/// A session's share in the keys, where they are exchanged.
pub(super) fn share(settings: &SessionSettings) -> Option<Share> {
    let rules = settings.security.mac.as_ref()?;
    rules.exchange.as_ref()?;
    Some(Share::new(Arc::clone(&rules.keys)))
}

impl Session {
    fn mac_and_exchange(&self) -> Option<(&MacRules, &ExchangeRules)> {
        let rules = self.settings.security.mac.as_deref()?;
        Some((rules, rules.exchange.as_ref()?))
    }

    fn exchange_rules(&self) -> Option<&ExchangeRules> {
        self.mac_and_exchange().map(|(_, exchange)| exchange)
    }

    /// Whether this DE70 is that of the exchange.
    pub(super) fn is_key_exchange(&self, code: Option<NetworkCode>) -> bool {
        let own = self.exchange_rules().map(|exchange| exchange.code);
        code.is_some() && code == own
    }

    /// Whether a received 0800 or 0810 belongs to the exchange; an answer may leave DE70 out.
    pub(super) fn is_of_key_exchange(&self, message: &Message) -> bool {
        let code = message.get(70).and_then(NetworkCode::parse);
        let stan = message.stan();
        let answers_ours = message.mti().is_response() && stan.is_some() && stan == self.key_stan;
        self.is_key_exchange(code) || self.exchange_rules().is_some() && answers_ours
    }

    /// A key that no link uses may be one that the bank has forgotten.
    pub(super) fn forget_unused_key(&mut self) {
        let asks = self
            .exchange_rules()
            .is_some_and(|exchange| exchange.request_at_sign_on);
        if let Some(share) = self.share.as_mut().filter(|_| asks) {
            share.forget_unused();
        }
    }

    /// A key that was replaced stays in memory no longer than it is believed: until the first timer, an
    /// echo's at the latest, after its time is over.
    pub(super) fn expire_keys(&self, now: Instant) {
        if let Some((rules, _)) = self.mac_and_exchange() {
            rules.keys.expire(now);
        }
    }

    /// The bank has accepted the sign-on, or wants none.
    pub(super) fn signed_on(&mut self, now: Instant) {
        if self.takes_traffic_with_key() {
            return;
        }
        let timeout = self.exchange_rules().map(|exchange| exchange.key_timeout);
        self.phase = Phase::AwaitingKey {
            deadline: now + timeout.unwrap_or_default(),
            look_at: now,
        };
    }

    /// Takes traffic from now on, unless there is no key yet.
    fn takes_traffic_with_key(&mut self) -> bool {
        if !self.share.as_mut().is_none_or(Share::join) {
            return false;
        }
        self.phase = Phase::SignedOn {
            echo_deadline: None,
        };
        self.events.push_back(Event::SignedOn);
        true
    }

    /// Looks whether there is a key by now, and asks for one if no other link does.
    pub(super) fn look_for_key(&mut self, now: Now, deadline: Instant, stans: &mut dyn Stans) {
        if self.takes_traffic_with_key() {
            return;
        }
        if deadline <= now.monotonic {
            self.close(CloseReason::NoKey);
            return;
        }
        let look_at = deadline.min(now.monotonic + LOOK);
        self.phase = Phase::AwaitingKey { deadline, look_at };
        let asks = self
            .exchange_rules()
            .filter(|exchange| exchange.request_at_sign_on)
            .map(|exchange| (exchange.code, exchange.key_timeout));
        if let Some((code, timeout)) = asks
            && self.share.as_mut().is_some_and(Share::ask)
        {
            let question = self.ask(code, timeout, now, stans);
            self.key_stan = question.map(|question| question.stan);
        }
    }

    fn open_key(&self, message: &Message) -> Result<MacKey, KeyFault> {
        let (rules, exchange) = self.mac_and_exchange().ok_or(KeyFault::Missing)?;
        let wrapping_key = &exchange.wrapping_key;
        exchange.layout.open(rules.algorithm, wrapping_key, message)
    }

    /// The bank sends a key by a request of its own.
    pub(super) fn receive_key_request(&mut self, now: Now, request: &Message, reply: Reply) {
        let opened = self.open_key(request);
        let refusal = self.exchange_rules().map(|own| own.refusal_code.as_str());
        let code = match &opened {
            Ok(_) => network::ACCEPTED,
            Err(_) => refusal.unwrap_or(network::NOT_SUPPORTED),
        };
        let answer = network::answer(request, code);
        // A bank that cannot be told must not find us using its key.
        if let Some(answer) = answer
            && !self.write(&answer, reply)
        {
            return;
        }
        match opened {
            Ok(key) => self.use_key(now, key),
            Err(fault) => self.events.push_back(Event::KeyRefused(fault)),
        }
    }

    /// The bank answers our question for a key. Without a key in it, the bank has yet to send it by a
    /// request of its own.
    pub(super) fn receive_key_answer(&mut self, now: Now, message: &Message) {
        self.key_stan = None;
        let response_code = message.get(39).unwrap_or_default();
        if response_code != APPROVED {
            let response_code = Bytes::copy_from_slice(response_code);
            self.events.push_back(Event::KeyDenied { response_code });
            self.close(CloseReason::KeyDenied);
            return;
        }
        match self.open_key(message) {
            Ok(key) => self.use_key(now, key),
            Err(KeyFault::Missing) => {}
            Err(fault) => {
                self.events.push_back(Event::KeyRefused(fault));
                self.close(CloseReason::NoKey);
            }
        }
    }

    fn use_key(&mut self, now: Now, key: MacKey) {
        let check_value = key.check_value();
        if let Some((rules, exchange)) = self.mac_and_exchange() {
            rules
                .keys
                .install(key, now.monotonic, exchange.previous_key);
        }
        self.events.push_back(Event::KeyChanged { check_value });
        if matches!(self.phase, Phase::AwaitingKey { .. }) {
            self.takes_traffic_with_key();
        }
    }
}
