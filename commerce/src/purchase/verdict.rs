//! Looks through all purchases for what must never be. It says nothing unless there is a fault here, or
//! somebody has changed the tables by hand.

use sqlx::{AnyConnection, Row as _};

use super::PurchaseError;
use crate::store::at;

/// Purchases that each check names. One is too many.
pub const VERDICT_LINES_MAX: u32 = 20;

/// What must not be, and which purchases are so.
const CHECKS: &[(&str, &str)] = &[
    (
        "is fulfilled without one card of its type",
        "SELECT id FROM purchase p WHERE state IN ('FULFILLED', 'COMPLETED')
            AND card_type IS NOT NULL AND 1 <> (
                SELECT COUNT(*) FROM card c
                WHERE c.reservation = p.id AND c.state = 'sold' AND c.card_type = p.card_type
            )",
    ),
    (
        "has a card and is not fulfilled",
        "SELECT p.id FROM card c JOIN purchase p ON c.reservation = p.id
            WHERE c.state = 'sold' AND p.state NOT IN ('FULFILLED', 'COMPLETED')",
    ),
    (
        "is fulfilled and not paid, or is paid and neither fulfilled nor refunded nor under way",
        "SELECT id FROM purchase p WHERE state <> 'MANUAL_REVIEW'
            AND (state IN ('FUNDS_HELD', 'FULFILLING', 'FULFILLED', 'COMPLETED', 'COMPENSATING',
                'REFUNDED'))
            <> EXISTS (SELECT 1 FROM entry WHERE reference = 'purchase:' || p.id || ':paid')",
    ),
    (
        "has given its money to the seller and is not fulfilled, or the other way round",
        "SELECT id FROM purchase p WHERE (state IN ('FULFILLED', 'COMPLETED'))
            <> (EXISTS (SELECT 1 FROM entry WHERE reference = 'purchase:' || p.id || ':fulfilled')
                AND (NOT EXISTS (SELECT 1 FROM entry
                        WHERE reference = 'purchase:' || p.id || ':returned')
                    OR EXISTS (SELECT 1 FROM entry
                        WHERE reference = 'purchase:' || p.id || ':kept')))",
    ),
    (
        "has given its money back and is not refunded, or the other way round",
        "SELECT id FROM purchase p WHERE (state = 'REFUNDED')
            <> EXISTS (SELECT 1 FROM entry WHERE reference = 'purchase:' || p.id || ':refunded')",
    ),
    (
        "has ended with money set aside",
        "SELECT id FROM purchase p JOIN account a ON a.name = 'hold:' || p.id
            WHERE a.balance <> 0 AND state NOT IN
                ('FUNDS_HELD', 'FULFILLING', 'COMPENSATING', 'MANUAL_REVIEW')",
    ),
    (
        "has set aside another amount than its own",
        "SELECT id FROM purchase p WHERE state IN ('FUNDS_HELD', 'FULFILLING', 'COMPENSATING')
            AND NOT EXISTS (
                SELECT 1 FROM account a WHERE a.name = 'hold:' || p.id AND a.balance = p.amount
            )",
    ),
    (
        "has ended and keeps a card",
        "SELECT p.id FROM card c JOIN purchase p ON c.reservation = p.id
            WHERE c.state = 'reserved'
                AND p.state IN ('CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED')",
    ),
    (
        "is not where its last event says",
        "SELECT id FROM purchase p WHERE state <> COALESCE((
                SELECT e.to_state FROM purchase_event e WHERE e.purchase = p.id
                ORDER BY e.number DESC LIMIT 1
            ), '')",
    ),
    (
        "is forgotten: nobody goes on with it",
        "SELECT id FROM purchase WHERE due_at_ms IS NULL AND state IN ('CREATED',
            'AUTHENTICATING', 'CHARGING', 'UNKNOWN', 'REVERSING', 'FUNDS_HELD', 'FULFILLING',
            'COMPENSATING')",
    ),
];

/// What is wrong with purchases, a line for each, at most [`VERDICT_LINES_MAX`] for each check. It reads
/// all of them.
///
/// # Errors
/// The database.
pub async fn verdict(connection: &mut AnyConnection) -> Result<Vec<String>, PurchaseError> {
    let mut lines = Vec::new();
    for (what, select) in CHECKS {
        let select = format!("{select} LIMIT $1");
        let rows = sqlx::query(&select)
            .bind(i64::from(VERDICT_LINES_MAX))
            .fetch_all(&mut *connection);
        for row in rows.await.map_err(at("purchase"))? {
            let id: String = row.try_get(0).map_err(at("purchase"))?;
            lines.push(format!("purchase {id} {what}"));
        }
    }
    Ok(lines)
}
