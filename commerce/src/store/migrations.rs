//! The tables of this version, and how a database comes to have them.
//!
//! A migration that has been released is never edited: each database remembers what it was made
//! with, and refuses to open if that differs. The tables are one text for both databases but for
//! the words in `{}`; the triggers are written for each.

use std::{future::Future, pin::Pin};

use sqlx::{
    AnyPool,
    error::BoxDynError,
    migrate::{MigrateError, Migration, MigrationSource, MigrationType, Migrator},
};

use super::Dialect;

/// One step from a version of the tables to the next.
struct Step {
    description: &'static str,
    tables: &'static str,
    sqlite: &'static str,
    postgres: &'static str,
}

/// The words of the tables in which the databases differ.
const SQLITE: [(&str, &str); 4] = [
    ("{integer}", "INTEGER"),
    ("{bytes}", "BLOB"),
    ("{strict}", "STRICT"),
    ("{identity}", "INTEGER PRIMARY KEY AUTOINCREMENT"),
];
const POSTGRES: [(&str, &str); 4] = [
    ("{integer}", "BIGINT"),
    ("{bytes}", "BYTEA"),
    ("{strict}", ""),
    (
        "{identity}",
        "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY",
    ),
];

/// In the order in which they are made; a step's number is its place.
const STEPS: &[Step] = &[
    Step {
        description: "ledger",
        tables: include_str!("../../migrations/1-ledger.sql"),
        sqlite: include_str!("../../migrations/1-ledger.sqlite.sql"),
        postgres: include_str!("../../migrations/1-ledger.postgres.sql"),
    },
    Step {
        description: "stock",
        tables: include_str!("../../migrations/2-stock.sql"),
        sqlite: include_str!("../../migrations/2-stock.sqlite.sql"),
        postgres: include_str!("../../migrations/2-stock.postgres.sql"),
    },
    Step {
        description: "sales",
        tables: include_str!("../../migrations/3-sales.sql"),
        sqlite: "",
        postgres: "",
    },
    Step {
        description: "access",
        tables: include_str!("../../migrations/4-access.sql"),
        sqlite: include_str!("../../migrations/4-access.sqlite.sql"),
        postgres: include_str!("../../migrations/4-access.postgres.sql"),
    },
    Step {
        description: "intake",
        tables: include_str!("../../migrations/5-intake.sql"),
        sqlite: "",
        postgres: "",
    },
    Step {
        description: "purchases",
        tables: concat!(
            include_str!("../../migrations/6-customers.sql"),
            include_str!("../../migrations/6-outgoing.sql"),
            include_str!("../../migrations/6-purchases.sql"),
        ),
        sqlite: include_str!("../../migrations/6-purchases.sqlite.sql"),
        postgres: include_str!("../../migrations/6-purchases.postgres.sql"),
    },
    Step {
        description: "deliveries",
        tables: include_str!("../../migrations/7-deliveries.sql"),
        sqlite: "",
        postgres: "",
    },
    Step {
        description: "office",
        tables: include_str!("../../migrations/8-office.sql"),
        sqlite: include_str!("../../migrations/8-office.sqlite.sql"),
        postgres: include_str!("../../migrations/8-office.postgres.sql"),
    },
    Step {
        description: "merchants",
        tables: include_str!("../../migrations/9-merchants.sql"),
        sqlite: include_str!("../../migrations/9-merchants.sqlite.sql"),
        postgres: include_str!("../../migrations/9-merchants.postgres.sql"),
    },
    Step {
        description: "faulty cards",
        tables: include_str!("../../migrations/10-faulty-cards.sql"),
        sqlite: "",
        postgres: "",
    },
];

pub(super) async fn run(dialect: Dialect, pool: &AnyPool) -> Result<(), MigrateError> {
    Migrator::new(Steps(dialect)).await?.run(pool).await
}

#[derive(Debug)]
struct Steps(Dialect);

impl MigrationSource<'static> for Steps {
    fn resolve(
        self,
    ) -> Pin<Box<dyn Future<Output = Result<Vec<Migration>, BoxDynError>> + Send + 'static>> {
        let migrations = (1..).zip(STEPS).map(|(version, step)| {
            let (description, sql) = (step.description.into(), text(step, self.0).into());
            Migration::new(version, description, MigrationType::Simple, sql, false)
        });
        let migrations = migrations.collect();
        Box::pin(async { Ok(migrations) })
    }
}

fn text(step: &Step, dialect: Dialect) -> String {
    let (words, triggers) = match dialect {
        Dialect::Sqlite => (SQLITE, step.sqlite),
        Dialect::Postgres => (POSTGRES, step.postgres),
    };
    let tables = words
        .iter()
        .fold(step.tables.to_owned(), |tables, (word, own)| {
            tables.replace(word, own)
        });
    format!("{tables}\n{triggers}")
}
