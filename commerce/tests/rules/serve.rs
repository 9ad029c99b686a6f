//! What a running program owes to its callers and operators, whoever they are.

use commerce::{
    app::App,
    expiry::{Round, round},
    ledger::{self, Hold, HoldState, Limits},
    moment::UnixMs,
    store::Store,
};
use tokio_util::sync::CancellationToken;

use crate::{
    books::{NOW, account, balance, entry, post, vnd},
    databases::{on_both, postgres, sqlite},
    s2sell::{Shop, THEN},
    shop::{LATER, furnish, id, import},
    web::{self, Line, Program, ask, eventually, get},
};

/// The head of a purchase by an agent who may call; the body does not come by itself.
fn unended(key: &str, length: usize) -> String {
    format!(
        "POST /mcapi/s2sell/card/MOBI10 HTTP/1.1\r\nHost: test\r\nX-API-Key: {key}\r\n\
         Connection: close\r\nContent-Length: {length}\r\n\r\n"
    )
}

/// A program with an agent, whose key it gives.
async fn start_with_agent(lines: &str) -> (Program, String) {
    let mut key = String::new();
    let program = Program::start(lines, THEN, async |store| {
        key = Shop::open(store, 1).await.key;
    })
    .await;
    (program, key)
}

async fn start(lines: &str) -> Program {
    Program::start(lines, NOW, async |_| {}).await
}

