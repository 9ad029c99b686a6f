//! What becomes of the messages that a bank begins of its own accord.

use std::time::Duration;

use super::{form, reader::Table};
use crate::{
    iso8583::{
        MtiPattern,
        mti::{Class, Function},
    },
    link::settings::AskedSettings,
};

/// Advices, chargebacks among them: they tell what has happened, so it is enough that somebody has
/// them. Those of a reconciliation are answered by comparing totals.
const HAND_UP_DEFAULT: [&str; 6] = ["012x", "022x", "032x", "042x", "062x", "072x"];

/// Elements that may be handed up besides those that are shown everywhere: the private and reserved
/// ones, of which only the operator knows what the bank puts into them.
const ALLOWED: [std::ops::RangeInclusive<u8>; 3] = [46..=48, 56..=63, 104..=127];

/// A reconciliation comes after the end of its day, so each payment has to be kept that long: a day, and
/// a day in which the bank asks.
const RECONCILED_AFTER_S: u64 = 2 * 86_400;

/// Reads the keys of a bank, whose payments are kept for `retention`. `None` only with a fault recorded.
pub(super) fn read(table: &Table<'_>, retention: Duration) -> Option<AskedSettings> {
    let hand_up = table.list("hand_up", &HAND_UP_DEFAULT, message_type);
    let elements = table.numbers("hand_up_elements", &[], 2..=128);
    for number in &elements {
        if !ALLOWED.iter().any(|allowed| allowed.contains(number)) {
            let what = format!(
                "{number} is not one of 46 to 48, 56 to 63 and 104 to 127: the others are handed up by \
                 themselves, or hold what may not be"
            );
            let place = table.place_of("hand_up_elements");
            table.document().fault(&place, what, None);
        }
    }
    let reconcile = table.boolean("reconcile", false);
    if reconcile && retention < Duration::from_secs(RECONCILED_AFTER_S) {
        let what = "needs the payments of the whole day";
        let hint = format!("set retention_s to {RECONCILED_AFTER_S} or more");
        let place = table.place_of("reconcile");
        table.document().fault(&place, what, Some(hint));
    }
    let out_of_balance_code = table.text("out_of_balance_code", "95", form::response_code);
    let busy_code = table.text("busy_code", "96", form::response_code);
    Some(AskedSettings {
        hand_up,
        elements,
        reconcile,
        out_of_balance_code: out_of_balance_code?,
        busy_code: busy_code?,
    })
}

/// A type of message of which an acknowledgement says no more than that it has arrived.
fn message_type(text: &str) -> Result<MtiPattern, String> {
    let pattern = MtiPattern::parse(text)
        .ok_or("is no message type of four digits, or x for any, such as 0422 or 062x")?;
    for class in [Class::Authorization, Class::Financial] {
        if pattern.covers(class, Function::Request) {
            return Err(
                "covers requests that somebody has to decide, and an acknowledgement would approve \
                 them; name the advices alone, such as 022x"
                    .into(),
            );
        }
    }
    if covers_asking(pattern, Class::Reconciliation) {
        return Err(
            "covers reconciliations, which are answered by comparing totals; see reconcile".into(),
        );
    }
    if covers_asking(pattern, Class::NetworkManagement) {
        return Err("covers network management, which the links answer themselves".into());
    }
    Ok(pattern)
}

/// Whether a pattern covers a request or advice of that class.
fn covers_asking(pattern: MtiPattern, class: Class) -> bool {
    let asking = [Function::Request, Function::Advice];
    asking.into_iter().any(|own| pattern.covers(class, own))
}
