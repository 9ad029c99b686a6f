//! The database: a SQLite file, or a PostgreSQL server where more than one machine takes part.
//!
//! Every statement above is one text that both understand. What differs stays in here: how to connect,
//! how to begin a change, how to pass over rows that others take, and a few words of the schema. Nothing here knows what the tables mean.

mod error;
mod location;
mod migrations;

use std::time::Duration;

use sqlx::{
    Any, AnyConnection, AnyPool, Connection as _, Executor as _, Transaction,
    any::{AnyConnectOptions, AnyPoolOptions},
    pool::PoolConnection,
};

pub use error::StoreError;
pub(crate) use error::at;
pub use location::{Location, LocationFault};

/// Connections to PostgreSQL: its own limit is 100 by default, and several machines share it.
const POSTGRES_CONNECTIONS_MAX: u32 = 16;

/// SQLite reads beside its one writer; more readers than this only wait for the same disk.
const SQLITE_READERS_MAX: u32 = 4;

/// How long a caller waits for a connection or a lock before it hears that the store is busy. Longer
/// than any change takes, shorter than a customer's patience.
const WAIT_MAX: Duration = Duration::from_secs(5);

/// SQLite has one writer, and a reader that wrote would stand in its way.
const SQLITE_READS_ONLY: &str = "PRAGMA query_only = ON";

/// Which of the two databases it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A file.
    Sqlite,
    /// A server.
    Postgres,
}

impl Dialect {
    /// What each new connection is told first.
    fn greeting(self) -> &'static str {
        match self {
            // FULL, because an answered sale must outlive a power cut. Without recursive_triggers an
            // INSERT OR REPLACE would delete a row past the triggers that forbid it.
            Self::Sqlite => {
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
                 PRAGMA busy_timeout = 5000; PRAGMA recursive_triggers = ON"
            }
            Self::Postgres => {
                "SET lock_timeout = '5s'; SET idle_in_transaction_session_timeout = '60s'"
            }
        }
    }

    /// How a change begins. SQLite takes its one writer's place at once, because a change that
    /// begins by reading could not wait for it later.
    fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN ISOLATION LEVEL READ COMMITTED",
        }
    }

    /// At the end of a SELECT of rows that are about to be taken: changes at the same moment take
    /// different ones and do not wait for each other. In SQLite there is one writer anyway.
    pub(crate) fn skip_taken(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }
}

/// An open database with the tables of this version.
#[derive(Clone, Debug)]
pub struct Store {
    dialect: Dialect,
    readers: AnyPool,
    writers: AnyPool,
}

impl Store {
    /// Opens the database, a new file if there is none, and brings its tables up to this version.
    ///
    /// # Errors
    /// It cannot be reached, or its tables are of a later version.
    pub async fn open(location: &Location) -> Result<Self, StoreError> {
        sqlx::any::install_default_drivers();
        let unopened = |error| StoreError::unopened(location, error);
        let options = location.options().map_err(unopened)?;
        let dialect = location.dialect();
        let (writers, readers) = match dialect {
            Dialect::Sqlite => {
                let writer = pool(&options, 1, vec![dialect.greeting()]).await;
                let greetings = vec![dialect.greeting(), SQLITE_READS_ONLY];
                let readers = pool(&options, SQLITE_READERS_MAX, greetings).await;
                (writer.map_err(unopened)?, readers.map_err(unopened)?)
            }
            Dialect::Postgres => {
                let greetings = vec![dialect.greeting()];
                let all = pool(&options, POSTGRES_CONNECTIONS_MAX, greetings).await;
                let all = all.map_err(unopened)?;
                (all.clone(), all)
            }
        };
        migrations::run(dialect, &writers)
            .await
            .map_err(|error| StoreError::unmigrated(location, error))?;
        Ok(Self {
            dialect,
            readers,
            writers,
        })
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// A connection to look something up with.
    ///
    /// # Errors
    /// None is free in time, or the database is out of reach.
    pub async fn read(&self) -> Result<PoolConnection<Any>, StoreError> {
        self.readers.acquire().await.map_err(at("any"))
    }

    /// Begins a change. What is not committed is undone when it is dropped.
    ///
    /// # Errors
    /// Another change takes too long, or the database is out of reach.
    pub async fn write(&self) -> Result<Write, StoreError> {
        let begun = self.writers.begin_with(self.dialect.begin()).await;
        Ok(Write {
            dialect: self.dialect,
            transaction: begun.map_err(at("any"))?,
        })
    }

    /// Closes all connections, once those in use are given back.
    pub async fn close(&self) {
        self.writers.close().await;
        self.readers.close().await;
    }
}

/// A change that is not yet made: all of it will be, or nothing.
#[derive(Debug)]
pub struct Write {
    dialect: Dialect,
    transaction: Transaction<'static, Any>,
}

impl Write {
    /// Makes the change, durably.
    ///
    /// # Errors
    /// The database refuses it, or is lost; [`StoreError::Lost`] of a commit leaves open whether it
    /// was made.
    pub async fn commit(self) -> Result<(), StoreError> {
        self.transaction.commit().await.map_err(at("any"))
    }

    /// For statements within the change.
    pub fn connection(&mut self) -> &mut AnyConnection {
        &mut self.transaction
    }

    /// Begins a step, which can fail alone and leave the rest of the change as it is.
    ///
    /// # Errors
    /// The database is lost.
    pub async fn step(&mut self) -> Result<Transaction<'_, Any>, StoreError> {
        self.transaction.begin().await.map_err(at("any"))
    }

    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }
}

/// Connections that are told the greetings first.
async fn pool(
    options: &AnyConnectOptions,
    connections_max: u32,
    greetings: Vec<&'static str>,
) -> Result<AnyPool, sqlx::Error> {
    AnyPoolOptions::new()
        .max_connections(connections_max)
        .acquire_timeout(WAIT_MAX)
        .after_connect(move |connection, _| {
            let greetings = greetings.clone();
            Box::pin(async move {
                for greeting in greetings {
                    connection.execute(greeting).await?;
                }
                Ok(())
            })
        })
        .after_release(|connection, _| Box::pin(is_clean(connection)))
        .connect_with(options.clone())
        .await
}

/// Whether a connection can be used again. One whose user was dropped just as he began a change may
/// have it open (sqlx 0.8 with SQLite); it is closed, which undoes the change, and made anew.
async fn is_clean(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    // A rollback that has been asked for comes before the answer.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}
