//! A transition with all that belongs to it, one change: the state, the event, the money, the card that is
//! given back, and the message that tells of it.

use super::{
    Purchase, PurchaseError, State, books, notice,
    record::{self, Turn},
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
    if !is_awaited(purchase) {
        notice::tell(write, keys, purchase, now).await?;
    }
    Ok(())
}

/// A charge that is not known yet is told of only when it stays so, because most are known a moment later.
fn is_awaited(purchase: &Purchase) -> bool {
    purchase.state == State::Unknown
}
