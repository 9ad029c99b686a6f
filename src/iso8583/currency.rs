//! ISO 4217: callers say `VND`, DE49 says `704`, and neither may guess where the decimal point is.
//!
//! The table holds every active code that has minor units, as of January 2026; metals, units of
//! account without minor units, and the codes for tests and for no currency are left out.

use std::fmt;

/// A currency of ISO 4217.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Currency {
    alpha: &'static str,
    numeric: u16,
    minor_digits: u8,
}

impl Currency {
    /// By its three upper-case letters.
    pub fn from_alpha(alpha: &str) -> Option<Self> {
        let found = TABLE.binary_search_by_key(&alpha, |currency| currency.alpha);
        TABLE.get(found.ok()?).copied()
    }

    /// By its number, as in DE49. A look through the whole table: for records, not for each message.
    pub fn from_numeric(numeric: u16) -> Option<Self> {
        TABLE.iter().find(|known| known.numeric == numeric).copied()
    }

    /// The three letters.
    pub const fn alpha(self) -> &'static str {
        self.alpha
    }

    /// The number, below 1,000.
    pub const fn numeric(self) -> u16 {
        self.numeric
    }

    /// How many digits of an amount in minor units lie behind the decimal point.
    pub const fn minor_digits(self) -> u8 {
        self.minor_digits
    }

    /// The three digits of DE49.
    pub fn digits(self) -> [u8; 3] {
        super::amount::zero_filled(u64::from(self.numeric))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.alpha)
    }
}

const fn currency(alpha: &'static str, numeric: u16, minor_digits: u8) -> Currency {
    Currency {
        alpha,
        numeric,
        minor_digits,
    }
}

