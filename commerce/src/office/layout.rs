//! What all pages have around them, and their one style sheet.

use std::sync::LazyLock;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use maud::{DOCTYPE, Markup, html};
use ring::digest::{SHA256, digest};

use super::{
    parts::form_token,
    request::{Fields, Visitor},
    role::Right,
};

const STYLE: &str = include_str!("style.css");

/// A sampan: its sails and its hull.
const MARK: &str = include_str!("mark.svg");

/// A browser keeps a style sheet for a day, so another one has another address.
static STYLE_PATH: LazyLock<String> = LazyLock::new(|| {
    let bytes = digest(&SHA256, STYLE.as_bytes());
    let digits = bytes
        .as_ref()
        .iter()
        .take(6)
        .map(|byte| format!("{byte:02x}"));
    format!("/office/style.css?{}", digits.collect::<String>())
});

/// The parts of the office, in the order of its menu.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Overview,
    Purchases,
    Sales,
    Stock,
    Ledger,
    Agents,
    Merchants,
    Deliveries,
    Operators,
    Audit,
    /// The visitor's own page, which is not in the menu.
    Me,
}

impl Place {
    const MENU: [Self; 10] = [
        Self::Overview,
        Self::Purchases,
        Self::Sales,
        Self::Stock,
        Self::Ledger,
        Self::Agents,
        Self::Merchants,
        Self::Deliveries,
        Self::Operators,
        Self::Audit,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Purchases => "Purchases",
            Self::Sales => "Sales",
            Self::Stock => "Stock",
            Self::Ledger => "Ledger",
            Self::Agents => "Agents",
            Self::Merchants => "Merchants",
            Self::Deliveries => "Deliveries",
            Self::Operators => "Operators",
            Self::Audit => "Audit log",
            Self::Me => "Your account",
        }
    }

    fn path(self) -> &'static str {
        match self {
            Self::Overview => "/office",
            Self::Purchases => "/office/purchases",
            Self::Sales => "/office/sales",
            Self::Stock => "/office/stock",
            Self::Ledger => "/office/ledger",
            Self::Agents => "/office/agents",
            Self::Merchants => "/office/merchants",
            Self::Deliveries => "/office/deliveries",
            Self::Operators => "/office/operators",
            Self::Audit => "/office/audit",
            Self::Me => "/office/me",
        }
    }

    /// What it takes to see it at all.
    fn right(self) -> Option<Right> {
        match self {
            Self::Operators => Some(Right::Operators),
            Self::Audit => Some(Right::Audit),
            _ => None,
        }
    }

    /// The lines of its sign, on 24 by 24.
    fn sign(self) -> &'static str {
        match self {
            Self::Overview => "M4 20V11M10 20V4M16 20v-7M22 20H2",
            Self::Purchases => "M5 8h14l-1 12H6zM9 8V6a3 3 0 0 1 6 0v2",
            Self::Sales => "M6 3h12v18l-3-2-3 2-3-2-3 2zM9 8h6M9 12h6",
            Self::Stock => "M12 3l9 5-9 5-9-5zM3 13l9 5 9-5",
            Self::Ledger => "M5 4h13v16H5zM9 4v16M12 9h3M12 13h3",
            Self::Merchants => "M3 9l2-5h14l2 5M5 12v8h14v-8M3 9h18v3H3zM10 20v-5h4v5",
            Self::Agents => {
                "M9 11a3.5 3.5 0 1 0 0-7 3.5 3.5 0 0 0 0 7zM2.500 20c0-4 3-6 6.500-6s6.500 2 6.500 6M16 4.500a3.500 3.500 0 0 1 0 6M18 14.500c2 .8 3.500 2.500 3.500 5.500"
            }
            Self::Deliveries => "M21 3L3 10.500l7 3 3 7zM10 13.500L21 3",
            Self::Operators => "M12 3l8 3v6c0 5-3.500 8-8 9-4.500-1-8-4-8-9V6z",
            Self::Audit | Self::Me => {
                "M8 6h13M8 12h13M8 18h13M3.500 6h.01M3.500 12h.01M3.500 18h.01"
            }
        }
    }
}

/// A page of the office.
pub(super) fn page(visitor: &Visitor, place: Place, title: &str, content: Markup) -> Markup {
    let content = html! {
        a .skip href="#content" { "To the content" }
        div .frame {
            header .side {
                a .brand href="/office" { (mark()) span { "Sampan" } small { "Back office" } }
                nav aria-label="Parts of the office" {
                    ul { @for one in Place::MENU { (menu_line(visitor, place, one)) } }
                }
                div .me {
                    a href="/office/me" title="Your account" {
                        strong { (visitor.name()) }
                        small { (visitor.role()) }
                    }
                    form method="post" action="/office/logout" {
                        (form_token(visitor))
                        button .quiet type="submit" { "Log out" }
                    }
                }
            }
            main #content tabindex="-1" { (content) }
        }
    };
    document(title, content)
}

