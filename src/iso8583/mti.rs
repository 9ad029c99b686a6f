//! The message type identifier: version, class, function, originator (ISO 8583:1987 4.1).
//!
//! Digits that the standard reserves are refused rather than carried along: an unknown class or
//! function could not be routed, matched or answered.

use std::fmt;

/// A message type identifier such as 0200. Only combinations of digits with a meaning exist.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mti {
    /// The edition of the standard.
    pub version: Version,
    /// What the message is about.
    pub class: Class,
    /// Request, advice, notification, or the response to one.
    pub function: Function,
    /// Who began the exchange, and whether this is a repeat.
    pub originator: Originator,
}

/// First digit: the edition of the standard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// 0: ISO 8583:1987.
    Iso1987,
    /// 1: ISO 8583:1993.
    Iso1993,
    /// 8: national use.
    National,
    /// 9: private use.
    Private,
}

/// Second digit: the class of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 1: authorization.
    Authorization,
    /// 2: financial.
    Financial,
    /// 3: file action.
    FileAction,
    /// 4: reversal and chargeback.
    Reversal,
    /// 5: reconciliation.
    Reconciliation,
    /// 6: administrative.
    Administrative,
    /// 7: fee collection.
    FeeCollection,
    /// 8: network management.
    NetworkManagement,
}

/// Third digit: the function of the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Function {
    /// 0: a request.
    Request,
    /// 1: the response to a request.
    RequestResponse,
    /// 2: an advice, which wants an answer.
    Advice,
    /// 3: the response to an advice.
    AdviceResponse,
    /// 4: a notification, which wants none.
    Notification,
}

/// Fourth digit: who began the exchange.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Originator {
    /// 0: the acquirer.
    Acquirer,
    /// 1: the acquirer, repeating.
    AcquirerRepeat,
    /// 2: the card issuer.
    Issuer,
    /// 3: the card issuer, repeating.
    IssuerRepeat,
    /// 4: another party.
    Other,
    /// 5: another party, repeating.
    OtherRepeat,
}

/// Why four bytes are no MTI.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MtiError {
    /// Not four ASCII digits.
    #[error("an MTI is four ASCII digits")]
    NotDigits,
    /// A digit that the standard reserves.
    #[error("the digit {digit} at position {position} of the MTI is reserved by ISO 8583:1987")]
    Reserved {
        /// 1 to 4.
        position: u8,
        /// 0 to 9.
        digit: u8,
    },
}

impl Mti {
    /// 0200, financial request.
    pub const FINANCIAL_REQUEST: Self = Self::new(Class::Financial, Function::Request);
    /// 0210, the response to 0200.
    pub const FINANCIAL_RESPONSE: Self = Self::new(Class::Financial, Function::RequestResponse);
    /// 0400, reversal request: accepted like 0420 where a bank wants it.
    pub const REVERSAL_REQUEST: Self = Self::new(Class::Reversal, Function::Request);
    /// 0420, reversal advice.
    pub const REVERSAL_ADVICE: Self = Self::new(Class::Reversal, Function::Advice);
    /// 0421, the repeat of 0420.
    pub const REVERSAL_ADVICE_REPEAT: Self = Self::REVERSAL_ADVICE.repeat();
    /// 0430, the response to 0420 and 0421.
    pub const REVERSAL_RESPONSE: Self = Self::new(Class::Reversal, Function::AdviceResponse);
    /// 0800, network management request.
    pub const NETWORK_REQUEST: Self = Self::new(Class::NetworkManagement, Function::Request);
    /// 0810, the response to 0800.
    pub const NETWORK_RESPONSE: Self =
        Self::new(Class::NetworkManagement, Function::RequestResponse);

    /// An MTI of ISO 8583:1987 that the acquirer began.
    pub const fn new(class: Class, function: Function) -> Self {
        Self {
            version: Version::Iso1987,
            class,
            function,
            originator: Originator::Acquirer,
        }
    }

