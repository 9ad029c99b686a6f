//! Where a customer may be sent back to: only below what the merchant has registered.
//!
//! URLs are compared by their parts after one parser has read both, never as texts: what looks like a
//! prefix as a text may lead to another host.

use std::{fmt, str::FromStr};

use crate::egress::Url;

/// Characters of a URL.
const LENGTH_MAX: usize = 1_000;

/// Why a URL is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReturnUrlFault {
    /// It is none.
    #[error("is not one as https://shop.example/return, of at most {LENGTH_MAX} characters")]
    Form,
    /// It has a part that a return has no use for.
    #[error("has a user, a password or a fragment ('#…')")]
    Part,
    /// A prefix says nothing of queries.
    #[error("has a query; a prefix ends with its path")]
    Query,
}

fn parse(text: &str) -> Result<Url, ReturnUrlFault> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.len() > LENGTH_MAX || !visible {
        return Err(ReturnUrlFault::Form);
    }
    let url = Url::parse(text).map_err(|_| ReturnUrlFault::Form)?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(ReturnUrlFault::Form);
    }
    if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
        return Err(ReturnUrlFault::Part);
    }
    Ok(url)
}

/// Below what a merchant's customers return: scheme, host, port and the beginning of the path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReturnPrefix(Url);

impl ReturnPrefix {
    /// As it is registered.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether a URL is below it. A path goes on only where a part of it ends.
    pub fn covers(&self, url: &ReturnUrl) -> bool {
        let is_below = url.0.path().strip_prefix(self.0.path());
        let is_below = is_below.is_some_and(|rest| {
            rest.is_empty() || rest.starts_with('/') || self.0.path().ends_with('/')
        });
        self.0.scheme() == url.0.scheme()
            && self.0.host() == url.0.host()
            && self.0.port_or_known_default() == url.0.port_or_known_default()
            && is_below
    }
}

impl FromStr for ReturnPrefix {
    type Err = ReturnUrlFault;

    fn from_str(text: &str) -> Result<Self, ReturnUrlFault> {
        let url = parse(text)?;
        match url.query() {
            None => Ok(Self(url)),
            Some(_) => Err(ReturnUrlFault::Query),
        }
    }
}

/// A URL to return to. Whether it may be gone to is for a prefix to say.
#[derive(Clone, PartialEq, Eq)]
pub struct ReturnUrl(Url);

impl ReturnUrl {
    /// All of it.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same with these parameters after its own, and the signature of the whole query as the last.
    pub(crate) fn signed(
        &self,
        parameters: &[(&str, &str)],
        sign: impl FnOnce(&[u8]) -> String,
    ) -> String {
        let added = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        let query = match self.0.query() {
            Some(own) if !own.is_empty() => format!("{own}&{added}"),
            _ => added,
        };
        let mut url = self.0.clone();
        url.set_query(Some(&query));
        // What is signed is the query as the parser writes it, which is as the merchant gets it.
        let signature = sign(url.query().unwrap_or_default().as_bytes());
        format!("{url}&signature={signature}")
    }
}

impl FromStr for ReturnUrl {
    type Err = ReturnUrlFault;

    fn from_str(text: &str) -> Result<Self, ReturnUrlFault> {
        parse(text).map(Self)
    }
}

/// Without path and query.
impl fmt::Debug for ReturnUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.0.host_str().unwrap_or_default();
        write!(f, "ReturnUrl({}://{host}…)", self.0.scheme())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_compared_by_its_parts() {
        let prefix: ReturnPrefix = "https://shop.example/pay".parse().unwrap();
        let covers = |text: &str| prefix.covers(&text.parse().unwrap());
        for text in [
            "https://shop.example/pay",
            "https://SHOP.example:443/pay/done?order=1",
            "https://shop.example/x/../pay/",
        ] {
            assert!(covers(text), "{text}");
        }
        for text in [
            "https://shop.example/payment",
            "https://shop.example/pay/../admin",
            "https://shop.example/pay/%2e%2e/admin",
            "https://shop.example/pay/..\\admin",
            "http://shop.example/pay",
            "https://shop.example:8443/pay",
            "https://shop.example.evil.example/pay",
            "https://evil.example/?https://shop.example/pay",
            "https:\\\\evil.example/pay",
        ] {
            assert!(!covers(text), "{text}");
        }
    }

    #[test]
    fn what_hides_where_it_leads_is_no_url() {
        for text in [
            "",
            "/pay",
            "javascript:alert(1)",
            "https://shop.example@evil.example/pay",
            "https://shop.example/pay#x",
            "https://shop.example/pay\r\nX: 1",
            "https://shop.example/ pay",
        ] {
            assert!(text.parse::<ReturnUrl>().is_err(), "{text}");
        }
        let fault = "https://shop.example/?a=1".parse::<ReturnPrefix>();
        assert_eq!(fault, Err(ReturnUrlFault::Query));
    }

    #[test]
    fn the_whole_query_is_signed_as_it_is_sent() {
        let url: ReturnUrl = "https://shop.example/r?a='1'".parse().unwrap();
        let mut content = String::new();
        let signed = url.signed(&[("order", "DH 1")], |octets| {
            content = String::from_utf8(octets.to_vec()).unwrap();
            "f".to_owned()
        });
        assert_eq!(content, "a=%271%27&order=DH+1");
        assert_eq!(
            signed,
            format!("https://shop.example/r?{content}&signature=f")
        );
    }
}
