//! `commerce reseal`: all that is sealed, under the current key.

use std::path::Path;

use super::{Exit, Trouble, books::with_books_at, print};
use crate::{
    config::Config,
    reseal::{self, Resealed, Table, UNOPENED_NAMED_MAX},
};

/// Prints a line for each table, and one for each row that cannot be opened. A failure if there is any.
pub(super) fn reseal(config: &Path) -> Result<Exit, Trouble> {
    let config = Config::load(config)?;
    with_books_at(&config.store, async |store| {
        let mut exit = Exit::Success;
        for table in Table::ALL {
            let came_of = reseal::reseal(store, &config.keys, table).await;
            let came_of = came_of.map_err(Trouble::failure)?;
            tell(table, &came_of)?;
            if came_of.unopened > 0 {
                exit = Exit::Failure;
            }
        }
        Ok(exit)
    })
}

fn tell(table: Table, came_of: &Resealed) -> Result<(), Trouble> {
    let Resealed {
        anew,
        unopened,
        named,
    } = came_of;
    let name = table.name();
    print(format_args!(
        "{name:<10} {anew:>9} sealed anew {unopened:>9} not opened"
    ))?;
    for row in named {
        print(format_args!("NOT OPENED {row}"))?;
    }
    if *unopened > UNOPENED_NAMED_MAX as u64 {
        print(format_args!("NOT OPENED {name}: and others"))?;
    }
    Ok(())
}
