//! Commands that ask a running router.

use crate::{
    peers::{Answers, Smsc, start_bank},
    support::{NOBODY, Router, Scratch, config, sampan, sampan_reading},
};

const PAN: &str = "9704361234561234";

#[test]
fn without_an_smsc_a_message_is_not_sent_and_a_retry_is_safe() {
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, NOBODY));
    let ended = router.ask(&["send", "--to", "84981112233", "--id", "r-1", "hello"]);
    assert_eq!((ended.code, ended.err.as_str()), (1, ""), "{ended:?}");
    for told in [
        "NOT_SENT\n",
        "NO_LINK\n",
        "r-1\n",
        "retry_is_safe           yes\n",
    ] {
        assert!(ended.out.contains(told), "{told} in {}", ended.out);
    }
    let ended = router.ask(&[
        "send",
        "--to",
        "84981112233",
        "--json",
        "--id",
        "r-2",
        "hello",
    ]);
    assert_eq!(ended.code, 1);
    let told = r#"{"outcome":"NOT_SENT","reason":"NO_LINK","detail":""#;
    assert!(ended.out.starts_with(told), "{}", ended.out);
    assert!(ended.out.ends_with("}\n"));
}

#[test]
fn an_accepted_message_is_told_with_the_smscs_id() {
    let scratch = Scratch::new();
    let smsc = Smsc::start(Answers::All);
    let router = Router::start(&scratch, &config(&smsc.address, NOBODY));
    router.wait_until("viettel", "up");
    let args = [
        "send",
        "--to",
        "84981112233",
        "--coding",
        "ucs2",
        "--receipt",
        "hello",
    ];
    let ended = router.ask(&args);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    for told in [
        "ACCEPTED\n",
        "msg-1\n",
        "viettel\n",
        "request_id              cli-",
    ] {
        assert!(ended.out.contains(told), "{told} in {}", ended.out);
    }
}

#[test]
fn a_message_may_be_urgent_scheduled_simplified_and_sent_elsewhere_after_unknown() {
    let scratch = Scratch::new();
    let smsc = Smsc::start(Answers::All);
    let router = Router::start(&scratch, &config(&smsc.address, NOBODY));
    router.wait_until("viettel", "up");
    let send = ["send", "--to", "84981112233", "--class", "urgent"];
    let more = ["--transliteration", "on", "--resend-after-unknown"];
    let sent = router.ask(&[&send[..], &more, &["--schedule-s", "60", "Xin chào"]].concat());
    assert_eq!((sent.code, sent.err.as_str()), (0, ""), "{sent:?}");
    // More than the standard's relative time can say: the field has reached the router.
    let refused = router.ask(&[&send[..], &["--schedule-s", "9999999", "x"]].concat());
    assert_eq!(refused.code, 1, "{refused:?}");
    assert!(refused.out.contains("schedule_s: 9999999"), "{refused:?}");
}

#[test]
fn a_preview_tells_what_a_running_router_would_make_of_a_text_and_sends_nothing() {
    let scratch = Scratch::new();
    let smsc = Smsc::start(Answers::All);
    let router = Router::start(&scratch, &config(&smsc.address, NOBODY));
    router.wait_until("viettel", "up");
    let preview = ["preview", "--to", "84981112233", "--text"];
    let long = "a".repeat(161);
    let told = router.ask(&[&preview[..], &[&long]].concat());
    assert_eq!((told.code, told.err.as_str()), (0, ""), "{told:?}");
    for line in [
        "PREVIEW\n",
        "vietnam\n",
        "GSM7\n",
        "parts                   2\n",
    ] {
        assert!(told.out.contains(line), "{line} in {}", told.out);
    }
    let ask = [&preview[..], &["Xin chào ạ", "--transliteration", "on"]].concat();
    let simplified = router.ask(&ask);
    assert!(simplified.out.contains("Xin chào a"), "{}", simplified.out);
    let nowhere = router.ask(&["preview", "--to", "12025550100", "--text", "x"]);
    assert_eq!(nowhere.code, 1, "{nowhere:?}");
    assert!(nowhere.out.contains("NO_ROUTE\n"), "{}", nowhere.out);
}

#[test]
fn a_payment_is_approved_looked_up_and_taken_back_by_its_id() {
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, &start_bank(Answers::All)));
    router.wait_until("vietcom", "up");
    let pan = scratch.write("pan", &format!("{PAN}\n"));
    let money = ["--amount", "10000", "--currency", "VND"];
    let charge = ["charge", "--pan-file", &pan, "--id", "p-1"];
    let charged = router.ask(&[&charge[..], &money].concat());
    assert_eq!(charged.code, 0, "{charged:?}");
    assert!(charged.out.contains("APPROVED\n"));
    let found = router.ask(&["lookup", "--id", "p-1"]);
    assert_eq!(found.code, 0, "{found:?}");
    assert!(found.out.contains("APPROVED\n"));
    let reversed = router.ask(&["reverse", "--id", "p-1"]);
    assert_eq!(reversed.code, 0, "{reversed:?}");
    assert!(reversed.out.contains("REVERS"));
    for ended in [charged, found, reversed] {
        assert!(!ended.out.contains(PAN) && !ended.err.contains(PAN));
    }
    router.signal("TERM");
    let (code, log) = router.end();
    assert_eq!(code, 0, "{log}");
    assert!(!log.contains(PAN));
}

