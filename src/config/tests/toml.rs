//! The reader: types, unknown keys, syntax, and text that is nothing of the kind.

use proptest::prelude::*;

use super::*;

#[test]
fn a_misspelled_key_is_answered_with_the_nearest_one() {
    refused(
        &with_before("[[bank]]", "windw = 3\nresponse_timeout = 3"),
        &[
            "configuration:6: smsc[0].windw: is no known key; did you mean window?",
            "configuration:7: smsc[0].response_timeout: is no known key; did you mean response_timeout_ms?",
        ],
    );
}

#[test]
fn a_misspelled_section_is_answered_with_the_nearest_one() {
    refused(
        &with_before("[[smsc]]", "[[smcs]]"),
        &["configuration:1: smcs: is no known key; did you mean smsc?"],
    );
}

#[test]
fn a_list_of_tables_is_not_one_table() {
    refused(
        "[smsc]\nname = \"one\"",
        &[
            "configuration:1: smsc: is a table, not a list of tables; there may be several: write [[smsc]]",
        ],
    );
    refused(
        "smsc = [1]",
        &["configuration:1: smsc[0]: an integer where a table belongs"],
    );
    refused(
        "rpc = true",
        &["configuration:1: rpc: a boolean where a table belongs"],
    );
}

#[test]
fn a_value_of_the_wrong_type_is_named_by_its_type() {
    refused(
        &with("system_id = \"sampan\"", "system_id = 1.5"),
        &["configuration:4: smsc[0].system_id: a number with a fraction where a string belongs"],
    );
    refused(
        &with("prefixes = [\"84\"]", "prefixes = \"84\""),
        &["configuration:14: message_route[0].prefixes: a string where a list belongs"],
    );
    refused(
        &with(
            "prefixes = [\"84\"]",
            "prefixes = [\n  \"84\",\n  1979-05-27,\n]",
        ),
        &["configuration:16: message_route[0].prefixes[1]: a date or time where a string belongs"],
    );
}

#[test]
fn a_number_is_within_its_limits_however_it_is_written() {
    let window = |number: &str| with_before("[[bank]]", &format!("window = {number}"));
    for (written, number) in [("1", 1), ("65_536", 65_536), ("0x10", 16), ("+7", 7)] {
        assert_eq!(sound(&window(written)).smscs[0].link.window, number);
    }
    for wrong in ["0", "-1", "65537", "0x10001", "99999999999999999999999"] {
        let line = format!("configuration:6: smsc[0].window: {wrong} is not between 1 and 65536");
        refused(&window(wrong), &[&line]);
    }
}

#[test]
fn syntax_errors_are_reported_all_with_line_and_column_and_nothing_else_is_guessed() {
    refused(
        "[rpc]\nlisten = \n[log\n[nonsense]\n[stop]\ntimeout_ms = 1s\n",
        &[
            "configuration:2:10: not TOML: string values must be quoted, expected literal string",
            "configuration:3:5: not TOML: unclosed table, expected `]`",
            "configuration:6:14: not TOML: string values must be quoted, expected literal string",
        ],
    );
}

#[test]
fn a_key_given_twice_is_a_syntax_error() {
    refused(
        "[stop]\ntimeout_ms = 1\ntimeout_ms = 2\n",
        &["configuration:3:1: not TOML: duplicate key"],
    );
}

#[test]
fn a_column_counts_characters_not_bytes() {
    refused(
        "[log]\nlevel = \"đồng\" x\n",
        &["configuration:2:16: not TOML: unexpected key or value, expected newline, `#`"],
    );
}

#[test]
fn long_and_strange_values_are_cut_and_stay_on_one_line() {
    let level = "x".repeat(1_000);
    refused(
        &format!("[log]\nlevel = \"{level}\"\nformat = \"a\\nb\"\n"),
        &[
            &format!(
                "configuration:2: log.level: \"{}…\" is none of error, warn, info, debug, trace",
                "x".repeat(40)
            ),
            "configuration:3: log.format: \"a?b\" is none of text, json",
        ],
    );
    refused("\"a\\nb\" = 1", &["configuration:1: a?b: is no known key"]);
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in any::<String>()) {
        drop(parse(&text));
    }

    #[test]
    fn any_mixture_of_sound_lines_is_read_without_a_panic(
        lines in prop::collection::vec(0_usize..18, 0..40),
        noise in "[\\[\\]{}=\"a-z0-9\\n#.]{0,40}",
    ) {
        let all: Vec<&str> = SOUND.lines().collect();
        let text: Vec<&str> = lines.iter().map(|index| all[*index]).collect();
        drop(parse(&format!("{}\n{noise}", text.join("\n"))));
    }

    #[test]
    fn a_sound_file_cut_anywhere_is_read_without_a_panic(cut in 0..SOUND.len()) {
        drop(parse(&SOUND[..cut]));
    }
}
