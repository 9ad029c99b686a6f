//! `sampan decode`: octets of either protocol in words. Texts, passwords and card data are masked,
//! and no error repeats what it could not read.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use bytes::{Bytes, BytesMut};
use clap::{Args, Subcommand};

use super::{Exit, Trouble, hex, input};
use crate::{
    iso8583::{
        self, Dialect, Framing,
        frame::{BODY_BYTES_MAX, Frame},
    },
    smpp::{
        self, Pdu,
        codec::{FRAME_OCTETS_MAX, take_frame},
    },
};

/// The protocol, and what to decode.
#[derive(Subcommand)]
pub(super) enum DecodeArgs {
    /// PDUs of SMPP 3.4, one after the other.
    Smpp {
        #[command(flatten)]
        octets: OctetArgs,
    },
    /// Messages of ISO 8583:1987, one after the other, each behind the header of the dialect.
    Iso8583 {
        #[command(flatten)]
        octets: OctetArgs,
        /// The bank's dialect: a file, or a built-in one: iso8583-1987-ascii, which is the default,
        /// iso8583-1987-bcd, iso8583-1987-ebcdic.
        #[arg(long, value_name = "FILE|NAME")]
        dialect: Option<PathBuf>,
        /// The octets are one message, without the header that gives its length and without a TPDU.
        #[arg(long)]
        no_header: bool,
    },
}

/// Octets as hexadecimal.
#[derive(Args)]
pub(super) struct OctetArgs {
    /// Hexadecimal, white space and 0x allowed; - reads standard input, which keeps it out of the
    /// process list.
    #[arg(required = true, value_name = "HEX|-")]
    hex: Vec<String>,
}

impl OctetArgs {
    fn read(&self) -> Result<Bytes, Trouble> {
        let text = match self.hex.as_slice() {
            [only] if input::is_stdin(only) => input::read_stdin()?,
            words => words.join(" "),
        };
        let octets = hex::parse(&text).map_err(|error| Trouble::Failure(error.to_string()))?;
        Ok(octets.into())
    }
}

/// What could be read, and what was wrong with the rest, if anything was.
struct Decoded {
    text: String,
    faults: Vec<String>,
}

/// Decodes and prints. [`Exit::Failure`] if any octet could not be decoded.
pub(super) fn decode(args: &DecodeArgs) -> Result<Exit, Trouble> {
    let decoded = match args {
        DecodeArgs::Smpp { octets } => decode_smpp(octets.read()?),
        DecodeArgs::Iso8583 {
            octets,
            dialect,
            no_header,
        } => {
            let dialect = match dialect.as_deref() {
                None => Cow::Borrowed(Dialect::iso8583_1987_ascii()),
                Some(path) => load_dialect(path)?,
            };
            let dialect = dialect.as_ref();
            let octets = octets.read()?;
            if *no_header {
                let mut decoded = Decoded::new();
                decoded.message(octets, 0, dialect);
                decoded
            } else {
                decode_frames(octets, dialect)
            }
        }
    };
    io::stdout().lock().write_all(decoded.text.as_bytes())?;
    match decoded.faults.as_slice() {
        [] => Ok(Exit::Success),
        faults => Err(Trouble::Failure(faults.join("\n"))),
    }
}

/// A dialect of a file or by its name; every fault of a file with its line.
pub(super) fn load_dialect(path: &Path) -> Result<Cow<'static, Dialect>, Trouble> {
    if let Some(built_in) = path.to_str().and_then(Dialect::built_in) {
        return Ok(Cow::Borrowed(built_in));
    }
    let parsed = Dialect::parse(&input::read_text(path)?);
    parsed.map(Cow::Owned).map_err(|error| {
        let faults = error.faults.iter();
        let lines =
            faults.map(|fault| format!("{}:{}: {}", path.display(), fault.line, fault.what));
        Trouble::Usage(lines.collect::<Vec<_>>().join("\n"))
    })
}

/// A sound length leads to the next PDU even where a body cannot be read; a broken one ends it.
fn decode_smpp(octets: Bytes) -> Decoded {
    let mut decoded = Decoded::new();
    let whole = octets.len();
    // What was captured in full may be shown, whatever a link's limit was.
    let octets_max = whole.max(FRAME_OCTETS_MAX);
    let mut input = BytesMut::from(octets);
    while !input.is_empty() {
        let start = whole - input.len();
        match take_frame(&mut input, octets_max) {
            Ok(Some(frame)) => {
                decoded.paragraph(smpp::describe::describe(&frame).trim_end());
                if let Err(error) = Pdu::decode(&frame) {
                    let (command, field, why) = (error.command, error.field, error.fault);
                    decoded.fault(
                        start + error.position,
                        format_args!("{command}: {field}: {why}"),
                    );
                }
            }
            Ok(None) => {
                let left = input.len();
                let why = "a PDU begins here and does not end";
                decoded.fault(start, format_args!("{why}: only {left} octets are left"));
                break;
            }
            Err(error) => {
                decoded.fault(start, error);
                break;
            }
        }
    }
    decoded
}

