//! Which modules the program is made of. Each joins by a line here, and none knows of the others but
//! by what it is handed.

use super::{Context, Parts, StartError};
use crate::{checkout, expiry, merchants, office, push, s2sell, stock, subscribers};

pub(super) fn assemble(context: &Context) -> Result<Parts, StartError> {
    let mut parts = Parts::default();
    s2sell::join(context, &mut parts);
    office::join(context, &mut parts)?;
    subscribers::join(context, &mut parts)?;
    push::join(context, &mut parts)?;
    checkout::join(context, &mut parts);
    merchants::join(context, &mut parts);
    expiry::join(context, &mut parts);
    stock::watch::join(context, &mut parts);
    Ok(parts)
}