/// Rising by the letters.
const TABLE: &[Currency] = &[
    currency("AED", 784, 2),
    currency("AFN", 971, 2),
    currency("ALL", 8, 2),
    currency("AMD", 51, 2),
    currency("AOA", 973, 2),
    currency("ARS", 32, 2),
    currency("AUD", 36, 2),
    currency("AWG", 533, 2),
    currency("AZN", 944, 2),
    currency("BAM", 977, 2),
    currency("BBD", 52, 2),
    currency("BDT", 50, 2),
    currency("BHD", 48, 3),
    currency("BIF", 108, 0),
    currency("BMD", 60, 2),
    currency("BND", 96, 2),
    currency("BOB", 68, 2),
    currency("BOV", 984, 2),
    currency("BRL", 986, 2),
    currency("BSD", 44, 2),
    currency("BTN", 64, 2),
    currency("BWP", 72, 2),
    currency("BYN", 933, 2),
    currency("BZD", 84, 2),
    currency("CAD", 124, 2),
    currency("CDF", 976, 2),
    currency("CHE", 947, 2),
    currency("CHF", 756, 2),
    currency("CHW", 948, 2),
    currency("CLF", 990, 4),
    currency("CLP", 152, 0),
    currency("CNY", 156, 2),
    currency("COP", 170, 2),
    currency("COU", 970, 2),
    currency("CRC", 188, 2),
    currency("CUP", 192, 2),
    currency("CVE", 132, 2),
    currency("CZK", 203, 2),
    currency("DJF", 262, 0),
    currency("DKK", 208, 2),
    currency("DOP", 214, 2),
    currency("DZD", 12, 2),
    currency("EGP", 818, 2),
    currency("ERN", 232, 2),
    currency("ETB", 230, 2),
    currency("EUR", 978, 2),
    currency("FJD", 242, 2),
    currency("FKP", 238, 2),
    currency("GBP", 826, 2),
    currency("GEL", 981, 2),
    currency("GHS", 936, 2),
    currency("GIP", 292, 2),
    currency("GMD", 270, 2),
    currency("GNF", 324, 0),
    currency("GTQ", 320, 2),
    currency("GYD", 328, 2),
    currency("HKD", 344, 2),
    currency("HNL", 340, 2),
    currency("HTG", 332, 2),
    currency("HUF", 348, 2),
    currency("IDR", 360, 2),
    currency("ILS", 376, 2),
    currency("INR", 356, 2),
    currency("IQD", 368, 3),
    currency("IRR", 364, 2),
    currency("ISK", 352, 0),
    currency("JMD", 388, 2),
    currency("JOD", 400, 3),
    currency("JPY", 392, 0),
    currency("KES", 404, 2),
    currency("KGS", 417, 2),
    currency("KHR", 116, 2),
    currency("KMF", 174, 0),
    currency("KPW", 408, 2),
    currency("KRW", 410, 0),
    currency("KWD", 414, 3),
    currency("KYD", 136, 2),
    currency("KZT", 398, 2),
    currency("LAK", 418, 2),
    currency("LBP", 422, 2),
    currency("LKR", 144, 2),
    currency("LRD", 430, 2),
    currency("LSL", 426, 2),
    currency("LYD", 434, 3),
    currency("MAD", 504, 2),
    currency("MDL", 498, 2),
    currency("MGA", 969, 2),
    currency("MKD", 807, 2),
    currency("MMK", 104, 2),
    currency("MNT", 496, 2),
    currency("MOP", 446, 2),
    currency("MRU", 929, 2),
    currency("MUR", 480, 2),
    currency("MVR", 462, 2),
    currency("MWK", 454, 2),
    currency("MXN", 484, 2),
    currency("MXV", 979, 2),
    currency("MYR", 458, 2),
    currency("MZN", 943, 2),
    currency("NAD", 516, 2),
    currency("NGN", 566, 2),
    currency("NIO", 558, 2),
    currency("NOK", 578, 2),
    currency("NPR", 524, 2),
    currency("NZD", 554, 2),
    currency("OMR", 512, 3),
    currency("PAB", 590, 2),
    currency("PEN", 604, 2),
    currency("PGK", 598, 2),
    currency("PHP", 608, 2),
    currency("PKR", 586, 2),
    currency("PLN", 985, 2),
    currency("PYG", 600, 0),
    currency("QAR", 634, 2),
    currency("RON", 946, 2),
    currency("RSD", 941, 2),
    currency("RUB", 643, 2),
    currency("RWF", 646, 0),
    currency("SAR", 682, 2),
    currency("SBD", 90, 2),
    currency("SCR", 690, 2),
    currency("SDG", 938, 2),
    currency("SEK", 752, 2),
    currency("SGD", 702, 2),
    currency("SHP", 654, 2),
    currency("SLE", 925, 2),
    currency("SOS", 706, 2),
    currency("SRD", 968, 2),
    currency("SSP", 728, 2),
    currency("STN", 930, 2),
    currency("SVC", 222, 2),
    currency("SYP", 760, 2),
    currency("SZL", 748, 2),
    currency("THB", 764, 2),
    currency("TJS", 972, 2),
    currency("TMT", 934, 2),
    currency("TND", 788, 3),
    currency("TOP", 776, 2),
    currency("TRY", 949, 2),
    currency("TTD", 780, 2),
    currency("TWD", 901, 2),
    currency("TZS", 834, 2),
    currency("UAH", 980, 2),
    currency("UGX", 800, 0),
    currency("USD", 840, 2),
    currency("USN", 997, 2),
    currency("UYI", 940, 0),
    currency("UYU", 858, 2),
    currency("UYW", 927, 4),
    currency("UZS", 860, 2),
    currency("VED", 926, 2),
    currency("VES", 928, 2),
    currency("VND", 704, 0),
    currency("VUV", 548, 0),
    currency("WST", 882, 2),
    currency("XAD", 396, 2),
    currency("XAF", 950, 0),
    currency("XCD", 951, 2),
    currency("XCG", 532, 2),
    currency("XOF", 952, 0),
    currency("XPF", 953, 0),
    currency("YER", 886, 2),
    currency("ZAR", 710, 2),
    currency("ZMW", 967, 2),
    currency("ZWG", 924, 2),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_and_number_name_the_same_currency() {
        for (alpha, digits, minor_digits) in [
            ("VND", b"704", 0),
            ("USD", b"840", 2),
            ("EUR", b"978", 2),
            ("JPY", b"392", 0),
            ("KWD", b"414", 3),
            ("ALL", b"008", 2),
        ] {
            let currency = Currency::from_alpha(alpha).unwrap();
            assert_eq!(currency.digits(), *digits);
            assert_eq!(currency.minor_digits(), minor_digits);
            assert_eq!(Currency::from_numeric(currency.numeric()), Some(currency));
        }
    }

    #[test]
    fn the_table_is_sorted_and_names_no_currency_twice() {
        assert!(TABLE.is_sorted_by(|one, next| one.alpha < next.alpha));
        let mut numbers: Vec<_> = TABLE.iter().map(|currency| currency.numeric).collect();
        numbers.sort_unstable();
        assert!(numbers.is_sorted_by(|one, next| one < next));
        assert!(numbers.last() < Some(&1_000));
    }

    #[test]
    fn what_is_no_currency_is_not_found() {
        for wrong in ["", "vnd", "XXX", "DONG"] {
            assert_eq!(Currency::from_alpha(wrong), None);
        }
        assert_eq!(Currency::from_numeric(0), None);
    }
}
