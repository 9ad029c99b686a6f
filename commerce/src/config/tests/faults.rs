//! Every fault is found at once, by its line and key, and no secret is repeated.

use super::*;

#[test]
fn each_fault_of_a_file_is_named_with_its_line() {
    let text = "[store]\nlocation = 5\n[keys]\nprevious = [\"key\"]\n[http]\nlisten = \"here\"\n\
        requests_max = 0\nlisen = 1\ntrusted_proxies = [\"10.0.0.1/8\", 7]\n[lug]\n\
        [s2sell]\nburst = \"x\"\n[[s2sell.agent]]\nid = \"a b\"\n[log]\nlevel = \"loud\"\n";
    let found = faults(Config::parse(text, Path::new("")));
    // Sections come to be more.
    let sections = "; known are admin, ";
    let found = found
        .iter()
        .map(|fault| fault.split(sections).next().unwrap());
    let found: Vec<&str> = found.collect();
    let expected = [
        "2: store.location: an integer where a string belongs",
        "3: keys.current: is missing",
        "4: keys.previous[0]: the value is neither env:VARIABLE nor file:PATH; a secret itself does not belong here",
        "6: http.listen: \"here\" is not an IP address and port, such as 127.0.0.1:8080",
        "7: http.requests_max: 0 is not between 1 and 65536",
        "8: http.lisen: is no known key; known are body_bytes_max, connections_max, \
         header_timeout_ms, listen, request_timeout_ms, requests_max, trusted_proxies",
        "9: http.trusted_proxies[0]: \"10.0.0.1/8\" has an address beyond its length; the range begins at 10.0.0.0/8",
        "9: http.trusted_proxies[1]: an integer where a string belongs",
        "10: lug: is no known key",
        "12: s2sell.burst: a string where an integer belongs",
        "14: s2sell.agent[0].id: \"a b\" is not 1 to 64 characters of letters, digits, '.', '_' and '-'",
        "16: log.level: \"loud\" is none of error, warn, info, debug, trace",
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_text_that_is_not_toml_is_named_by_its_line_and_not_read_further() {
    let found = faults(Config::parse(
        "[store]\nlocation = \n[lug]\n",
        Path::new(""),
    ));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].starts_with("2: : not TOML: "), "{found:?}");
}

#[test]
fn a_section_that_is_missing_is_named_by_what_it_has_to_say() {
    let found = faults(Config::parse("", Path::new("")));
    let expected = [
        "1: store.location: is missing",
        "1: keys.current: is missing",
    ];
    assert_eq!(found, expected);
}

#[test]
fn no_password_and_no_key_is_repeated() {
    let text =
        "[store]\nlocation = \"mysql://sampan:se1cret@db/x\"\n[keys]\ncurrent = \"file:key\"\n";
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("key"), &KEY[1..]).unwrap();
    let found = faults(Config::parse(text, folder.path())).concat();
    assert!(found.contains("a URL of neither database"), "{found}");
    assert!(found.contains("has 63 characters"), "{found}");
    assert!(
        !found.contains("se1cret") && !found.contains("0102"),
        "{found}"
    );
}

#[test]
fn a_key_that_was_pasted_in_place_of_its_place_is_not_repeated_at_all() {
    let text = format!("[keys]\ncurrent = \"{KEY}\"\nprevious = [\"{KEY}\"]\n");
    let found = faults(Config::parse(&text, Path::new(""))).concat();
    assert!(!found.contains(&KEY[..8]), "{found}");
}

#[test]
fn a_file_is_named_in_its_faults_and_paths_are_taken_from_its_folder() {
    let (folder, text) = folder();
    let path = folder.path().join("commerce.toml");
    fs::write(&path, &text).unwrap();
    let config = Config::load(&path).unwrap();
    let place = folder.path().join("a.db").display().to_string();
    assert_eq!(config.store.to_string(), place);
    assert_eq!(load_store(&path).unwrap().to_string(), place);
    fs::write(&path, text + "[lug]\n").unwrap();
    let told = Config::load(&path).unwrap_err().to_string();
    let prefix = format!("{}:5: lug: is no known key", path.display());
    assert!(told.starts_with(&prefix), "{told}");
    let absent = folder.path().join("absent.toml");
    let told = Config::load(&absent).unwrap_err().to_string();
    assert!(told.contains("absent.toml: cannot be read: "), "{told}");
}

#[test]
fn who_needs_only_the_books_need_not_have_the_keys() {
    let (folder, text) = folder();
    let path = folder.path().join("commerce.toml");
    fs::write(&path, text.replace("file:key", "file:nowhere")).unwrap();
    assert!(Config::load(&path).is_err());
    assert!(load_store(&path).is_ok());
}

#[test]
fn an_agent_has_one_rate() {
    let agent = "[[s2sell.agent]]\nid = \"shop\"\nrequests_per_s = 5\n";
    let settings = with(agent).unwrap().s2sell.unwrap();
    let rate = settings.agents[&"shop".parse().unwrap()];
    assert_eq!((rate.requests_per_s, rate.burst), (5, 40));
    let found = faults(with(&agent.repeat(2)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("agent shop has two rates"), "{found:?}");
    assert!(
        with("[s2sell]\nenabled = false\n")
            .unwrap()
            .s2sell
            .is_none()
    );
}
