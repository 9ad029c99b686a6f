//! Operators who are logged in. The browser has a token of 256 random bits in a cookie, the database
//! its digest. What forms carry against forgery is made from the token and cannot be turned back.
//!
//! A session ends by itself when nobody has used it for a while, and at the end of a working day in any
//! case. No token is in a log, an error or a `Debug`.

use std::{fmt, net::IpAddr};

use ring::{
    digest::{SHA256, digest},
    error::Unspecified,
    hmac,
    rand::{SecureRandom as _, SystemRandom},
};
use sqlx::Row as _;
use zeroize::Zeroizing;

use super::{
    operators::{OperatorName, unfit},
    password::HashError,
    role::Role,
};
use crate::{
    moment::UnixMs,
    store::{Store, StoreError, Write, at},
};

/// A session that nobody has used for half an hour is over.
pub const IDLE_MS: i64 = 30 * 60_000;

/// A session is over twelve hours after the login, used or not.
pub const WHOLE_MS: i64 = 12 * 3_600_000;

/// How exactly it is known when a session was used last: not each page is worth a write.
const SEEN_EVERY_MS: i64 = 60_000;

/// Sessions of one operator: a few machines of his own. The oldest ends where there would be more.
const OF_OPERATOR_MAX: i64 = 10;

/// Bytes of a token: 256 bits.
const TOKEN_BYTES: usize = 32;

/// How the browser is told to keep the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cookies {
    is_plain: bool,
}

impl Cookies {
    /// To be sent back over HTTPS alone.
    pub const SECURE: Self = Self { is_plain: false };

    /// Over HTTP too, if the office listens on this machine's own address and nowhere else.
    pub fn plain(listening_on: IpAddr) -> Option<Self> {
        let is_plain = listening_on.is_loopback();
        is_plain.then_some(Self { is_plain })
    }

    /// A browser takes a name that begins so over HTTPS alone, and from this host alone.
    fn name(self) -> &'static str {
        if self.is_plain {
            "office"
        } else {
            "__Host-office"
        }
    }

    fn attributes(self) -> &'static str {
        if self.is_plain {
            "Path=/; HttpOnly; SameSite=Strict"
        } else {
            "Path=/; Secure; HttpOnly; SameSite=Strict"
        }
    }

    /// The header that gives the browser a token.
    pub(super) fn keep(self, token: &Token) -> String {
        format!("{}={}; {}", self.name(), *token.0, self.attributes())
    }

    /// The header that takes it away.
    pub(super) fn forget(self) -> String {
        format!("{}=; {}; Max-Age=0", self.name(), self.attributes())
    }

    /// The token among the cookies that a browser sends.
    pub(super) fn token(self, cookies: &str) -> Option<Token> {
        let mut pairs = cookies.split(';').map(str::trim);
        let token = pairs.find_map(|pair| pair.strip_prefix(self.name())?.strip_prefix('='))?;
        let is_token =
            token.len() == 2 * TOKEN_BYTES && token.bytes().all(|b| b.is_ascii_hexdigit());
        is_token.then(|| Token(Zeroizing::new(token.to_owned())))
    }
}

/// What a browser shows to be known: 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Token(Zeroizing<String>);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    fn new() -> Result<Self, HashError> {
        let mut bytes = Zeroizing::new([0; TOKEN_BYTES]);
        let filled = SystemRandom::new().fill(&mut bytes[..]);
        filled.map_err(|Unspecified| HashError::Randomness)?;
        Ok(Self(Zeroizing::new(hex(&bytes[..]))))
    }

    fn digest(&self) -> Vec<u8> {
        digest(&SHA256, self.0.as_bytes()).as_ref().to_vec()
    }

    /// What this session's forms carry, so that another site cannot have them sent.
    pub(super) fn form_token(&self) -> String {
        hex(hmac::sign(&self.form_key(), FORM).as_ref())
    }

    /// Whether a form is of this session. The time that this takes says nothing about it.
    pub(super) fn made_form(&self, presented: &str) -> bool {
        let bytes = unhex(presented).unwrap_or_default();
        hmac::verify(&self.form_key(), FORM, &bytes).is_ok()
    }

    fn form_key(&self) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, self.0.as_bytes())
    }
}

/// What is signed in a form's token.
const FORM: &[u8] = b"form";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let pairs = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok();
    pairs.map(byte).collect()
}

/// Somebody who is logged in.
#[derive(Clone, Debug)]
pub(super) struct Session {
    pub(super) token: Token,
    pub(super) name: OperatorName,
    pub(super) role: Role,
}

