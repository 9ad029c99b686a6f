//! The MAC keys that the links of one bank share: the one of now, the one before it for a while, and
//! who of them gets the next one.
//!
//! Only one link asks for a key at a time: of two keys given at once, one side would take the first
//! for the last and the other side the second. Nothing here does I/O; the time is passed in. A lock is
//! held for a few instructions only, and keys are used outside it.

use super::mac::MacKey;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The keys of one bank.
pub struct Keyring(Mutex<Keys>);

struct Keys {
    current: Option<Arc<MacKey>>,
    /// And until when it is believed.
    previous: Option<(Arc<MacKey>, Instant)>,
    /// Links that are signed on.
    users: u32,
    is_asked_for: bool,
}

impl Keyring {
    /// A ring without a key, which the exchange will bring.
    pub fn empty() -> Self {
        Self::of(None)
    }

    /// A ring with a key that stays.
    pub fn fixed(key: MacKey) -> Self {
        Self::of(Some(Arc::new(key)))
    }

    fn of(current: Option<Arc<MacKey>>) -> Self {
        Self(Mutex::new(Keys {
            current,
            previous: None,
            users: 0,
            is_asked_for: false,
        }))
    }

    fn keys(&self) -> MutexGuard<'_, Keys> {
        // Every change leaves the keys whole, so a panic elsewhere spoils nothing.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The key to send with.
    pub fn current(&self) -> Option<Arc<MacKey>> {
        self.keys().current.clone()
    }

    /// The keys to believe: that of now, and for a while the one before.
    pub fn believed(&self, now: Instant) -> [Option<Arc<MacKey>>; 2] {
        let mut keys = self.keys();
        keys.forget_previous(now);
        let previous = keys.previous.as_ref().map(|(key, _)| Arc::clone(key));
        [keys.current.clone(), previous]
    }

    /// Lets go of the key before, if its time is over.
    pub fn expire(&self, now: Instant) {
        self.keys().forget_previous(now);
    }

    /// A new key from now on; the one before is believed for `grace`. The same key once more, because
    /// the bank has not got our answer, changes nothing.
    pub fn install(&self, key: MacKey, now: Instant, grace: Duration) {
        let mut keys = self.keys();
        if keys
            .current
            .as_ref()
            .is_some_and(|own| own.is_the_same(&key))
        {
            return;
        }
        let before = keys.current.replace(Arc::new(key));
        keys.previous = before.map(|key| (key, now + grace));
    }
}

impl Keys {
    fn forget_previous(&mut self, now: Instant) {
        self.previous.take_if(|(_, until)| *until <= now);
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Keyring({:?})", self.keys().current)
    }
}

/// One link's share in a ring. What it has claimed is free again when it is dropped.
#[derive(Debug)]
pub struct Share {
    ring: Arc<Keyring>,
    role: Role,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    None,
    Asking,
    User,
}

impl Share {
    /// A share that claims nothing yet.
    pub fn new(ring: Arc<Keyring>) -> Self {
        let role = Role::None;
        Self { ring, role }
    }

    /// Forgets the key that nobody uses and nobody asks for, so that the first link to sign on gets a
    /// new one: for banks that forget theirs with the last connection.
    pub fn forget_unused(&mut self) {
        let mut keys = self.ring.keys();
        if keys.users == 0 && !keys.is_asked_for {
            (keys.current, keys.previous) = (None, None);
        }
    }

    /// Becomes a user, if there is a key.
    pub fn join(&mut self) -> bool {
        let mut keys = self.ring.keys();
        if keys.current.is_none() {
            return false;
        }
        keys.users += u32::from(self.role != Role::User);
        keys.is_asked_for &= self.role != Role::Asking;
        self.role = Role::User;
        true
    }

    /// Claims to be the one that asks for a key; false while another link asks.
    pub fn ask(&mut self) -> bool {
        let mut keys = self.ring.keys();
        if keys.is_asked_for || self.role != Role::None {
            return false;
        }
        keys.is_asked_for = true;
        self.role = Role::Asking;
        true
    }

    /// Gives up what it has claimed.
    pub fn leave(&mut self) {
        let mut keys = self.ring.keys();
        match std::mem::replace(&mut self.role, Role::None) {
            Role::None => {}
            Role::Asking => keys.is_asked_for = false,
            Role::User => keys.users = keys.users.saturating_sub(1),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(test)]
mod tests {
    use super::super::{MacAlgorithm, Secret};
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    fn key(octet: u8) -> MacKey {
        let secret = Secret::from_hex(&format!("{octet:02X}").repeat(8)).unwrap();
        MacKey::new(MacAlgorithm::X99, secret).unwrap()
    }

    fn believed(ring: &Keyring, now: Instant) -> Vec<String> {
        let keys = ring.believed(now).into_iter().flatten();
        keys.map(|key| key.check_value().to_string()).collect()
    }

    #[test]
    fn the_key_before_is_believed_for_its_time_and_then_forgotten() {
        let (ring, now) = (Keyring::fixed(key(1)), Instant::now());
        let (first, second) = (key(1).check_value(), key(2).check_value());
        ring.install(key(2), now, GRACE);
        assert_eq!(ring.current().unwrap().check_value(), second);
        let both = [second.to_string(), first.to_string()];
        assert_eq!(believed(&ring, now + GRACE - Duration::from_nanos(1)), both);
        assert_eq!(believed(&ring, now + GRACE), both[..1]);
        assert_eq!(believed(&ring, now), both[..1], "it is gone for good");
    }

    #[test]
    fn the_same_key_once_more_does_not_push_out_the_key_before() {
        let (ring, now) = (Keyring::fixed(key(1)), Instant::now());
        ring.install(key(2), now, GRACE);
        ring.install(key(2), now + GRACE / 2, GRACE);
        assert_eq!(believed(&ring, now).len(), 2);
        ring.expire(now + GRACE);
        assert_eq!(believed(&ring, now).len(), 1, "nor does it live longer");
    }

    #[test]
    fn one_link_asks_at_a_time_and_its_end_lets_another_ask() {
        let ring = Arc::new(Keyring::empty());
        let mut one = Share::new(Arc::clone(&ring));
        let mut other = Share::new(Arc::clone(&ring));
        assert!(!one.join() && !other.join());
        assert!(one.ask());
        assert!(!other.ask());
        drop(one);
        assert!(other.ask());
        ring.install(key(1), Instant::now(), GRACE);
        assert!(other.join());
        let mut third = Share::new(Arc::clone(&ring));
        assert!(third.join(), "the others use what was given");
    }

    #[test]
    fn a_key_is_forgotten_only_while_no_link_uses_it_or_asks_for_one() {
        let ring = Arc::new(Keyring::fixed(key(1)));
        let mut one = Share::new(Arc::clone(&ring));
        let mut other = Share::new(Arc::clone(&ring));
        assert!(one.join());
        other.forget_unused();
        assert!(other.join());
        one.leave();
        other.leave();
        assert!(one.ask());
        other.forget_unused();
        assert!(ring.current().is_some());
        one.leave();
        other.forget_unused();
        assert!(ring.current().is_none());
    }

    #[test]
    fn a_ring_shows_a_check_value_and_no_key() {
        let shown = format!("{:?}", Keyring::fixed(key(1)));
        assert_eq!(shown, "Keyring(Some(MacKey(8CA64D)))");
    }
}
