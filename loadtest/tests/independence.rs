//! The simulators share no code with what they test. Only those that are an upstream service and an
//! auditor may know the router: the demo and `endure`, and `chaos` and `bench`, which may know the RPC
//! contract and nothing else.

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
fn no_simulator_imports_the_router() {
    let mut found = Vec::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    sources(&folder, &mut found).unwrap();
    assert!(found.iter().any(|path| path.ends_with("smsc/wire.rs")));
    for path in found {
        let text = fs::read_to_string(&path).unwrap();
        for import in ["sampan::", "use sampan", "extern crate sampan"] {
            assert!(!text.contains(import), "{} has {import:?}", path.display());
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
        }
        assert!(
            uses_of_the_contract > 0,
            "the check of {callers} looks at nothing"
        );
    }
}
