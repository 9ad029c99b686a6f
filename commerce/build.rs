//! Compiles what commerce asks of the router's RPC contract in `../proto` with protox, so that no protoc
//! is needed. The contract's files stay there: a copy could differ.

use std::{env, error::Error, fs, path::PathBuf};

/// With what they import.
const CONTRACT: [&str; 2] = ["sampan/v1/messaging.proto", "sampan/v1/payments.proto"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=../proto");
    let contract = protox::compile(CONTRACT, ["../proto"])?;
    // Nearly every message carries an account, a number or a text, or holds one that does, so none
    // can be shown.
    tonic_prost_build::configure()
        .bytes(".")
        .skip_debug(["."])
        .build_server(false)
        .compile_fds(contract.clone())?;
    // For the tests, which play the router; with messages of their own, so that they share nothing
    // with what they test.
    let servers = PathBuf::from(env::var("OUT_DIR")?).join("servers");
    fs::create_dir_all(&servers)?;
    tonic_prost_build::configure()
        .out_dir(servers)
        .build_client(false)
        .compile_fds(contract)?;
    Ok(())
}
