//! The `commerce` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    commerce::cli::main().into()
}
