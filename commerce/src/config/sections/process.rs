//! `[process]`: what the process may do beside its work.

use super::super::Table;

/// The process.
#[derive(Clone, Copy, Debug)]
pub struct ProcessSettings {
    /// Whether a crash may write its memory to disk: keys, PIN codes, one-time passwords.
    pub core_dumps: bool,
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<ProcessSettings> {
    Some(ProcessSettings {
        core_dumps: table.boolean("core_dumps", false),
    })
}
