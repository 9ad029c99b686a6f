//! One worker makes the calls of all partners and merchants.

use std::sync::Arc;

use super::super::{Context, Parts, StartError};
use crate::{deliveries::Worker, egress::Egress, merchants::Ipn, push::Pusher};

pub(super) fn join(context: &Context, parts: &mut Parts) -> Result<(), StartError> {
    let settings = &context.config.push;
    let egress = Egress::new(settings.egress.clone())
        .map_err(|fault| StartError::Part(format!("push: {fault}")))?;
    let (store, keys) = (&context.store, &context.config.keys);
    let ipn = Ipn::new(store.clone(), keys.clone(), egress.clone());
    let pusher = Pusher::new(store.clone(), keys.clone(), egress);
    let mut carriers = pusher.carriers();
    carriers.extend(ipn.carriers());
    let worker = Worker::new(
        store.clone(),
        keys.clone(),
        carriers,
        settings.retention,
        Arc::clone(&context.clock),
    );
    parts.work("partners", move |stop| worker.run(stop));
    Ok(())
}
