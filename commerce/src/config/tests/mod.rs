//! The rules of the reader and of its sections.

mod faults;
mod reference;

use std::{fs, path::Path};

use tempfile::TempDir;

use super::*;

const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// A folder with a key, and the least that a configuration needs.
fn folder() -> (TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), KEY).unwrap();
    let text = "[store]\nlocation = \"a.db\"\n[keys]\ncurrent = \"file:key\"\n".to_owned();
    (folder, text)
}

/// Reads a text after the least that a configuration needs.
fn with(lines: &str) -> Result<Config, Faults> {
    let (folder, text) = folder();
    Config::parse(&(text + lines), folder.path())
}

/// The faults of a text by line, key and words.
fn faults(parsed: Result<Config, Faults>) -> Vec<String> {
    let faults = parsed.unwrap_err();
    let line = |fault: &Fault| format!("{}: {}: {}", fault.line, fault.key, fault.what);
    faults.iter().map(line).collect()
}
