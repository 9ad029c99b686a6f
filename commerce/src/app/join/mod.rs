//! Which modules the program is made of. Each joins by a line here, and none knows of the program or of
//! the others but by what it is handed. Nothing is decided here.

mod checkout;
mod office;
mod partners;
mod s2sell;
mod subscribers;
mod upkeep;

use super::{Context, Parts, StartError};

pub(super) fn all(context: &Context) -> Result<Parts, StartError> {
    let mut parts = Parts::default();
    s2sell::join(context, &mut parts);
    office::join(context, &mut parts)?;
    subscribers::join(context, &mut parts)?;
    partners::join(context, &mut parts)?;
    checkout::join(context, &mut parts);
    upkeep::join(context, &mut parts);
    Ok(parts)
}
