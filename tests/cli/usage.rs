//! Wrong usage and wrong configuration: 64, and nothing is done.

use crate::support::{NOBODY, Scratch, config, sampan};

#[test]
fn wrong_usage_ends_in_64() {
    let wrong: [&[&str]; 12] = [
        &[],
        &["fly"],
        &["run"],
        &["check", "--konfig", "x"],
        &["decode", "smpp"],
        &["decode", "http", "00"],
        &["send", "text"],
        &[
            "send",
            "--to",
            "84981112233",
            "--address",
            "127.0.0.1:1",
            "x",
        ],
        &["charge", "--amount", "1", "--currency", "VND"],
        &["charge", "--pan", "9704361234561234", "--amount", "1"],
        &["lookup"],
        &["links", "--peer", "viettel", "drain", "viettel"],
    ];
    for args in wrong {
        let ended = sampan(args);
        assert_eq!(ended.code, 64, "{args:?}: {ended:?}");
        assert_eq!(ended.out, "", "{args:?}");
        assert_ne!(ended.err, "", "{args:?}");
    }
}

#[test]
fn help_and_version_end_in_0() {
    for args in [&["--help"][..], &["--version"], &["charge", "--help"]] {
        let ended = sampan(args);
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{args:?}");
        assert_ne!(ended.out, "");
    }
}

#[test]
fn check_and_run_name_every_fault_with_its_line_and_end_in_64() {
    let scratch = Scratch::new();
    let faulty =
        "[stop]\ntimeout_ms = -1\n\n[rpc]\nlisten = \"10.0.0.1:7070\"\n[[bank]]\nname = \"a b\"\n";
    let path = scratch.write("faulty.toml", faulty);
    for command in ["check", "run"] {
        let ended = sampan(&[command, "--config", &path]);
        assert_eq!((ended.code, ended.out.as_str()), (64, ""), "{ended:?}");
        for line in [2, 5, 6, 7] {
            assert!(
                ended.err.contains(&format!("{path}:{line}: ")),
                "{}",
                ended.err
            );
        }
    }
}

#[test]
fn a_sound_configuration_ends_in_0() {
    let scratch = Scratch::new();
    let path = scratch.write("sound.toml", &config(NOBODY, NOBODY));
    let ended = sampan(&["check", "--config", &path]);
    assert_eq!(ended.code, 0);
    assert_eq!(ended.out, "config OK: 1 SMSC, 1 bank, 2 routes\n");
}

#[test]
fn a_router_that_is_not_there_is_told_with_its_address_and_ends_in_1() {
    let asked: [&[&str]; 4] = [
        &["links"],
        &["send", "--to", "84981112233", "x"],
        &["charge", "--pan", "9704361234561234", "--kind", "balance"],
        &["lookup", "--id", "p-1"],
    ];
    for args in asked {
        let ended = sampan(&[args, &["--address", "http://127.0.0.1:1"]].concat());
        assert_eq!(ended.code, 1, "{args:?}");
        assert!(
            ended
                .err
                .contains("cannot be reached at http://127.0.0.1:1: ")
        );
    }
}
