//! Core dumps of a process whose memory holds keys, card numbers and texts: none, unless an operator
//! wants them.
//!
//! They are off before the configuration is read, because that reads keys.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Core dumps that are off for now.
pub(super) struct Suspended {
    before: Rlimit,
}

impl Suspended {
    /// Turns core dumps off.
    pub(super) fn now() -> io::Result<Self> {
        let before = getrlimit(Resource::Core);
        setrlimit(Resource::Core, limit(Some(0), before.maximum))?;
        Ok(Self { before })
    }

    /// Turns them on again as they were, or off for good.
    pub(super) fn settle(self, allowed: bool) -> io::Result<()> {
        if allowed {
            return Ok(setrlimit(Resource::Core, self.before)?);
        }
        setrlimit(Resource::Core, limit(Some(0), Some(0)))?;
        undumpable()
    }
}

fn limit(current: Option<u64>, maximum: Option<u64>) -> Rlimit {
    Rlimit { current, maximum }
}

/// A limit of 0 does not count where the kernel pipes dumps to a program, as systemd does; this does.
/// It also keeps others of the same user from reading the memory.
#[cfg(target_os = "linux")]
fn undumpable() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

#[cfg(not(target_os = "linux"))]
fn undumpable() -> io::Result<()> {
    Ok(())
}
