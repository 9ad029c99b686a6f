//! Compiles the RPC contract in `proto/` with protox, so that no protoc is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const CONTRACT: [&str; 4] = [
    "sampan/v1/outcome.proto",
    "sampan/v1/messaging.proto",
    "sampan/v1/payments.proto",
    "sampan/v1/links.proto",
];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let descriptors = protox::compile(CONTRACT, ["proto"])?;
    let out_dir = PathBuf::from(env::var("OUT_DIR")?);
    // Reflection serves the descriptors as they are.
    fs::write(
        out_dir.join("sampan_descriptor.bin"),
        descriptors.encode_to_vec(),
    )?;
    tonic_prost_build::configure()
        .bytes(".")
        .compile_fds(descriptors)?;
    Ok(())
}
