//! `[store]`: where the books are. A fault does not repeat the location, which may hold a password.

use std::env;

use super::super::Table;
use crate::store::{Location, LocationFault};

pub(in super::super) fn read(table: &Table<'_>) -> Option<Location> {
    let location = table.required("location")?.secret(|text| {
        let text = match text.strip_prefix("env:") {
            // A variable that is no text would be repeated by its error.
            Some(name) => env::var(name).map_err(|_| "is of a variable that is not set")?,
            None => text.to_owned(),
        };
        let location = text.parse::<Location>();
        location.map_err(|fault: LocationFault| fault.to_string())
    })?;
    Some(match location {
        Location::Sqlite(path) => Location::Sqlite(table.path(&path)),
        server => server,
    })
}
