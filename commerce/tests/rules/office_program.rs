//! The back office in the program: who wants it gets it, operators are made at the prompt, and the limits
//! of the port are its own where they have to be.

use std::net::SocketAddr;

use commerce::{
    audit::{self, AuditFilter},
    config::Config,
    store::Store,
};

use crate::{
    books::NOW,
    databases::{postgres, sqlite},
    desk::{PASSWORD, hire},
    program,
    shop::furnish,
    web::{self, Line, Program, get},
};

const OFFICE: &str = "[office]\nenabled = true\nsecure_cookies = false\n";

/// The answer to a POST: its head and its body.
async fn post(address: SocketAddr, path: &str, headers: &str, body: &str) -> (String, String) {
    let mut line = Line::to(address).await;
    let length = body.len();
    line.say(&format!(
        "POST {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\nContent-Length: {length}\r\n\
         {headers}\r\n{body}"
    ))
    .await;
    let heard = line.hear().await;
    let (head, body) = heard.split_once("\r\n\r\n").unwrap();
    (head.to_lowercase(), body.to_owned())
}

/// The head of the answer to a login.
async fn log_in(address: SocketAddr, headers: &str, name: &str, password: &str) -> String {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("name", name)
        .append_pair("password", password)
        .finish();
    post(address, "/office/login", headers, &form).await.0
}

/// What was done, the last first, as `who what subject detail`.
async fn told(store: &Store) -> Vec<String> {
    let mut read = store.read().await.unwrap();
    let lines = audit::list(&mut read, &AuditFilter::default(), None, 20).await;
    let text = |line: &audit::AuditLine| {
        format!(
            "{} {} {} {}",
            line.who, line.what, line.subject, line.detail
        )
    };
    lines.unwrap().iter().map(text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_office_is_served_to_who_wants_it_and_takes_files_that_other_calls_do_not() {
    let without = Program::start("", NOW, async |_| {}).await;
    let (head, _) = get(without.app.http_address(), "/office/login").await;
    assert!(head.starts_with("http/1.1 404 "), "{head}");

    let lines = format!("{OFFICE}[http]\nbody_bytes_max = 1024\n");
    let program = Program::start(&lines, NOW, async |store| {
        furnish(store).await;
        hire(store).await;
    })
    .await;
    let address = program.app.http_address();
    let (head, page) = get(address, "/office/login").await;
    assert!(head.starts_with("http/1.1 200 "), "{head}");
    assert!(
        head.contains("content-security-policy: default-src 'none'; style-src 'self'"),
        "{head}"
    );
    assert!(page.contains("Back office"), "{page}");
    let head = log_in(address, "", "clara", PASSWORD).await;
    let (_, cookie) = head.split_once("set-cookie: ").unwrap();
    let cookie = format!("Cookie: {}\r\n", cookie.split(';').next().unwrap());
    let (_, me) = web::ask(address, &format!("GET /office/me HTTP/1.1\r\n{cookie}")).await;
    let (_, rest) = me.split_once("name=\"form_token\" value=\"").unwrap();
    let token = rest.split('"').next().unwrap();

    let cards: String = (0..4_000)
        .map(|n| format!("S-{n},77{n:08},2035-12-30\n"))
        .collect();
    let file = format!("CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\n{cards}");
    assert!(file.len() > 64 << 10);
    let body = format!(
        "--cut\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{token}\r\n\
         --cut\r\nContent-Disposition: form-data; name=\"file\"; filename=\"cards.csv\"\r\n\r\n\
         {file}\r\n--cut--\r\n"
    );
    let headers = format!("{cookie}Content-Type: multipart/form-data; boundary=cut\r\n");
    let (head, page) = post(address, "/office/stock/MOBI10/import", &headers, &body).await;
    assert!(head.starts_with("http/1.1 303 "), "{head} {page}");
    // What is no upload is as short as any form.
    let long = format!("name=clara&password={}", "x".repeat(20 << 10));
    let (head, _) = post(address, "/office/login", "", &long).await;
    assert!(head.starts_with("http/1.1 413 "), "{head}");
    assert_eq!(program.app.stop().await.cut_off, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_made_at_the_prompt_logs_in_until_he_is_disabled() {
    let (_books, file) = sqlite();
    for location in [Some(file), postgres().await].into_iter().flatten() {
        let folder = program::folder(&location);
        let run = |args, input| program::run_with(folder.path(), args, input);
        let add = "operator add anna --role admin";
        let done = |text: &str| (0, format!("operator anna {text}\n"), String::new());
        let short = run(add, "too short\n");
        assert_eq!(short.0, 1);
        assert!(
            short
                .2
                .starts_with("commerce: standard input: the password is not 12"),
            "{short:?}"
        );
        assert!(!short.2.contains("too short"), "{short:?}");
        assert_eq!(run("operator add anna --role boss", "").0, 64);
        assert_eq!(run(add, "the first password\n"), done("is there, as admin"));
        let again = run(add, "another password\n");
        assert_eq!(
            (again.0, again.2.as_str()),
            (1, "commerce: operator anna is there already\n")
        );
        let unknown = run("operator password ben", "another password\n");
        assert!(
            unknown.2.contains("there is no operator ben"),
            "{unknown:?}"
        );
        assert_eq!(
            run("operator password anna", PASSWORD),
            done("has another password")
        );

        let lines = format!("{OFFICE}[http]\ntrusted_proxies = [\"127.0.0.1\"]\n");
        let (_keys, config) = web::at(location, &lines);
        let app = web::start(config, NOW, async |_| {}).await;
        let address = app.http_address();
        let behind = "X-Forwarded-For: 203.0.113.7\r\n";
        let head = log_in(address, behind, "anna", "the first password").await;
        assert!(head.starts_with("http/1.1 401 "), "{head}");
        let head = log_in(address, "", "anna", PASSWORD).await;
        assert!(head.contains("location: /office\r\n"), "{head}");
        assert_eq!(run("operator disable anna", ""), done("can log in no more"));
        let head = log_in(address, "", "anna", PASSWORD).await;
        assert!(head.starts_with("http/1.1 401 "), "{head}");
        let told = told(app.store()).await;
        let of = |who: &str| -> Vec<&str> {
            let lines = told.iter().filter(|line| line.starts_with(who));
            let lines = lines.filter_map(|line| line.split_once(' '));
            lines.map(|(_, rest)| rest).collect()
        };
        assert_eq!(
            of("console:"),
            [
                "operator.disabled operator:anna ",
                "operator.password operator:anna ",
                "operator.added operator:anna admin",
            ]
        );
        assert_eq!(
            of("stranger "),
            ["login.failed  127.0.0.1", "login.failed  203.0.113.7"]
        );
        app.stop().await;
    }
}

#[test]
fn cookies_that_anybody_can_read_do_not_leave_the_machine() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), crate::shop::FIRST_KEY).unwrap();
    let read = |listen: &str| {
        let text = format!(
            "[store]\nlocation = \"a.db\"\n[keys]\ncurrent = \"file:key\"\n\
             [http]\nlisten = {listen:?}\n{OFFICE}"
        );
        Config::parse(&text, folder.path())
    };
    assert!(read("127.0.0.1:8080").is_ok());
    assert!(read("[::1]:8080").is_ok());
    let faults = read("0.0.0.0:8080").unwrap_err().to_string();
    let expected = "configuration:7: office: secure_cookies may be false only where http.listen is a \
        loopback address";
    assert_eq!(faults, expected);
}