/// Begins a session, under a token that nobody had before.
pub(super) async fn start(
    write: &mut Write,
    name: &OperatorName,
    now: UnixMs,
) -> Result<Token, StartError> {
    let over = "DELETE FROM operator_session WHERE ends_at_ms <= $1 OR seen_at_ms <= $2";
    let deleted = sqlx::query(over)
        .bind(now.0)
        .bind(now.0.saturating_sub(IDLE_MS))
        .execute(write.connection());
    deleted.await.map_err(at("operator_session"))?;
    let oldest = "DELETE FROM operator_session WHERE operator = $1 AND digest NOT IN (
            SELECT digest FROM operator_session WHERE operator = $1
            ORDER BY ends_at_ms DESC LIMIT $2
        )";
    let deleted = sqlx::query(oldest)
        .bind(name.as_str())
        .bind(OF_OPERATOR_MAX - 1)
        .execute(write.connection());
    deleted.await.map_err(at("operator_session"))?;
    let token = Token::new()?;
    let insert = "INSERT INTO operator_session (digest, operator, seen_at_ms, ends_at_ms)
        VALUES ($1, $2, $3, $4)";
    let inserted = sqlx::query(insert)
        .bind(token.digest())
        .bind(name.as_str())
        .bind(now.0)
        .bind(now.0.saturating_add(WHOLE_MS))
        .execute(write.connection());
    inserted.await.map_err(at("operator_session"))?;
    Ok(token)
}

/// Why no session began.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum StartError {
    #[error(transparent)]
    Token(#[from] HashError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Whose token it is, if its session goes on; that it was used counts from now.
pub(super) async fn find(
    store: &Store,
    token: Token,
    now: UnixMs,
) -> Result<Option<Session>, StoreError> {
    let select = "SELECT name, role, seen_at_ms
        FROM operator_session JOIN operator ON name = operator
        WHERE digest = $1 AND active = 1 AND ends_at_ms > $2 AND seen_at_ms > $3";
    let mut read = store.read().await?;
    let row = sqlx::query(select)
        .bind(token.digest())
        .bind(now.0)
        .bind(now.0.saturating_sub(IDLE_MS))
        .fetch_optional(&mut *read);
    let Some(row) = row.await.map_err(at("operator_session"))? else {
        return Ok(None);
    };
    // SQLite has few readers, and the write below waits for its turn.
    drop(read);
    let text = |column| row.try_get::<String, _>(column).map_err(at("operator"));
    let session = Session {
        name: text(0)?.parse().map_err(|_| unfit("a name that is none"))?,
        role: text(1)?.parse().map_err(|_| unfit("a role that is none"))?,
        token,
    };
    let seen: i64 = row.try_get(2).map_err(at("operator_session"))?;
    if now.0 - seen >= SEEN_EVERY_MS {
        see(store, &session.token, now).await?;
    }
    Ok(Some(session))
}

async fn see(store: &Store, token: &Token, now: UnixMs) -> Result<(), StoreError> {
    let mut write = store.write().await?;
    let update =
        "UPDATE operator_session SET seen_at_ms = $2 WHERE digest = $1 AND seen_at_ms < $2";
    let updated = sqlx::query(update)
        .bind(token.digest())
        .bind(now.0)
        .execute(write.connection());
    updated.await.map_err(at("operator_session"))?;
    write.commit().await
}

/// Ends a session.
pub(super) async fn end(write: &mut Write, token: &Token) -> Result<(), StoreError> {
    let deleted = sqlx::query("DELETE FROM operator_session WHERE digest = $1")
        .bind(token.digest())
        .execute(write.connection());
    deleted.await.map_err(at("operator_session"))?;
    Ok(())
}

/// Ends all sessions of an operator.
pub(super) async fn end_all(write: &mut Write, name: &OperatorName) -> Result<(), StoreError> {
    let deleted = sqlx::query("DELETE FROM operator_session WHERE operator = $1")
        .bind(name.as_str())
        .execute(write.connection());
    deleted.await.map_err(at("operator_session"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_goes_over_https_alone_unless_the_office_is_on_this_machine_alone() {
        let token = Token::new().unwrap();
        let header = Cookies::SECURE.keep(&token);
        assert!(header.starts_with("__Host-office="), "{header}");
        assert!(header.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"));
        assert_eq!(Cookies::plain("0.0.0.0".parse().unwrap()), None);
        assert_eq!(Cookies::plain("192.0.2.1".parse().unwrap()), None);
        let plain = Cookies::plain("127.0.0.1".parse().unwrap()).unwrap();
        assert!(!plain.keep(&token).contains("Secure"));
        let sent = format!("a=b; office={}; c=d", *token.0);
        assert_eq!(plain.token(&sent), Some(token));
        assert_eq!(Cookies::SECURE.token(&sent), None);
        for sent in ["", "office", "office=", "office=12", "officer=1"] {
            assert_eq!(plain.token(sent), None, "{sent}");
        }
    }

    #[test]
    fn a_form_is_of_the_session_that_made_it_and_of_no_other() {
        let (one, other) = (Token::new().unwrap(), Token::new().unwrap());
        let form = one.form_token();
        assert!(one.made_form(&form));
        assert!(!other.made_form(&form));
        assert_ne!(form, *one.0);
        for wrong in ["", "x", &form[1..], &form[..62], &*one.0, "ăă"] {
            assert!(!one.made_form(wrong), "{wrong}");
        }
        assert_eq!(format!("{one:?}"), "Token(…)");
    }
}
