//! The back office, if there is one.

use std::sync::Arc;

use super::super::{Context, Parts, StartError};
use crate::{
    http::plainly,
    office::{Hardness, Hasher, Office, router},
};

pub(super) fn join(context: &Context, parts: &mut Parts) -> Result<(), StartError> {
    let config = &context.config;
    let Some(settings) = &config.office else {
        return Ok(());
    };
    let cookies = settings.cookies(config.http.listen.ip());
    let cookies = cookies.map_err(|fault| StartError::Part(format!("office: {fault}")))?;
    let office = Office {
        store: context.store.clone(),
        keys: config.keys.clone(),
        hasher: Hasher::new(Hardness::STRONG),
        cookies,
        clock: Arc::clone(&context.clock),
    };
    parts.serve(router(office), plainly);
    Ok(())
}
