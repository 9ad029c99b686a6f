//! The router's wall clock, moved while it runs. The process is real and so is its clock, so this needs
//! libfaketime (Debian: libfaketime), which is loaded before the C library and reads the distance from
//! the real time from a file. Monotonic time stays what it is, as it does when an operator sets a clock.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process::Command,
};

/// Where Debian and others put it: under the machine's own library folder.
const FILE: &str = "faketime/libfaketimeMT.so.1";
const FOLDERS: [&str; 5] = [
    "/usr/lib/x86_64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
];

/// A wall clock that can be moved.
#[derive(Clone)]
pub(crate) struct Clock {
    library: PathBuf,
    offset: PathBuf,
}

impl Clock {
    /// A clock that is right, kept in `folder`; `None` if libfaketime is not installed.
    pub(crate) fn new(library: Option<&Path>, folder: &Path) -> io::Result<Option<Self>> {
        let installed = || {
            let mut places = FOLDERS.iter().map(|folder| Path::new(folder).join(FILE));
            places.find(|place| place.exists())
        };
        let Some(library) = library.map(Path::to_owned).or_else(installed) else {
            return Ok(None);
        };
        let clock = Self {
            library,
            offset: folder.join("clock"),
        };
        clock.set(0)?;
        Ok(Some(clock))
    }

    /// Lets a program live by this clock.
    pub(crate) fn wear(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", &self.offset)
            // How many seconds may pass until a change is seen.
            .env("FAKETIME_CACHE_DURATION", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("DONT_FAKE_MONOTONIC", "1");
    }

    /// Moves it so far from the real time, in seconds.
    pub(crate) fn set(&self, offset_s: i64) -> io::Result<()> {
        // In one step: half a file would be another time.
        let new = self.offset.with_extension("new");
        fs::write(&new, format!("{offset_s:+}\n"))?;
        fs::rename(new, &self.offset)
    }
}
