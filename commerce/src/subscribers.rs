//! Joins what subscribers write with what they buy: the reception, the purchases and the messages that
//! go out, over one router. It decides nothing by itself.

use std::sync::Arc;

use crate::{
    app::{Context, Parts, StartError},
    deliveries::DeliveryError,
    intake::{Command, Delivery, Handle, HandleError, Handled, Handling, Intake, Mo, Receipt},
    moment::UnixMs,
    outgoing::{self, OutgoingError},
    port::{Banks, Messages},
    purchase::{self, PurchaseError, Rules, sms::Received},
    push::{self, PushError},
    router::Router,
    seal::Keys,
    store::Write,
};

/// Joins the program, if there is a router.
pub(crate) fn join(context: &Context, parts: &mut Parts) -> Result<(), StartError> {
    let config = &context.config;
    let Some(settings) = config.router.clone() else {
        return Ok(());
    };
    let router =
        Router::connect(settings).map_err(|fault| StartError::Part(format!("router: {fault}")))?;
    let (store, keys, clock) = (&context.store, &config.keys, &context.clock);
    let intake = Intake {
        router: router.clone(),
        store: store.clone(),
        keys: keys.clone(),
        grammar: config.sms.grammar.clone(),
        handler: Arc::new(Subscribers {
            keys: keys.clone(),
            rules: config.purchase,
        }),
        clock: Arc::clone(clock),
        settings: config.sms.intake.clone(),
    };
    parts.work("intake", async move |stop| intake.run(&stop).await);
    let banks: Arc<dyn Banks> = Arc::new(router.clone());
    let (own, its_keys, its_clock) = (store.clone(), keys.clone(), Arc::clone(clock));
    parts.work("purchases", move |stop| {
        purchase::run(own, its_keys, banks, its_clock, stop)
    });
    let messages: Arc<dyn Messages> = Arc::new(router);
    let (own, its_keys, its_clock) = (store.clone(), keys.clone(), Arc::clone(clock));
    parts.work("outgoing", move |stop| {
        outgoing::run(own, its_keys, messages, its_clock, stop)
    });
    Ok(())
}

/// Deals with what subscribers write.
struct Subscribers {
    keys: Keys,
    rules: Rules,
}

impl Subscribers {
    /// Hands a message on that asks nothing of us. One that does may hold a password, and goes to nobody.
    async fn is_for_partners(
        &self,
        write: &mut Write,
        mo: &Mo,
        now: UnixMs,
    ) -> Result<bool, HandleError> {
        if mo.command != Command::Unknown {
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
