//! The `sampan` command.

use std::process::ExitCode;

/// Batches of small messages come and go all the time, on every thread.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    sampan::cli::main().into()
}