/// The program whose stock of one card type is low, asked for what operators look at.
async fn is_well(app: &App) {
    assert_eq!(get(app.admin_address(), "/live").await.1, "live\n");
    assert_eq!(get(app.admin_address(), "/ready").await.1, "ready\n");
    let (head, body) = get(app.http_address(), "/mcapi/s2sell/category").await;
    assert!(head.starts_with("http/1.1 401 "), "{head}");
    assert!(
        body.starts_with("{\"error\":{\"code\":\"UNAUTHORIZED\""),
        "{body}"
    );
    let figures = async || get(app.admin_address(), "/metrics").await.1;
    eventually("the stock is told", async || {
        figures()
            .await
            .contains("commerce_stock_free{card_type=\"MOBI10\"} 1\n")
    })
    .await;
    // Each watch tells its own at its own time.
    for figure in [
        "commerce_build_info{version=\"",
        "commerce_stock_low_mark{card_type=\"MOBI10\"} 3\n",
        "commerce_http_requests_total{method=\"GET\",route=\"/mcapi/s2sell/category\",status=\"401\"} 1\n",
        "commerce_http_request_seconds_bucket{route=\"/mcapi/s2sell/category\",le=\"30\"} 1\n",
        "commerce_holds_due 0\n",
        "commerce_ready 1\n",
        "commerce_stock_faulty{card_type=\"MOBI10\"} 0\n",
        "commerce_purchases_stuck 0\n",
        "commerce_messages_waiting 0\n",
        "commerce_message_oldest_wait_seconds 0\n",
    ] {
        eventually(figure, async || figures().await.contains(figure)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_serves_agents_and_tells_operators_how_it_is() {
    let (_folder, file) = sqlite();
    for location in [Some(file), postgres().await].into_iter().flatten() {
        let (_keys, config) = web::at(location, "");
        let app = web::start(config, NOW, async |store| {
            furnish(store).await;
            import(store, "MOBI10", &["1,111,2030-01-01"])
                .await
                .unwrap();
        })
        .await;
        is_well(&app).await;
        let stopped = app.stop().await;
        assert_eq!(stopped.cut_off, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_named_with_its_setting() {
    let program = start("").await;
    let (_folder, mut config) = web::config("");
    config.http.listen = program.app.http_address();
    let error = App::start(config).await.unwrap_err().to_string();
    assert!(
        error.starts_with("http.listen: cannot listen on 127.0.0.1:"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_keeps_browsers_careful_and_unknown_paths_are_not_figures() {
    let program = start("").await;
    let (head, body) = get(program.app.http_address(), "/secret-0912345678?key=x").await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");
    assert!(!body.contains("secret"), "{body}");
    for header in [
        "x-content-type-options: nosniff",
        "x-frame-options: deny",
        "referrer-policy: no-referrer",
        "content-security-policy: default-src 'none'; frame-ancestors 'none'",
    ] {
        assert!(head.contains(header), "{head}");
    }
    let made_up = ask(program.app.http_address(), "MAKEUP / HTTP/1.1\r\n").await;
    assert!(made_up.0.starts_with("http/1.1 404 "), "{made_up:?}");
    let (_, told) = get(program.app.admin_address(), "/metrics").await;
    assert!(
        told.contains("{method=\"GET\",route=\"none\",status=\"404\"} 1\n"),
        "{told}"
    );
    assert!(
        told.contains("{method=\"other\",route=\"none\",status=\"404\"} 1\n"),
        "{told}"
    );
    assert!(!told.contains("secret"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_closes_the_connection() {
    let program = start("[http]\nheader_timeout_ms = 100\n").await;
    for said in ["", "GET /mcapi/s2sell/category HTTP/1.1\r\nX-API-Key: "] {
        let mut line = Line::to(program.app.http_address()).await;
        line.say(said).await;
        let heard = line.hear().await;
        assert!(
            heard.is_empty() || heard.starts_with("HTTP/1.1 408 "),
            "{heard}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_or_a_body_that_is_too_long_is_refused() {
    let (program, key) = start_with_agent("").await;
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(20_000));
    let (head, _) = ask(program.app.http_address(), &long).await;
    assert!(head.starts_with("http/1.1 4"), "{head}");
    let mut line = Line::to(program.app.http_address()).await;
    line.say(&unended(&key, 5_000)).await;
    line.say(&"BUYCOUNT=1".repeat(500)).await;
    let heard = line.hear().await;
    assert!(heard.starts_with("HTTP/1.1 400 "), "{heard}");
    assert!(
        heard.contains("{\"error\":{\"code\":\"INVALID\""),
        "{heard}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_beyond_those_that_are_borne_is_refused() {
    let (program, slow) = in_a_request("").await;
    let address = program.app.http_address();
    let (head, body) = get(address, "/mcapi/s2sell/category").await;
    assert!(head.starts_with("http/1.1 503 "), "{head}");
    assert!(body.contains("{\"code\":\"BUSY\","), "{body}");
    // Whoever goes away gives his place back.
    drop(slow);
    eventually("others are served again", async || {
        let (head, _) = get(address, "/mcapi/s2sell/category").await;
        head.starts_with("http/1.1 401 ")
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_takes_too_long_is_ended() {
    let (program, key) = start_with_agent("[http]\nrequest_timeout_ms = 500\n").await;
    let mut slow = Line::to(program.app.http_address()).await;
    slow.say(&unended(&key, 10)).await;
    let heard = slow.hear().await;
    assert!(heard.starts_with("HTTP/1.1 500 "), "{heard}");
    assert!(
        heard.contains("{\"code\":\"INTERNAL\",") && heard.contains("look it up"),
        "{heard}"
    );
}

/// A program with a request of which the body is not there yet.
async fn in_a_request(lines: &str) -> (Program, Line) {
    let (program, key) = start_with_agent(&format!("[http]\nrequests_max = 1\n{lines}")).await;
    let address = program.app.http_address();
    let mut line = Line::to(address).await;
    line.say(&unended(&key, 10)).await;
    let admin = program.app.admin_address();
    eventually("the request is read", async || {
        let told = get(admin, "/metrics").await.1;
        told.contains("commerce_http_requests_in_flight 1\n")
    })
    .await;
    (program, line)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_waits_for_requests_that_were_read() {
    let (Program { app, folder }, mut line) = in_a_request("").await;
    let admin = app.admin_address();
    let stopping = tokio::spawn(app.stop());
    eventually("it is not ready any more", async || {
        get(admin, "/ready").await.1.contains("stopping\n")
    })
    .await;
    line.say("BUYCOUNT=1").await;
    let heard = line.hear().await;
    assert!(heard.contains("{\"result\":[{\"CARDPINCODE\""), "{heard}");
    assert_eq!(stopping.await.unwrap().cut_off, 0);
    drop(folder);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_cuts_off_what_does_not_end_in_time() {
    let (Program { app, folder }, line) = in_a_request("[stop]\ntimeout_ms = 100\n").await;
    assert!(app.stop().await.cut_off > 0);
    assert_eq!(line.hear().await, "");
    drop(folder);
}

async fn place(store: &Store, name: &str, source: &str, expires_at: UnixMs) {
    let hold = Hold {
        id: id(name),
        source: account(source),
        amount: vnd(100),
        expires_at,
    };
    let mut write = store.write().await.unwrap();
    ledger::place(&mut write, &hold, NOW).await.unwrap();
    write.commit().await.unwrap();
}

async fn state(store: &Store, name: &str) -> HoldState {
    let mut read = store.read().await.unwrap();
    ledger::hold_state(&mut read, &id(name)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_gives_back_what_is_held_once_its_time_is_over() {
    let lines = "[expiry]\ninterval_ms = 10\nbatch_max = 1\n";
    let program = Program::start(lines, LATER, async |store| {
        let deposit = entry("d", "bank:b:settlement", "agent:a:deposit", 1_000);
        post(store, &deposit).await.unwrap();
        for hold in ["p1", "p2", "p3"] {
            place(store, hold, "agent:a:deposit", LATER).await;
        }
        place(store, "p4", "agent:a:deposit", UnixMs(LATER.0 + 1)).await;
    })
    .await;
    let store = program.app.store();
    eventually("the holds go back", async || {
        balance(store, "agent:a:deposit").await == 900
    })
    .await;
    assert_eq!(state(store, "p4").await, HoldState::Pending);
    eventually("it is told", async || {
        let told = get(program.app.admin_address(), "/metrics").await.1;
        told.contains("commerce_holds_expired_total{result=\"ended\"} 3\n")
    })
    .await;
}

on_both! {
    async fn a_hold_that_cannot_go_back_does_not_stand_in_the_way_of_others(store: Store) {
        for (reference, agent) in [("d1", "agent:a:deposit"), ("d2", "agent:b:deposit")] {
            post(&store, &entry(reference, "bank:b:settlement", agent, 100)).await.unwrap();
        }
        place(&store, "stuck", "agent:a:deposit", UnixMs(NOW.0 + 1)).await;
        place(&store, "other", "agent:b:deposit", UnixMs(NOW.0 + 2)).await;
        let mut write = store.write().await.unwrap();
        let full = Limits { floor: Some(vnd(0)), ceiling: Some(vnd(50)) };
        ledger::set_limits(&mut write, &account("agent:a:deposit"), full).await.unwrap();
        write.commit().await.unwrap();
        let go = CancellationToken::new();
        let first = round(&store, 1, 0, LATER, &go).await.unwrap();
        assert_eq!(first, Round { ended: 0, stuck: 1, more: true });
        let second = round(&store, 1, first.stuck, LATER, &go).await.unwrap();
        assert_eq!(second, Round { ended: 1, stuck: 1, more: true });
        let third = round(&store, 1, second.stuck, LATER, &go).await.unwrap();
        assert_eq!(third, Round { ended: 0, stuck: 1, more: false });
        let mut read = store.read().await.unwrap();
        let backlog = ledger::backlog(&mut read, LATER).await.unwrap();
        assert_eq!((backlog.holds, backlog.oldest_ms), (1, LATER.0 - NOW.0 - 1));
        assert_eq!(state(&store, "other").await, HoldState::Expired);
    }

    async fn a_round_that_is_told_to_stop_ends_between_two_holds(store: Store) {
        post(&store, &entry("d", "bank:b:settlement", "agent:a:deposit", 100)).await.unwrap();
        place(&store, "p", "agent:a:deposit", UnixMs(NOW.0 + 1)).await;
        let stop = CancellationToken::new();
        stop.cancel();
        let ended = round(&store, 10, 0, LATER, &stop).await.unwrap().ended;
        assert_eq!((ended, state(&store, "p").await), (0, HoldState::Pending));
    }
}
