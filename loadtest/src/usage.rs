//! What a process uses of the machine, as `/proc` tells. Linux only; nothing else reads `/proc` here.
//!
//! Processor time comes in ticks of 10 ms, so a figure over less than a second says little.

use std::{fs, io, ops::Sub};

/// Clock ticks per second of `/proc/PID/stat`, the same on every Linux.
const TICKS_PER_S: u64 = 100;

/// Processor time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cpu {
    /// In the program itself.
    pub user_ms: u64,
    /// In the kernel on its behalf.
    pub system_ms: u64,
}

impl Cpu {
    /// Both together.
    pub fn total_ms(self) -> u64 {
        self.user_ms + self.system_ms
    }

    fn plus(self, other: Self) -> Self {
        Self {
            user_ms: self.user_ms + other.user_ms,
            system_ms: self.system_ms + other.system_ms,
        }
    }

    /// Of a line of `/proc/PID/stat`, with the name that stands in it.
    fn read(stat: &str) -> Option<(&str, Self)> {
        // The name stands in parentheses and may hold anything; utime and stime are the 12th and 13th
        // field after it.
        let (before, fields) = stat.rsplit_once(')')?;
        let (_, name) = before.split_once('(')?;
        let mut fields = fields.split_whitespace().skip(11);
        let mut ms = || Some(fields.next()?.parse::<u64>().ok()? * 1_000 / TICKS_PER_S);
        let (user_ms, system_ms) = (ms()?, ms()?);
        Some((name, Self { user_ms, system_ms }))
    }
}

impl Sub for Cpu {
    type Output = Self;

    /// What was used between two moments.
    fn sub(self, earlier: Self) -> Self {
        Self {
            user_ms: self.user_ms.saturating_sub(earlier.user_ms),
            system_ms: self.system_ms.saturating_sub(earlier.system_ms),
        }
    }
}

/// What a process has spent of the processors so far, with all its threads.
///
/// # Errors
/// When there is no such process.
pub fn cpu(pid: u32) -> io::Result<Cpu> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, cpu) = Cpu::read(&stat).ok_or_else(|| unreadable("stat"))?;
    Ok(cpu)
}

/// What the threads of this process have spent whose name begins so; those that ended do not count.
///
/// # Errors
/// When `/proc` cannot be read.
pub fn cpu_of_threads(prefix: &str) -> io::Result<Cpu> {
    let mut sum = Cpu::default();
    for task in fs::read_dir("/proc/self/task")? {
        // A thread may end while one looks.
        let Ok(stat) = fs::read_to_string(task?.path().join("stat")) else {
            continue;
        };
        if let Some((_, cpu)) = Cpu::read(&stat).filter(|(name, _)| name.starts_with(prefix)) {
            sum = sum.plus(cpu);
        }
    }
    Ok(sum)
}

/// The machine's processor time since its start, over all processors.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Machine {
    /// Of whatever was done.
    pub busy_ms: u64,
    /// With nothing to do, or waiting for a disk.
    pub idle_ms: u64,
}

/// What all processes together have spent.
///
/// # Errors
/// When `/proc/stat` cannot be read.
pub fn machine() -> io::Result<Machine> {
    let stat = fs::read_to_string("/proc/stat")?;
    let line = stat
        .lines()
        .next()
        .and_then(|line| line.strip_prefix("cpu "));
    let fields: Vec<u64> = line
        .ok_or_else(|| unreadable("stat"))?
        .split_whitespace()
        // user nice system idle iowait irq softirq steal; guests are in user already.
        .take(8)
        .filter_map(|field| field.parse().ok())
        .map(|ticks: u64| ticks * 1_000 / TICKS_PER_S)
        .collect();
    let [user, nice, system, idle, iowait, irq, softirq, steal] = fields[..] else {
        return Err(unreadable("stat"));
    };
    Ok(Machine {
        busy_ms: user + nice + system + irq + softirq + steal,
        idle_ms: idle + iowait,
    })
}

/// What a process occupies of the memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Now, in KiB.
    pub rss_kib: u64,
    /// The most so far, in KiB.
    pub peak_kib: u64,
}

/// The memory of a process.
///
/// # Errors
/// When there is no such process.
pub fn memory(pid: u32) -> io::Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let kib = |name| field(&status, name).ok_or_else(|| unreadable(name));
    Ok(Memory {
        rss_kib: kib("VmRSS:")?,
        peak_kib: kib("VmHWM:")?,
    })
}

/// How often the threads of a process have slept and were woken: what waits for something costs this.
///
/// # Errors
/// When there is no such process.
pub fn sleeps(pid: u32) -> io::Result<u64> {
    let mut sum = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while one looks.
        if let Ok(status) = fs::read_to_string(task?.path().join("status")) {
            sum += field(&status, "voluntary_ctxt_switches:").unwrap_or_default();
        }
    }
    Ok(sum)
}

/// The calls of `read` and `write` that a process made. Those of `recv` and `send`, which sockets
/// mostly see, the kernel does not count.
///
/// # Errors
/// When there is no such process, or the kernel does not tell this user.
pub fn reads_and_writes(pid: u32) -> io::Result<(u64, u64)> {
    let io = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let calls = |name| field(&io, name).ok_or_else(|| unreadable(name));
    Ok((calls("syscr:")?, calls("syscw:")?))
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_whitespace().next()?.parse().ok()
}

fn unreadable(what: &str) -> io::Error {
    io::Error::other(format!("/proc has no {what} that can be read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_process_may_hold_anything() {
        let line = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 31 0 0 20";
        let (name, cpu) = Cpu::read(line).unwrap();
        assert_eq!(name, "a) b (c");
        assert_eq!((cpu.user_ms, cpu.system_ms), (2_500, 310));
        assert_eq!(Cpu::read("7 (a) S 1"), None);
    }

    #[test]
    fn a_process_that_runs_occupies_memory_and_processors() {
        let own = std::process::id();
        let memory = memory(own).unwrap();
        assert!(memory.rss_kib > 100 && memory.peak_kib >= memory.rss_kib);
        let (before, all) = (cpu(own).unwrap(), machine().unwrap());
        assert!(cpu(own).unwrap().total_ms() >= before.total_ms());
        assert!(all.busy_ms + all.idle_ms > 0);
        sleeps(own).unwrap();
    }

    #[test]
    fn a_thread_is_found_by_its_name() {
        let thread = std::thread::Builder::new().name("usage-test".to_owned());
        // Each look takes time itself, so that some thousands of them take a tick.
        let look = || cpu_of_threads("usage-test").unwrap().total_ms();
        let busy =
            thread.spawn(move || (0..100_000).map(|_| look()).find(|spent_ms| *spent_ms > 0));
        assert!(busy.unwrap().join().unwrap().is_some());
        assert_eq!(cpu_of_threads("no such thread").unwrap(), Cpu::default());
    }
}
