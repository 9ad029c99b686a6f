//! How much of a record the journal has.
//!
//! At most one row of a record is on its way to the disk; what changes meanwhile is written right
//! after it. So rows never overtake each other, and a record that changes often is not written more
//! often than the disk can follow.

use super::state::State;

/// What the journal has of one record, and what is on its way there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Recording {
    durable: Option<State>,
    on_its_way: Option<State>,
    /// The record has changed since the row on its way was made.
    is_stale: bool,
}

/// What is to be done after a row has come to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The record has changed meanwhile: write it as it is now.
    WriteAgain,
    /// The record is durable as it is.
    Durable,
    /// The record is not durable as it is, and nothing is on its way.
    NotDurable,
}

impl Recording {
    /// That of a record that was read from the journal in this state.
    pub(super) fn durable(state: State) -> Self {
        Self {
            durable: Some(state),
            ..Self::default()
        }
    }

    /// The record is to be written as it is; whether that may begin now.
    pub(super) fn begin(&mut self, state: State) -> bool {
        if self.on_its_way.is_some() {
            self.is_stale = true;
            return false;
        }
        self.on_its_way = Some(state);
        true
    }

    /// The row on its way is durable, or cannot be made so.
    pub(super) fn end(&mut self, durable: bool) -> Next {
        let written = self.on_its_way.take();
        if durable {
            self.durable = written.or(self.durable);
        }
        match (std::mem::take(&mut self.is_stale), durable) {
            (true, _) => Next::WriteAgain,
            (false, true) => Next::Durable,
            (false, false) => Next::NotDurable,
        }
    }

    /// Whether a restart would find the record in this state.
    pub(super) fn has(self, state: State) -> bool {
        self.durable == Some(state)
    }

    /// Whether a restart may find anything of the record.
    pub(super) fn has_anything(self) -> bool {
        self.durable.is_some() || self.on_its_way.is_some()
    }

    /// Whether a row is on its way, so that the record's place may not mean another payment yet.
    pub(super) fn is_under_way(self) -> bool {
        self.on_its_way.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_while_a_row_is_on_its_way_is_written_after_it() {
        let mut recording = Recording::default();
        assert!(recording.begin(State::Journalling));
        assert!(!recording.begin(State::NotSent));
        assert_eq!(recording.end(true), Next::WriteAgain);
        assert!(recording.has(State::Journalling));
        assert!(recording.begin(State::NotSent));
        assert_eq!(recording.end(true), Next::Durable);
        assert!(recording.has(State::NotSent));
    }

    #[test]
    fn a_row_that_fails_leaves_what_was_durable_before() {
        let mut recording = Recording::durable(State::Approved);
        assert!(recording.begin(State::Reversing));
        assert_eq!(recording.end(false), Next::NotDurable);
        assert!(recording.has(State::Approved) && !recording.has(State::Reversing));
        assert!(!recording.is_under_way());
    }
}
