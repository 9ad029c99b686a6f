//! What a message has to be, besides its destination, for a route to serve it.
//!
//! Pure. It looks at a text only to find its first word and whether GSM 7-bit can say it.

use std::{cell::OnceCell, fmt};

use crate::{
    client::ClientName,
    message::{Body, Message},
    smpp::text::{self, Coding},
};

/// A message that asks for its route.
pub struct Asked<'a> {
    client: &'a ClientName,
    message: &'a Message,
    /// Found out once, and only if a route wants to know.
    coding: OnceCell<BodyCoding>,
}

impl<'a> Asked<'a> {
    /// A message of that client.
    pub fn new(client: &'a ClientName, message: &'a Message) -> Self {
        Self {
            client,
            message,
            coding: OnceCell::new(),
        }
    }

    /// The message.
    pub fn message(&self) -> &'a Message {
        self.message
    }

    fn coding(&self) -> BodyCoding {
        *self
            .coding
            .get_or_init(|| BodyCoding::of(&self.message.body))
    }

    fn first_word(&self) -> Option<&'a str> {
        match &self.message.body {
            Body::Text { text, .. } => text.split_whitespace().next(),
            Body::Binary { .. } => None,
        }
    }
}

/// What a body will be on the air, as far as it is known before an SMSC is chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum BodyCoding {
    /// A text in GSM 7-bit.
    Gsm7,
    /// A text that the caller wants in ISO 8859-1.
    Latin1,
    /// A text that needs UCS-2, or that the caller wants in it.
    Ucs2,
    /// Bytes.
    Binary,
}

impl BodyCoding {
    /// Each of them, with its word in the configuration.
    pub const WORDS: [(&'static str, Self); 4] = [
        ("gsm7", Self::Gsm7),
        ("latin1", Self::Latin1),
        ("ucs2", Self::Ucs2),
        ("binary", Self::Binary),
    ];

    /// The caller's coding, or for an automatic one the cheapest that loses nothing. What the
    /// SMSC's own default or a transliteration would make of it is not known yet.
    fn of(body: &Body) -> Self {
        let (text, coding) = match body {
            Body::Text { text, coding } => (text, *coding),
            Body::Binary { .. } => return Self::Binary,
        };
        match coding {
            Coding::Gsm7 => Self::Gsm7,
            Coding::Latin1 => Self::Latin1,
            Coding::Ucs2 => Self::Ucs2,
            Coding::Automatic => match text::encode(text, Coding::Gsm7) {
                Ok(_) => Self::Gsm7,
                Err(_) => Self::Ucs2,
            },
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Gsm7 => "gsm7",
            Self::Latin1 => "latin1",
            Self::Ucs2 => "ucs2",
            Self::Binary => "binary",
        }
    }
}

impl fmt::Display for BodyCoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A sender, or all those that begin alike.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SourcePattern {
    /// Exactly this one.
    Exact(String),
    /// Those that begin with it.
    Beginning(String),
}

impl SourcePattern {
    /// A sender, or its beginning and a `*`. The `+` of an international number does not count.
    pub fn parse(pattern: &str) -> Self {
        let plain = pattern.strip_prefix('+').unwrap_or(pattern);
        match plain.strip_suffix('*') {
            Some(beginning) => Self::Beginning(beginning.into()),
            None => Self::Exact(plain.into()),
        }
    }

    fn fits(&self, source: &[u8]) -> bool {
        let source = source.strip_prefix(b"+").unwrap_or(source);
        match self {
            Self::Exact(exact) => source == exact.as_bytes(),
            Self::Beginning(beginning) => source.starts_with(beginning.as_bytes()),
        }
    }

    /// Whether it fits every sender that the other one fits.
    fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Exact(own), Self::Exact(other)) => own == other,
            (Self::Exact(_), Self::Beginning(_)) => false,
            (Self::Beginning(own), Self::Exact(other) | Self::Beginning(other)) => {
                other.starts_with(own)
            }
        }
    }
}

impl fmt::Display for SourcePattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(exact) => f.write_str(exact),
            Self::Beginning(beginning) => write!(f, "{beginning}*"),
        }
    }
}

/// The first word of a text, in any case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyword(String);

impl Keyword {
    /// `None` if it is no single word.
    pub fn parse(word: &str) -> Option<Self> {
        let is_word = !word.is_empty() && !word.contains(char::is_whitespace);
        is_word.then(|| Self(word.to_lowercase()))
    }

    fn fits(&self, word: &str) -> bool {
        word.chars().flat_map(char::to_lowercase).eq(self.0.chars())
    }
}

