//! A transition with all that belongs to it, one change: the state, the event, the money, the card that is
//! given back, and the messages that tell of it.

use super::{
    Purchase, PurchaseError, State, books, notice,
    record::{self, Turn},
    told,
};
use crate::{moment::UnixMs, seal::Keys, stock, store::Write};

/// Moves a purchase on.
///
/// # Errors
/// There is no such transition, or another was faster: the change has to be undone.
pub(super) async fn go(
    write: &mut Write,
    keys: &Keys,
    purchase: &mut Purchase,
    turn: Turn,
    now: UnixMs,
) -> Result<(), PurchaseError> {
    record::turn(write, purchase, turn, now).await?;
    books::post(write, purchase, now).await?;
    let gives_back = matches!(
        purchase.state,
        State::Cancelled | State::Expired | State::Failed | State::Refunded
    );
    if gives_back {
        stock::release(write, &purchase.id).await?;
    }
    // That a charge is not known is told only if it stays so, because most are a moment later.
    if purchase.state != State::Unknown {
        notice::tell(write, keys, purchase, now).await?;
    }
    told::tell(write, keys, purchase, now).await
}
