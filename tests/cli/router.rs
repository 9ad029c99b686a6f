//! `sampan run` from its ready line to its exit code.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use crate::{
    peers::{Answers, Smsc, start_bank},
    support::{NOBODY, Router, Scratch, config, sampan},
};

#[test]
fn a_signal_ends_an_idle_router_with_0() {
    for signal in ["TERM", "INT"] {
        let scratch = Scratch::new();
        let router = Router::start(&scratch, &config(NOBODY, NOBODY));
        router.signal(signal);
        let (code, log) = router.end();
        assert_eq!(code, 0, "{log}");
        assert!(log.contains(&format!("SIG{signal}")), "{log}");
    }
}

#[test]
fn a_stop_waits_for_what_is_in_flight_and_a_second_signal_does_not() {
    let scratch = Scratch::new();
    let smsc = Smsc::start(Answers::NoTraffic);
    let mut router = Router::start(&scratch, &config(&smsc.address, NOBODY));
    router.wait_until("viettel", "up");
    let mut sender = router.ask_meanwhile(&["send", "--to", "84981112233", "x"]);
    smsc.wait_for_submit();
    router.signal("TERM");
    // The admin port tells that the first signal has arrived; a second one before would be lost in
    // it.
    while !get(router.admin, "/ready").contains("stopping") {}
    assert!(router.is_running());
    router.signal("TERM");
    let (code, log) = router.end();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("ended at once"), "{log}");
    let sent = sender.wait().unwrap();
    assert_eq!(sent.code(), Some(1));
}

#[test]
fn a_payment_that_is_unsettled_at_the_end_makes_it_1() {
    let scratch = Scratch::new();
    let impatient = config(NOBODY, &start_bank(Answers::NoTraffic))
        .replace("[[bank]]", "[stop]\ntimeout_ms = 100\n[[bank]]")
        .replace("currency =", "response_timeout_ms = 50\ncurrency =");
    let router = Router::start(&scratch, &impatient);
    router.wait_until("vietcom", "up");
    let money = ["--amount", "1", "--currency", "VND"];
    let charge = ["charge", "--pan", "9704361234561234"];
    let charged = router.ask(&[&charge[..], &money].concat());
    assert_eq!(charged.code, 1, "{charged:?}");
    assert!(charged.out.contains("REVERSING\n"), "{}", charged.out);
    router.signal("TERM");
    let (code, log) = router.end();
    assert_eq!(code, 1, "{log}");
    assert!(log.contains("unsettled_payments"), "{log}");
}

#[test]
fn a_router_that_was_killed_takes_back_what_had_no_answer_and_remembers_what_had_one() {
    let scratch = Scratch::new();
    let key = scratch.write(
        "key",
        "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    );
    let journal = scratch.path("journal.redb");
    let section = format!("[journal]\npath = {journal:?}\nkey_file = {key:?}\n");
    let bank = start_bank(Answers::NoTraffic);
    let patient = section.clone() + &config(NOBODY, &bank);
    let router = Router::start(&scratch, &patient);
    router.wait_until("vietcom", "up");
    let money = ["--amount", "1", "--currency", "VND", "--id", "p-1"];
    let charge = ["charge", "--pan", "9704361234561234"];
    let mut asking = router.ask_meanwhile(&[&charge[..], &money].concat());
    let lookup = ["lookup", "--id", "p-1"];
    while !router.ask(&lookup).out.contains("PENDING\n") {}
    router.signal("KILL");
    drop(router);
    assert!(!asking.wait().unwrap().success());

    let router = Router::start(&scratch, &patient);
    while !router.ask(&lookup).out.contains("REVERSING\n") {}
    let again = router.ask(&[&charge[..], &money].concat());
    assert!(again.out.contains("REVERSING\n"), "{again:?}");
    let listed = router.ask(&["reversals", "list"]);
    assert!(listed.out.contains("p-1"), "{listed:?}");
    let resolve = ["reversals", "resolve", "--of", "local", "--id", "p-1"];
    let resolved = router.ask(&[&resolve[..], &["--reason", "by hand"]].concat());
    assert_eq!(resolved.code, 0, "{resolved:?}");
    router.signal("KILL");
    drop(router);

    let router = Router::start(&scratch, &patient);
    let told = router.ask(&lookup);
    assert!(told.out.contains("RESOLVED\n"), "{told:?}");
    assert!(told.out.contains("by hand"), "{told:?}");
    router.signal("TERM");
    let (code, log) = router.end();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains("9704361234561234"), "{log}");

    let stranger = section + &config(NOBODY, &bank).replace("vietcom", "acb");
    let path = scratch.write("sampan.toml", &stranger);
    let warned = sampan(&["journal", "list", "--config", &path]);
    assert!(warned.out.contains("p-1"), "{warned:?}");
}

