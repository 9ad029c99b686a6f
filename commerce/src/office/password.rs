//! Operators' passwords: PBKDF2-HMAC-SHA256 with a salt of its own each.
//!
//! To hash one takes a good part of a second of a core, on purpose. So it is done beside the tasks
//! that answer others, by a few at a time, and who comes when too many wait is sent away. No password
//! is in a log, an error or a `Debug`.

use std::{fmt, num::NonZeroU32, sync::Arc};

use ring::{
    error::Unspecified,
    pbkdf2::{self, PBKDF2_HMAC_SHA256},
    rand::{SecureRandom as _, SystemRandom},
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use zeroize::Zeroizing;

/// Bytes of a salt and of what is made of a password: those of SHA-256.
const DIGEST_BYTES: usize = 32;

/// Passwords that are hashed at the same time: two cores, and the others are for customers.
const AT_ONCE_MAX: usize = 2;

/// Passwords that are hashed or wait for it: the last one waits for some three seconds.
const PLACES_MAX: usize = 16;

/// A password that may be one: long enough to be no word, short enough to be typed.
pub struct Password(Zeroizing<String>);

impl Password {
    /// The fewest characters.
    pub const LENGTH_MIN: usize = 12;

    /// The most bytes.
    pub const BYTES_MAX: usize = 256;

    /// Takes any characters.
    ///
    /// # Errors
    /// There are too few or too many, which are not repeated.
    pub fn parse(text: &str) -> Result<Self, PasswordFault> {
        if text.len() > Self::BYTES_MAX || text.chars().count() < Self::LENGTH_MIN {
            return Err(PasswordFault);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// Without the password.
impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

/// A text that is no password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "is not {} to {} characters long",
    Password::LENGTH_MIN,
    Password::BYTES_MAX
)]
pub struct PasswordFault;

/// How long it takes to try a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardness(NonZeroU32);

impl Hardness {
    /// 600,000 rounds, as OWASP recommends for PBKDF2-HMAC-SHA256.
    pub const STRONG: Self = Self(match NonZeroU32::new(600_000) {
        Some(rounds) => rounds,
        None => NonZeroU32::MAX,
    });

    /// One round: tests hash hundreds of passwords that protect nothing.
    pub const FOR_TESTS: Self = Self(NonZeroU32::MIN);
}

/// What is kept of a password.
#[derive(Clone, PartialEq, Eq)]
pub struct Hashed {
    pub(super) salt: Vec<u8>,
    pub(super) rounds: NonZeroU32,
    pub(super) digest: Vec<u8>,
}

impl fmt::Debug for Hashed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hashed({} rounds)", self.rounds)
    }
}

/// Why a password was not hashed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Too many others are.
    #[error("too many passwords are looked at; do the same again")]
    Busy,
    /// The system gives none.
    #[error("the system gives no randomness")]
    Randomness,
    /// The process ends.
    #[error("the service stops")]
    Stopping,
}

/// Where passwords are hashed, a few at a time.
#[derive(Clone, Debug)]
pub struct Hasher {
    hardness: Hardness,
    places: Arc<Semaphore>,
    at_once: Arc<Semaphore>,
}

/// A place among those that are hashed or wait for it.
#[derive(Debug)]
pub(super) struct Place<'a> {
    hasher: &'a Hasher,
    _place: OwnedSemaphorePermit,
}

impl Hasher {
    /// New passwords are as hard to try as that; old ones stay as they were made.
    pub fn new(hardness: Hardness) -> Self {
        Self {
            hardness,
            places: Arc::new(Semaphore::new(PLACES_MAX)),
            at_once: Arc::new(Semaphore::new(AT_ONCE_MAX)),
        }
    }

