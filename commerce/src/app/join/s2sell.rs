//! The API for agents, if it is offered.

use std::sync::Arc;

use super::super::{Context, Parts};
use crate::{http::plainly, s2sell};

pub(super) fn join(context: &Context, parts: &mut Parts) {
    let Some(settings) = context.config.s2sell.clone() else {
        return;
    };
    if settings.docs {
        let checkout = &context.config.checkout;
        let with_merchants = checkout.is_some_and(|checkout| checkout.docs);
        parts.serve(s2sell::docs(with_merchants), plainly);
    }
    let (store, keys) = (context.store.clone(), context.config.keys.clone());
    let api = s2sell::Api::new(store, keys, Arc::clone(&context.clock), settings);
    parts.serve(s2sell::router(api), s2sell::refuse);
}
