//! `sampan trace` and `sampan links --errors`, and that a password shows nowhere.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Child,
};

use crate::{
    peers::{Answers, Smsc},
    support::{NOBODY, Router, Scratch, config, sampan},
};

const SECRET: &str = "482913";
const NUMBER: &str = "84981112233";

/// Waits until the command says that it listens; the rest of its standard error is left alone.
fn until_it_listens(child: &mut Child) -> BufReader<std::process::ChildStderr> {
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("sampan: tracing"), "{line}");
    stderr
}

fn rest(child: Child) -> (i32, String) {
    let output = child.wait_with_output().unwrap();
    let out = String::from_utf8(output.stdout).unwrap();
    (output.status.code().unwrap(), out)
}

#[test]
fn a_trace_prints_a_line_for_each_pdu_and_none_of_its_text() {
    let (scratch, smsc) = (Scratch::new(), Smsc::start(Answers::All));
    let router = Router::start(&scratch, &config(&smsc.address, NOBODY));
    router.wait_until("viettel", "up");
    let file = scratch.path("trace.pcap");
    let mut args = vec!["trace", "--number", NUMBER, "--link", "viettel"];
    args.extend(["--count", "2", "--pcap", &file]);
    let mut trace = router.ask_meanwhile(&args);
    let _stderr = until_it_listens(&mut trace);
    let sent = router.ask(&["send", "--to", NUMBER, SECRET]);
    assert_eq!(sent.code, 0, "{sent:?}");
    let (code, out) = rest(trace);
    assert_eq!(code, 0, "{out}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 2, "{out}");
    assert!(lines[0].contains("Z viettel/1#1 -> submit_sm "), "{out}");
    assert!(lines[0].contains("short_message=<6 octets>"), "{out}");
    assert!(
        lines[1].contains(" <- submit_sm_resp ") && lines[1].contains("ESME_ROK"),
        "{out}"
    );
    assert!(!out.contains(SECRET) && !out.contains(NUMBER), "{out}");
    let capture = fs::read(&file).unwrap();
    assert_eq!(capture[..4], [0xD4, 0xC3, 0xB2, 0xA1]);
    assert!(
        !capture
            .windows(SECRET.len())
            .any(|octets| octets == SECRET.as_bytes())
    );
}

#[test]
fn a_trace_ends_well_at_an_interrupt_and_not_well_with_the_router() {
    let (scratch, smsc) = (Scratch::new(), Smsc::start(Answers::All));
    let router = Router::start(&scratch, &config(&smsc.address, NOBODY));
    let mut interrupted = router.ask_meanwhile(&["trace", "--json"]);
    let _stderr = until_it_listens(&mut interrupted);
    let pid = interrupted.id().to_string();
    let killed = std::process::Command::new("kill")
        .args(["-INT", &pid])
        .status();
    assert!(killed.unwrap().success());
    assert_eq!(rest(interrupted).0, 0);
    let mut outlived = router.ask_meanwhile(&["trace"]);
    let mut stderr = until_it_listens(&mut outlived);
    router.signal("TERM");
    assert_eq!(router.end().0, 0);
    let mut said = String::new();
    stderr.read_to_string(&mut said).unwrap();
    assert!(said.contains("stopping"), "{said}");
    assert_eq!(rest(outlived).0, 1);
}

#[test]
fn a_trace_of_an_unknown_link_is_refused_with_what_to_do() {
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, NOBODY));
    let ended = router.ask(&["trace", "--link", "vietcom"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("sampan links"), "{}", ended.err);
}

#[test]
fn the_last_errors_of_links_are_listed_when_asked_for() {
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, NOBODY));
    while !router.ask(&["links"]).out.contains("cannot connect") {}
    let plain = router.ask(&["links"]).out;
    assert!(!plain.contains("LAST ERRORS OF"), "{plain}");
    let told = router.ask(&["links", "--errors"]).out;
    assert!(told.contains("LAST ERRORS OF viettel/1\n20"), "{told}");
    assert!(get(router.admin, "/").contains("LAST ERRORS OF viettel/1"));
}

#[test]
fn a_password_is_in_no_log_list_figure_or_trace() {
    const PASSWORD: &str = "secret08";
    let (scratch, smsc) = (Scratch::new(), Smsc::start(Answers::All));
    let loud = config(&smsc.address, NOBODY) + "[log]\nlevel = \"trace\"\n";
    assert!(loud.contains(PASSWORD));
    let router = Router::start(&scratch, &loud);
    router.wait_until("viettel", "up");
    let mut trace = router.ask_meanwhile(&["trace", "--count", "2"]);
    let _stderr = until_it_listens(&mut trace);
    router.ask(&["send", "--to", NUMBER, SECRET]);
    let mut shown = vec![rest(trace).1, router.ask(&["links", "--errors"]).out];
    for path in ["/", "/ready", "/metrics"] {
        shown.push(get(router.admin, path));
    }
    router.signal("TERM");
    let (_, log) = router.end();
    assert!(log.contains("bound"), "{log}");
    shown.push(log);
    for text in shown {
        assert!(!text.is_empty());
        assert!(!text.contains(PASSWORD) && !text.contains(SECRET), "{text}");
        assert!(!text.contains(NUMBER), "{text}");
    }
    let path = scratch.write("wrong.toml", &loud.replace(PASSWORD, "secret08-and-more"));
    let checked = sampan(&["check", "--config", &path]);
    assert_eq!(checked.code, 64);
    assert!(!checked.err.contains(PASSWORD), "{}", checked.err);
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}
