//! How far the octets of one connection have got, so that it is known of each request whether the
//! peer can have it. Arithmetic alone: it holds no octet and no clock.

/// What the stream has taken and what has left it. Octets are counted from the connection's first.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Progress {
    taken: u64,
    flushed: u64,
}

/// Where a request's octets stand in that order; the end is not one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u64,
    end: u64,
}

/// How much of a request went to the peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Not one octet.
    Nothing,
    /// Some octets, or all of them with some still held back by TLS.
    Part,
    /// All of it, as far as the system's own buffer.
    All,
}

impl Progress {
    /// The place of what made the unwritten output grow from `before` to `after` octets.
    pub(super) fn span(&self, before: usize, after: usize) -> Span {
        Span {
            start: self.taken + before as u64,
            end: self.taken + after as u64,
        }
    }

    /// The stream took so many octets off the front of the output.
    pub(super) fn took(&mut self, octets: usize) {
        self.taken += octets as u64;
    }

    /// The stream holds nothing back of what it has taken.
    pub(super) fn flushed(&mut self) {
        self.flushed = self.taken;
    }

    /// How much of the request at `span` went to the peer.
    pub(super) fn sent(&self, span: Span) -> Sent {
        if span.start >= self.taken {
            Sent::Nothing
        } else if span.end > self.flushed {
            Sent::Part
        } else {
            Sent::All
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_sent_once_its_last_octet_has_left_the_stream() {
        let mut progress = Progress::default();
        let first = progress.span(0, 10);
        let second = progress.span(10, 15);
        assert_eq!(progress.sent(first), Sent::Nothing);
        progress.took(1);
        assert_eq!(progress.sent(first), Sent::Part);
        progress.took(9);
        assert_eq!(progress.sent(first), Sent::Part, "TLS may hold it back");
        progress.flushed();
        assert_eq!(progress.sent(first), Sent::All);
        assert_eq!(progress.sent(second), Sent::Nothing);
        // The output is empty but for the second; a third is counted on from there.
        let third = progress.span(5, 8);
        progress.took(6);
        progress.flushed();
        assert_eq!(progress.sent(second), Sent::All);
        assert_eq!(progress.sent(third), Sent::Part);
    }
}
