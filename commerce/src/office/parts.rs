//! Small parts of pages: amounts, times, badges, links, fields. All of it is escaped by maud.

use maud::{Markup, html};
use time::{Duration, OffsetDateTime};

use super::request::{FORM_TOKEN, Visitor};
use crate::{moment::UnixMs, money::Vnd};

/// How something looks that stands well or badly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Good,
    Warn,
    Bad,
}

impl Tone {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

pub(super) fn badge(tone: Tone, text: &str) -> Markup {
    html! { span .badge .(tone.class()) { (text) } }
}

/// As `1,234,567`.
pub(super) fn count(number: i64) -> String {
    let digits = number.unsigned_abs().to_string();
    let length = digits.len();
    let mut text = if number < 0 { "−" } else { "" }.to_owned();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (length - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// As `1,234,567 ₫`.
pub(super) fn money(amount: Vnd) -> String {
    format!("{}\u{a0}₫", count(amount.dong()))
}

/// As `2026-11-22 23:59:59`, in Vietnam; UTC is told to who asks with the pointer.
pub(super) fn moment(at: UnixMs) -> Markup {
    let Ok(utc) = OffsetDateTime::from_unix_timestamp(at.0.div_euclid(1_000)) else {
        return html! { (at.0) " ms" };
    };
    let local = utc.checked_add(Duration::hours(7)).unwrap_or(utc);
    let written = |at: OffsetDateTime| {
        let (hour, minute, second) = at.to_hms();
        let (year, month, day) = at.to_calendar_date();
        let month = u8::from(month);
        format!("{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}")
    };
    let (local, utc) = (written(local), written(utc));
    let machine = format!("{}Z", utc.replace(' ', "T"));
    html! { time datetime=(machine) title={ (utc) " UTC" } { (local) } }
}

/// A path with a query. Fields without a value are left out.
pub(super) fn link(path: &str, fields: &[(&str, &str)]) -> String {
    let fields = fields.iter().filter(|(_, value)| !value.is_empty());
    let query = form_urlencoded::Serializer::new(String::new())
        .extend_pairs(fields)
        .finish();
    if query.is_empty() {
        return path.to_owned();
    }
    format!("{path}?{query}")
}

/// The ways to the other pages of a list.
pub(super) fn pager(first: Option<String>, next: Option<String>) -> Markup {
    html! {
        @if first.is_some() || next.is_some() {
            nav .pager aria-label="Pages" {
                @if let Some(first) = first { a .button href=(first) { "« First page" } }
                span .grow {}
                @if let Some(next) = next { a .button href=(next) rel="next" { "Next page »" } }
            }
        }
    }
}

/// A column of a table: what its head says, and how its cells look.
#[derive(Clone, Copy)]
pub(super) struct Column {
    head: &'static str,
    class: Option<&'static str>,
}

pub(super) const fn words(head: &'static str) -> Column {
    let class = None;
    Column { head, class }
}

/// Of numbers, and of what stands at the end of a row.
pub(super) const fn numbers(head: &'static str) -> Column {
    let class = Some("num");
    Column { head, class }
}

/// Of what is read letter by letter.
pub(super) const fn codes(head: &'static str) -> Column {
    let class = Some("code");
    Column { head, class }
}

/// Of sentences.
pub(super) const fn sentences(head: &'static str) -> Column {
    let class = Some("wrap");
    Column { head, class }
}

/// A table, or what is said if it has no row. On a phone each row stands for itself, its cells below
/// each other with the head of their column beside them.
pub(super) fn table<const N: usize>(
    columns: [Column; N],
    rows: impl IntoIterator<Item = [Markup; N]>,
    none: &str,
) -> Markup {
    let mut rows = rows.into_iter().peekable();
    html! {
        @if rows.peek().is_none() { (nothing(none)) } @else {
            div .table.rows {
                table {
                    thead { tr { @for column in columns { th class=[column.class] { (column.head) } } } }
                    tbody {
                        @for row in rows {
                            tr {
                                @for (column, cell) in columns.iter().zip(row) {
                                    td class=[column.class] data-head=(column.head) { (cell) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// What makes a form one of this session.
pub(super) fn form_token(visitor: &Visitor) -> Markup {
    html! { input type="hidden" name=(FORM_TOKEN) value=(visitor.form_token()); }
}

/// A line of text to type in. `extra` are the attributes that only some have.
pub(super) fn field(name: &str, label: &str, value: &str, hint: &str) -> Markup {
    html! {
        label .field {
            span { (label) }
            input type="text" name=(name) value=(value) placeholder=(hint) autocomplete="off" maxlength="128";
        }
    }
}

/// The same, without which the form is not sent.
pub(super) fn needed(name: &str, label: &str, hint: &str) -> Markup {
    html! {
        label .field {
            span { (label) }
            input type="text" name=(name) placeholder=(hint) autocomplete="off" maxlength="200" required;
        }
    }
}

/// A new password.
pub(super) fn new_password() -> Markup {
    html! {
        label .field {
            span { "New password" }
            input type="password" name="password" autocomplete="new-password"
                minlength=(super::Password::LENGTH_MIN) maxlength=(super::Password::BYTES_MAX) required;
        }
    }
}

/// Where the code of a card would stand.
pub(super) fn hidden_code() -> Markup {
    html! { span .masked aria-label="hidden" role="img" { "••••••••" } }
}

/// What stands where a list has nothing.
pub(super) fn nothing(text: &str) -> Markup {
    html! { p .nothing { (text) } }
}

/// A name and what it stands for, in a list of such.
pub(super) fn fact(name: &str, value: impl maud::Render) -> Markup {
    html! { div { dt { (name) } dd { (value) } } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        for (number, text) in [
            (0, "0"),
            (999, "999"),
            (1_000, "1,000"),
            (-1_234_567, "−1,234,567"),
            (i64::MIN, "−9,223,372,036,854,775,808"),
        ] {
            assert_eq!(count(number), text);
        }
        assert_eq!(money(Vnd::new(9_450).unwrap()), "9,450\u{a0}₫");
    }

    #[test]
    fn a_time_is_vietnams_and_tells_utc_beside_it() {
        let shown = moment(UnixMs(1_795_366_800_000)).into_string();
        assert_eq!(
            shown,
            "<time datetime=\"2026-11-22T17:00:00Z\" title=\"2026-11-22 17:00:00 UTC\">\
             2026-11-23 00:00:00</time>"
        );
        assert!(moment(UnixMs(i64::MAX)).into_string().ends_with(" ms"));
    }

    #[test]
    fn a_link_escapes_its_fields_and_leaves_out_empty_ones() {
        assert_eq!(link("/a", &[("b", "")]), "/a");
        assert_eq!(
            link("/a", &[("b", "c&d="), ("e", "1")]),
            "/a?b=c%26d%3D&e=1"
        );
    }
}
