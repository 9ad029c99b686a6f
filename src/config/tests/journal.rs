//! `[journal]`: a file of its own, and keys that stand elsewhere.

use std::{fs, os::unix::fs::PermissionsExt as _};

use super::*;

const SECTION: &str = "path = \"journal.redb\"\nkey_env = \"SAMPAN_JOURNAL_KEY\"";
const OTHER_KEY: &str = "e00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The line of `[journal]` in the sound text.
fn line() -> usize {
    SOUND.lines().position(|line| line == "[journal]").unwrap() + 1
}

#[test]
fn without_a_journal_a_bank_elsewhere_is_a_warning_and_one_on_this_machine_is_not() {
    let without = with(&format!("[journal]\n{SECTION}\n"), "");
    warned(
        &without,
        &[
            "x.toml:1: warning: there is no [journal]: a restart forgets which payments have to be \
             reversed; add [journal] with a path and a key",
        ],
    );
    warned(&without.replace("bank.test:8583", "127.0.0.1:8583"), &[]);
}

#[test]
fn the_key_comes_from_one_variable_or_one_file_and_never_from_the_configuration() {
    let at = line();
    refused(
        &with(SECTION, "path = \"j.redb\""),
        &[&format!(
            "configuration:{at}: journal: needs key_env or key_file; `openssl rand -hex 32` makes a key"
        )],
    );
    refused(
        &with(SECTION, &format!("{SECTION}\nkey_file = \"key\"")),
        &[&format!(
            "configuration:{}: journal.key_file: needs one of key_env and key_file, not both",
            at + 3
        )],
    );
    refused(
        &with("SAMPAN_JOURNAL_KEY", "NO_SUCH_KEY"),
        &[&format!(
            "configuration:{}: journal.key_env: the environment variable NO_SUCH_KEY is not set, or \
             is not UTF-8",
            at + 2
        )],
    );
    let key = format!("path = \"j.redb\"\nkey = \"{KEY}\"");
    let faults = parse(&with(SECTION, &key)).unwrap_err().to_string();
    assert!(faults.contains("journal.key: is no known key"), "{faults}");
    assert!(!faults.contains(KEY), "{faults}");
}

#[test]
fn the_journal_is_not_the_file_of_the_store() {
    refused(
        &with("journal.redb", "sampan.redb"),
        &[&format!(
            "configuration:{}: journal.path: is the file of [store]; the journal needs one of its own",
            line() + 1
        )],
    );
}

#[test]
fn a_key_file_that_every_user_may_read_is_a_warning() {
    let name = format!("sampan-key-{}", std::process::id());
    let path = std::env::temp_dir().join(name);
    fs::write(&path, format!("{OTHER_KEY}\n")).unwrap();
    let key = format!(
        "path = \"j.redb\"\nkey_file = {:?}",
        path.display().to_string()
    );
    let text = with(SECTION, &key);
    let allow = |mode| fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    allow(0o644);
    let open = sound(&text).warnings;
    allow(0o600);
    let closed = sound(&text).warnings;
    fs::remove_file(&path).unwrap();
    assert!(
        open[0].what.contains("every user of this machine may read"),
        "{open:?}"
    );
    assert_eq!(closed, []);
}

#[test]
fn previous_keys_are_named_by_where_they_are_and_a_repeated_one_is_a_warning() {
    let previous = |entry: &str| with(SECTION, &format!("{SECTION}\nprevious_keys = [{entry}]"));
    let at = line() + 3;
    refused(
        &previous("\"old.key\""),
        &[&format!(
            "configuration:{at}: journal.previous_keys[0]: \"old.key\" is neither env: with a variable \
             nor file: with a path"
        )],
    );
    refused(
        &previous("\"file:old.key\""),
        &[&format!(
            "configuration:{at}: journal.previous_keys[0]: /nowhere/old.key cannot be read: No such \
             file or directory (os error 2)"
        )],
    );
    warned(
        &previous("\"env:SAMPAN_JOURNAL_KEY\""),
        &[&format!(
            "x.toml:{at}: warning: journal.previous_keys[0]: is the same key as another one of the \
             journal"
        )],
    );
}

#[test]
fn nothing_of_a_key_is_in_the_debug_of_a_configuration() {
    let shown = format!("{:?}", sound(SOUND).journal.unwrap());
    assert!(
        !shown.contains("0102") && shown.contains("MasterKey("),
        "{shown}"
    );
}
