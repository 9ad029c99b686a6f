//! The simulators share no code with what they test. Only those that are an upstream service and an
//! auditor may know the router: the demo and `endure`, and `chaos` and `bench`, which may know the RPC
//! contract and nothing else. The purchase logic is known to the programs in `bin` alone.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

/// What is an upstream service too.
const CALLERS: [&str; 3] = ["src/bin", "src/chaos", "src/bench"];

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true if CALLERS.iter().any(|caller| path.ends_with(caller)) => {}
            true => sources(&path, found)?,
            false => found.push(path),
        }
    }
    Ok(())
}

#[test]
fn no_simulator_imports_the_router_or_the_purchase_logic() {
    let mut found = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&folder, &mut found).unwrap();
    assert!(found.iter().any(|path| path.ends_with("smsc/wire.rs")));
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        for tested in ["sampan", "commerce"] {
            for import in ["extern crate ", "use "].map(|word| format!("{word}{tested}")) {
                assert!(!text.contains(&import), "{} has {import:?}", path.display());
            }
            let path_of = format!("{tested}::");
            assert!(!text.contains(&path_of), "{} uses {tested}", path.display());
        }
    }
}

#[test]
fn the_proof_machine_and_the_bench_know_the_contract_alone() {
    for callers in ["src/chaos", "src/bench"] {
        let mut found = Vec::new();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(callers);
        sources(&folder, &mut found).unwrap();
        let mut uses_of_the_contract = 0;
        for path in found {
            let text = fs::read_to_string(&path).unwrap();
            for (at, _) in text.match_indices("sampan::") {
                let contract = text[at..].starts_with("sampan::rpc::proto::");
                assert!(contract, "{} uses more than the contract", path.display());
                uses_of_the_contract += 1;
            }
            let is_apart = !text.contains("commerce::") && !text.contains("use commerce");
            assert!(is_apart, "{} uses the purchase logic", path.display());
        }
        assert!(
            uses_of_the_contract > 0,
            "the check of {callers} looks at nothing"
        );
    }
}