    /// Reads four ASCII digits.
    ///
    /// # Errors
    /// [`MtiError`] for anything else, and for digits that the standard reserves.
    pub fn parse(digits: [u8; 4]) -> Result<Self, MtiError> {
        if !digits.iter().all(u8::is_ascii_digit) {
            return Err(MtiError::NotDigits);
        }
        let [version, class, function, originator] = digits.map(|digit| digit - b'0');
        Ok(Self {
            version: Version::from_digit(version).ok_or(reserved(1, version))?,
            class: Class::from_digit(class).ok_or(reserved(2, class))?,
            function: Function::from_digit(function).ok_or(reserved(3, function))?,
            originator: Originator::from_digit(originator).ok_or(reserved(4, originator))?,
        })
    }

    /// The four ASCII digits.
    pub const fn digits(self) -> [u8; 4] {
        [
            b'0' + self.version.digit(),
            b'0' + self.class as u8 + 1,
            b'0' + self.function as u8,
            b'0' + self.originator as u8,
        ]
    }

    /// The MTI of the answer: 0200 gives 0210, 0420 and 0421 give 0430, 0422 and 0423 give 0432.
    /// `None` for what wants no answer: a response or a notification.
    pub const fn response(self) -> Option<Self> {
        let function = match self.function {
            Function::Request => Function::RequestResponse,
            Function::Advice => Function::AdviceResponse,
            Function::RequestResponse | Function::AdviceResponse | Function::Notification => {
                return None;
            }
        };
        Some(Self {
            function,
            ..self.original()
        })
    }

    /// The MTI of the repeat: 0420 gives 0421. A repeat gives itself.
    pub const fn repeat(self) -> Self {
        let originator = match self.originator {
            Originator::Acquirer | Originator::AcquirerRepeat => Originator::AcquirerRepeat,
            Originator::Issuer | Originator::IssuerRepeat => Originator::IssuerRepeat,
            Originator::Other | Originator::OtherRepeat => Originator::OtherRepeat,
        };
        Self { originator, ..self }
    }

    /// The MTI of what is repeated: 0421 gives 0420. An original gives itself.
    pub const fn original(self) -> Self {
        let originator = match self.originator {
            Originator::Acquirer | Originator::AcquirerRepeat => Originator::Acquirer,
            Originator::Issuer | Originator::IssuerRepeat => Originator::Issuer,
            Originator::Other | Originator::OtherRepeat => Originator::Other,
        };
        Self { originator, ..self }
    }

    /// Whether this is a chargeback, 0402 or 0422: a reversal that the card issuer begins.
    pub const fn is_chargeback(self) -> bool {
        let by_issuer = matches!(
            self.originator,
            Originator::Issuer | Originator::IssuerRepeat
        );
        by_issuer && matches!(self.class, Class::Reversal) && !self.is_response()
    }

    /// Whether this answers a request or an advice.
    pub const fn is_response(self) -> bool {
        matches!(
            self.function,
            Function::RequestResponse | Function::AdviceResponse
        )
    }
}

const fn reserved(position: u8, digit: u8) -> MtiError {
    MtiError::Reserved { position, digit }
}

impl Version {
    fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            0 => Self::Iso1987,
            1 => Self::Iso1993,
            8 => Self::National,
            9 => Self::Private,
            _ => return None,
        })
    }

    const fn digit(self) -> u8 {
        match self {
            Self::Iso1987 => 0,
            Self::Iso1993 => 1,
            Self::National => 8,
            Self::Private => 9,
        }
    }
}

impl Class {
    fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            1 => Self::Authorization,
            2 => Self::Financial,
            3 => Self::FileAction,
            4 => Self::Reversal,
            5 => Self::Reconciliation,
            6 => Self::Administrative,
            7 => Self::FeeCollection,
            8 => Self::NetworkManagement,
            _ => return None,
        })
    }

    /// The standard's name of the class.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Authorization => "authorization",
            Self::Financial => "financial",
            Self::FileAction => "file action",
            Self::Reversal => "reversal",
            Self::Reconciliation => "reconciliation",
            Self::Administrative => "administrative",
            Self::FeeCollection => "fee collection",
            Self::NetworkManagement => "network management",
        }
    }
}

impl Function {
    fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            0 => Self::Request,
            1 => Self::RequestResponse,
            2 => Self::Advice,
            3 => Self::AdviceResponse,
            4 => Self::Notification,
            _ => return None,
        })
    }

    /// The standard's name of the function.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Request => "request",
            Self::RequestResponse => "request response",
            Self::Advice => "advice",
            Self::AdviceResponse => "advice response",
            Self::Notification => "notification",
        }
    }
}

