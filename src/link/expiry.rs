//! Until when a certificate is good: the one field of it that rustls reads and does not tell.
//!
//! Only what leads to the field is looked at, and nothing is verified; rustls does that with each
//! connection. A parser of all of X.509 would be a dozen crates more, for files of our own that
//! rustls has already accepted. Pure. It must never fail on octets that are no certificate: they have
//! no end, and that is all.

use std::time::Duration;

use time::{Date, Month, OffsetDateTime, Time};

/// How long before its end a certificate is worth a warning: its owner, an authority and the peer may
/// each need a week.
pub const EXPIRES_SOON: Duration = Duration::from_secs(30 * 86_400);

/// The last moment of what `[smsc.tls]` names; `None` where there is no such file, or no telling.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Expiry {
    /// Of the root that is good for longest: one of them is enough.
    pub ca: Option<OffsetDateTime>,
    /// Of the first to end of our certificate and those that lead from it to a root: all are needed.
    pub certificate: Option<OffsetDateTime>,
}

const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xA0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// notAfter of a certificate in DER (RFC 5280 4.1.2.5).
pub(super) fn not_after(certificate: &[u8]) -> Option<OffsetDateTime> {
    let (certificate, _) = expect(SEQUENCE, certificate)?;
    let (to_be_signed, _) = expect(SEQUENCE, certificate)?;
    // Version, which is left out for the first one; serial number, signature algorithm, issuer.
    let rest = expect(VERSION, to_be_signed).map_or(to_be_signed, |(_, rest)| rest);
    let rest = (0..3).try_fold(rest, |rest, _| Some(element(rest)?.2))?;
    let (validity, _) = expect(SEQUENCE, rest)?;
    let (_, _, rest) = element(validity)?;
    let (tag, moment, _) = element(rest)?;
    match tag {
        UTC_TIME => {
            let (year, rest) = number(moment, 2)?;
            // The two digits are of 1950 to 2049.
            at(if year < 50 { 2000 + year } else { 1900 + year }, rest)
        }
        GENERALIZED_TIME => {
            let (year, rest) = number(moment, 4)?;
            at(year, rest)
        }
        _ => None,
    }
}

/// `MMDDhhmmssZ`
fn at(year: i32, octets: &[u8]) -> Option<OffsetDateTime> {
    let mut rest = octets;
    let mut two = || {
        let (value, after) = number(rest, 2)?;
        rest = after;
        u8::try_from(value).ok()
    };
    let (month, day, hour, minute, second) = (two()?, two()?, two()?, two()?, two()?);
    let date = Date::from_calendar_date(year, Month::try_from(month).ok()?, day).ok()?;
    let time = Time::from_hms(hour, minute, second).ok()?;
    (rest == b"Z").then(|| OffsetDateTime::new_utc(date, time))
}

/// So many decimal digits, and what is behind them.
fn number(octets: &[u8], digits: usize) -> Option<(i32, &[u8])> {
    let (digits, rest) = octets.split_at_checked(digits)?;
    let add = |sum: i32, digit: &u8| {
        let digit = digit.is_ascii_digit().then(|| digit - b'0')?;
        Some(sum * 10 + i32::from(digit))
    };
    Some((digits.iter().try_fold(0, add)?, rest))
}

/// The content of an element with this tag, and what is behind it.
fn expect(tag: u8, octets: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, content, rest) = element(octets)?;
    (found == tag).then_some((content, rest))
}

/// The first element: its tag, its content, and what is behind it (X.690 8.1, lengths in DER).
fn element(octets: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (tag, rest) = octets.split_first()?;
    let (length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7F => (usize::from(*length), rest),
        // Octets of the length follow; a certificate of more than 4 GiB does not exist.
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(length & 0x7F))?;
            let add = |sum: usize, octet: &u8| (sum << 8) | usize::from(*octet);
            (octets.iter().fold(0, add), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((*tag, content, rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{CertificateParams, KeyPair};

    use super::*;

    fn issued_until(moment: OffsetDateTime) -> Vec<u8> {
        let mut params = CertificateParams::new(["smsc.test".to_owned()]).unwrap();
        params.not_after = moment;
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().to_vec()
    }

    fn moment(year: i32, month: Month, day: u8, time: (u8, u8, u8)) -> OffsetDateTime {
        let date = Date::from_calendar_date(year, month, day).unwrap();
        OffsetDateTime::new_utc(date, Time::from_hms(time.0, time.1, time.2).unwrap())
    }

    #[test]
    fn the_end_is_read_in_both_of_its_forms() {
        for end in [
            // Up to 2049 it has two digits of the year, from 2050 on four.
            moment(1999, Month::December, 31, (23, 59, 59)),
            moment(2027, Month::March, 4, (5, 6, 7)),
            moment(2049, Month::December, 31, (23, 59, 59)),
            moment(2050, Month::January, 1, (0, 0, 0)),
            moment(4096, Month::January, 1, (0, 0, 0)),
        ] {
            assert_eq!(not_after(&issued_until(end)), Some(end));
        }
    }

    #[test]
    fn a_certificate_that_is_cut_off_has_no_end() {
        let whole = issued_until(moment(2027, Month::March, 4, (5, 6, 7)));
        for length in 0..whole.len() {
            assert_eq!(not_after(&whole[..length]), None, "{length}");
        }
    }

    proptest! {
        #[test]
        fn any_octets_break_nothing(octets in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _end = not_after(&octets);
        }
    }
}
