//! The program as a process, and a directory for what it reads.

use std::{
    env, fs,
    io::{BufRead, BufReader, Read, Write},
    net::SocketAddr,
    path::PathBuf,
    process::{self, Child, Command, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::JoinHandle,
};

/// How a command ended and what it printed.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_sampan"));
    command.args(args).env_remove("SAMPAN_ADDRESS");
    command.stdin(Stdio::null());
    command
}

pub(crate) fn sampan(args: &[&str]) -> Ended {
    Ended::of(command(args).output().unwrap())
}

pub(crate) fn sampan_reading(input: &str, args: &[&str]) -> Ended {
    let mut command = command(args);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(input.as_bytes())
        .unwrap();
    Ended::of(child.wait_with_output().unwrap())
}

/// A directory of its own, removed at the end.
pub(crate) struct Scratch(PathBuf);

impl Scratch {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let path = env::temp_dir().join(format!("sampan-cli-{}-{number}", process::id()));
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> String {
        self.0.join(name).into_os_string().into_string().unwrap()
    }

    pub(crate) fn write(&self, name: &str, content: &str) -> String {
        let path = self.path(name);
        fs::write(&path, content).unwrap();
        path
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // A left-over of a test harms nobody.
        fs::remove_dir_all(&self.0).ok();
    }
}

/// An SMSC and a bank that nobody plays, and free ports: port 1 is refused at once.
pub(crate) fn config(smsc: &str, bank: &str) -> String {
    format!(
        r#"
[rpc]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[[smsc]]
name = "viettel"
address = "{smsc}"
system_id = "sampan"
password = "secret08"
[[bank]]
name = "vietcom"
address = "{bank}"
currency = "VND"
terminal_id = "SAMPAN01"
merchant_id = "VNMART000000001"
[[message_route]]
name = "vietnam"
prefixes = ["84"]
smscs = ["viettel"]
default_source = "8049"
[[payment_route]]
card_prefixes = ["970436"]
bank = "vietcom"
"#
    )
}

pub(crate) const NOBODY: &str = "127.0.0.1:1";

/// `sampan run`, ready for callers; killed when dropped.
pub(crate) struct Router {
    child: Child,
    log: Option<JoinHandle<String>>,
    pub(crate) rpc: String,
    pub(crate) admin: SocketAddr,
}

impl Router {
    pub(crate) fn start(scratch: &Scratch, config: &str) -> Self {
        let config = scratch.write("sampan.toml", config);
        let mut command = command(&["run", "--config", &config]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut stderr = child.stderr.take().unwrap();
        // Read all along: a full pipe would stop the router.
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            stderr.read_to_string(&mut log).unwrap();
            log
        });
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let words: Vec<_> = line.split_whitespace().collect();
        let ["sampan", "is", "ready:", "rpc", rpc, "admin", admin] = words[..] else {
            panic!("{line:?}: {}", log.join().unwrap())
        };
        Self {
            child,
            log: Some(log),
            rpc: rpc.to_owned(),
            admin: admin.parse().unwrap(),
        }
    }

    /// A command that asks this router.
    pub(crate) fn ask(&self, args: &[&str]) -> Ended {
        let address = format!("http://{}", self.rpc);
        let command = &mut command(args);
        Ended::of(command.env("SAMPAN_ADDRESS", address).output().unwrap())
    }

    /// A command that asks this router and is not waited for.
    pub(crate) fn ask_meanwhile(&self, args: &[&str]) -> Child {
        let address = format!("http://{}", self.rpc);
        let command = &mut command(args);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env("SAMPAN_ADDRESS", address).spawn().unwrap()
    }

    /// Asks for the links of a peer until one is in that state.
    pub(crate) fn wait_until(&self, peer: &str, state: &str) {
        let state = format!(" {state} ");
        while !self.ask(&["links", "--peer", peer]).out.contains(&state) {}
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id();
        let status = Command::new("sh")
            .args(["-c", &format!("kill -{name} {pid}")])
            .status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The exit code and the log.
    pub(crate) fn end(mut self) -> (i32, String) {
        let code = self.child.wait().unwrap().code().unwrap();
        (code, self.log.take().unwrap().join().unwrap())
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
