//! What each MO came to on either side, and what of it must not be. Pure: it reads no clock.
//!
//! A duplicate is allowed only where an acknowledgement was lost, which a kill does in two ways. The
//! subscriber's may die with the router before it is durable: then the MO was handed over by an
//! earlier router, shortly before its death. The answer to the SMSC may: then the SMSC sent the
//! deliver_sm and heard nothing.

use std::time::{Duration, Instant};

/// A router's life, counted from 0 at each start.
pub(super) type Life = usize;

/// One delivery to the subscriber.
#[derive(Clone, Copy, Debug)]
pub(super) struct Handed {
    pub(super) life: Life,
    pub(super) redelivered: bool,
    /// When the subscriber wrote its acknowledgement; `None` if that router died before.
    pub(super) acknowledged: Option<Instant>,
}

/// What the SMSC knows of one MO, over all of its parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Promised {
    /// Whether every part was answered ESME_ROK.
    pub(super) is_acknowledged: bool,
    /// deliver_sm that were never answered.
    pub(super) unanswered: u64,
}

/// What a run came to, in numbers of MO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Findings {
    pub(super) sent: u64,
    /// ESME_ROK, and of these never handed over.
    pub(super) acknowledged: u64,
    pub(super) missing: u64,
    /// Handed over though the SMSC has no ESME_ROK in the end.
    pub(super) handed_unacknowledged: u64,
    pub(super) handed: u64,
    /// Deliveries after the first one of an MO: because the subscriber's acknowledgement was lost,
    /// the answer to the SMSC was, or neither.
    pub(super) duplicates: u64,
    pub(super) acknowledgement_lost: u64,
    pub(super) answer_lost: u64,
    pub(super) unexplained: u64,
    /// Duplicates that are not marked.
    pub(super) unmarked: u64,
    /// First deliveries that are marked: allowed, as the mark says "may have been".
    pub(super) marked_first: u64,
    /// deliver_sm that a kill left unanswered.
    pub(super) unanswered: u64,
}

/// How a run is judged.
pub(super) struct Judge<'a> {
    /// When each life ended; the last one has no entry.
    pub(super) deaths: &'a [Instant],
    /// For how long after it was written an acknowledgement may be lost with the router.
    pub(super) acknowledgement_takes: Duration,
}

impl Judge<'_> {
    /// Adds one MO, with its deliveries in their order.
    pub(super) fn add(&self, findings: &mut Findings, promised: Promised, handed: &[Handed]) {
        findings.sent += 1;
        findings.unanswered += promised.unanswered;
        findings.acknowledged += u64::from(promised.is_acknowledged);
        let Some((first, duplicates)) = handed.split_first() else {
            findings.missing += u64::from(promised.is_acknowledged);
            return;
        };
        findings.handed += 1;
        findings.handed_unacknowledged += u64::from(!promised.is_acknowledged);
        findings.marked_first += u64::from(first.redelivered);
        for (earlier, duplicate) in handed.iter().zip(duplicates) {
            findings.duplicates += 1;
            findings.unmarked += u64::from(!duplicate.redelivered);
            if self.lost_acknowledgement(earlier, duplicate) {
                findings.acknowledgement_lost += 1;
            } else if promised.unanswered > 0 {
                findings.answer_lost += 1;
            } else {
                findings.unexplained += 1;
            }
        }
    }

    fn lost_acknowledgement(&self, earlier: &Handed, duplicate: &Handed) -> bool {
        if earlier.life >= duplicate.life {
            return false;
        }
        let Some(death) = self.deaths.get(earlier.life) else {
            return false;
        };
        earlier
            .acknowledged
            .is_none_or(|written| written + self.acknowledgement_takes >= *death)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAKES: Duration = Duration::from_secs(2);
    const ROK: Promised = Promised {
        is_acknowledged: true,
        unanswered: 0,
    };

    fn handed(life: Life, redelivered: bool, acknowledged: Option<Instant>) -> Handed {
        Handed {
            life,
            redelivered,
            acknowledged,
        }
    }

    fn found(promised: Promised, deaths: &[Instant], deliveries: &[Handed]) -> Findings {
        let mut findings = Findings::default();
        let judge = Judge {
            deaths,
            acknowledgement_takes: TAKES,
        };
        judge.add(&mut findings, promised, deliveries);
        findings
    }

    #[test]
    fn what_was_acknowledged_and_never_handed_over_is_missing() {
        let findings = found(ROK, &[], &[]);
        assert_eq!((findings.acknowledged, findings.missing), (1, 1));
        let findings = found(Promised::default(), &[], &[]);
        assert_eq!((findings.acknowledged, findings.missing), (0, 0));
    }

    #[test]
    fn what_was_handed_over_needs_an_answer_to_the_smsc_in_the_end() {
        let once = [handed(0, false, None)];
        assert_eq!(
            found(Promised::default(), &[], &once).handed_unacknowledged,
            1
        );
        assert_eq!(found(ROK, &[], &once).handed_unacknowledged, 0);
    }

    #[test]
    fn a_duplicate_is_explained_by_an_acknowledgement_that_a_kill_may_have_lost() {
        let death = Instant::now();
        let just_before = [
            handed(0, false, Some(death - TAKES / 2)),
            handed(1, true, None),
        ];
        assert_eq!(found(ROK, &[death], &just_before).acknowledgement_lost, 1);
        let never = [handed(0, false, None), handed(1, true, None)];
        assert_eq!(found(ROK, &[death], &never).acknowledgement_lost, 1);
        let long_before = [
            handed(0, false, Some(death - TAKES * 2)),
            handed(1, true, None),
        ];
        assert_eq!(found(ROK, &[death], &long_before).unexplained, 1);
    }

    #[test]
    fn a_duplicate_within_one_life_is_explained_only_by_an_answer_that_the_smsc_never_got() {
        let deliveries = [handed(1, false, None), handed(1, true, None)];
        let death = Instant::now();
        assert_eq!(found(ROK, &[death], &deliveries).unexplained, 1);
        let repeated = Promised {
            unanswered: 1,
            ..ROK
        };
        assert_eq!(found(repeated, &[death], &deliveries).answer_lost, 1);
    }

    #[test]
    fn each_duplicate_has_to_be_marked() {
        let death = Instant::now();
        let deliveries = [
            handed(0, true, None),
            handed(1, false, None),
            handed(1, true, None),
        ];
        let findings = found(ROK, &[death], &deliveries);
        assert_eq!(
            (
                findings.duplicates,
                findings.unmarked,
                findings.marked_first
            ),
            (2, 1, 1)
        );
    }
}
