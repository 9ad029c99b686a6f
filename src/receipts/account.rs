//! An account at an SMSC: how its ids are written, and whether a receipt may be earlier than the answer
//! that gives its id. It must never say that none may while one is under way.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{IdFormat, SmscReceipts};
use crate::{
    digest::{Digest, DigestKey, Digester},
    store::rows::lock,
};

/// An SMSC with its account.
pub(super) struct Account {
    pub(super) rules: SmscReceipts,
    /// A digest that has the account's name already.
    begun: Digester,
    /// Shared by all SMSCs of the account.
    unanswered: Arc<Unanswered>,
}

/// Messages that asked for receipts and whose ids are not known yet.
#[derive(Default)]
struct Unanswered {
    on_their_way: AtomicUsize,
    /// Until when one that has timed out counts as well.
    timed_out_until: Mutex<Option<Instant>>,
}

/// A message that asked for receipts is on its way to an SMSC: while this is kept, receipts with ids
/// that nobody knows may be its own. To be dropped after its ids were [expected](super::Expecting).
#[must_use = "receipts are held for it only while this is kept"]
pub struct OnItsWay(Arc<Unanswered>);

impl Drop for OnItsWay {
    fn drop(&mut self) {
        self.0.on_their_way.fetch_sub(1, Relaxed);
    }
}

impl Account {
    /// The accounts of SMSCs, by the SMSCs' names.
    pub(super) fn by_smsc(
        smscs: impl IntoIterator<Item = (Arc<str>, SmscReceipts)>,
        key: DigestKey,
    ) -> HashMap<Arc<str>, Self> {
        let mut by_account = HashMap::<Arc<str>, Arc<Unanswered>>::new();
        let account = |(smsc, rules): (Arc<str>, SmscReceipts)| {
            let name = Arc::clone(rules.account.as_ref().unwrap_or(&smsc));
            let mut begun = key.begin();
            begun.field(name.as_bytes());
            let account = Self {
                rules,
                begun,
                unanswered: Arc::clone(by_account.entry(name).or_default()),
            };
            (smsc, account)
        };
        smscs.into_iter().map(account).collect()
    }

    /// The name of an id of this account; `None` if the id stands for no message.
    pub(super) fn digest(&self, format: IdFormat, id: &[u8]) -> Option<Digest> {
        let mut digester = self.begun.clone();
        self.rules
            .ids
            .add(&mut digester, format, id)
            .then(|| digester.end())
    }

    pub(super) fn on_its_way(&self) -> OnItsWay {
        self.unanswered.on_their_way.fetch_add(1, Relaxed);
        OnItsWay(Arc::clone(&self.unanswered))
    }

    /// A message was not answered in time; for so long it may still be.
    pub(super) fn timed_out(&self, now: Instant, hold: Duration) {
        *lock(&self.unanswered.timed_out_until) = now.checked_add(hold);
    }

    /// Whether an id that nobody knows may be that of a message whose answer is still to come.
    pub(super) fn awaits_ids(&self, now: Instant) -> bool {
        let unanswered = &self.unanswered;
        unanswered.on_their_way.load(Relaxed) > 0
            || lock(&unanswered.timed_out_until).is_some_and(|until| now < until)
    }
}
