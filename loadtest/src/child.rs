//! A program as a child process: its start, the line by which it says where it serves, its death. It
//! dies with the value that holds it. What the program does is no affair of this file.

use std::{
    io::{self, BufRead, BufReader},
    process::{self, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use tokio::{
    sync::oneshot,
    time::{Instant, sleep, timeout},
};

/// How often a process that is to end by itself is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// Where a router serves, as its first line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Of the RPC, as a URI.
    pub rpc: String,
    /// Of the admin port, host:port.
    pub admin: String,
}

impl Addresses {
    /// Reads `sampan is ready: rpc ADDRESS admin ADDRESS`.
    fn read(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split_whitespace().collect();
        let ["sampan", "is", "ready:", "rpc", rpc, "admin", admin] = words[..] else {
            return None;
        };
        let rpc = match rpc.starts_with("unix:") {
            true => rpc.to_owned(),
            false => format!("http://{rpc}"),
        };
        Some(Self {
            rpc,
            admin: admin.to_owned(),
        })
    }
}

/// A running process; killed when dropped.
pub struct Child {
    process: process::Child,
    first_line: Option<oneshot::Receiver<String>>,
}

impl Child {
    /// Starts the program. Its standard output is read from now on, because a full pipe would stop it.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut process = command.stdout(Stdio::piped()).spawn()?;
        let first_line = process.stdout.take().map(read);
        Ok(Self {
            process,
            first_line,
        })
    }

    /// Where it serves, once it has said so; `None` if it ends, says something else, or `limit` passes.
    /// It says so once.
    pub async fn ready(&mut self, limit: Duration) -> Option<Addresses> {
        Addresses::read(&self.says(limit).await?)
    }

    /// The first line that it says; `None` if it ends before, or `limit` passes. It says it once.
    pub async fn says(&mut self, limit: Duration) -> Option<String> {
        timeout(limit, self.first_line.take()?).await.ok()?.ok()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// What it says on standard error, if that was piped; once.
    pub fn take_stderr(&mut self) -> Option<process::ChildStderr> {
        self.process.stderr.take()
    }

    /// kill -9, and waits until it is gone. One that has ended already is no error.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn kill(&mut self) -> io::Result<()> {
        self.process.kill()?;
        self.process.wait()?;
        Ok(())
    }

    /// SIGTERM: asks it to end.
    ///
    /// # Errors
    /// When the program `kill` cannot be run.
    pub fn terminate(&self) -> io::Result<()> {
        let pid = self.pid().to_string();
        Command::new("kill").args(["-TERM", &pid]).status()?;
        Ok(())
    }

    /// Waits until it has ended by itself; `None` if it has not within `limit`.
    ///
    /// # Errors
    /// When the system does not tell.
    pub async fn until_ended(
        &mut self,
        limit: Duration,
    ) -> io::Result<Option<process::ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            let ended = self.process.try_wait()?;
            if ended.is_some() || Instant::now() >= deadline {
                return Ok(ended);
            }
            sleep(LOOK).await;
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended by itself.
        self.kill().ok();
    }
}

/// The first line of the output; the rest is read and dropped.
fn read(stdout: ChildStdout) -> oneshot::Receiver<String> {
    let (tell, told) = oneshot::channel();
    let mut lines = BufReader::new(stdout).lines().map_while(Result::ok);
    thread::spawn(move || {
        if let Some(line) = lines.next() {
            // Whoever waited may have given up.
            tell.send(line).ok();
        }
        lines.for_each(drop);
    });
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        Child::start(Command::new("sh").args(["-c", script])).unwrap()
    }

    #[tokio::test]
    async fn a_router_is_ready_when_it_says_where_it_serves() {
        let mut child =
            shell("echo 'sampan is ready: rpc 127.0.0.1:1 admin 127.0.0.1:2'; exec sleep 60");
        let found = child.ready(Duration::from_secs(30)).await.unwrap();
        assert_eq!(found.rpc, "http://127.0.0.1:1");
        assert_eq!(found.admin, "127.0.0.1:2");
        child.kill().unwrap();
    }

    #[tokio::test]
    async fn one_that_ends_or_says_something_else_is_never_ready() {
        for script in ["exit 1", "echo hello; exec sleep 60"] {
            let mut child = shell(script);
            assert_eq!(child.ready(Duration::from_secs(30)).await, None, "{script}");
        }
    }

    #[tokio::test]
    async fn one_that_is_asked_to_end_is_awaited() {
        let mut child = shell("exec sleep 60");
        assert!(child.until_ended(Duration::ZERO).await.unwrap().is_none());
        child.terminate().unwrap();
        let ended = child.until_ended(Duration::from_secs(30)).await.unwrap();
        assert!(!ended.unwrap().success());
    }
}
