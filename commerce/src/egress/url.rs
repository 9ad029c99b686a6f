//! The URL of a partner: what can be said of it before its name is looked up.

use std::{fmt, net::IpAddr, str::FromStr};

/// The parser of addresses, for those who only compare them.
pub(crate) use reqwest::Url;

/// Characters of a URL. Longer ones are refused by common servers.
const LENGTH_MAX: usize = 2_000;

/// The ports that may be called everywhere.
const PORTS: [u16; 2] = [80, 443];

/// Why a URL is not called.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFault {
    /// It is none, or not one of the web.
    #[error("is not one as https://partner.example/sms, of at most {LENGTH_MAX} characters")]
    Form,
    /// It has a user or a password.
    #[error("has a user or a password; a signature says better who calls")]
    Credentials,
    /// It has a part that no server gets.
    #[error("has a fragment ('#…'), which no server would get")]
    Fragment,
    /// It is without TLS.
    #[error("is http, and this partner is to be called by https alone")]
    PlainHttp,
    /// It has another port.
    #[error("has port {0}; allowed are 80, 443 and those of the configuration")]
    Port(u16),
}

/// A URL that can be called: `http` or `https`, with a host, without credentials and fragment.
#[derive(Clone, PartialEq, Eq)]
pub struct CallUrl(Url);

impl FromStr for CallUrl {
    type Err = UrlFault;

    fn from_str(text: &str) -> Result<Self, UrlFault> {
        if text.len() > LENGTH_MAX {
            return Err(UrlFault::Form);
        }
        let url = Url::parse(text).map_err(|_| UrlFault::Form)?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(UrlFault::Form);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(UrlFault::Credentials);
        }
        if url.fragment().is_some() {
            return Err(UrlFault::Fragment);
        }
        Ok(Self(url))
    }
}

impl CallUrl {
    /// All of it, for those who may see what a partner has registered.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The same with these parameters after those that it has, in percent-encoded UTF-8.
    pub fn with_parameters(&self, parameters: &[(&str, &str)]) -> Self {
        let added = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(parameters)
            .finish();
        // A blank as '+' is for forms alone; a '+' of a value is %2B by now.
        let added = added.replace('+', "%20");
        let query = match self.0.query() {
            Some(own) if !own.is_empty() => format!("{own}&{added}"),
            _ => added,
        };
        let mut url = self.0.clone();
        url.set_query(Some(&query));
        Self(url)
    }

    /// Its query as it is sent.
    pub fn query(&self) -> &str {
        self.0.query().unwrap_or_default()
    }

    pub(super) fn as_url(&self) -> &Url {
        &self.0
    }

    /// The name or address in it; that of IPv6 without brackets.
    pub fn host(&self) -> &str {
        let host = self.0.host_str().unwrap_or_default();
        host.trim_start_matches('[').trim_end_matches(']')
    }

    /// The address in it, if that is no name. The parser of URLs has brought all ways to write an address of
    /// IPv4 into the usual one.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.host().parse().ok()
    }

    pub(super) fn port(&self) -> u16 {
        // Both schemes have one.
        self.0.port_or_known_default().unwrap_or_default()
    }

    pub(super) fn check(&self, plain_http: bool, ports: &[u16]) -> Result<(), UrlFault> {
        if self.0.scheme() == "http" && !plain_http {
            return Err(UrlFault::PlainHttp);
        }
        let port = self.port();
        let may_be = PORTS.contains(&port) || ports.contains(&port);
        may_be.then_some(()).ok_or(UrlFault::Port(port))
    }
}

/// Without path and query, which may hold a partner's token or a subscriber's message.
impl fmt::Debug for CallUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CallUrl({}://{}…)", self.0.scheme(), self.host())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> CallUrl {
        text.parse().unwrap()
    }

    #[test]
    fn a_url_is_one_of_the_web_without_credentials_and_fragment() {
        for (text, fault) in [
            ("", UrlFault::Form),
            ("partner.example/sms", UrlFault::Form),
            ("ftp://partner.example/", UrlFault::Form),
            ("file:///etc/passwd", UrlFault::Form),
            ("gopher://partner.example/", UrlFault::Form),
            ("http://", UrlFault::Form),
            ("https://user@partner.example/", UrlFault::Credentials),
            ("https://:word@partner.example/", UrlFault::Credentials),
            ("https://partner.example/#x", UrlFault::Fragment),
            (&format!("https://a/{}", "x".repeat(2_000)), UrlFault::Form),
        ] {
            assert_eq!(text.parse::<CallUrl>(), Err(fault), "{text}");
        }
    }

    #[test]
    fn only_the_webs_own_ports_are_called_unless_others_are_allowed() {
        let check = |text: &str| url(text).check(true, &[8443]);
        assert_eq!(check("http://partner.example/"), Ok(()));
        assert_eq!(check("https://partner.example:8443/"), Ok(()));
        assert_eq!(check("http://partner.example:22/"), Err(UrlFault::Port(22)));
        let plain = url("http://partner.example/").check(false, &[]);
        assert_eq!(plain, Err(UrlFault::PlainHttp));
    }

    #[test]
    fn an_address_is_known_however_it_is_written() {
        for text in [
            "http://127.0.0.1/",
            "http://2130706433/",
            "http://0x7f.1/",
            "http://0177.0.0.1/",
            "http://127.1/",
            "http://１２７.0.0.1/",
        ] {
            assert_eq!(url(text).address(), "127.0.0.1".parse().ok(), "{text}");
        }
        assert_eq!(url("http://[::1]/").address(), "::1".parse().ok());
        assert_eq!(url("http://localhost/").address(), None);
    }

    #[test]
    fn parameters_come_after_those_of_the_url_in_percent_encoded_utf8() {
        let with = |text: &str| {
            let url = url(text).with_parameters(&[("message", "Đã mua + 1&2"), ("phone", "84")]);
            url.as_str().to_owned()
        };
        let added = "message=%C4%90%C3%A3%20mua%20%2B%201%262&phone=84";
        assert_eq!(with("http://a/sms"), format!("http://a/sms?{added}"));
        assert_eq!(with("http://a/sms?"), format!("http://a/sms?{added}"));
        assert_eq!(
            with("http://a/sms?key=a%20b"),
            format!("http://a/sms?key=a%20b&{added}")
        );
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        let shown = format!("{:?}", url("https://partner.example/token?key=secret"));
        assert_eq!(shown, "CallUrl(https://partner.example…)");
    }
}
