//! `sampan journal verify`: whether every page and every record of a journal can be read.

use std::{
    collections::BTreeMap,
    io::{self, Write as _},
};

use super::{Exit, Trouble, open, write_error};
use crate::journal::{JournalSettings, KeptState, KeyId};

/// What was counted.
#[derive(Default)]
struct Counted {
    states: BTreeMap<KeptState, u64>,
    keys: BTreeMap<KeyId, u64>,
    faults: u64,
}

/// Reads all of it, and tells how many payments are in which state and under which key.
pub(super) fn verify(settings: &JournalSettings) -> Result<Exit, Trouble> {
    let mut archive = open(settings)?;
    let mut counted = Counted::default();
    let pages = archive.check_pages();
    let records = archive.each(&mut |found| match found {
        Ok(stored) => {
            *counted.states.entry(stored.kept.state()).or_default() += 1;
            *counted.keys.entry(stored.key).or_default() += 1;
        }
        Err(unreadable) => {
            counted.faults += 1;
            write_error(format_args!("sampan: {unreadable}"));
        }
    });
    for error in [pages.err(), records.err()].into_iter().flatten() {
        counted.faults += 1;
        write_error(format_args!("sampan: {}: {error}", settings.path.display()));
    }
    io::stdout()
        .lock()
        .write_all(counted.told(settings.keys.current().id()).as_bytes())?;
    Ok(Exit::success_if(counted.faults == 0))
}

impl Counted {
    fn told(&self, current: KeyId) -> String {
        let payments: u64 = self.states.values().sum();
        let mut text = format!("payments {payments}\n");
        for (state, count) in &self.states {
            text += &format!("state {} {count}\n", state.as_str());
        }
        for (key, count) in &self.keys {
            let which = if *key == current {
                "current"
            } else {
                "previous"
            };
            text += &format!("key {key} {count} {which}\n");
        }
        text + &match self.faults {
            0 => "sound: every page and every record was read\n".to_owned(),
            faults => format!("faults {faults}\n"),
        }
    }
}
