//! The table of ISO 8583:1987: what each data element may hold and how long it is, in the
//! simulator's dialect. Typed in by hand from the standard; the wire code is its only reader.

/// Elements of a message, the two bitmaps' bits.
pub(super) const ELEMENTS: usize = 128;

/// What an element may hold.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// Digits.
    N,
    /// Printable ASCII; the finer classes a, an and ans differ in nothing that a bank stops at.
    Ans,
    /// Track data: digits, `=` and `D` as separator, `?` and `;` as sentinels.
    Z,
    /// Binary, two hexadecimal characters an octet.
    B,
    /// `C` or `D`, then digits.
    X,
}

/// How long an element is.
#[derive(Clone, Copy)]
pub(super) enum Length {
    /// Exactly so many characters.
    Fixed(usize),
    /// LL: two digits of length, at most so many characters.
    Var2(usize),
    /// LLL: three digits of length, at most so many characters.
    Var3(usize),
}

/// The table of elements 2 to 128. Element 65, an extended bitmap, is not in use.
pub(super) fn layout(element: usize) -> Option<(Content, Length)> {
    use Content::{Ans, B, N, X, Z};
    use Length::{Fixed, Var2, Var3};
    Some(match element {
        2 => (N, Var2(19)),
        3 | 11 | 12 | 38 | 73 => (if element == 38 { Ans } else { N }, Fixed(6)),
        4..=6 => (N, Fixed(12)),
        7 => (N, Fixed(10)),
        8..=10 => (N, Fixed(8)),
        13..=18 => (N, Fixed(4)),
        19..=24 => (N, Fixed(3)),
        25 | 26 => (N, Fixed(2)),
        27 | 66 => (N, Fixed(1)),
        28..=31 => (X, Fixed(9)),
        32 | 33 | 99 | 100 => (N, Var2(11)),
        34 => (Ans, Var2(28)),
        35 => (Z, Var2(37)),
        36 => (Z, Var3(104)),
        37 => (Ans, Fixed(12)),
        39 => (Ans, Fixed(2)),
        40 => (Ans, Fixed(3)),
        41 => (Ans, Fixed(8)),
        42 => (Ans, Fixed(15)),
        43 => (Ans, Fixed(40)),
        44 => (Ans, Var2(25)),
        45 => (Ans, Var2(76)),
        46..=48 | 55..=63 | 105..=127 => (Ans, Var3(999)),
        49..=51 => (Ans, Fixed(3)),
        52 | 64 | 96 | 128 => (B, Fixed(16)),
        53 => (N, Fixed(16)),
        54 => (Ans, Var3(120)),
        67 => (N, Fixed(2)),
        68..=70 => (N, Fixed(3)),
        71 | 72 => (N, Fixed(4)),
        74..=81 => (N, Fixed(10)),
        82..=85 => (N, Fixed(12)),
        86..=89 => (N, Fixed(16)),
        90 => (N, Fixed(42)),
        91 => (Ans, Fixed(1)),
        92 => (Ans, Fixed(2)),
        93 => (Ans, Fixed(5)),
        94 => (Ans, Fixed(7)),
        95 => (Ans, Fixed(42)),
        97 => (X, Fixed(17)),
        98 => (Ans, Fixed(25)),
        101 => (Ans, Var2(17)),
        102 | 103 => (Ans, Var2(28)),
        104 => (Ans, Var3(100)),
        _ => return None,
    })
}

impl Content {
    /// Whether a value is of this class.
    pub(super) fn holds(self, value: &[u8]) -> bool {
        let digits = |octets: &[u8]| octets.iter().all(u8::is_ascii_digit);
        match self {
            Self::N => digits(value),
            Self::Ans => value.iter().all(|octet| (b' '..=b'~').contains(octet)),
            Self::Z => value
                .iter()
                .all(|octet| octet.is_ascii_digit() || b"=D;?".contains(octet)),
            Self::B => value.iter().all(u8::is_ascii_hexdigit),
            Self::X => match value.split_first() {
                Some((sign, amount)) => b"CD".contains(sign) && digits(amount),
                None => false,
            },
        }
    }
}
