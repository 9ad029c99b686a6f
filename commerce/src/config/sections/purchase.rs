//! `[purchase]`: how much a subscriber may buy, and what holds for one-time passwords.

use super::super::Table;
use crate::{intake::ShownWords, money::Vnd, otp, purchase::Rules};

pub(in super::super) fn read(table: &Table<'_>) -> Option<Rules> {
    let day_amount_max = table.number("day_amount_max", 5_000_000, 1..=1_000_000_000_000);
    let rules = Rules {
        open_max: table.number("open_max", 3, 1..=100),
        day_orders_max: table.number("day_orders_max", 20, 1..=100_000),
        day_amount_max: Vnd::new(day_amount_max).unwrap_or(Vnd::ZERO),
        otp: table.table("otp", self::otp),
        // The grammar has them, which is another section's.
        words: ShownWords::default(),
    };
    Some(rules)
}

fn otp(table: &Table<'_>) -> otp::Rules {
    let ms = |key, default_s, longest_s| {
        let seconds: i64 = table.number(key, default_s, 1..=longest_s);
        seconds * 1_000
    };
    otp::Rules {
        life_ms: ms("life_s", 240, 3_600),
        wrong_max: table.number("wrong_max", 5, 1..=10),
        lock_ms: ms("lock_s", 1_800, 604_800),
        cooldown_ms: ms("cooldown_s", 60, 3_600),
        day_max: table.number("day_max", 10, 1..=100_000),
    }
}
