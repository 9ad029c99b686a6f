//! Answers that leave by another link than their request came by, as banks do whose switch spreads them
//! over all of its connections.

use std::sync::{Arc, Mutex};

use bytes::BytesMut;
use tokio::sync::Notify;

use crate::locked;

/// One link, as the others see it.
pub(super) struct Line {
    left_here: Mutex<BytesMut>,
    wake: Arc<Notify>,
}

impl Line {
    pub(super) fn new(wake: Arc<Notify>) -> Arc<Self> {
        let left_here = Mutex::default();
        Arc::new(Self { left_here, wake })
    }

    /// Moves what other links have left here to the end of `out`.
    pub(super) fn take(&self, out: &mut BytesMut) {
        out.extend_from_slice(&locked(&self.left_here).split());
    }

    fn leave(&self, write: impl FnOnce(&mut BytesMut)) {
        write(&mut locked(&self.left_here));
        self.wake.notify_one();
    }
}

/// The links that are signed on.
#[derive(Default)]
pub(super) struct Lines(Mutex<Vec<Arc<Line>>>);

impl Lines {
    pub(super) fn add(&self, line: &Arc<Line>) {
        let mut lines = locked(&self.0);
        if !lines.iter().any(|own| Arc::ptr_eq(own, line)) {
            lines.push(Arc::clone(line));
        }
    }

    pub(super) fn remove(&self, line: &Arc<Line>) {
        locked(&self.0).retain(|own| !Arc::ptr_eq(own, line));
    }

    /// Lets `write` put an answer where the link behind this one sends it; false if there is no other.
    pub(super) fn leave_elsewhere(
        &self,
        line: &Arc<Line>,
        write: impl FnOnce(&mut BytesMut),
    ) -> bool {
        let lines = locked(&self.0);
        let own = lines.iter().position(|own| Arc::ptr_eq(own, line));
        let next = own.map_or(0, |own| (own + 1) % lines.len());
        match lines.get(next).filter(|next| !Arc::ptr_eq(next, line)) {
            Some(next) => {
                next.leave(write);
                true
            }
            None => false,
        }
    }
}
