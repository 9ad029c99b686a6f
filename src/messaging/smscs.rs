//! All SMSCs by name. A sorted list: a message asks for one or two of a few names, and comparing those
//! costs less than hashing one. Pure.

use super::Smsc;

pub(super) struct Smscs(Box<[Smsc]>);

impl Smscs {
    pub(super) fn new(smscs: impl IntoIterator<Item = Smsc>) -> Self {
        let mut smscs: Box<[Smsc]> = smscs.into_iter().collect();
        smscs.sort_by(|one, other| one.pool.peer.cmp(&other.pool.peer));
        Self(smscs)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Smsc> {
        let at = self
            .0
            .binary_search_by(|smsc| smsc.pool.peer.as_ref().cmp(name));
        self.0.get(at.ok()?)
    }
}