impl fmt::Display for Keyword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The further conditions of a route. An empty list is no condition; of a list that is not empty one
/// element has to fit, and all lists have to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The sender that the message names. A message that names none fits no sender.
    pub sources: Vec<SourcePattern>,
    /// The upstream service that asks.
    pub clients: Vec<ClientName>,
    /// The first word of the text.
    pub keywords: Vec<Keyword>,
    /// What the body will be on the air.
    pub codings: Vec<BodyCoding>,
}

/// A condition that a message does not meet, for a person.
#[derive(Debug, PartialEq, Eq)]
pub enum Unmet<'a> {
    /// Another sender, or none.
    Source(&'a [SourcePattern]),
    /// Another client.
    Client(&'a [ClientName]),
    /// Another first word, or no text.
    Keyword(&'a [Keyword]),
    /// Another coding.
    Coding(&'a [BodyCoding], BodyCoding),
}

impl Conditions {
    /// How many there are: the more, the sooner the route is looked at.
    pub fn count(&self) -> usize {
        [
            self.sources.is_empty(),
            self.clients.is_empty(),
            self.keywords.is_empty(),
            self.codings.is_empty(),
        ]
        .into_iter()
        .filter(|is_empty| !is_empty)
        .count()
    }

    /// The first condition that the message does not meet. The cheapest is looked at first.
    pub fn unmet(&self, asked: &Asked<'_>) -> Option<Unmet<'_>> {
        if let Some(unmet) = self.unmet_client(asked) {
            return Some(unmet);
        }
        let source = asked
            .message
            .source
            .as_ref()
            .map(|source| source.addr.as_bytes());
        if !holds(&self.sources, |own| source.is_some_and(|it| own.fits(it))) {
            return Some(Unmet::Source(&self.sources));
        }
        if !self.keywords.is_empty() {
            let word = asked.first_word();
            if !holds(&self.keywords, |own| word.is_some_and(|it| own.fits(it))) {
                return Some(Unmet::Keyword(&self.keywords));
            }
        }
        if !holds(&self.codings, |own| *own == asked.coding()) {
            return Some(Unmet::Coding(&self.codings, asked.coding()));
        }
        None
    }

    /// Whether the client is another one. It holds for a route that is named, too: who may use a
    /// route is not the caller's choice.
    pub fn unmet_client(&self, asked: &Asked<'_>) -> Option<Unmet<'_>> {
        let is_met = holds(&self.clients, |own| own == asked.client);
        (!is_met).then_some(Unmet::Client(&self.clients))
    }

    /// Whether every message that meets the other conditions meets these.
    pub fn covers(&self, other: &Self) -> bool {
        fn each<T>(own: &[T], other: &[T], covers: impl Fn(&T, &T) -> bool) -> bool {
            let covered = |other: &T| own.iter().any(|own| covers(own, other));
            own.is_empty() || (!other.is_empty() && other.iter().all(covered))
        }
        each(&self.sources, &other.sources, SourcePattern::covers)
            && each(&self.clients, &other.clients, PartialEq::eq)
            && each(&self.keywords, &other.keywords, PartialEq::eq)
            && each(&self.codings, &other.codings, PartialEq::eq)
    }
}

fn holds<T>(wanted: &[T], fits: impl Fn(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(fits)
}

impl fmt::Display for Unmet<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Source(wanted) => write!(f, "the source is not {}", list(wanted)),
            Self::Client(wanted) => write!(f, "the client is not {}", list(wanted)),
            Self::Keyword(wanted) => write!(f, "the first word is not {}", list(wanted)),
            Self::Coding(wanted, found) => {
                write!(f, "the coding is {found}, not {}", list(wanted))
            }
        }
    }
}

/// What may be one of many, in words; the first few are enough to find the line of the file.
fn list<T: fmt::Display>(wanted: &[T]) -> String {
    const SHOWN_MAX: usize = 5;
    let mut shown: Vec<String> = wanted.iter().take(SHOWN_MAX).map(T::to_string).collect();
    if wanted.len() > SHOWN_MAX {
        shown.push("…".into());
    }
    shown.join(" or ")
}

#[cfg(test)]
mod tests {
    use super::{super::testing, *};
    use crate::smpp::Address;

    fn client(name: &str) -> ClientName {
        ClientName::parse(name).unwrap()
    }

    fn text(text: &str) -> Message {
        testing::message("84901234567", text)
    }

    fn from(source: &'static str) -> Message {
        Message {
            source: Some(Address::of(source, None, None).unwrap()),
            ..text("hello")
        }
    }

    fn meets(conditions: &Conditions, message: &Message) -> bool {
        conditions
            .unmet(&Asked::new(&client("shop"), message))
            .is_none()
    }

    fn sources(patterns: &[&str]) -> Conditions {
        Conditions {
            sources: patterns
                .iter()
                .map(|own| SourcePattern::parse(own))
                .collect(),
            ..Conditions::default()
        }
    }

    fn keywords(words: &[&str]) -> Conditions {
        let words = words.iter().map(|word| Keyword::parse(word).unwrap());
        Conditions {
            keywords: words.collect(),
            ..Conditions::default()
        }
    }

    fn coding(coding: BodyCoding) -> Conditions {
        Conditions {
            codings: vec![coding],
            ..Conditions::default()
        }
    }

    #[test]
    fn a_source_is_exact_or_begins_alike_and_a_plus_does_not_count() {
        let wanted = sources(&["VnMart", "8490*", "+8491"]);
        for fits in ["VnMart", "8490", "84901", "+84901", "8491"] {
            assert!(meets(&wanted, &from(fits)), "{fits}");
        }
        for other in ["vnmart", "VnMart2", "849", "84911"] {
            assert!(!meets(&wanted, &from(other)), "{other}");
        }
        assert!(!meets(&wanted, &text("hello")), "it names no source");
    }

    #[test]
    fn a_keyword_is_the_first_word_of_a_text_in_any_case() {
        let wanted = keywords(&["OTP", "Mã"]);
        for fits in ["otp", "Otp 1234", "  OTP\n1234", "MÃ 1234"] {
            assert!(meets(&wanted, &text(fits)), "{fits}");
        }
        for other in ["", "your OTP", "OTP:1234", "OT P"] {
            assert!(!meets(&wanted, &text(other)), "{other}");
        }
        assert!(!meets(&wanted, &testing::binary("84901234567")));
        assert_eq!(Keyword::parse("two words"), None);
    }

    #[test]
    fn a_coding_is_the_callers_or_the_cheapest_that_loses_nothing() {
        let asked = |body: &str, coding| Message {
            body: Body::Text {
                text: body.into(),
                coding,
            },
            ..text("")
        };
        let cases = [
            (text("plain"), BodyCoding::Gsm7),
            (text("Đã"), BodyCoding::Ucs2),
            (asked("plain", Coding::Ucs2), BodyCoding::Ucs2),
            (asked("plain", Coding::Latin1), BodyCoding::Latin1),
            (testing::binary("84901234567"), BodyCoding::Binary),
        ];
        for (message, expected) in cases {
            for (_, own) in BodyCoding::WORDS {
                assert_eq!(meets(&coding(own), &message), own == expected, "{own}");
            }
        }
    }

    #[test]
    fn a_client_is_one_of_the_list() {
        let only = |name| Conditions {
            clients: vec![client(name)],
            ..Conditions::default()
        };
        assert!(meets(&only("shop"), &text("")));
        assert!(!meets(&only("bank"), &text("")));
    }

    #[test]
    fn all_conditions_have_to_hold_and_none_is_no_condition() {
        let both = Conditions {
            keywords: keywords(&["otp"]).keywords,
            ..sources(&["VnMart"])
        };
        assert_eq!((both.count(), Conditions::default().count()), (2, 0));
        assert!(!meets(&both, &text("otp 1")));
        assert!(!meets(&both, &from("VnMart")));
        assert!(meets(&Conditions::default(), &text("anything")));
    }

    #[test]
    fn wider_conditions_cover_narrower_ones_and_not_the_other_way_round() {
        let cases = [
            (Conditions::default(), sources(&["VnMart"])),
            (sources(&["VnMart", "8490*"]), sources(&["84901*", "8490"])),
            (keywords(&["otp", "pin"]), keywords(&["PIN"])),
        ];
        for (wide, narrow) in cases {
            assert!(wide.covers(&narrow) && wide.covers(&wide), "{wide:?}");
            assert!(!narrow.covers(&wide), "{narrow:?}");
        }
        assert!(!keywords(&["otp"]).covers(&sources(&["VnMart"])));
    }

    #[test]
    fn what_is_unmet_is_told_without_the_message() {
        let secret = text("1234 is your PIN");
        let shop = client("shop");
        let asked = Asked::new(&shop, &secret);
        let wanted = keywords(&["otp", "pin"]);
        let unmet = wanted.unmet(&asked).unwrap().to_string();
        assert_eq!(unmet, "the first word is not otp or pin");
        let wanted = coding(BodyCoding::Binary);
        let unmet = wanted.unmet(&asked).unwrap().to_string();
        assert_eq!(unmet, "the coding is gsm7, not binary");
    }
}
