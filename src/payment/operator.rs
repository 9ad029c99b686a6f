//! The part of the desk that operators use: which reversals are open, try a failed one again, settle
//! one by hand.
//!
//! Whoever asks is named in what is done. Nothing here may end a payment without its record.

use std::{sync::Arc, time::Instant};

use tracing::info;

use super::{
    PaymentAnswer, PaymentKey, ReversalStatus,
    desk::Desk,
    record::{Record, Resolution},
    state::{Event, State},
};
use crate::{
    iso8583::{Stan, session::Now},
    outbox::Reply,
};

/// A payment that the bank has not taken back yet, for an operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenReversal {
    /// The bank.
    pub bank: Arc<str>,
    /// Whose payment, and which.
    pub key: PaymentKey,
    /// DE11 of the payment.
    pub stan: Stan,
    /// DE37 of the payment.
    pub retrieval_reference: bytes::Bytes,
    /// DE4 of the payment, in minor units.
    pub amount_minor: u64,
    /// DE49 of the payment, three digits.
    pub currency: bytes::Bytes,
    /// When the payment was accepted, in milliseconds of the Unix epoch.
    pub began_utc_ms: i64,
    /// What an operator has to deal with; the others are repeated by themselves.
    pub has_failed: bool,
    /// The reversal; `None` if it could not be built.
    pub reversal: Option<ReversalStatus>,
}

/// Why an operator's wish cannot be met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OperatorError {
    /// No such payment.
    #[error("client {0} has no payment {1}; `sampan reversals list` shows those that are open")]
    Unknown(String, String),
    /// It is in a state that allows no such thing.
    #[error("payment {id} is {state}: {what}")]
    State {
        /// The payment.
        id: String,
        /// How far it is.
        state: &'static str,
        /// What could be done.
        what: &'static str,
    },
    /// Sampan stops, or was not started.
    #[error("the bank's desk has stopped; ask again when Sampan runs")]
    Stopped,
}

impl Desk {
    /// The reversals that are not over, the oldest first: those that are repeated, and the failed.
    pub(super) fn reversals(&self, failed_only: bool) -> Vec<OpenReversal> {
        let mut open: Vec<OpenReversal> = self
            .records
            .iter()
            .flatten()
            .filter(|record| match record.state {
                State::ReversalFailed => true,
                State::Reversing => !failed_only,
                _ => false,
            })
            .map(|record| self.open_reversal(record))
            .collect();
        open.sort_by_key(|reversal| reversal.began_utc_ms);
        open
    }

    fn open_reversal(&self, record: &Record) -> OpenReversal {
        let digits = record.amount.unwrap_or([b'0'; 12]);
        let amount = std::str::from_utf8(&digits)
            .ok()
            .and_then(|d| d.parse().ok());
        let currency = record.request.get(49).map(bytes::Bytes::copy_from_slice);
        OpenReversal {
            bank: Arc::clone(&self.bank),
            key: record.key.clone(),
            stan: record.stan,
            retrieval_reference: bytes::Bytes::copy_from_slice(record.retrieval_reference()),
            amount_minor: amount.unwrap_or(0),
            currency: currency.unwrap_or_default(),
            began_utc_ms: record.began_utc_ms,
            has_failed: record.state == State::ReversalFailed,
            reversal: record.reversal.as_ref().map(|reversal| reversal.status()),
        }
    }

    /// Tries a failed reversal again, with a new budget and under its old identity.
    pub(super) fn retry_reversal(
        &mut self,
        now: Now,
        key: &PaymentKey,
        operator: &str,
        reply: Reply<PaymentAnswer>,
    ) -> Result<(), OperatorError> {
        const WHAT: &str = "only a reversal that has failed can be tried again";
        self.allow(key, |state| state == State::ReversalFailed, WHAT)?;
        self.by_operator(now, key, operator, Event::RetryAsked, "retry", reply);
        Ok(())
    }

    /// Ends a reversal, because the operator has settled it with the bank by hand.
    pub(super) fn resolve_reversal(
        &mut self,
        now: Now,
        key: &PaymentKey,
        resolution: Resolution,
        reply: Reply<PaymentAnswer>,
    ) -> Result<(), OperatorError> {
        const WHAT: &str = "only a payment that is being reversed, or whose reversal has failed, \
                            can be settled by hand";
        let is_open = |state| matches!(state, State::Reversing | State::ReversalFailed);
        self.allow(key, is_open, WHAT)?;
        let operator = resolution.operator.clone();
        if let Some(id) = self.id_of(key)
            && let Some(record) = self.record(id)
        {
            record.resolution = Some(Box::new(resolution));
        }
        self.by_operator(now, key, &operator, Event::Resolved, "resolve", reply);
        Ok(())
    }

    fn allow(
        &self,
        key: &PaymentKey,
        allows: impl Fn(State) -> bool,
        what: &'static str,
    ) -> Result<(), OperatorError> {
        let record = self
            .id_of(key)
            .and_then(|id| self.records.get(id as usize)?.as_ref());
        let Some(record) = record else {
            let (client, id) = (key.client.to_string(), key.id.as_str().to_owned());
            return Err(OperatorError::Unknown(client, id));
        };
        if allows(record.state) {
            return Ok(());
        }
        Err(OperatorError::State {
            id: key.id.as_str().to_owned(),
            state: record.state.as_str(),
            what,
        })
    }

    fn by_operator(
        &mut self,
        now: Now,
        key: &PaymentKey,
        operator: &str,
        event: Event,
        did: &str,
        reply: Reply<PaymentAnswer>,
    ) {
        let Some(id) = self.id_of(key) else {
            return;
        };
        info!(
            target: "audit", operator, did, bank = %self.bank, client = %key.client,
            payment = key.id.as_str(), "an operator's decision about a reversal"
        );
        let Some(record) = self.record(id) else {
            return;
        };
        record.waiting.push(reply);
        if record.state == State::ReversalFailed {
            self.unsettle(id);
            self.reversals_failed -= 1;
        }
        self.happen(now, id, event);
    }

    /// How long the oldest reversal that is repeated has been open.
    pub(super) fn oldest_reversal_age(&self, now: Instant) -> std::time::Duration {
        let began = self.open_reversals.first().map(|(began, _)| *began);
        began.map_or_else(Default::default, |began| now - began)
    }
}
