//! Core dumps of a process whose memory holds keys, PIN codes and one-time passwords: none, unless an
//! operator wants them of `commerce serve`.
//!
//! They are off before the configuration is read, because that reads keys.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Core dumps that are off for now, and for as long as the process lives if nobody settles it.
pub(super) struct Suspended {
    before: Rlimit,
}

impl Suspended {
    /// Turns core dumps off.
    pub(super) fn now() -> io::Result<Self> {
        let before = getrlimit(Resource::Core);
        setrlimit(Resource::Core, limit(Some(0), before.maximum))?;
        set_dumpable(false)?;
        Ok(Self { before })
    }

    /// Turns them on again as they were, or off for good.
    pub(super) fn settle(self, allowed: bool) -> io::Result<()> {
        if allowed {
            setrlimit(Resource::Core, self.before)?;
            return set_dumpable(true);
        }
        Ok(setrlimit(Resource::Core, limit(Some(0), Some(0)))?)
    }
}

fn limit(current: Option<u64>, maximum: Option<u64>) -> Rlimit {
    Rlimit { current, maximum }
}

/// A limit of 0 does not count where the kernel pipes dumps to a program, as systemd does; this does.
/// It also keeps others of the same user from reading the memory.
#[cfg(target_os = "linux")]
fn set_dumpable(may_be: bool) -> io::Result<()> {
    use rustix::process::{DumpableBehavior, set_dumpable_behavior};
    let behavior = match may_be {
        true => DumpableBehavior::Dumpable,
        false => DumpableBehavior::NotDumpable,
    };
    Ok(set_dumpable_behavior(behavior)?)
}

#[cfg(not(target_os = "linux"))]
fn set_dumpable(_may_be: bool) -> io::Result<()> {
    Ok(())
}