fn decode_frames(octets: Bytes, dialect: &Dialect) -> Decoded {
    const HINT: &str = "octets without headers need --no-header";
    let mut decoded = Decoded::new();
    let whole = octets.len();
    let framing = Framing::new(dialect.header(), BODY_BYTES_MAX, true);
    let mut input = BytesMut::from(octets);
    while !input.is_empty() {
        let start = whole - input.len();
        match framing.take_frame(&mut input) {
            Ok(Some(Frame { body, .. })) if body.is_empty() => decoded.paragraph("sign of life"),
            Ok(Some(Frame { tpdu, body })) => {
                if let Some(tpdu) = tpdu {
                    decoded.paragraph(&format!("TPDU {tpdu}"));
                }
                decoded.message(body, start + framing.header().bytes(), dialect);
            }
            Ok(None) => {
                let left = input.len();
                let why = "a frame begins here and does not end";
                decoded.fault(
                    start,
                    format_args!("{why}: only {left} bytes are left; {HINT}"),
                );
                break;
            }
            Err(error) => {
                decoded.fault(start, format_args!("{error}; {HINT}"));
                break;
            }
        }
    }
    decoded
}

impl Decoded {
    fn new() -> Self {
        Self {
            text: String::new(),
            faults: Vec::new(),
        }
    }

    /// An ISO 8583 message that begins at byte `start` of the input.
    fn message(&mut self, body: Bytes, start: usize, dialect: &Dialect) {
        match dialect.decode(body) {
            Ok(message) => self.paragraph(&iso8583::describe::describe(&message, dialect)),
            Err(error) => {
                let (part, why, parsed) = (error.part, error.why, &error.parsed);
                let what = format_args!("{part}: {why} (read before: {parsed})");
                self.fault(start + error.position, what);
            }
        }
    }

    fn paragraph(&mut self, text: &str) {
        let gap = if self.text.is_empty() { "" } else { "\n" };
        let written = writeln!(self.text, "{gap}{text}");
        debug_assert!(written.is_ok(), "writing to a String cannot fail");
    }

    /// Positions count bytes of the whole input, from 0.
    fn fault(&mut self, position: usize, what: impl std::fmt::Display) {
        self.faults.push(format!("byte {position}: {what}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENQUIRE_LINK: [u8; 16] = [0, 0, 0, 16, 0, 0, 0, 0x15, 0, 0, 0, 0, 0, 0, 0, 7];

    fn iso(bytes: &[u8]) -> Decoded {
        decode_frames(Bytes::copy_from_slice(bytes), Dialect::iso8583_1987_ascii())
    }

    #[test]
    fn pdus_in_a_row_are_decoded_one_after_the_other() {
        let decoded = decode_smpp([ENQUIRE_LINK, ENQUIRE_LINK].concat().into());
        assert_eq!(decoded.faults, [""; 0]);
        assert_eq!(decoded.text.matches("enquire_link\n").count(), 2);
        assert_eq!(decoded.text.matches("\n\n").count(), 1);
    }

    #[test]
    fn a_pdu_that_is_cut_off_is_told_by_where_it_begins() {
        let mut octets = ENQUIRE_LINK.to_vec();
        octets.extend_from_slice(&ENQUIRE_LINK[..10]);
        let decoded = decode_smpp(octets.into());
        assert!(decoded.text.starts_with("enquire_link\n"));
        assert_eq!(
            decoded.faults,
            ["byte 16: a PDU begins here and does not end: only 10 octets are left"]
        );
    }

    #[test]
    fn a_body_that_cannot_be_read_does_not_hide_the_pdus_behind_it() {
        let submit_sm = [0, 0, 0, 17, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 1, b'x'];
        let decoded = decode_smpp([&submit_sm[..], &ENQUIRE_LINK].concat().into());
        assert!(decoded.text.contains("\nenquire_link\n"));
        let [fault] = decoded.faults.as_slice() else {
            panic!("{:?}", decoded.faults)
        };
        assert!(
            fault.starts_with("byte 16: submit_sm: service_type: "),
            "{fault}"
        );
    }

    #[test]
    fn a_byte_position_counts_from_the_beginning_of_the_input() {
        // 4 bytes of header, 4 of MTI, 16 of bitmap, 6 of DE11; the second DE11 ends in a letter.
        let sound = "002608000020000000000000000123";
        let broken = "00260800002000000000000000012x";
        let decoded = iso([sound, broken].concat().as_bytes());
        assert!(decoded.text.starts_with("0800 "), "{}", decoded.text);
        let [fault] = decoded.faults.as_slice() else {
            panic!("{:?}", decoded.faults)
        };
        assert!(fault.starts_with("byte 59: DE11: "), "{fault}");
    }

    #[test]
    fn a_message_without_its_header_is_told_how_to_decode_it() {
        let decoded = iso(b"0800202");
        assert_eq!(
            decoded.faults,
            [
                "byte 0: a frame begins here and does not end: only 7 bytes are left; \
              octets without headers need --no-header"
            ]
        );
    }
}
