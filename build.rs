//! Compiles the RPC contract in `proto/` with protox, so that no protoc is needed.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

const CONTRACT: [&str; 7] = [
    "sampan/v1/outcome.proto",
    "sampan/v1/messaging.proto",
    "sampan/v1/payments.proto",
    "sampan/v1/bank_events.proto",
    "sampan/v1/reversals.proto",
    "sampan/v1/totals.proto",
    "sampan/v1/links.proto",
];

/// Messages that carry card data or message text: `src/rpc/debug.rs` shows them without it.
const SECRETIVE: [&str; 10] = [
    ".sampan.v1.SubmitRequest",
    ".sampan.v1.BinaryBody",
    ".sampan.v1.Address",
    ".sampan.v1.Tlv",
    ".sampan.v1.ReplaceRequest",
    ".sampan.v1.MobileOriginated",
    ".sampan.v1.Receipt",
    ".sampan.v1.TransactRequest",
    ".sampan.v1.Element",
    ".sampan.v1.BankEvent",
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
        .skip_debug(SECRETIVE)
        .build_server(false)
        .compile_fds(descriptors.clone())?;
    // The servers apart, with a codec of their own and batches of messages that are read and written
    // without a detour (`src/rpc/codec.rs`); all other messages are those above.
    let servers = out_dir.join("servers");
    fs::create_dir_all(&servers)?;
    tonic_prost_build::configure()
        .out_dir(servers)
        .extern_path(".sampan.v1", "crate::rpc::proto")
        .extern_path(
            ".sampan.v1.SubmitBatch",
            "crate::rpc::messaging::AskedBatch",
        )
        .extern_path(
            ".sampan.v1.SubmitResults",
            "crate::rpc::messaging::EncodedResults",
        )
        .extern_path(
            ".sampan.v1.PaymentResults",
            "crate::rpc::payments::EncodedPayments",
        )
        .codec_path("crate::rpc::codec::Codec")
        .build_client(false)
        .compile_fds(descriptors)?;
    Ok(())
}
