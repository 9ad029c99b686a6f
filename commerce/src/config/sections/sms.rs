//! `[sms]`: what subscribers write, and what their words mean.

use std::{collections::BTreeMap, time::Duration};

use super::super::Table;
use crate::intake::{self, Grammar, GrammarWords};

/// A day.
const DAY_S: u64 = 86_400;

/// The reception and its grammar.
#[derive(Clone, Debug)]
pub struct SmsSettings {
    /// Which subscription of the router it is, and how long it is remembered.
    pub intake: intake::Settings,
    /// Which words begin which command.
    pub grammar: Grammar,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<SmsSettings> {
    let subscription = table.text("subscription", "commerce");
    let repeat_window = table.seconds("repeat_window_s", 120, 0..=DAY_S);
    let keep_days: u64 = table.number("keep_days", 30, 1..=3_650);
    let grammar = table.table("grammar", grammar);
    Some(SmsSettings {
        intake: intake::Settings {
            subscription: subscription?,
            repeat_window,
            keep: Duration::from_secs(keep_days * DAY_S),
        },
        grammar: grammar?,
    })
}

fn grammar(table: &Table<'_>) -> Option<Grammar> {
    let usual = GrammarWords::default();
    let words = |key, usual| table.texts(key, usual);
    let given = GrammarWords {
        buy: words("buy", usual.buy),
        confirm: words("confirm", usual.confirm),
        cancel: words("cancel", usual.cancel),
        status: words("status", usual.status),
        help: words("help", usual.help),
        aliases: aliases(table),
    };
    let grammar = Grammar::try_from(given);
    grammar
        .inspect_err(|fault| table.fault(fault.to_string()))
        .ok()
}

/// Other names of card types, `[[sms.grammar.alias]]`.
fn aliases(table: &Table<'_>) -> BTreeMap<String, String> {
    let pairs = table.tables("alias", |alias| {
        let name: Option<String> = alias.required_text("name");
        let card_type: Option<String> = alias.required_text("card_type");
        Some((name?, card_type?))
    });
    let mut aliases = BTreeMap::new();
    for (name, card_type) in pairs {
        if aliases.insert(name.clone(), card_type).is_some() {
            table.fault(format!("the alias {name} stands twice"));
        }
    }
    aliases
}
