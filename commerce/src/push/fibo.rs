//! The FiboSMS push: what a page is called with, and how its answer is read.
//!
//! `GET url?message=&phone=&guid=`, and the answer is XML with one element `Status`: `2` is done, `1` is an
//! error. Real pages print it in many ways, so these are accepted: `Status` as the root or anywhere below it,
//! in a namespace or not, with an XML declaration, a byte order mark, blanks and attributes, under any content
//! type. Everything else is an error: another value, no or several elements, another case of the letters, a
//! document type, more than one root, no UTF-8, or another HTTP status than 200.

use axum::http::StatusCode;
use roxmltree::{Document, ParsingOptions};

/// Octets of an answer: one element and the page's decoration.
pub(super) const ANSWER_BYTES_MAX: usize = 16 << 10;

/// Elements and texts of an answer.
const NODES_MAX: u32 = 200;

/// What the page has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum FiboFault {
    #[error("the page answered HTTP status {0} instead of 200")]
    Http(u16),
    #[error("the page answered Status 1, an error on its side")]
    Error,
    #[error("the page's answer is no XML")]
    NoXml,
    #[error("the page's answer has not one Status, but {0}")]
    Statuses(usize),
    #[error("the page's Status is neither 1 nor 2")]
    Value,
}

/// Whether the page has taken the message.
pub(super) fn taken(status: StatusCode, body: &[u8]) -> Result<(), FiboFault> {
    if status != StatusCode::OK {
        return Err(FiboFault::Http(status.as_u16()));
    }
    let text = str::from_utf8(body).map_err(|_| FiboFault::NoXml)?;
    // Pages print blanks before the declaration, where XML has no place for them.
    let text = text.trim_start_matches('\u{feff}').trim();
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|_| FiboFault::NoXml)?;
    let is_status = |node: &roxmltree::Node<'_, '_>| node.tag_name().name() == "Status";
    let statuses: Vec<_> = document.descendants().filter(is_status).collect();
    let [status] = statuses[..] else {
        return Err(FiboFault::Statuses(statuses.len()));
    };
    match status.text().map(str::trim) {
        Some("2") if status.children().count() == 1 => Ok(()),
        Some("1") => Err(FiboFault::Error),
        _ => Err(FiboFault::Value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<(), FiboFault> {
        taken(StatusCode::OK, body.as_bytes())
    }

    #[test]
    fn status_2_is_done_however_a_page_prints_it() {
        for body in [
            "<Status>2</Status>",
            "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?>\r\n<Status>2</Status>\r\n",
            "  \n<?xml version=\"1.0\"?><Status> 2 </Status>",
            "<Response><Code>0</Code><Status>2</Status></Response>",
            "<a:R xmlns:a=\"urn:a\"><a:Status x=\"1\">2</a:Status></a:R>",
            "<!-- ok --><Status>2</Status>",
            "<html><body><Status>2</Status></body></html>",
        ] {
            assert_eq!(read(body), Ok(()), "{body}");
        }
    }

    #[test]
    fn everything_else_is_an_error() {
        for (body, fault) in [
            ("<Status>1</Status>", FiboFault::Error),
            ("<Status>0</Status>", FiboFault::Value),
            ("<Status>22</Status>", FiboFault::Value),
            ("<Status/>", FiboFault::Value),
            ("<Status>2<b/></Status>", FiboFault::Value),
            ("<Status><b>2</b></Status>", FiboFault::Value),
            ("<status>2</status>", FiboFault::Statuses(0)),
            (
                "<R><Status>2</Status><Status>1</Status></R>",
                FiboFault::Statuses(2),
            ),
            ("<Status>2</Status><Status>2</Status>", FiboFault::NoXml),
            ("<Status>2", FiboFault::NoXml),
            ("2", FiboFault::NoXml),
            ("", FiboFault::NoXml),
            ("<!DOCTYPE html><Status>2</Status>", FiboFault::NoXml),
            (
                "<!DOCTYPE R [<!ENTITY e \"2\">]><Status>&e;</Status>",
                FiboFault::NoXml,
            ),
            (&format!("<R>{}</R>", "<a/>".repeat(300)), FiboFault::NoXml),
        ] {
            assert_eq!(read(body), Err(fault), "{body}");
        }
        assert_eq!(
            taken(StatusCode::OK, b"<Status>\xff</Status>"),
            Err(FiboFault::NoXml)
        );
        let created = taken(StatusCode::CREATED, b"<Status>2</Status>");
        assert_eq!(created, Err(FiboFault::Http(201)));
    }
}