    /// Makes of a password what is kept of it.
    ///
    /// # Errors
    /// Too many others are hashed.
    pub async fn hash(&self, password: &Password) -> Result<Hashed, HashError> {
        let mut salt = vec![0; DIGEST_BYTES];
        let filled = SystemRandom::new().fill(&mut salt);
        filled.map_err(|Unspecified| HashError::Randomness)?;
        let (rounds, text) = (self.hardness.0, password.0.clone());
        let work = move || {
            let mut digest = vec![0; DIGEST_BYTES];
            let secret = text.as_bytes();
            pbkdf2::derive(PBKDF2_HMAC_SHA256, rounds, &salt, secret, &mut digest);
            Hashed {
                salt,
                rounds,
                digest,
            }
        };
        self.place()?.work(work).await
    }

    /// Comes before whatever leads to a password being hashed, so that nobody can make us do much of
    /// that either.
    pub(super) fn place(&self) -> Result<Place<'_>, HashError> {
        let place = self.places.clone().try_acquire_owned();
        Ok(Place {
            hasher: self,
            _place: place.map_err(|_| HashError::Busy)?,
        })
    }
}

impl Place<'_> {
    /// Whether the password is the one of which this was made. Without any it takes the same time to
    /// say no.
    pub(super) async fn verify(
        self,
        hashed: Option<Hashed>,
        tried: Zeroizing<String>,
    ) -> Result<bool, HashError> {
        let is_known = hashed.is_some();
        let hashed = hashed.unwrap_or_else(|| Hashed {
            salt: vec![0; DIGEST_BYTES],
            rounds: self.hasher.hardness.0,
            digest: vec![0; DIGEST_BYTES],
        });
        let work = move || {
            let secret = tried.as_bytes();
            let (salt, digest) = (&hashed.salt, &hashed.digest);
            pbkdf2::verify(PBKDF2_HMAC_SHA256, hashed.rounds, salt, secret, digest).is_ok()
        };
        Ok(self.work(work).await? && is_known)
    }

    async fn work<T: Send + 'static>(
        self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, HashError> {
        let turn = self.hasher.at_once.clone().acquire_owned().await;
        let turn = turn.map_err(|_| HashError::Stopping)?;
        // The turn goes with the work: who asked may be gone before it is done.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(|_| HashError::Stopping)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tried(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_no_other_is() {
        let hasher = Hasher::new(Hardness::FOR_TESTS);
        let password = Password::parse("đúng là mật khẩu").unwrap();
        let hashed = hasher.hash(&password).await.unwrap();
        assert_ne!(hashed, hasher.hash(&password).await.unwrap());
        for (text, is_right) in [("đúng là mật khẩu", true), ("sai", false), ("", false)] {
            let place = hasher.place().unwrap();
            let found = place.verify(Some(hashed.clone()), tried(text)).await;
            assert_eq!(found, Ok(is_right), "{text}");
        }
        let nobody = hasher.place().unwrap().verify(None, tried("")).await;
        assert_eq!(nobody, Ok(false));
    }

    #[tokio::test]
    async fn who_comes_when_all_places_are_taken_is_sent_away_and_later_served() {
        let hasher = Hasher::new(Hardness::FOR_TESTS);
        let places: Vec<_> = (0..PLACES_MAX).map(|_| hasher.place().unwrap()).collect();
        let password = Password::parse("một hai ba bốn").unwrap();
        assert_eq!(hasher.hash(&password).await, Err(HashError::Busy));
        drop(places);
        hasher.hash(&password).await.unwrap();
    }

    #[test]
    fn a_password_has_a_length_and_is_never_shown_by_accident() {
        for text in ["", "11 chars ăă", &"x".repeat(257)] {
            assert_eq!(Password::parse(text).unwrap_err(), PasswordFault, "{text}");
        }
        let password = Password::parse("correct horse battery").unwrap();
        assert_eq!(format!("{password:?}"), "Password(…)");
    }

    #[test]
    fn the_hardness_of_service_is_the_recommended_one() {
        assert_eq!(Hardness::STRONG.0.get(), 600_000);
    }
}
