//! The orders of a merchant, and where their purchases stand.

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use super::{Page, unfit};
use crate::{
    moment::UnixMs,
    money::Vnd,
    purchase::State,
    store::{StoreError, at},
    word::{Id, Reference},
};

/// An order that a customer was sent here with.
#[derive(Clone, Debug)]
pub(crate) struct OrderLine {
    pub(crate) reference: Reference,
    pub(crate) amount: Vnd,
    pub(crate) opened_at: UnixMs,
    /// Until when somebody can begin to pay.
    pub(crate) open_until: UnixMs,
    /// What pays it, and how far that is.
    pub(crate) purchase: Option<(Id, State)>,
}

/// The orders of a merchant by his own numbers, the last first, from before that one; all of them if it is
/// nothing.
pub(crate) async fn orders(
    connection: &mut AnyConnection,
    merchant: &Id,
    before: Option<&Reference>,
) -> Result<Page<OrderLine>, StoreError> {
    let select =
        "SELECT checkout.order_reference, checkout.amount, opened_at_ms, open_until_ms, purchase.id,
            purchase.state
        FROM checkout LEFT JOIN purchase ON purchase.id = checkout.purchase
        WHERE checkout.merchant = $1 AND (checkout.order_reference < $2 OR $2 = '')
        ORDER BY checkout.order_reference DESC LIMIT $3";
    let rows = sqlx::query(select)
        .bind(merchant.as_str())
        .bind(before.map_or("", |before| before.as_str()))
        .bind(i64::from(Page::<OrderLine>::ASKED))
        .fetch_all(connection);
    let rows = rows.await.map_err(at("checkout"))?;
    let lines = rows.iter().map(line).collect::<Result<_, StoreError>>()?;
    Ok(Page::of(lines))
}

fn line(row: &AnyRow) -> Result<OrderLine, StoreError> {
    let text = |column| {
        row.try_get::<Option<String>, _>(column)
            .map_err(at("checkout"))
    };
    let number = |column| row.try_get::<i64, _>(column).map_err(at("checkout"));
    let purchase = match (text(4)?, text(5)?) {
        (Some(id), Some(state)) => Some((
            id.parse().map_err(|_| unfit("purchase"))?,
            State::of(&state).ok_or_else(|| unfit("purchase"))?,
        )),
        _ => None,
    };
    Ok(OrderLine {
        reference: text(0)?
            .unwrap_or_default()
            .parse()
            .map_err(|_| unfit("checkout"))?,
        amount: Vnd::new(number(1)?).map_err(|_| unfit("checkout"))?,
        opened_at: UnixMs(number(2)?),
        open_until: UnixMs(number(3)?),
        purchase,
    })
}
