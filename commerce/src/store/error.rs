//! What can go wrong with a database, told by table and by what to do next.
//!
//! A reason is the database's own sentence. It names tables and rules and never a value, because
//! values are bound beside a statement and never part of its text.

use sqlx::migrate::MigrateError;

use super::Location;

/// Why the database did not do what it was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// It cannot be opened.
    #[error(
        "the database {place} cannot be opened: {reason}; check that it is there and that this \
         user may write to it"
    )]
    Unopened {
        /// Where it is.
        place: String,
        /// What it says.
        reason: String,
    },
    /// Its tables cannot be brought up to this version.
    #[error(
        "the tables of {place} cannot be brought up to this version: {reason}; run the version \
         that made them, or restore a copy"
    )]
    Unmigrated {
        /// Where it is.
        place: String,
        /// What it says.
        reason: String,
    },
    /// Others hold what was needed.
    #[error("table {table}: busy ({reason}); nothing was changed, so do the same again")]
    Busy {
        /// The table.
        table: &'static str,
        /// What it says.
        reason: String,
    },
    /// A rule that the database holds itself.
    #[error("table {table}: the database refuses this ({reason}); nothing was changed")]
    Refused {
        /// The table.
        table: &'static str,
        /// What it says.
        reason: String,
    },
    /// The connection, the disk or the server is gone.
    #[error(
        "table {table}: the database is lost ({reason}); see that it runs and has room, then look \
         whether a commit was made before doing it again"
    )]
    Lost {
        /// The table.
        table: &'static str,
        /// What it says.
        reason: String,
    },
    /// A statement or a row that does not fit the tables.
    #[error(
        "table {table}: {reason}; the tables are not those of this version or were changed by hand"
    )]
    Unfit {
        /// The table.
        table: &'static str,
        /// What does not fit.
        reason: String,
    },
}

impl StoreError {
    pub(super) fn unopened(location: &Location, error: sqlx::Error) -> Self {
        Self::Unopened {
            place: location.to_string(),
            reason: reason(&error),
        }
    }

    pub(super) fn unmigrated(location: &Location, error: MigrateError) -> Self {
        Self::Unmigrated {
            place: location.to_string(),
            reason: error.to_string(),
        }
    }

    /// Whether the same may be done again at once.
    pub fn is_busy(&self) -> bool {
        matches!(self, Self::Busy { .. })
    }
}

/// Says of which table an error is.
pub(crate) fn at(table: &'static str) -> impl Fn(sqlx::Error) -> StoreError + Copy {
    move |error| {
        let reason = reason(&error);
        match class(&error) {
            Class::Busy => StoreError::Busy { table, reason },
            Class::Refused => StoreError::Refused { table, reason },
            Class::Lost => StoreError::Lost { table, reason },
            Class::Unfit => StoreError::Unfit { table, reason },
        }
    }
}

enum Class {
    Busy,
    Refused,
    Lost,
    Unfit,
}

fn reason(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(error) => error.message().to_owned(),
        // The URL's own parser repeats what it read, and that may be a password.
        sqlx::Error::Configuration(_) => "its URL cannot be read".to_owned(),
        other => other.to_string(),
    }
}

fn class(error: &sqlx::Error) -> Class {
    match error {
        sqlx::Error::Database(error) => error.code().map_or(Class::Unfit, |code| of_code(&code)),
        sqlx::Error::PoolTimedOut => Class::Busy,
        sqlx::Error::Io(_)
        | sqlx::Error::Tls(_)
        | sqlx::Error::Protocol(_)
        | sqlx::Error::PoolClosed
        | sqlx::Error::WorkerCrashed => Class::Lost,
        _ => Class::Unfit,
    }
}

/// PostgreSQL has codes of five characters (its appendix A), SQLite numbers whose low octet is the
/// family (`sqlite.org/rescode.html`).
fn of_code(code: &str) -> Class {
    if code.len() == 5 {
        return match (code, code.get(..2)) {
            ("55P03" | "57014", _) | (_, Some("40")) => Class::Busy,
            (_, Some("23")) => Class::Refused,
            (_, Some("08" | "53" | "57" | "58")) => Class::Lost,
            _ => Class::Unfit,
        };
    }
    match code.parse::<u32>().map(|number| number & 0xff) {
        Ok(5 | 6) => Class::Busy,
        Ok(19) => Class::Refused,
        Ok(8 | 10 | 11 | 13 | 14) => Class::Lost,
        _ => Class::Unfit,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_its_table_and_says_what_to_do() {
        let busy = at("card")(sqlx::Error::PoolTimedOut);
        assert!(busy.is_busy());
        let text = busy.to_string();
        assert!(
            text.contains("table card") && text.ends_with("do the same again"),
            "{text}"
        );
        let lost = at("card")(sqlx::Error::WorkerCrashed).to_string();
        assert!(lost.contains("look whether a commit was made"), "{lost}");
    }

    #[test]
    fn both_databases_codes_are_understood() {
        assert!(matches!(of_code("40P01"), Class::Busy));
        assert!(matches!(of_code("517"), Class::Busy));
        assert!(matches!(of_code("23505"), Class::Refused));
        assert!(matches!(of_code("1811"), Class::Refused));
        assert!(matches!(of_code("57P01"), Class::Lost));
        assert!(matches!(of_code("13"), Class::Lost));
        assert!(matches!(of_code("42P01"), Class::Unfit));
    }
}
