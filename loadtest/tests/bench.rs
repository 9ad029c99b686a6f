//! A bench of some hundred requests from its start to its report. It asserts what was answered, never
//! how fast.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process::{self, Command},
};

use serde_json::Value;

/// Everything at once, with hardly anything of it.
const SCENARIO: &str = r#"
about = "A little of everything"

[router]
binds = 2
window = 4
links = 2
bank_window = 4
store = true
journal = true

[messages]
in_flight = 8
batch = 4
per_s = 400
receipt = true

[payments]
in_flight = 4
batch = 2
per_s = 200

[events]
window = 4
mo_every = 10
"#;

/// The router that `cargo test --workspace` builds beside these programs.
fn router() -> PathBuf {
    let router = Path::new(env!("CARGO_BIN_EXE_loadtest")).with_file_name("sampan");
    assert!(
        router.exists(),
        "{} is missing: cargo build --bin sampan",
        router.display()
    );
    router
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> io::Result<Self> {
        let path = env::temp_dir().join(format!("sampan-bench-test-{}", process::id()));
        fs::create_dir_all(&path)?;
        Ok(Self(path))
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

#[test]
fn every_message_payment_and_event_of_a_run_is_answered_once_and_reported() {
    let folder = Folder::new().unwrap();
    fs::write(folder.file("little.toml"), SCENARIO).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args([
            "bench",
            "--seconds",
            "1",
            "--warm-up",
            "0.1",
            "--floor",
            "0.1",
        ])
        .arg("--scenario")
        .arg(folder.file("little.toml"))
        .arg("--sampan")
        .arg(router())
        .arg("--folder")
        .arg(&folder.0)
        .arg("--out")
        .arg(folder.file("runs.jsonl"))
        .arg("--report")
        .arg(folder.file("report"))
        .output()
        .unwrap();
    assert!(
        ran.status.success(),
        "{}",
        String::from_utf8_lossy(&ran.stderr)
    );
    let runs = fs::read_to_string(folder.file("runs.jsonl")).unwrap();
    let runs: Vec<Value> = runs
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let [run] = &runs[..] else {
        panic!("one run was asked for, and there are {}", runs.len());
    };
    assert_eq!(run["is_clean"], true);
    for kind in ["messages", "payments", "events"] {
        assert!(run[kind]["sent"].as_u64().unwrap() > 0, "{kind}");
        assert_eq!(run[kind]["sent"], run[kind]["answered"], "{kind}");
        assert_eq!(run[kind]["failed"], 0, "{kind}");
    }
    for page in ["bench.md", "bench.html"] {
        let page = fs::read_to_string(folder.file("report").join(page)).unwrap();
        assert!(page.contains("little #1"));
    }
    // The router's own files went with it.
    let left: Vec<_> = fs::read_dir(&folder.0).unwrap().collect();
    assert_eq!(left.len(), 3, "{left:?}");
}

#[test]
fn a_scenario_with_a_fault_is_told_with_its_line_and_nothing_is_run() {
    let folder = env::temp_dir().join(format!("sampan-bench-fault-{}.toml", process::id()));
    fs::write(&folder, SCENARIO.replace("batch = 2", "batch = 0")).unwrap();
    let ran = Command::new(env!("CARGO_BIN_EXE_loadtest"))
        .args(["bench", "--sampan", "/no/router", "--scenario"])
        .arg(&folder)
        .output()
        .unwrap();
    fs::remove_file(&folder).unwrap();
    assert!(!ran.status.success());
    let told = String::from_utf8_lossy(&ran.stderr);
    assert!(told.contains("line 20"), "{told}");
}