fn menu_line(visitor: &Visitor, place: Place, line: Place) -> Markup {
    let is_open = line.right().is_none_or(|right| visitor.may(right));
    let current = (line == place).then_some("page");
    html! {
        @if is_open {
            li {
                a href=(line.path()) aria-current=[current] { (sign(line.sign())) span { (line.name()) } }
            }
        }
    }
}

/// The title of a page, and where it stands.
pub(super) fn head(title: &str, above: Option<(&str, &str)>, beside: Markup) -> Markup {
    html! {
        div .page-head {
            div {
                @if let Some((path, name)) = above { a .up href=(path) { "‹ " (name) } }
                h1 { (title) }
            }
            div .beside { (beside) }
        }
    }
}

/// A page of few words, for who is not logged in or has come to nothing.
pub(super) fn plain(title: &str, text: &str) -> Markup {
    let content = html! {
        main .alone {
            div .card .narrow {
                (mark())
                h1 { (title) }
                p { (text) }
                p { a .button href="/office" { "To the overview" } }
            }
        }
    };
    document(title, content)
}

/// The way in, perhaps with what was wrong.
pub(super) fn login(wrong: Option<&str>) -> Markup {
    let content = html! {
        main .alone {
            form .card .narrow method="post" action="/office/login" {
                div .brand { (mark()) span { "Sampan" } small { "Back office" } }
                @if let Some(wrong) = wrong { p .notice .bad role="alert" { (wrong) } }
                label .field {
                    span { "Name" }
                    input type="text" name="name" autocomplete="username" autocapitalize="none"
                        spellcheck="false" required autofocus;
                }
                label .field {
                    span { "Password" }
                    input type="password" name="password" autocomplete="current-password" required;
                }
                button .main type="submit" { "Log in" }
            }
        }
    };
    document("Log in", content)
}

fn document(title: &str, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                meta name="color-scheme" content="light dark";
                title { (title) " · Sampan back office" }
                link rel="stylesheet" href=(STYLE_PATH.as_str());
                link rel="icon" type="image/svg+xml" href="/office/mark.svg";
            }
            body { (content) }
        }
    }
}

fn mark() -> Markup {
    html! { img .mark src="/office/mark.svg" alt="" width="34" height="34"; }
}

fn sign(lines: &str) -> Markup {
    html! { svg .sign viewBox="0 0 24 24" aria-hidden="true" { path d=(lines) {} } }
}

/// What a form has done, told on the page that comes after it. The query only names one of these
/// sentences, so that no link can put words of its own on our page.
pub(super) fn notice(query: &Fields) -> Markup {
    let text = match query.text("done") {
        "import" => "The cards are in stock.",
        "on-sale" => "The card type is on sale.",
        "off-sale" => "The card type is off sale.",
        "agent" => "The agent is added.",
        "deposit" => "The deposit is booked.",
        "deposit-stands" => "This deposit was booked before; nothing was booked again.",
        "key-ended" => "The key has ended.",
        "price" => "The price is set.",
        "operator" => "The operator is added.",
        "role" => "The role is set, and the operator's sessions have ended.",
        "password" => "The password is set, and all sessions with the old one have ended.",
        "disabled" => "The operator can log in no more.",
        "enabled" => "The operator can log in again.",
        "resolved" => "It is settled as you said.",
        "replayed" => "It is tried again.",
        "dropped" => "It is given up.",
        _ => return html! {},
    };
    html! { p .notice .good role="status" { (text) } }
}

/// Another page, to be asked for by GET.
pub(super) fn redirect(path: &str) -> Response {
    let location = HeaderValue::from_str(path);
    let location = location.unwrap_or(HeaderValue::from_static("/office"));
    (StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response()
}

/// The style sheet.
pub(super) async fn style() -> Response {
    file("text/css; charset=utf-8", STYLE)
}

/// The mark, which stands beside a page's title too.
pub(super) async fn mark_file() -> Response {
    file("image/svg+xml", MARK)
}

/// What is the same for everybody, logged in or not.
fn file(kind: &'static str, text: &'static str) -> Response {
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CACHE_CONTROL, "public, max-age=86400"),
    ];
    (headers, text).into_response()
}
