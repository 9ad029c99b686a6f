//! Amounts and numbers as zero-filled decimal digits: DE4 and its like, n12 in minor units.

/// The greatest amount that twelve digits hold, in minor units.
pub const AMOUNT_MINOR_MAX: u64 = 999_999_999_999;

/// DE4 of an amount in minor units. `None` over [`AMOUNT_MINOR_MAX`].
pub fn amount_digits(amount_minor: u64) -> Option<[u8; 12]> {
    (amount_minor <= AMOUNT_MINOR_MAX).then(|| zero_filled(amount_minor))
}

/// The amount in minor units of a value of digits only, such as DE4. `None` if it is empty, holds
/// another byte, or does not fit.
pub fn parse_digits(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0u64, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        number.checked_mul(10)?.checked_add(digit)
    })
}

/// The last `N` decimal digits of a number, zero-filled. Callers keep the number below 10^N.
pub fn zero_filled<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [b'0'; N];
    for digit in digits.iter_mut().rev() {
        *digit += (number % 10) as u8;
        number /= 10;
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_twelve_digits_of_minor_units() {
        assert_eq!(amount_digits(10_000), Some(*b"000000010000"));
        assert_eq!(amount_digits(AMOUNT_MINOR_MAX), Some(*b"999999999999"));
        assert_eq!(parse_digits(b"000000010000"), Some(10_000));
    }

    #[test]
    fn an_amount_over_twelve_digits_is_refused() {
        assert_eq!(amount_digits(AMOUNT_MINOR_MAX + 1), None);
    }

    #[test]
    fn what_is_not_a_number_or_does_not_fit_is_refused() {
        for wrong in [&b""[..], b"-1", b"1 ", b"99999999999999999999"] {
            assert_eq!(parse_digits(wrong), None);
        }
    }
}
