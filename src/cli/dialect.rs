//! `sampan dialect`: makes dialect files of what banks hand out, and explains those there are.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{Args, Subcommand, ValueEnum};

use super::{Exit, Trouble, input};
use crate::iso8583::Dialect;

mod check;
mod jpos;

/// What is asked about a dialect.
#[derive(Subcommand)]
pub(super) enum DialectArgs {
    /// Make a dialect file of a jPOS packager. What cannot be taken over is named with its line.
    Import(ImportArgs),
    /// Explain a dialect file: its faults with their lines, or what travels, with examples. Exit code
    /// 0 if payments, reversals and sign-on can be written with it.
    Check {
        /// The dialect: a file, - for standard input, or the name of a built-in one.
        #[arg(value_name = "FILE|NAME")]
        file: PathBuf,
    },
}

/// How to make a dialect file.
#[derive(Args)]
pub(super) struct ImportArgs {
    /// The XML of a GenericPackager; - reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Where to write it. A file that is there is not overwritten. Without it, standard output.
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// The dialect's name; without it that of the file.
    #[arg(long)]
    name: Option<String>,
    /// What stands before a message, which a packager does not say. Without it ascii4 where the
    /// message type is ASCII, else binary2.
    #[arg(long)]
    header: Option<HeaderWord>,
    /// Leave out what cannot be taken over, with a comment in its place.
    #[arg(long)]
    lenient: bool,
}

#[derive(Clone, Copy, ValueEnum)]
enum HeaderWord {
    Ascii4,
    Binary2,
    Bcd2,
}

impl HeaderWord {
    fn word(self) -> &'static str {
        match self {
            Self::Ascii4 => "ascii4",
            Self::Binary2 => "binary2",
            Self::Bcd2 => "bcd2",
        }
    }
}

/// Does what is asked.
pub(super) fn dialect(args: &DialectArgs) -> Result<Exit, Trouble> {
    match args {
        DialectArgs::Import(args) => import(args),
        DialectArgs::Check { file } => check(file),
    }
}

fn import(args: &ImportArgs) -> Result<Exit, Trouble> {
    let (file, packager) = (&args.file, input::read_text(&args.file)?);
    let stem = file.file_stem().map(|stem| stem.to_string_lossy());
    let stem = stem.filter(|stem| stem != "-");
    let name = args.name.as_deref().or(stem.as_deref());
    let wanted = jpos::Wanted {
        name: name.unwrap_or("imported"),
        header: args.header.map(HeaderWord::word),
        lenient: args.lenient,
    };
    let imported = jpos::import(&packager, &wanted).map_err(|refused| {
        let hint = match refused.lenient_helps {
            true => "\nnothing was written; --lenient leaves these out, with a comment",
            false => "",
        };
        Trouble::Usage(at_lines(file, &refused.faults) + hint)
    })?;
    // What is written here must be read there; if not, the fault is Sampan's.
    Dialect::parse(&imported.text).map_err(|error| {
        let why = "the dialect that was made is not sound, which is a fault of Sampan";
        Trouble::Failure(format!("{why}:\n{error}"))
    })?;
    write(args.output.as_deref(), &imported.text)?;
    for fault in &imported.left_out {
        let line = format_args!(
            "{}:{}: left out: {}",
            file.display(),
            fault.line,
            fault.what
        );
        super::write_error(line);
    }
    super::write_error(format_args!(
        "sampan: elements: {}, left out: {}; the comments say what was decided",
        imported.elements,
        imported.left_out.len()
    ));
    Ok(Exit::Success)
}

fn write(output: Option<&Path>, text: &str) -> Result<(), Trouble> {
    let Some(path) = output else {
        return Ok(io::stdout().lock().write_all(text.as_bytes())?);
    };
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    file.and_then(|mut file| file.write_all(text.as_bytes()))
        .map_err(|error| {
            Trouble::Failure(format!("{}: cannot be written: {error}", path.display()))
        })
}

fn check(file: &Path) -> Result<Exit, Trouble> {
    let dialect = super::decode::load_dialect(file)?;
    let explained = check::explain(&dialect);
    io::stdout().lock().write_all(explained.text.as_bytes())?;
    Ok(Exit::success_if(explained.is_fit))
}

fn at_lines(file: &Path, faults: &[jpos::Fault]) -> String {
    let line = |fault: &jpos::Fault| format!("{}:{}: {}", file.display(), fault.line, fault.what);
    faults.iter().map(line).collect::<Vec<_>>().join("\n")
}
