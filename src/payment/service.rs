//! The way in to payments: finds the bank and hands the order to its desk.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwap;

use super::{
    DayBooks, OpenReversal, OperatorError, PaymentAnswer, PaymentId, PaymentKey, PaymentOutbox,
    PaymentRequest, Registry, ReverseError, SettlementDay, orders::Order, task::BankDesk,
};
use crate::{
    client::ClientName, digest::Digest, metrics::PaymentMetrics, outcome::Reason, route::Routes,
};

/// Payments on their way down.
pub struct Payments {
    routes: Arc<ArcSwap<Routes>>,
    desks: HashMap<Arc<str>, Arc<BankDesk>>,
    registry: Arc<Registry>,
    /// Of payments that found no bank.
    metrics: PaymentMetrics,
}

impl Payments {
    /// The way to these desks, which share the registry.
    pub fn new(
        routes: Arc<ArcSwap<Routes>>,
        desks: impl IntoIterator<Item = Arc<BankDesk>>,
        registry: Arc<Registry>,
        metrics: PaymentMetrics,
    ) -> Self {
        Self {
            routes,
            desks: desks
                .into_iter()
                .map(|desk| (Arc::clone(desk.bank()), desk))
                .collect(),
            registry,
            metrics,
        }
    }

    /// Makes the payments; each outcome appears in `outbox` under the request's tag. A payment
    /// whose id is known is not made again: its stored outcome is told.
    pub fn transact(
        &self,
        client: &ClientName,
        requests: Vec<PaymentRequest>,
        outbox: &Arc<PaymentOutbox>,
    ) {
        let routes = self.routes.load();
        // Nearly always one bank, so a list is quicker than a map, and each has room for all: an order is
        // large, and to move those of a batch as their list grows would cost a twentieth of a payment.
        let mut by_bank: Vec<(&Arc<BankDesk>, Vec<Order>)> = Vec::new();
        let count = requests.len();
        let (client, replies) = (client.apart(), outbox.replies());
        for request in requests {
            let key = PaymentKey {
                client: client.clone(),
                id: request.payment.id.clone(),
            };
            let digest = self.registry.digest(&key);
            let reply = replies.reply(request.tag);
            let desk = match self.desk_for(&routes, digest, &request) {
                Ok(desk) => desk,
                Err(detail) => {
                    self.metrics.not_sent.increment(1);
                    reply.send(PaymentAnswer::not_sent(Reason::NoRoute, detail));
                    continue;
                }
            };
            let order = Order {
                key,
                digest,
                payment: request.payment,
                deadline: request.deadline,
                reply,
            };
            match by_bank.iter_mut().find(|(own, _)| Arc::ptr_eq(own, desk)) {
                Some((_, orders)) => orders.push(order),
                None => {
                    let mut orders = Vec::with_capacity(count);
                    orders.push(order);
                    by_bank.push((desk, orders));
                }
            }
        }
        for (desk, orders) in by_bank {
            desk.transact(orders);
        }
    }

    /// The desk of the bank that the request names, of its card, or of its id if that is known. The
    /// error is for its caller.
    fn desk_for(
        &self,
        routes: &Routes,
        id: Digest,
        request: &PaymentRequest,
    ) -> Result<&Arc<BankDesk>, String> {
        if let Some(desk) = self.desk_of(id) {
            return Ok(desk);
        }
        let name = request.payment.bank.as_str();
        if name.is_empty() {
            routes
                .bank_by_card(request.payment.pan.digits())
                .and_then(|bank| self.desks.get(bank))
                .ok_or_else(|| "pan: no payment_route has a prefix of this card".to_owned())
        } else {
            self.desks.get(name).ok_or_else(|| {
                format!("bank: there is no bank {name:?}; `sampan links` lists those that are")
            })
        }
    }

    /// The desk of a payment that is kept.
    fn desk_of(&self, id: Digest) -> Option<&Arc<BankDesk>> {
        let place = self.registry.find(id)?;
        self.desks.values().find(|desk| desk.number() == place.desk)
    }

    fn desk_of_key(&self, key: &PaymentKey) -> Option<&Arc<BankDesk>> {
        self.desk_of(self.registry.digest(key))
    }

    /// Takes a payment back, but for what the bank is to keep, and answers once it is decided what
    /// becomes of it.
    ///
    /// # Errors
    /// The client has no such payment, or not so much of it can stay.
    pub async fn reverse(
        &self,
        client: &ClientName,
        id: &PaymentId,
        actual_amount_minor: Option<u64>,
    ) -> Result<PaymentAnswer, ReverseError> {
        let key = PaymentKey {
            client: client.clone(),
            id: id.clone(),
        };
        let desk = self.desk_of_key(&key).ok_or(ReverseError::Unknown)?;
        desk.reverse(key, actual_amount_minor).await
    }

    /// The reversals that are not over, of one bank or of all, the oldest first.
    pub async fn reversals(&self, bank: Option<&str>, failed_only: bool) -> Vec<OpenReversal> {
        let mut open = Vec::new();
        for desk in self.desks.values() {
            if bank.is_none_or(|name| **desk.bank() == *name) {
                open.append(&mut desk.reversals(failed_only).await);
            }
        }
        open.sort_by_key(|reversal| reversal.began_utc_ms);
        open
    }

    /// What both sides say of a bank's day; `None` if there is no such bank.
    pub async fn books(&self, bank: &str, day: SettlementDay) -> Option<DayBooks> {
        self.desks.get(bank)?.books(day, None).await
    }

    /// Has a failed reversal tried again in the name of an operator; answers once that is durable.
    ///
    /// # Errors
    /// There is no such payment, or it is in no state to be tried again.
    pub async fn retry_reversal(
        &self,
        key: PaymentKey,
        operator: &ClientName,
    ) -> Result<PaymentAnswer, OperatorError> {
        self.operate(key, operator, None).await
    }

    /// Ends a reversal that an operator has settled with the bank by hand; answers once that is
    /// durable.
    ///
    /// # Errors
    /// There is no such payment, or there is nothing to be settled.
    pub async fn resolve_reversal(
        &self,
        key: PaymentKey,
        operator: &ClientName,
        reason: String,
    ) -> Result<PaymentAnswer, OperatorError> {
        self.operate(key, operator, Some(reason)).await
    }

    async fn operate(
        &self,
        key: PaymentKey,
        operator: &ClientName,
        resolve: Option<String>,
    ) -> Result<PaymentAnswer, OperatorError> {
        let Some(desk) = self.desk_of_key(&key) else {
            let (client, id) = (key.client.to_string(), key.id.as_str().to_owned());
            return Err(OperatorError::Unknown(client, id));
        };
        desk.operate(key, operator.to_string(), resolve).await
    }

    /// The stored state of a payment; `None` if the client has none of that id.
    pub async fn lookup(&self, client: &ClientName, id: &PaymentId) -> Option<PaymentAnswer> {
        let key = PaymentKey {
            client: client.clone(),
            id: id.clone(),
        };
        self.desk_of_key(&key)?.lookup(key).await
    }
}