impl Originator {
    fn from_digit(digit: u8) -> Option<Self> {
        Some(match digit {
            0 => Self::Acquirer,
            1 => Self::AcquirerRepeat,
            2 => Self::Issuer,
            3 => Self::IssuerRepeat,
            4 => Self::Other,
            5 => Self::OtherRepeat,
            _ => return None,
        })
    }

    /// The standard's name of the originator.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Acquirer => "acquirer",
            Self::AcquirerRepeat => "acquirer repeat",
            Self::Issuer => "issuer",
            Self::IssuerRepeat => "issuer repeat",
            Self::Other => "other",
            Self::OtherRepeat => "other repeat",
        }
    }
}

impl fmt::Display for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for digit in self.digits() {
            write!(f, "{}", char::from(digit))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Mti {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mti({self})")
    }
}

impl std::str::FromStr for Mti {
    type Err = MtiError;

    fn from_str(text: &str) -> Result<Self, MtiError> {
        let digits = text.as_bytes().try_into();
        Self::parse(digits.map_err(|_| MtiError::NotDigits)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mti(text: &str) -> Mti {
        text.parse().unwrap()
    }

    #[test]
    fn a_response_answers_the_original_and_its_repeat_alike() {
        for (request, response) in [
            ("0100", "0110"),
            ("0120", "0130"),
            ("0200", "0210"),
            ("0220", "0230"),
            ("0302", "0312"),
            ("0400", "0410"),
            ("0420", "0430"),
            ("0421", "0430"),
            ("0422", "0432"),
            ("0423", "0432"),
            ("0800", "0810"),
        ] {
            assert_eq!(mti(request).response(), Some(mti(response)), "{request}");
        }
    }

    #[test]
    fn a_response_and_a_notification_want_no_answer() {
        assert_eq!(mti("0210").response(), None);
        assert_eq!(mti("0430").response(), None);
        assert_eq!(mti("0440").response(), None);
    }

    #[test]
    fn a_repeat_changes_the_last_digit_only_and_is_its_own_repeat() {
        assert_eq!(mti("0420").repeat(), mti("0421"));
        assert_eq!(mti("0422").repeat(), mti("0423"));
        assert_eq!(mti("0421").repeat(), mti("0421"));
        assert_eq!(mti("0421").original(), mti("0420"));
    }

    #[test]
    fn the_constants_are_what_their_names_say() {
        for (constant, digits) in [
            (Mti::FINANCIAL_REQUEST, "0200"),
            (Mti::FINANCIAL_RESPONSE, "0210"),
            (Mti::REVERSAL_REQUEST, "0400"),
            (Mti::REVERSAL_ADVICE, "0420"),
            (Mti::REVERSAL_ADVICE_REPEAT, "0421"),
            (Mti::REVERSAL_RESPONSE, "0430"),
            (Mti::NETWORK_REQUEST, "0800"),
            (Mti::NETWORK_RESPONSE, "0810"),
        ] {
            assert_eq!(constant.to_string(), digits);
        }
    }

    #[test]
    fn reserved_digits_are_refused_with_their_position() {
        for (text, position, digit) in [
            ("2200", 1, 2),
            ("0000", 2, 0),
            ("0900", 2, 9),
            ("0250", 3, 5),
            ("0206", 4, 6),
        ] {
            let error = text.parse::<Mti>().unwrap_err();
            assert_eq!(error, MtiError::Reserved { position, digit }, "{text}");
        }
    }

    #[test]
    fn what_is_not_four_digits_is_refused() {
        for text in ["", "020", "02000", "02 0", "+200", "0x00"] {
            assert_eq!(text.parse::<Mti>(), Err(MtiError::NotDigits), "{text}");
        }
    }

    #[test]
    fn every_mti_that_parses_is_written_back_the_same() {
        let parsed = (0..10_000u32).filter_map(|number| {
            let text = format!("{number:04}");
            text.parse::<Mti>().ok().map(|mti| (text, mti.to_string()))
        });
        let (texts, written): (Vec<_>, Vec<_>) = parsed.unzip();
        assert_eq!(texts.len(), 4 * 8 * 5 * 6);
        assert_eq!(texts, written);
    }
}