#[test]
fn a_port_that_is_taken_is_told_by_its_key_and_ends_in_1() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for section in ["[rpc]", "[admin]"] {
        let scratch = Scratch::new();
        let from = format!("{section}\nlisten = \"127.0.0.1:0\"");
        let to = format!("{section}\nlisten = \"{address}\"");
        let path = scratch.write("sampan.toml", &config(NOBODY, NOBODY).replace(&from, &to));
        let ended = sampan(&["run", "--config", &path]);
        assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
        assert!(ended.err.contains(&address), "{}", ended.err);
    }
}

#[test]
fn the_log_can_be_json() {
    let scratch = Scratch::new();
    let json = config(NOBODY, NOBODY) + "[log]\nformat = \"json\"\n";
    let router = Router::start(&scratch, &json);
    router.signal("TERM");
    let (code, log) = router.end();
    assert_eq!(code, 0);
    assert!(!log.is_empty());
    for line in log.lines() {
        assert!(line.starts_with('{') && line.ends_with('}'), "{line}");
    }
}

#[test]
fn a_foreign_protocol_on_the_rpc_port_disturbs_nothing() {
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, NOBODY));
    let noise: Vec<u8> = (0..4096_u32)
        .map(|i| (i.wrapping_mul(0x9E37_79B9) >> 24) as u8)
        .collect();
    let smpp = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 1];
    for bytes in [
        b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        &noise[..],
        &smpp,
        b"0800",
    ] {
        if let Err(error) = provoke(&router.rpc, bytes) {
            // The router may hang up in the middle, but must not leave a stranger waiting.
            let is_silence = matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
            assert!(!is_silence, "{error}");
        }
        let ended = router.ask(&["links"]);
        assert_eq!(ended.code, 0, "{ended:?}");
    }
    router.signal("TERM");
    let (code, log) = router.end();
    assert_eq!(code, 0, "{log}");
}

/// Sends the bytes and reads until the other side hangs up.
fn provoke(address: &str, bytes: &[u8]) -> io::Result<()> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
    stream.write_all(bytes)?;
    stream.shutdown(Shutdown::Write)?;
    stream.read_to_end(&mut Vec::new())?;
    Ok(())
}

fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The soft and the hard limit of core dumps of a running router.
fn core_limits(router: &Router) -> (String, String) {
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", router.pid())).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max core file"));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    (words[4].to_owned(), words[5].to_owned())
}

/// Whether a process may have transparent huge pages, as the kernel says.
#[cfg(target_os = "linux")]
fn may_have_huge_pages(process: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("THP_enabled"));
    line.is_some_and(|line| line.ends_with('1'))
}

#[test]
#[cfg(target_os = "linux")]
fn a_router_has_huge_pages_as_the_system_gives_them_unless_it_may_not() {
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, NOBODY));
    let own = may_have_huge_pages("self");
    assert_eq!(may_have_huge_pages(&router.pid().to_string()), own);
    let scratch = Scratch::new();
    let without = format!("[process]\nhuge_pages = false\n{}", config(NOBODY, NOBODY));
    let router = Router::start(&scratch, &without);
    assert!(!may_have_huge_pages(&router.pid().to_string()));
}

#[test]
#[cfg(target_os = "linux")]
fn a_router_leaves_no_core_dump_unless_it_may() {
    let zero = || "0".to_owned();
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, NOBODY));
    assert_eq!(core_limits(&router), (zero(), zero()));
    let scratch = Scratch::new();
    let allowed = format!("[process]\ncore_dumps = true\n{}", config(NOBODY, NOBODY));
    let router = Router::start(&scratch, &allowed);
    // As the shell that starts the tests has it.
    let own = std::fs::read_to_string("/proc/self/limits").unwrap();
    let own = own.lines().find(|line| line.starts_with("Max core file"));
    let own: Vec<&str> = own.unwrap().split_whitespace().collect();
    assert_eq!(core_limits(&router), (own[4].to_owned(), own[5].to_owned()));
}
