//! Who did what, for good: the database itself refuses to change or delete a line (`migrations/`).
//!
//! A line is written in the same change as what it tells of, so that neither is there without the
//! other. No line holds a PIN code, a password, a key or a message's text.

use std::{fmt, fs, sync::OnceLock};

use sqlx::{AnyConnection, Row as _, any::AnyRow};

use crate::{
    moment::UnixMs,
    phone::Phone,
    store::{StoreError, Write, at},
    word::Id,
};

/// Lines of one page.
pub const AUDIT_LINES_MAX: u32 = 200;

/// Characters of a subject or a detail that are kept: a sentence or two. The rest is cut off, because
/// what was done has to be told even if its reason is long.
pub const AUDIT_TEXT_MAX: usize = 300;

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who<'a> {
    /// An operator of the back office, by name.
    Operator(&'a str),
    /// An agent, by the API.
    Agent(&'a Id),
    /// Somebody at the machine's own prompt, told by the operating system's user of this process.
    Console,
    /// A subscriber, by a message of that phone.
    Subscriber(&'a Phone),
    /// The service by itself.
    Service,
    /// Somebody who has not said who he is, or not truly.
    Stranger,
}

/// As a line has it, `operator:anna`.
impl fmt::Display for Who<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Agent(id) => write!(f, "agent:{id}"),
            Self::Console => write!(f, "console:{}", system_user()),
            Self::Subscriber(phone) => write!(f, "subscriber:{}", phone.as_str()),
            Self::Service => f.write_str("service"),
            Self::Stranger => f.write_str("stranger"),
        }
    }
}

/// The user who runs this process, by the name that the machine's own list has, or else by number.
fn system_user() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| {
        let number = rustix::process::getuid().as_raw().to_string();
        // Where the list is kept elsewhere, in a directory service, the number is as good a name.
        let users = fs::read_to_string("/etc/passwd").unwrap_or_default();
        name_of(&users, &number).unwrap_or(number)
    })
}

/// The name that lines such as `anna:x:1000:…` give a number.
fn name_of(users: &str, number: &str) -> Option<String> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, own) = (fields.next()?, fields.next()?, fields.next()?);
        (own == number).then(|| name.to_owned())
    })
}

/// One thing that was done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Later lines have larger numbers.
    pub number: i64,
    /// When.
    pub at: UnixMs,
    /// Who, as [`Who`] prints it.
    pub who: String,
    /// What, as `card.shown`.
    pub what: String,
    /// To what, as `card:MOBI10:0290`.
    pub subject: String,
    /// The rest, such as the reason that was given.
    pub detail: String,
}

/// Which lines are wanted; all of them where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// By whom.
    pub who: Option<String>,
    /// What was done.
    pub what: Option<String>,
    /// To what.
    pub subject: Option<String>,
}

/// Writes a line, in the change that it tells of.
///
/// # Errors
/// The database. The change must not be committed then, nor what it tells be shown to anybody.
pub async fn record(
    write: &mut Write,
    who: Who<'_>,
    what: &'static str,
    subject: &str,
    detail: &str,
    now: UnixMs,
) -> Result<(), StoreError> {
    let insert =
        "INSERT INTO audit (at_ms, who, what, subject, detail) VALUES ($1, $2, $3, $4, $5)";
    let inserted = sqlx::query(insert)
        .bind(now.0)
        .bind(who.to_string())
        .bind(what)
        .bind(kept(subject))
        .bind(kept(detail))
        .execute(write.connection());
    inserted.await.map_err(at("audit"))?;
    Ok(())
}

/// PostgreSQL has no place for an octet 0 in a text.
fn kept(text: &str) -> String {
    let visible = text.chars().filter(|char| !char.is_control());
    visible.take(AUDIT_TEXT_MAX).collect()
}

/// The lines that are wanted, the last first, from before the one of that number.
///
/// # Errors
/// The database.
pub async fn list(
    connection: &mut AnyConnection,
    filter: &AuditFilter,
    before_number: Option<i64>,
    lines_max: u32,
) -> Result<Vec<AuditLine>, StoreError> {
    let wanted = [
        ("who", &filter.who),
        ("what", &filter.what),
        ("subject", &filter.subject),
    ];
    let wanted = wanted
        .iter()
        .filter_map(|(column, value)| value.as_deref().map(|value| (column, value)));
    let mut select = "SELECT number, at_ms, who, what, subject, detail FROM audit
        WHERE number < $1"
        .to_owned();
    let mut values = Vec::new();
    for (place, (column, value)) in (3..).zip(wanted) {
        select += &format!(" AND {column} = ${place}");
        values.push(value);
    }
    select += " ORDER BY number DESC LIMIT $2";
    let mut query = sqlx::query(&select)
        .bind(before_number.unwrap_or(i64::MAX))
        .bind(i64::from(lines_max.min(AUDIT_LINES_MAX)));
    for value in values {
        query = query.bind(value);
    }
    let rows = query.fetch_all(connection).await.map_err(at("audit"))?;
    rows.iter().map(line).collect()
}

fn line(row: &AnyRow) -> Result<AuditLine, StoreError> {
    let number = |column| row.try_get::<i64, _>(column).map_err(at("audit"));
    let text = |column| row.try_get::<String, _>(column).map_err(at("audit"));
    Ok(AuditLine {
        number: number(0)?,
        at: UnixMs(number(1)?),
        who: text(2)?,
        what: text(3)?,
        subject: text(4)?,
        detail: text(5)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_at_the_prompt_is_told_by_the_name_that_the_machine_knows() {
        let users = "root:x:0:0:root:/root:/bin/sh\nanna:x:1000:1000::/home/anna:/bin/sh\nodd\n";
        assert_eq!(name_of(users, "1000").as_deref(), Some("anna"));
        assert_eq!(name_of(users, "0").as_deref(), Some("root"));
        assert_eq!(name_of(users, "1"), None);
        let own = Who::Console.to_string();
        assert!(
            own.starts_with("console:") && own.len() > "console:".len(),
            "{own}"
        );
    }
}
