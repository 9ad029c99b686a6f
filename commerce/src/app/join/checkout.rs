//! The pages where customers pay merchants, and what merchants may ask; if they are offered.

use std::sync::Arc;

use super::super::{Context, Parts};
use crate::{
    checkout::{self, Checkout},
    http::plainly,
    merchants,
};

pub(super) fn join(context: &Context, parts: &mut Parts) {
    let Some(settings) = &context.config.checkout else {
        return;
    };
    let (store, clock) = (&context.store, &context.clock);
    let keys = &context.config.keys;
    let pages = Checkout::new(
        store.clone(),
        keys.clone(),
        Arc::clone(clock),
        context.config.purchase,
        settings.rate,
    );
    parts.serve(checkout::router(pages), checkout::refuse);
    let (own, its_clock) = (store.clone(), Arc::clone(clock));
    parts.work("checkout", move |stop| checkout::tidy(own, its_clock, stop));
    let api = merchants::Api::new(
        store.clone(),
        keys.clone(),
        Arc::clone(clock),
        settings.rate,
    );
    parts.serve(merchants::router(api), merchants::refuse);
    if settings.docs {
        parts.serve(merchants::docs(), plainly);
    }
}
