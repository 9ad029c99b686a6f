//! Holds Sampan's codec against messages that somebody else wrote: `iso8583_vectors < vectors`.
//!
//! Each line is JSON: `dialect`, the text of a dialect file; `mti`; `elements`, number to value in
//! hexadecimal; `framed`, the bytes in hexadecimal, header and all. Sampan must write these bytes and read
//! that message. The first line that differs ends it with 1.

use bytes::BytesMut;
use sampan::iso8583::frame::BODY_BYTES_MAX;
use sampan::iso8583::{Dialect, Framing, Message};
use serde_json::Value;
use std::error::Error;
use std::io::BufRead as _;

fn main() -> Result<(), Box<dyn Error>> {
    let mut agreed = 0usize;
    // Many lines in a row have the same dialect.
    let mut last = (String::new(), None);
    for line in std::io::stdin().lock().lines() {
        agreed += 1;
        let vector: Value = serde_json::from_str(&line?)?;
        let text = text(&vector["dialect"])?;
        if last.0 != text {
            last = (text.to_owned(), Some(Dialect::parse(text)?));
        }
        if let (_, Some(dialect)) = &last {
            check(dialect, &vector).map_err(|why| format!("line {agreed}: {why}"))?;
        }
    }
    println!("{agreed}");
    Ok(())
}

fn check(dialect: &Dialect, vector: &Value) -> Result<(), Box<dyn Error>> {
    let framed = bytes(&vector["framed"])?;
    let mut message = Message::new(text(&vector["mti"])?.parse()?);
    let elements = vector["elements"].as_object().ok_or("no elements")?;
    for (number, value) in elements {
        message.set(number.parse()?, bytes(value)?);
    }

    let framing = Framing::new(dialect.header(), BODY_BYTES_MAX, false);
    let (mut body, mut written) = (BytesMut::new(), BytesMut::new());
    dialect.encode(&message, &mut body)?;
    framing.put_frame(&body, &mut written)?;
    if written != framed {
        return Err(format!("written as {written:02X?}, not {framed:02X?}").into());
    }
    let frame = framing
        .take_frame(&mut written)?
        .ok_or("a frame cut short")?;
    if dialect.decode(frame.body)? != message {
        return Err("read as another message".into());
    }
    Ok(())
}

fn text(value: &Value) -> Result<&str, Box<dyn Error>> {
    Ok(value.as_str().ok_or("no text")?)
}

fn bytes(value: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits = text(value)?.as_bytes().chunks(2);
    let byte = |pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?);
    digits.map(byte).collect()
}
