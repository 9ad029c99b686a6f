//! What is looked after whether or not anybody calls: holds whose time is over, how many cards there
//! are, and how much waits.

use std::sync::Arc;

use super::super::{Context, Parts};
use crate::{backlog::BacklogWatch, expiry::Expiry, stock::StockWatch};

pub(super) fn join(context: &Context, parts: &mut Parts) {
    let (store, clock) = (&context.store, &context.clock);
    let settings = context.config.expiry;
    let expiry = Expiry::new(
        store.clone(),
        Arc::clone(clock),
        settings.interval,
        settings.batch_max,
    );
    parts.work("expiry", move |stop| expiry.run(stop));
    let (own, metrics) = (store.clone(), Arc::clone(&context.metrics));
    let watch = StockWatch::new(own, Arc::clone(clock), metrics);
    parts.work("stock watch", move |stop| watch.run(stop));
    let (own, metrics) = (store.clone(), Arc::clone(&context.metrics));
    let watch = BacklogWatch::new(own, Arc::clone(clock), metrics);
    parts.work("backlog watch", move |stop| watch.run(stop));
}
