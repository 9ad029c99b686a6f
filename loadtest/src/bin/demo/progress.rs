//! One line that says how far the traffic is: rewritten on a terminal, once a second elsewhere.

use std::{
    fmt,
    io::{self, IsTerminal as _, Write as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use tokio::{task::JoinHandle, time::interval};

use crate::{Options, report::Grouped};

/// How often the line is written.
const ON_A_TERMINAL: Duration = Duration::from_millis(100);
const ELSEWHERE: Duration = Duration::from_secs(1);

/// What is counted while traffic flows.
#[derive(Default)]
pub(crate) struct Counts {
    /// Messages and payments that have their outcome.
    pub(crate) messages: AtomicUsize,
    pub(crate) payments: AtomicUsize,
    /// Receipts and MO that the subscriber acknowledged.
    pub(crate) events: AtomicUsize,
    /// Payments that the bank has still to give back.
    pub(crate) reversing: AtomicUsize,
}

/// The line and who writes it.
pub(crate) struct Progress {
    pub(crate) counts: Arc<Counts>,
    line: Line,
    writer: JoinHandle<()>,
}

impl Progress {
    pub(crate) fn start(options: &Options) -> Self {
        let counts = Arc::new(Counts::default());
        let line = Line {
            counts: Arc::clone(&counts),
            messages: options.messages,
            payments: options.payments,
            terminal: io::stdout().is_terminal(),
        };
        let writer = tokio::spawn(line.clone().write_on());
        Self {
            counts,
            line,
            writer,
        }
    }

    /// Writes the line a last time.
    pub(crate) fn end(self) {
        self.writer.abort();
        self.line.write();
        if self.line.terminal {
            println!();
        }
    }
}

#[derive(Clone)]
struct Line {
    counts: Arc<Counts>,
    messages: u32,
    payments: u32,
    terminal: bool,
}

impl Line {
    async fn write_on(self) {
        let pace = if self.terminal {
            ON_A_TERMINAL
        } else {
            ELSEWHERE
        };
        let mut ticks = interval(pace);
        loop {
            ticks.tick().await;
            self.write();
        }
    }

    fn write(&self) {
        let mut out = io::stdout().lock();
        // A terminal that is gone is no reason to end: the exit code still tells.
        if self.terminal {
            write!(out, "\r\x1b[K{self}").ok();
            out.flush().ok();
        } else {
            writeln!(out, "{self}").ok();
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = |count: &AtomicUsize| Grouped(count.load(Relaxed) as u64);
        write!(
            f,
            "messages {} of {} · payments {} of {} · receipts and MO {} · reversing {}",
            of(&self.counts.messages),
            Grouped(self.messages.into()),
            of(&self.counts.payments),
            Grouped(self.payments.into()),
            of(&self.counts.events),
            of(&self.counts.reversing),
        )
    }
}
