//! What Sampan needs of a dialect, tried out with the values that it sends: an element that cannot
//! be written, or is read back as another value, shows here and not in front of the bank.

use std::fmt::{self, Write as _};

use bytes::{Bytes, BytesMut};

use crate::iso8583::{
    Composite, Dialect, Message, Mti,
    field::{Content, Encoding, Length},
};

/// An element that Sampan sends or reads.
pub(super) struct Need {
    pub(super) element: u8,
    /// A value as Sampan sends it.
    pub(super) sample: &'static str,
    /// What is done without it.
    who: Who,
}

enum Who {
    /// Nothing can be done without it: what for.
    Always(&'static str),
    /// Only some do it: when.
    If(&'static str),
}

/// What `payment::build` and the session put into their messages.
#[rustfmt::skip]
pub(super) const NEEDS: &[Need] = {
    use Who::{Always, If};
    const fn need(element: u8, sample: &'static str, who: Who) -> Need {
        Need { element, sample, who }
    }
    &[
        need(2, "9704361234561234", Always("payments")),
        need(3, "000000", Always("payments")),
        need(4, "000000010000", Always("payments")),
        need(7, "0921073244", Always("payments, reversals, sign-on")),
        need(11, "000124", Always("payments, reversals, sign-on")),
        need(12, "143244", Always("payments")),
        need(13, "0921", Always("payments")),
        need(14, "2812", If("a payment gives the card's expiry")),
        need(18, "5999", If("merchant_category is configured")),
        need(22, "012", Always("payments")),
        need(25, "00", Always("payments")),
        need(32, "970499", If("acquirer_id is configured")),
        need(33, "970400", If("forwarder_id is configured")),
        need(37, "626514000124", Always("payments")),
        need(38, "123456", If("the bank's answers have it; a reversal repeats it")),
        need(39, "68", Always("answers, reversals")),
        need(41, "SAMPAN01", Always("payments")),
        need(42, "SAMPAN000000001", Always("payments")),
        need(49, "704", Always("payments")),
        need(70, "001", Always("sign-on and echo")),
        need(90, "020000012409210732440000097049900000970400", Always("reversals")),
        need(102, "0011001234567", If("a payment gives the account to debit")),
        need(103, "0011007654321", If("a payment gives the account to credit")),
    ]
};

/// The trace number by which an answer finds its request, the response code and the network code:
/// filled to another length, they would not be recognised.
const READ_BY_SAMPAN: [u8; 3] = [11, 39, 70];

/// What was found.
pub(super) struct Needs {
    /// With these, messages cannot be sent, or their answers not be understood.
    pub(super) failing: Vec<String>,
    /// These fail only for who uses them.
    optional: Vec<String>,
    warnings: Vec<String>,
}

/// Tries everything out.
pub(super) fn needs(dialect: &Dialect) -> Needs {
    let mut found = Needs {
        failing: Vec::new(),
        optional: Vec::new(),
        warnings: warnings(dialect),
    };
    for Need {
        element,
        sample,
        who,
    } in NEEDS
    {
        let why = match try_out(dialect, *element, sample) {
            Ok(None) => continue,
            Ok(Some(read)) if !READ_BY_SAMPAN.contains(element) => {
                let what = format!("DE{element}: {sample:?} travels as \"{read}\"");
                found.warnings.push(what);
                continue;
            }
            Ok(Some(read)) => format!("{sample:?} is read back as \"{read}\""),
            Err(why) => why,
        };
        match who {
            Who::Always(what) => found.failing.push(format!("DE{element}, {what}: {why}")),
            Who::If(when) => found
                .optional
                .push(format!("DE{element}, if {when}: {why}")),
        }
    }
    found
}

/// How a value arrives, if not as it was sent. The samples are nobody's data, and may be told.
fn try_out(dialect: &Dialect, element: u8, sample: &str) -> Result<Option<String>, String> {
    if dialect.element(element).is_none() {
        return Err("the dialect has no such element".to_owned());
    }
    let mut message = Message::new(Mti::FINANCIAL_REQUEST);
    message.set(element, sample);
    let mut bytes = BytesMut::new();
    dialect
        .encode(&message, &mut bytes)
        .map_err(|error| format!("{sample:?} cannot be sent: {}", error.why))?;
    let read = dialect.decode(bytes.freeze());
    let read = read.map_err(|error| format!("{sample:?} cannot be read back: {}", error.why))?;
    let value = read.get(element).unwrap_or_default();
    Ok((value != sample.as_bytes()).then(|| value.escape_ascii().to_string()))
}

fn warnings(dialect: &Dialect) -> Vec<String> {
    let mut warnings = Vec::new();
    for number in [52, 64, 96, 128] {
        if let Some(spec) = dialect.element(number)
            && (spec.content() != Content::Bytes || spec.length() != Length::Fixed(8))
        {
            warnings.push(format!(
                "DE{number} is eight bytes by the standard (b, fixed, 8)"
            ));
        }
    }
    for number in [35, 36] {
        if let Some(spec) = dialect.element(number)
            && spec.content() == Content::Digits
        {
            warnings.push(format!("DE{number} holds track separators: content \"z\""));
        }
    }
    if let Some(spec) = dialect.element(2)
        && spec.length().maximum() < 19
    {
        let max = spec.length().maximum();
        warnings.push(format!(
            "DE2 holds up to {max} digits; card numbers have up to 19"
        ));
    }
    for number in [32, 33] {
        if let Some(spec) = dialect.element(number)
            && spec.length().maximum() > 11
        {
            warnings.push(format!(
                "DE{number} may be longer than the 11 digits that fit into DE90"
            ));
        }
    }
    if let Some(spec) = dialect.element(90)
        && spec.length().maximum() < 42
    {
        let max = spec.length().maximum();
        warnings.push(format!("DE90 is of {max} digits; a reversal fills 42"));
    }
    if let Some(spec) = dialect.element(55)
        && matches!(spec.encoding(), Encoding::Binary)
        && dialect.composite(55) != Some(&Composite::BerTlv)
    {
        let hint = "subfields = { kind = \"ber-tlv\" } lets `sampan decode` tell chip data apart";
        warnings.push(format!("DE55 is of bytes; {hint}"));
    }
    if dialect.element(64).is_none() && dialect.element(128).is_none() {
        warnings.push("there is neither DE64 nor DE128: no message can carry a MAC".to_owned());
    }
    warnings
}

impl Needs {
    pub(super) fn write(&self, text: &mut String) -> fmt::Result {
        writeln!(text, "\nwhat Sampan needs")?;
        if self.failing.is_empty() {
            writeln!(text, "  payments, reversals and sign-on: all there")?;
        }
        for (word, lines) in [
            ("FAILS", &self.failing),
            ("fails", &self.optional),
            ("warning", &self.warnings),
        ] {
            for line in lines {
                writeln!(text, "  {word}: {line}")?;
            }
        }
        Ok(())
    }
}

/// The bytes of one element, by themselves: those of a message of it alone, behind its bitmaps.
/// `None` if it cannot be written.
pub(super) fn element_bytes(dialect: &Dialect, element: u8, value: &[u8]) -> Option<Bytes> {
    let encoded = |elements: &[(u8, &[u8])]| {
        let mut message = Message::new(Mti::FINANCIAL_REQUEST);
        for (number, value) in elements {
            message.set(*number, value);
        }
        let mut bytes = BytesMut::new();
        dialect
            .encode(&message, &mut bytes)
            .ok()
            .map(|()| bytes.freeze())
    };
    let preamble = super::example::preamble_bytes(dialect, element > 64);
    let whole = encoded(&[(element, value)])?;
    (whole.len() >= preamble).then(|| whole.slice(preamble..))
}
