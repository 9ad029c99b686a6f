//! The program `commerce` itself: its commands, and curl against what it serves.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
};

use commerce::{
    audit::{self, AuditFilter},
    moment::UnixMs,
    store::{Location, Store},
};
use tempfile::TempDir;

use crate::{
    books::by_hand,
    databases,
    s2sell::THEN,
    shop::{FIRST_KEY, SECOND_KEY, import_at, keys},
    web,
};

/// A folder with a key and a configuration on these books.
pub(crate) fn folder(location: &Location) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let location = match location {
        Location::Sqlite(path) => path.display().to_string(),
        Location::Postgres(url) => url.clone(),
    };
    fs::write(folder.path().join("key"), FIRST_KEY).unwrap();
    let text = format!(
        "[store]\nlocation = {location:?}\n[keys]\ncurrent = \"file:key\"\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[admin]\nlisten = \"127.0.0.1:0\"\n"
    );
    fs::write(folder.path().join("commerce.toml"), text).unwrap();
    folder
}

fn program(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_commerce"));
    command
        .current_dir(folder)
        .args(["--config", "commerce.toml"]);
    command
}

/// Its exit code, standard output and standard error.
fn run(folder: &Path, args: &str) -> (i32, String, String) {
    run_with(folder, args, "")
}

/// The same with something on its standard input.
pub(crate) fn run_with(folder: &Path, args: &str, input: &str) -> (i32, String, String) {
    let mut command = program(folder);
    let command = command.args(args.split(' ')).stdin(Stdio::piped());
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // It may have ended without reading.
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(input.as_bytes()).ok();
    drop(stdin);
    let done = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let code = done.status.code().unwrap();
    (code, text(done.stdout), text(done.stderr))
}

/// What it prints when it does what it is asked.
fn done(folder: &Path, args: &str) -> String {
    let (code, out, err) = run(folder, args);
    assert_eq!((code, err.as_str()), (0, ""), "{args}: {out}");
    out
}

/// What it says when it does not.
fn refused(folder: &Path, args: &str) -> String {
    let (code, out, err) = run(folder, args);
    assert_eq!((code, out.as_str()), (1, ""), "{args}: {err}");
    err
}

fn catalogue() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../config/catalogue.toml");
    format!("catalogue put {}", file.display())
}

/// The books of both databases, one after the other.
async fn on_each(rule: impl AsyncFn(Location)) {
    let (_folder, file) = databases::sqlite();
    rule(file).await;
    if let Some(server) = databases::postgres().await {
        rule(server).await;
    }
}

