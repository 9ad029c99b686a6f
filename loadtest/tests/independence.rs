//! The simulators share no code with what they test: only the demo, which is an upstream service
//! and an auditor, may know the router.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

fn sources(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        match path.is_dir() {
            true if path.ends_with("src/bin") => {}
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
