//! Where a database is, as the configuration says it. It never shows a password.

use std::{
    fmt::{self, Write as _},
    path::PathBuf,
    str::FromStr,
};

use sqlx::any::AnyConnectOptions;

use super::Dialect;

/// Where a database is.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A file of SQLite, made if it is not there.
    Sqlite(PathBuf),
    /// The URL of a PostgreSQL database, which may hold a password.
    Postgres(String),
}

/// Why a text is no location.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LocationFault {
    /// There is no text.
    #[error("is empty; give the path of a file or postgres://USER@HOST/DATABASE")]
    Empty,
    /// It is a URL of something else.
    #[error("is a URL of neither database; give postgres://USER@HOST/DATABASE or a path")]
    Scheme,
}

impl FromStr for Location {
    type Err = LocationFault;

    fn from_str(text: &str) -> Result<Self, LocationFault> {
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres(text.to_owned())),
            Some(_) => Err(LocationFault::Scheme),
            None if text.is_empty() => Err(LocationFault::Empty),
            None => Ok(Self::Sqlite(PathBuf::from(text))),
        }
    }
}

impl Location {
    /// Which database it is.
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Sqlite(_) => Dialect::Sqlite,
            Self::Postgres(_) => Dialect::Postgres,
        }
    }

    pub(super) fn options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        match self {
            Self::Sqlite(path) => {
                let path = encoded(path.as_os_str().as_encoded_bytes());
                AnyConnectOptions::from_str(&format!("sqlite://{path}?mode=rwc"))
            }
            Self::Postgres(url) => AnyConnectOptions::from_str(url),
        }
    }
}

/// A path as a URL holds it.
fn encoded(path: &[u8]) -> String {
    path.iter().fold(String::new(), |mut url, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' => {
                url.push(char::from(*byte));
            }
            // Writing into a String cannot fail.
            _ => write!(url, "%{byte:02X}").unwrap_or_default(),
        }
        url
    })
}

/// Without user, password and parameters.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => {
                let rest = url.split_once("://").map_or("", |(_, rest)| rest);
                let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
                let place = place.split('?').next().unwrap_or_default();
                write!(f, "postgres://{place}")
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_file_and_only_a_postgres_url_is_a_server() {
        let location = |text: &str| text.parse::<Location>();
        assert_eq!(
            location("var/commerce.db"),
            Ok(Location::Sqlite("var/commerce.db".into()))
        );
        assert!(matches!(
            location("postgres://sampan@db/commerce"),
            Ok(Location::Postgres(_))
        ));
        assert_eq!(location("mysql://db/x"), Err(LocationFault::Scheme));
        assert_eq!(location(""), Err(LocationFault::Empty));
    }

    #[test]
    fn a_password_is_never_shown() {
        for url in [
            "postgres://sampan:se@cret@db:5432/commerce?sslmode=require",
            "postgres://db:5432/commerce?user=sampan&password=secret",
        ] {
            let location: Location = url.parse().unwrap();
            assert_eq!(location.to_string(), "postgres://db:5432/commerce");
            assert!(!format!("{location:?}").contains("cret"));
        }
    }

    #[test]
    fn a_path_may_hold_any_character() {
        assert_eq!(encoded(b"/a b/c?d#e%"), "/a%20b/c%3Fd%23e%25");
    }
}
