//! For whom a subscriber's message is: for the purchases, or for partners. What may hold a one-time password
//! never leaves this program.

use crate::{
    deliveries::DeliveryError,
    intake::{Command, Delivery, Handle, HandleError, Handled, Handling, Mo, Receipt},
    moment::UnixMs,
    outgoing::{self, OutgoingError},
    purchase::{self, PurchaseError, Rules, sms::Received},
    push::{self, PushError},
    seal::Keys,
    store::Write,
};

/// Deals with what subscribers write.
#[derive(Debug)]
pub struct Subscribers {
    keys: Keys,
    rules: Rules,
}

impl Subscribers {
    /// Deals with them by these keys and rules.
    pub fn new(keys: Keys, rules: Rules) -> Self {
        Self { keys, rules }
    }

    /// Hands a message on that asks nothing of us and holds no password, and says whether a partner gets it.
    async fn is_for_partners(
        &self,
        write: &mut Write,
        mo: &Mo,
        now: UnixMs,
    ) -> Result<bool, HandleError> {
        if mo.command != Command::Unknown || self.may_hold_code(write, mo).await? {
            return Ok(false);
        }
        let message = push::Mo {
            guid: &mo.id,
            from: &mo.from,
            to: &mo.to,
            text: &mo.text,
            received_at: mo.received_at,
        };
        let partners = push::route(write, &self.keys, &message, now).await;
        Ok(partners.map_err(of_push)? > 0)
    }

    /// A command holds what is ours alone. Who is asked for a code may get it wrong so that it is no command:
    /// until then no text of his with a digit in it goes to anybody.
    async fn may_hold_code(&self, write: &mut Write, mo: &Mo) -> Result<bool, HandleError> {
        if !mo.text.contains(char::is_numeric) {
            return Ok(false);
        }
        Ok(purchase::is_code_awaited(write.connection(), &mo.from).await?)
    }
}

impl Handle for Subscribers {
    fn message<'a>(
        &'a self,
        write: &'a mut Write,
        mo: &'a Mo,
        now: UnixMs,
    ) -> Handling<'a, Handled> {
        Box::pin(async move {
            if self.is_for_partners(write, mo, now).await? {
                return Ok(Handled("partner"));
            }
            let received = Received {
                id: mo.id.clone(),
                phone: mo.from.clone(),
                command: mo.command.clone(),
            };
            let handled = purchase::sms::handle(write, &self.keys, &self.rules, &received, now);
            handled.await.map_err(of_purchase)?;
            Ok(Handled(mo.command.word()))
        })
    }

    fn receipt<'a>(
        &'a self,
        write: &'a mut Write,
        receipt: &'a Receipt,
        now: UnixMs,
    ) -> Handling<'a, ()> {
        Box::pin(async move {
            let told = match receipt.delivery {
                Delivery::Delivered | Delivery::Accepted => outgoing::Receipt::Delivered,
                Delivery::Failed => outgoing::Receipt::Failed,
                // Nothing is known yet.
                Delivery::Enroute | Delivery::Unknown => return Ok(()),
            };
            let noted = outgoing::receipt(write, &receipt.message, told, now);
            noted.await.map_err(of_outgoing)
        })
    }
}

fn of_push(error: PushError) -> HandleError {
    match error {
        PushError::Store(error) | PushError::Delivery(DeliveryError::Store(error)) => {
            HandleError::Store(error)
        }
        other => HandleError::Fault(other.to_string()),
    }
}

fn of_purchase(error: PurchaseError) -> HandleError {
    match error.of_store() {
        Some(error) => HandleError::Store(error.clone()),
        None => HandleError::Fault(error.to_string()),
    }
}

fn of_outgoing(error: OutgoingError) -> HandleError {
    match error {
        OutgoingError::Store(error) => HandleError::Store(error),
        other => HandleError::Fault(other.to_string()),
    }
}
