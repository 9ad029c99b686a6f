//! A disk that takes no more: the kernel's limit on the size of files that a process may write
//! (RLIMIT_FSIZE), moved while it runs. No root, no mount: every write beyond the limit fails with an
//! error, sockets are left alone, and the limit can be lifted again. What it cannot do is ENOSPC by
//! name and a disk that fails on reading.
//!
//! The kernel sends SIGXFSZ beside the error, which would end a process that does not know of it; the
//! router is started with that signal ignored.

use std::{
    fs, io,
    path::Path,
    process::{Command, Stdio},
};

/// What may be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disk {
    /// Everything.
    Sound,
    /// No file grows beyond what the largest has now; what is there may be written over.
    Full,
    /// Nothing at all.
    Failing,
}

impl Disk {
    /// Holds from now on for a process that writes below `folder`.
    ///
    /// # Errors
    /// When the program `prlimit` (util-linux) cannot be run. A process that has just ended is no error.
    pub(crate) fn limit(self, pid: u32, folder: &Path) -> io::Result<()> {
        let limit = match self {
            Self::Sound => "unlimited".to_owned(),
            Self::Full => largest(folder)?.to_string(),
            Self::Failing => "0".to_owned(),
        };
        Command::new("prlimit")
            .arg(format!("--pid={pid}"))
            // The soft limit alone: without root the hard one could not be raised again.
            .arg(format!("--fsize={limit}:"))
            .stderr(Stdio::null())
            .status()
            .map_err(|error| io::Error::new(error.kind(), format!("prlimit: {error}")))?;
        Ok(())
    }
}

fn largest(folder: &Path) -> io::Result<u64> {
    let mut largest = 0;
    for entry in fs::read_dir(folder)? {
        match entry?.metadata() {
            Ok(found) => largest = largest.max(found.len()),
            // The router is at work here, and may have removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Ok(largest)
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    /// A process that tries to write a file each time a line comes, and says whether it could.
    fn writer(file: &Path) -> std::process::Child {
        let script = "while read line; do echo some octets >\"$1\" && echo yes || echo no; done";
        Command::new("env")
            .args(["--ignore-signal=XFSZ", "sh", "-c", script, "sh"])
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    #[test]
    fn a_process_on_a_failing_disk_lives_and_can_write_again_once_it_is_sound() {
        use std::io::{BufRead, BufReader};
        let folder = std::env::temp_dir().join(format!("chaos-disk-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let mut child = writer(&folder.join("file"));
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut input = child.stdin.take().unwrap();
        let mut said = Vec::new();
        for disk in [Disk::Sound, Disk::Failing, Disk::Sound] {
            disk.limit(child.id(), &folder).unwrap();
            writeln!(input).unwrap();
            said.push(lines.next().unwrap().unwrap());
        }
        assert_eq!(said, ["yes", "no", "yes"]);
        drop(input);
        child.wait().unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
