//! The folder of a run: what stays of it for a person.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
    process,
};

/// The folder of a run, and whether it stays.
pub(super) struct Folder {
    pub(super) path: PathBuf,
    pub(super) is_kept: bool,
}

impl Folder {
    /// A named folder stays; one of the system's own for temporary files goes when this is dropped.
    pub(super) fn new(named: Option<&Path>, seed: u64) -> io::Result<Self> {
        let path = match named {
            Some(named) => named.to_owned(),
            None => env::temp_dir().join(format!("sampan-chaos-{}-{seed}", process::id())),
        };
        let router = path.join("router");
        // Payments of another run would be told as this one's.
        if router.exists() {
            fs::remove_dir_all(&router)?;
        }
        fs::create_dir_all(&router)?;
        Ok(Self {
            path: path.canonicalize()?,
            is_kept: named.is_some(),
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.is_kept {
            // A folder of a run that is over harms nobody.
            fs::remove_dir_all(&self.path).ok();
        }
    }
}
