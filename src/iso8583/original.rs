//! DE90, original data elements: which message a reversal takes back.
//!
//! 42 digits: MTI 4, STAN 6, transmission date and time 10, acquirer 11, forwarder 11, each
//! right-justified and zero-filled (ISO 8583:1987, data element 90).

use super::amount::{parse_digits, zero_filled};
use super::{Message, Mti, Stan};

/// What DE90 says of the original message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OriginalData {
    /// The original's MTI.
    pub mti: Mti,
    /// The original's DE11.
    pub stan: Stan,
    /// The original's DE7, `MMDDhhmmss`, as it was sent.
    transmission: [u8; 10],
    /// DE32 and DE33, below 10^11; 0 where the original had none.
    acquirer: u64,
    forwarder: u64,
}

/// Why there is no DE90: which part of it, or of the original, is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OriginalDataError {
    /// DE90 is not 42 digits.
    #[error("DE90 is not 42 digits")]
    NotDigits,
    /// The first four digits of DE90 are no MTI.
    #[error("DE90 begins with no MTI: {0}")]
    Mti(#[from] super::mti::MtiError),
    /// The original lacks an element, or it is not digits of the standard's length.
    #[error("the original message has no DE{0} in the standard's form")]
    Element(u8),
}

impl OriginalData {
    /// DE90 for the reversal of a message, from its MTI and its DE7, 11, 32 and 33.
    ///
    /// # Errors
    /// [`OriginalDataError::Element`] if the original has no DE7 or DE11, or if one of the four is
    /// not digits.
    pub fn of(original: &Message) -> Result<Self, OriginalDataError> {
        let institution = |number| match original.get(number) {
            None => Ok(0),
            Some(digits) if digits.len() <= 11 => {
                parse_digits(digits).ok_or(OriginalDataError::Element(number))
            }
            Some(_) => Err(OriginalDataError::Element(number)),
        };
        let transmission = original
            .get(7)
            .and_then(|digits| <[u8; 10]>::try_from(digits).ok())
            .filter(|digits| digits.iter().all(u8::is_ascii_digit))
            .ok_or(OriginalDataError::Element(7))?;
        Ok(Self {
            mti: original.mti(),
            stan: original.stan().ok_or(OriginalDataError::Element(11))?,
            transmission,
            acquirer: institution(32)?,
            forwarder: institution(33)?,
        })
    }

    /// Reads the 42 digits of DE90.
    ///
    /// # Errors
    /// [`OriginalDataError`] if they are not 42 digits or do not begin with an MTI.
    pub fn parse(value: &[u8]) -> Result<Self, OriginalDataError> {
        Self::split(value).ok_or(OriginalDataError::NotDigits)?
    }

    fn split(value: &[u8]) -> Option<Result<Self, OriginalDataError>> {
        let (mti, rest) = value.split_first_chunk::<4>()?;
        let (stan, rest) = rest.split_first_chunk::<6>()?;
        let (transmission, rest) = rest.split_first_chunk::<10>()?;
        let (acquirer, rest) = rest.split_first_chunk::<11>()?;
        let forwarder: &[u8; 11] = rest.try_into().ok()?;
        if !value.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let stan = Stan::parse(stan)?;
        let acquirer = parse_digits(acquirer)?;
        let forwarder = parse_digits(forwarder)?;
        Some(
            Mti::parse(*mti)
                .map_err(OriginalDataError::from)
                .map(|mti| Self {
                    mti,
                    stan,
                    transmission: *transmission,
                    acquirer,
                    forwarder,
                }),
        )
    }

    /// The 42 digits of DE90.
    pub fn digits(&self) -> [u8; 42] {
        let mut digits = [b'0'; 42];
        let parts = self
            .mti
            .digits()
            .into_iter()
            .chain(self.stan.digits())
            .chain(self.transmission)
            .chain(zero_filled::<11>(self.acquirer))
            .chain(zero_filled::<11>(self.forwarder));
        for (digit, part) in digits.iter_mut().zip(parts) {
            *digit = part;
        }
        digits
    }

    /// The original's DE7, `MMDDhhmmss`.
    pub fn transmission(&self) -> &[u8; 10] {
        &self.transmission
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOLDEN: &[u8; 42] = b"020000012409210732440000097049900000000000";

    #[test]
    fn the_original_of_a_reversal_is_its_mti_stan_time_and_institutions() {
        let mut original = Message::new(Mti::FINANCIAL_REQUEST);
        original
            .set(7, "0921073244")
            .set(11, "000124")
            .set(32, "970499");
        let data = OriginalData::of(&original).unwrap();
        assert_eq!(data.digits(), *GOLDEN);
    }

    #[test]
    fn reading_gives_back_what_was_written() {
        let data = OriginalData::parse(GOLDEN).unwrap();
        assert_eq!(data.mti, Mti::FINANCIAL_REQUEST);
        assert_eq!(data.stan, Stan::new(124).unwrap());
        assert_eq!(data.transmission(), b"0921073244");
        assert_eq!(data.digits(), *GOLDEN);
    }

    #[test]
    fn an_original_without_time_or_trace_cannot_be_reversed_by_de90() {
        let mut original = Message::new(Mti::FINANCIAL_REQUEST);
        original.set(11, "000124");
        assert_eq!(
            OriginalData::of(&original),
            Err(OriginalDataError::Element(7))
        );
        original.set(7, "0921073244").remove(11);
        assert_eq!(
            OriginalData::of(&original),
            Err(OriginalDataError::Element(11))
        );
        original.set(11, "000124").set(32, "97x");
        assert_eq!(
            OriginalData::of(&original),
            Err(OriginalDataError::Element(32))
        );
    }

    #[test]
    fn anything_but_42_digits_is_refused() {
        for wrong in [&GOLDEN[..41], b"", &[b'x'; 42], &[b'0'; 43]] {
            assert_eq!(
                OriginalData::parse(wrong),
                Err(OriginalDataError::NotDigits)
            );
        }
        assert!(matches!(
            OriginalData::parse(&[b'0'; 42]),
            Err(OriginalDataError::Mti(_))
        ));
    }
}
