//! `sampan journal`: the recorded payments, read from the file of a router that does not run.
//!
//! It changes no record, and shows card data masked only. What cannot be read is told on standard
//! error and makes the exit code 1; what can be read is told all the same.

mod filter;
mod show;
mod verify;

use std::{
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};

use super::{Exit, Trouble, write_error};
use crate::{
    config::Config,
    journal::{Archive, JournalSettings, OpenError, Stored},
    store,
};
use filter::Filter;

/// What to do with a journal.
#[derive(Subcommand)]
pub(super) enum JournalArgs {
    /// Read every page and every record. Exit code 1 if one cannot be read.
    Verify(Whose),
    /// List payments, oldest first.
    List {
        #[command(flatten)]
        filter: Filter,
        #[command(flatten)]
        whose: Whose,
    },
    /// Show one payment with its elements, masked. Exit code 1 if there is none.
    Show {
        /// The caller's id of the payment, or its number in the journal.
        id: String,
        #[command(flatten)]
        whose: Whose,
    },
    /// Print every payment as one line of JSON, without card data.
    Export(Whose),
}

/// Whose journal. The router must not run: it holds the file.
#[derive(Args)]
pub(super) struct Whose {
    /// The router's configuration. Only its [journal] is read.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

/// Does what was asked.
pub(super) fn journal(args: JournalArgs) -> Result<Exit, Trouble> {
    match args {
        JournalArgs::Verify(whose) => verify::verify(&whose.settings()?),
        JournalArgs::List { filter, whose } => {
            let filter = filter.read()?;
            let settings = whose.settings()?;
            let mut out = BufWriter::new(io::stdout().lock());
            out.write_all(show::HEADLINE.as_bytes())?;
            each_of(&settings, out, |out, stored| {
                match filter.takes(&stored.kept) {
                    true => out.write_all(show::line(stored).as_bytes()),
                    false => Ok(()),
                }
            })
        }
        JournalArgs::Show { id, whose } => show_one(&id, &whose.settings()?),
        JournalArgs::Export(whose) => {
            let out = BufWriter::new(io::stdout().lock());
            each_of(&whose.settings()?, out, |out, stored| {
                writeln!(out, "{}", show::json(stored))
            })
        }
    }
}

impl Whose {
    fn settings(&self) -> Result<JournalSettings, Trouble> {
        let settings = Config::load_journal(&self.config)
            .map_err(|faults| Trouble::Usage(faults.to_string()))?;
        settings.ok_or_else(|| {
            let file = self.config.display();
            Trouble::Usage(format!("{file}: there is no [journal]"))
        })
    }
}

/// The payment of that id; without one, that of the number. Several clients may have used one id.
fn show_one(id: &str, settings: &JournalSettings) -> Result<Exit, Trouble> {
    let (mut of_id, mut of_number) = (Vec::new(), None);
    let number = id.parse::<u64>().ok();
    let exit = each_of(settings, io::sink(), |_, stored| {
        if stored.kept.key.id.as_str() == id {
            of_id.push(show::whole(stored));
        } else if number == Some(stored.number) {
            of_number = Some(show::whole(stored));
        }
        Ok(())
    })?;
    if of_id.is_empty() {
        of_id.extend(of_number);
    }
    if of_id.is_empty() {
        return Err(Trouble::Failure(format!(
            "the journal has no payment {id:?}"
        )));
    }
    io::stdout().lock().write_all(of_id.join("\n").as_bytes())?;
    Ok(exit)
}

fn open(settings: &JournalSettings) -> Result<Archive<'_>, Trouble> {
    Archive::open(settings).map_err(|error| {
        Trouble::Failure(match error {
            OpenError::File(store::OpenError::InUse { path, .. }) => format!(
                "{path} is in use: a running router holds its journal. Ask the router (`sampan lookup`), \
                 stop it, or look at a copy of the file that was made while it was stopped"
            ),
            other => other.to_string(),
        })
    })
}

/// Lets `tell` write each payment. Records that cannot be read are told on standard error.
fn each_of<W: Write>(
    settings: &JournalSettings,
    mut out: W,
    mut tell: impl FnMut(&mut W, &Stored) -> io::Result<()>,
) -> Result<Exit, Trouble> {
    let archive = open(settings)?;
    let mut told = Ok(());
    let mut is_whole = true;
    let read = archive.each(&mut |found| match found {
        Ok(stored) if told.is_ok() => told = tell(&mut out, &stored),
        Ok(_) => {}
        Err(unreadable) => {
            is_whole = false;
            write_error(format_args!("sampan: {unreadable}"));
        }
    });
    told?;
    out.flush()?;
    let path = settings.path.display();
    read.map_err(|error| Trouble::Failure(format!("{path}: {error}")))?;
    Ok(Exit::success_if(is_whole))
}
