//! `commerce operator`: who may log in to the back office. A password comes from standard input, because
//! arguments are seen by everybody on the machine.

use std::{
    fmt::Display,
    io::{self, BufRead as _, Read as _},
    path::Path,
};

use clap::Subcommand;
use zeroize::Zeroizing;

use super::{Exit, Trouble, books::with_books, print};
use crate::{
    audit::Who,
    clock,
    office::{
        Hardness, Hashed, Hasher, Password, Role,
        operators::{self, OperatorError, OperatorName},
    },
    store::{Store, Write},
};

/// Bytes of the line that are read: more is no password, and its end.
const LINE_BYTES_MAX: u64 = Password::BYTES_MAX as u64 + 2;

// No Debug, as of all arguments.
#[derive(Subcommand)]
pub(super) enum OperatorArgs {
    /// Add an operator, whose password is the first line of standard input.
    Add {
        /// What he logs in with.
        name: OperatorName,
        /// What he may do: viewer, clerk or admin.
        #[arg(long)]
        role: Role,
    },
    /// Give an operator the password that is the first line of standard input, and end his sessions.
    Password {
        /// Who.
        name: OperatorName,
    },
    /// Let an operator log in no more, and end his sessions.
    Disable {
        /// Who.
        name: OperatorName,
    },
}

pub(super) fn operator(config: &Path, args: OperatorArgs) -> Result<Exit, Trouble> {
    with_books(config, async |store| {
        let by = Who::Console;
        let told = match args {
            OperatorArgs::Add { name, role } => {
                let hashed = hashed().await?;
                let act = async |write: &mut Write| {
                    operators::add(write, by, &name, role, &hashed, clock::now()).await
                };
                change(store, act).await?;
                format!("operator {name} is there, as {role}")
            }
            OperatorArgs::Password { name } => {
                let hashed = hashed().await?;
                let act = async |write: &mut Write| {
                    operators::set_password(write, by, &name, &hashed, clock::now()).await
                };
                change(store, act).await?;
                format!("operator {name} has another password")
            }
            OperatorArgs::Disable { name } => {
                let act = async |write: &mut Write| {
                    operators::disable(write, by, &name, clock::now()).await
                };
                change(store, act).await?;
                format!("operator {name} can log in no more")
            }
        };
        print(format_args!("{told}"))?;
        Ok(Exit::Success)
    })
}

async fn change(
    store: &Store,
    act: impl AsyncFnOnce(&mut Write) -> Result<(), OperatorError>,
) -> Result<(), Trouble> {
    let mut write = store.write().await.map_err(Trouble::failure)?;
    act(&mut write).await.map_err(Trouble::failure)?;
    write.commit().await.map_err(Trouble::failure)
}

/// What is kept of the password on the first line of standard input.
async fn hashed() -> Result<Hashed, Trouble> {
    let wrong = |why: &dyn Display| Trouble::Failure(format!("standard input: {why}"));
    let mut line = Zeroizing::new(String::new());
    let read = io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line);
    read.map_err(|error| wrong(&error))?;
    let password = line.trim_end_matches(['\r', '\n']);
    let password = Password::parse(password);
    let password = password.map_err(|fault| wrong(&format!("the password {fault}")))?;
    let hashed = Hasher::new(Hardness::STRONG).hash(&password).await;
    hashed.map_err(Trouble::failure)
}