#[test]
fn a_charge_without_an_id_tells_the_id_even_before_the_answer() {
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, NOBODY));
    let address = format!("http://{}", router.rpc);
    let args = [
        "charge",
        "--pan-file",
        "-",
        "--kind",
        "balance",
        "--address",
        &address,
    ];
    let ended = sampan_reading(PAN, &args);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.contains("NO_LINK\n"), "{}", ended.out);
    let id = ended.err.strip_prefix("payment_id ").unwrap().trim_end();
    assert!(ended.out.contains(id));
}

#[test]
fn an_id_that_nobody_used_is_not_found() {
    let scratch = Scratch::new();
    let router = Router::start(&scratch, &config(NOBODY, NOBODY));
    let found = router.ask(&["lookup", "--id", "p-1"]);
    assert_eq!(found.code, 1);
    assert!(found.out.starts_with("outcome                 NOT_FOUND\n"));
    let reversed = router.ask(&["reverse", "--id", "p-1"]);
    assert_eq!((reversed.code, reversed.out.as_str()), (1, ""));
    assert!(reversed.err.contains("NotFound: "), "{}", reversed.err);
}

#[test]
fn links_are_listed_drained_and_resumed() {
    let scratch = Scratch::new();
    let smsc = Smsc::start(Answers::All);
    let router = Router::start(&scratch, &config(&smsc.address, NOBODY));
    router.wait_until("viettel", "up");
    let all = router.ask(&["links"]);
    assert_eq!(all.code, 0);
    assert!(all.out.contains("viettel/1 ") && all.out.contains("vietcom/1 "));
    let drained = router.ask(&["links", "drain", "viettel", "viettel/1"]);
    assert_eq!(drained.code, 0, "{drained:?}");
    router.wait_until("viettel", "draining");
    let refused = router.ask(&["send", "--to", "84981112233", "x"]);
    assert!(refused.out.contains("NOT_SENT"), "{}", refused.out);
    let resumed = router.ask(&["links", "resume", "viettel"]);
    assert_eq!(resumed.code, 0, "{resumed:?}");
    router.wait_until("viettel", "up");
    let unknown = router.ask(&["links", "drain", "nobody"]);
    assert_eq!((unknown.code, unknown.out.as_str()), (1, ""));
    assert!(unknown.err.contains("no link nobody"), "{}", unknown.err);
}

#[test]
fn a_dry_run_tells_the_way_by_the_file_alone_or_by_the_running_router() {
    let scratch = Scratch::new();
    let more = "[[message_route]]\nname = \"otp\"\nprefixes = [\"84\"]\nkeywords = [\"otp\"]\n\
                clients = [\"shop\"]\nsmscs = [\"viettel\"]\n";
    let text = format!("{}{more}", config(NOBODY, NOBODY));
    let file = scratch.write("routes.toml", &text);
    let number = "84981112233";
    let otp = ["route", number, "--client", "shop", "--text", "OTP 1234"];
    let ended = sampan(&[&otp[..], &["--config", &file]].concat());
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
    assert_eq!(
        ended.out,
        "route  otp\nsmscs  viettel\n\n    \
         1  route otp: prefix \"84\", every condition is met\n    \
         2  route otp: chosen\n    \
         3  choice: ordered; further SMSCs after one that does not take it: at most 2\n    \
         4  smsc viettel: up: number 1\n\
         by the file alone: every SMSC is taken to be up\n"
    );
    let ended = sampan(&["route", "12025550100", "--config", &file]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.out.starts_with("route  none\nsmscs  none\n"),
        "{}",
        ended.out
    );

    let router = Router::start(&scratch, &text);
    let ended = router.ask(&otp);
    assert_eq!((ended.code, ended.err.as_str()), (1, ""), "{ended:?}");
    assert!(
        ended.out.starts_with("route  otp\nsmscs  none\n"),
        "{}",
        ended.out
    );
    let ended = router.ask(&["route", number, "--binary"]);
    for told in [
        "route  vietnam\n",
        "route otp: prefix \"84\", not taken: the client is not shop\n",
        "smsc viettel: no bind is up: skipped\n",
    ] {
        assert!(ended.out.contains(told), "{told} in {}", ended.out);
    }
}

#[test]
fn a_dry_run_with_a_number_or_a_file_that_cannot_be_is_wrong_usage() {
    let scratch = Scratch::new();
    let file = scratch.write("routes.toml", &config(NOBODY, NOBODY));
    let ended = sampan(&["route", "8498111223344556677889900", "--config", &file]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(
        ended.err.contains("message.destination.number: "),
        "{ended:?}"
    );
    let faulty = scratch.write("faulty.toml", "[rpc]\nlisten = 1\n");
    let ended = sampan(&["route", "84", "--config", &faulty]);
    assert_eq!(ended.code, 64, "{ended:?}");
    assert!(ended.err.contains("rpc.listen"), "{ended:?}");
}
