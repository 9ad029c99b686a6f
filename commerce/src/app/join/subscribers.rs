//! What subscribers write, what they buy and what they are told, over one router; if there is one.

use std::sync::Arc;

use super::super::{Context, Parts, StartError};
use crate::{
    intake::Intake,
    outgoing,
    port::{Banks, Messages},
    purchase,
    router::Router,
    subscribers::Subscribers,
};

pub(super) fn join(context: &Context, parts: &mut Parts) -> Result<(), StartError> {
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
        handler: Arc::new(Subscribers::new(keys.clone(), config.purchase)),
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