#[test]
fn every_fault_of_a_configuration_is_named_and_ends_in_64() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("commerce.toml");
    fs::write(
        &file,
        "[store]\nlocation = \"a.db\"\n[kyes]\n[http]\nlisten = 1\n",
    )
    .unwrap();
    let (code, out, err) = run(folder.path(), "check");
    assert_eq!((code, out.as_str()), (64, ""));
    let lines: Vec<&str> = err.lines().collect();
    assert_eq!(lines.len(), 3, "{err}");
    assert_eq!(lines[0], "commerce.toml:1: keys.current: is missing");
    assert!(
        lines[1].starts_with("commerce.toml:3: kyes: is no known key"),
        "{err}"
    );
    assert!(
        lines[2].starts_with("commerce.toml:5: http.listen: an integer"),
        "{err}"
    );
    assert_eq!(run(folder.path(), "serve").0, 64);
    // It opened nothing.
    assert!(!folder.path().join("a.db").exists());
    assert_eq!(run(folder.path(), "agent").0, 64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_makes_an_agent_and_a_stock_that_agree() {
    on_each(async |location| {
        let folder = folder(&location);
        let folder = folder.path();
        assert_eq!(done(folder, "check"), "config OK\n");
        for _ in 0..2 {
            assert_eq!(done(folder, &catalogue()), "4 categories, 2 card types\n");
        }
        assert!(refused(folder, "agent key a").contains("there is no agent a;"));
        let deposit = "agent deposit a 1000000 --bank vcb --reference FT1";
        assert!(refused(folder, deposit).contains("there is no agent a;"));
        assert_eq!(done(folder, "agent add a"), "agent a is there\n");
        assert_eq!(done(folder, deposit), "booked; agent a has 1000000.00\n");
        assert_eq!(
            done(folder, deposit),
            "was booked before; agent a has 1000000.00\n"
        );
        let other = "agent deposit a 1000001 --bank vcb --reference FT1";
        assert!(refused(folder, other).contains("choose another reference"));
        assert!(refused(folder, "catalogue price b MOBI10 1").contains("no agent b"));
        done(folder, "catalogue price a MOBI10 9450");
        let cards = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\nS1,secret-1,2099-12-30\n";
        fs::write(folder.join("cards.csv"), cards).unwrap();
        let import = "stock import MOBI10 cards.csv";
        assert_eq!(done(folder, import), "1 cards of MOBI10 are in stock\n");
        let again = refused(folder, import);
        assert_eq!(
            again,
            "commerce: cards.csv: line 2 has a CARDSERIESNO that this card type has already\n"
        );
        assert_eq!(
            done(folder, "stock levels"),
            "MOBI10 1 LOW\nMOBI100 0 LOW\n"
        );
        done(folder, "agent allow a 203.0.113.0/24");
        let shown = done(folder, "agent show a");
        assert_eq!(shown, "deposit 1000000.00\nmay call from 203.0.113.0/24\n");
        done(folder, "agent forbid a 203.0.113.0/24");
        assert!(refused(folder, "agent forbid a 203.0.113.0/24").contains("was not bound"));
        let trial = done(folder, "trial");
        let sum = trial.lines().last().unwrap();
        assert!(sum.starts_with("sum") && sum.ends_with(" 0.00"), "{trial}");
        let verdict = done(folder, "verdict");
        assert!(verdict.lines().count() >= 5, "{verdict}");
        assert!(
            verdict.lines().all(|line| line.starts_with("ok    ")),
            "{verdict}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verdict_names_what_does_not_agree() {
    on_each(async |location| {
        let folder = folder(&location);
        let folder = folder.path();
        done(folder, &catalogue());
        done(folder, "agent add a");
        let store = Store::open(&location).await.unwrap();
        by_hand(
            &store,
            &[
                "INSERT INTO account (name, kind, side, balance) VALUES ('fees', 'fees', -1, 5)",
                "INSERT INTO sale (agent, card_type, wanted, sold, sell_value, at_ms)
                 VALUES ('a', 'MOBI10', 1, 1, 9450, 0)",
                "INSERT INTO hold (id, source, amount, state, expires_at_ms)
                 VALUES ('p', 'agent:a:deposit', 5, 'pending', 0)",
            ],
        )
        .await
        .unwrap();
        store.close().await;
        let (code, out, _) = run(folder, "verdict");
        let expected = "WRONG each balance is what its postings make: fees\n\
            WRONG all balances sum to zero: debits are -5.00 more than credits\n\
            WRONG each hold has its money until it ends: hold p\n\
            WRONG each sale has its cards, and no card two sales: sale 1, \
            0 cards handed out, 1 cards of sales\n\
            ok    no card that is set aside is sold or kept for a buyer\n\
            WRONG each sale is paid, and nothing else: sale 1, 0 entries of sales, 1 sales\n\
            ok    each purchase has its card if it is paid, and its money back if it has none\n";
        assert_eq!((code, out.as_str()), (1, expected));
        let (code, out, _) = run(folder, "trial");
        assert_eq!(code, 1);
        assert!(
            out.ends_with("WRONG: fees has not what its postings make\n"),
            "{out}"
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_changed_at_the_prompt_is_told_in_the_audit_log_with_its_user() {
    on_each(async |location| {
        let folder = folder(&location);
        let folder = folder.path();
        done(folder, &catalogue());
        for _ in 0..2 {
            done(folder, "agent add a");
            done(folder, "agent deposit a 20000 --bank vcb --reference FT1");
        }
        let cards = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\nS1,secret-1,2099-12-30\n";
        fs::write(folder.join("cards.csv"), cards).unwrap();
        done(folder, "stock import MOBI10 cards.csv");
        refused(folder, "stock import MOBI10 cards.csv");
        done(folder, "catalogue price a MOBI10 9450");
        let key = done(folder, "agent key a --ends 2099-12-31");
        let prefix = &key[..8];
        done(folder, &format!("agent end-key a {prefix}"));
        done(folder, "agent allow a 203.0.113.0/24");
        done(folder, "agent forbid a 203.0.113.0/24");
        done(folder, "agent show a");
        let store = Store::open(&location).await.unwrap();
        let mut read = store.read().await.unwrap();
        let lines = audit::list(&mut read, &AuditFilter::default(), None, 100).await;
        drop(read);
        store.close().await;
        let mut lines = lines.unwrap();
        lines.reverse();
        // Whoever runs the tests.
        let id = Command::new("id").args(["--user", "--name"]).output();
        let user = String::from_utf8(id.unwrap().stdout).unwrap();
        let who = format!("console:{}", user.trim_end());
        assert!(lines.iter().all(|line| line.who == who), "{lines:?}");
        let told = lines.iter().map(|line| {
            let (what, subject, detail) = (&line.what, &line.subject, &line.detail);
            format!("{what} {subject} {detail}")
        });
        let told: Vec<String> = told.filter(|line| !line.contains("category:")).collect();
        let expected = [
            "catalogue.card_type MOBI10 on sale at 9500.00, low below 100".to_owned(),
            "catalogue.card_type MOBI100 on sale at 95000.00, low below 100".to_owned(),
            "agent.added agent:a ".to_owned(),
            "agent.deposit agent:a 20000.00 as deposit:vcb:FT1".to_owned(),
            "stock.imported MOBI10 1 cards".to_owned(),
            "agent.price agent:a MOBI10 at 9450.00".to_owned(),
            format!("agent.key_made agent:a {prefix} ends 2099-12-31"),
            format!("agent.key_ended agent:a {prefix}"),
            "agent.allowed agent:a 203.0.113.0/24".to_owned(),
            "agent.forbidden agent:a 203.0.113.0/24".to_owned(),
        ];
        assert_eq!(told, expected);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_card_is_listed_until_it_can_be_opened_again() {
    on_each(async |location| {
        let folder = folder(&location);
        let folder = folder.path();
        done(folder, &catalogue());
        let cards = "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\nS1,secret-1,2099-12-30\n";
        fs::write(folder.join("cards.csv"), cards).unwrap();
        done(folder, "stock import MOBI10 cards.csv");
        let store = Store::open(&location).await.unwrap();
        let by_hand = async |statement| by_hand(&store, &[statement]).await.unwrap();
        by_hand("UPDATE card SET faulty_at_ms = 1").await;
        assert_eq!(
            done(folder, "stock levels"),
            "MOBI10 0 LOW FAULTY 1\nMOBI100 0 LOW\n"
        );
        fs::write(folder.join("key"), SECOND_KEY).unwrap();
        let (code, out, err) = run(folder, "stock recheck");
        assert_eq!((code, err.as_str()), (1, ""), "{out}");
        assert!(
            out.starts_with("FAULTY a card of type MOBI10 with serial S1: "),
            "{out}"
        );
        assert!(!out.contains("secret"), "{out}");
        fs::write(folder.join("key"), FIRST_KEY).unwrap();
        assert_eq!(
            done(folder, "stock recheck"),
            "MOBI10 S1 is for sale again\n"
        );
        assert_eq!(
            done(folder, "stock levels"),
            "MOBI10 1 LOW\nMOBI100 0 LOW\n"
        );
        store.close().await;
    })
    .await;
}

/// A program that serves, ended with the test.
struct Serving(Child);

impl Drop for Serving {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// Starts `commerce serve` and tells where.
fn serve(folder: &Path) -> (Serving, String) {
    let mut command = program(folder);
    command
        .arg("serve")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    let out = child.stdout.take().unwrap();
    let serving = Serving(child);
    BufReader::new(out).read_line(&mut said).unwrap();
    let words: Vec<&str> = said.split_whitespace().collect();
    let ["commerce", "is", "ready:", "http", http, "admin", _] = words[..] else {
        panic!("{said}");
    };
    (serving, http.to_owned())
}

/// What curl prints on its standard output.
fn curl(args: &[&str]) -> String {
    let done = Command::new("curl").arg("--silent").args(args).output();
    let done = done.unwrap_or_else(|error| panic!("curl: {error}; apt-get install curl"));
    assert!(done.status.success(), "{args:?}: {done:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_operators_made_is_served_until_the_program_is_told_to_stop() {
    on_each(async |location| {
        let folder = folder(&location);
        let folder = folder.path();
        done(folder, &catalogue());
        done(folder, "agent add a");
        done(folder, "agent deposit a 20000 --bank vcb --reference FT1");
        fs::write(
            folder.join("cards.csv"),
            "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\nS1,secret-1,2099-12-30\n",
        )
        .unwrap();
        done(folder, "stock import MOBI10 cards.csv");
        let key = done(folder, "agent key a --ends 2099-12-31");
        let (mut serving, http) = serve(folder);
        let key_header = format!("X-API-Key: {}", key.trim_end());
        let url = format!(
            "http://{http}/mcapi/s2sell/card/MOBI10?{key}",
            key = key.trim_end()
        );
        let sold = curl(&["-H", &key_header, &url, "-d", "BUYCOUNT=1"]);
        assert!(sold.contains("\"CARDPINCODE\":\"secret-1\""), "{sold}");
        done(folder, &format!("agent end-key a {}", &key[..8]));
        let ended = curl(&["-H", &key_header, &url]);
        assert!(ended.contains("UNAUTHORIZED"), "{ended}");
        let id = serving.0.id().to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status();
        assert!(told.unwrap().success());
        assert_eq!(serving.0.wait().unwrap().code(), Some(0));
        let log = std::io::read_to_string(serving.0.stderr.take().unwrap()).unwrap();
        assert!(
            log.contains("route=\"/mcapi/s2sell/card/{CARDTYPEID}\" status=200"),
            "{log}"
        );
        assert!(
            !log.contains(key.trim_end()) && !log.contains("secret-1"),
            "{log}"
        );
        assert!(
            done(folder, "verdict")
                .lines()
                .all(|line| line.starts_with("ok    "))
        );
    })
    .await;
}

/// The soft and the hard limit of core dumps of a process.
#[cfg(target_os = "linux")]
fn core_limits(process: &str) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{process}/limits")).unwrap();
    let mut lines = limits.lines();
    let line = lines.find(|line| line.starts_with("Max core file"));
    let words: Vec<&str> = line.unwrap().split_whitespace().collect();
    (words[4].to_owned(), words[5].to_owned())
}

#[test]
#[cfg(target_os = "linux")]
fn a_program_that_serves_leaves_no_core_dump_unless_it_may() {
    let (_books, location) = databases::sqlite();
    let folder = folder(&location);
    let (serving, _) = serve(folder.path());
    let zero = || "0".to_owned();
    assert_eq!(core_limits(&serving.0.id().to_string()), (zero(), zero()));
    drop(serving);
    let file = folder.path().join("commerce.toml");
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, format!("{text}[process]\ncore_dumps = true\n")).unwrap();
    let (serving, _) = serve(folder.path());
    // As whoever starts the tests has it.
    let own = core_limits("self");
    assert_eq!(core_limits(&serving.0.id().to_string()), own);
}

#[test]
#[cfg(target_os = "linux")]
fn a_command_that_reads_secrets_leaves_no_core_dump() {
    let (_books, location) = databases::sqlite();
    let folder = folder(&location);
    // Dumps are on where they may be, whatever the tests are started with. The command waits for its standard
    // input, and holds what was written there.
    let mut command = Command::new("sh");
    command
        .current_dir(folder.path())
        .args(["-c", "ulimit -S -c $(ulimit -H -c); exec \"$0\" \"$@\""])
        .args([env!("CARGO_BIN_EXE_commerce"), "--config", "commerce.toml"])
        .args(["operator", "add", "anna", "--role", "admin"]);
    let child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let child = Serving(child.unwrap());
    let id = child.0.id().to_string();
    let began = std::time::Instant::now();
    // What the shell was started with counts for nothing, and may be 0.
    let is_commerce = || fs::read_to_string(format!("/proc/{id}/comm")).unwrap() == "commerce\n";
    while !is_commerce() || core_limits(&id).0 != "0" {
        assert!(began.elapsed().as_secs() < 30, "{:?}", core_limits(&id));
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_specifications_curl_examples_give_its_own_bytes() {
    let (books, location) = databases::sqlite();
    let folder = folder(&location);
    done(folder.path(), &catalogue());
    done(folder.path(), "agent add a");
    done(
        folder.path(),
        "agent deposit a 100000 --bank vcb --reference FT1",
    );
    done(folder.path(), "catalogue price a MOBI10 9450");
    let key = done(folder.path(), "agent key a");
    let (_keys, config) = web::at(location, "");
    // The example is of 2016, and of an agent after 8,492,434 other purchases.
    let app = web::start(config, THEN, async |store| {
        let number = "INSERT INTO sqlite_sequence (name, seq) VALUES ('sale', 8492434)";
        by_hand(store, &[number]).await.unwrap();
        let card = "029091000008229,1234567890,2016-12-30";
        import_at(store, &keys(), "MOBI10", &[card], UnixMs(THEN.0))
            .await
            .unwrap();
    })
    .await;
    let base = format!("http://{}/mcapi/s2sell", app.http_address());
    let key = format!("X-API-Key: {}", key.trim_end());
    let categories = curl(&["-H", &key, &format!("{base}/category")]);
    let first_three = r#"[{"CATENAME":"FPT Online","CATECODE":"FPT"},{"CATENAME":"The Game Online","CATECODE":"GAME"},{"CATENAME":"Garena Games","CATECODE":"GARE"},"#;
    assert!(categories.starts_with(first_three), "{categories}");
    let card = format!("{base}/card/MOBI10");
    assert_eq!(
        curl(&["-H", &key, &card]),
        r#"{"CARDVALUE":"10000.00","CARDNAME":"The MobiFone 10.000 ","STOREAVAIL":"1","SELLVALUE":"9450.00","CARDTYPEID":"MOBI10"}"#
    );
    assert_eq!(
        curl(&["-H", &key, &card, "-X", "POST", "-d", "BUYCOUNT=1"]),
        r#"{"result":[{"CARDPINCODE":"1234567890","CARDSERIESNO":"029091000008229","CARDEXPIREDATE":"2016-12-30","CARDACCNO":"","SELLTXNID":"8492435"}]}"#
    );
    assert_eq!(app.stop().await.cut_off, 0);
    drop(books);
}
