//! A dialect: how one bank writes ISO 8583:1987. Dialects are files, not code; this is the compiled
//! form that the codec runs on, a table indexed by element number.

mod built_in;
mod parse;
mod section;
mod subfields;

use super::LAST_ELEMENT;
use super::composite::Composite;
use super::field::FieldSpec;
use super::frame::Header;
use std::collections::BTreeMap;
use std::fmt;

/// What a bank makes of the standard: header, message type, bitmaps and elements.
#[derive(Clone, PartialEq, Eq)]
pub struct Dialect {
    name: Box<str>,
    header: Header,
    mti: MtiForm,
    bitmap: BitmapForm,
    /// Indexed by element number; 0 is never set.
    elements: Box<[Option<FieldSpec>; LAST_ELEMENT as usize + 1]>,
    /// The parts of the few elements that have any. The codec never looks here.
    composites: BTreeMap<u8, Composite>,
}

/// How the message type travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MtiForm {
    /// Four ASCII digits.
    Ascii,
    /// Four digits in two bytes.
    Bcd,
    /// Four digits of code page 1047.
    Ebcdic,
}

/// How bitmaps travel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BitmapForm {
    /// Sixteen hexadecimal ASCII characters each.
    Hex,
    /// Sixteen hexadecimal characters of code page 1047 each.
    Ebcdic,
    /// Eight bytes each.
    Binary,
}

/// Every fault of a dialect file, in the order of its lines.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct DialectError {
    /// One or more faults.
    pub faults: Vec<DialectFault>,
}

/// One fault of a dialect file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DialectFault {
    /// The line, from 1.
    pub line: usize,
    /// What is wrong there and what to do.
    pub what: String,
}

impl Dialect {
    /// The name that the file gives itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// How frames begin.
    pub fn header(&self) -> Header {
        self.header
    }

    /// How the message type travels.
    pub fn mti(&self) -> MtiForm {
        self.mti
    }

    /// How bitmaps travel.
    pub fn bitmap(&self) -> BitmapForm {
        self.bitmap
    }

    /// What an element is. `None` if the dialect does not know it.
    pub fn element(&self, number: u8) -> Option<&FieldSpec> {
        self.elements.get(usize::from(number))?.as_ref()
    }

    /// How an element's value falls into parts, where the dialect says so.
    pub fn composite(&self, number: u8) -> Option<&Composite> {
        self.composites.get(&number)
    }
}

impl fmt::Debug for Dialect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialect")
            .field("name", &self.name)
            .field("header", &self.header)
            .field("mti", &self.mti)
            .field("bitmap", &self.bitmap)
            .field("elements", &self.elements.iter().flatten().count())
            .finish()
    }
}

impl fmt::Display for DialectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, fault) in self.faults.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}line {}: {}", fault.line, fault.what)?;
        }
        Ok(())
    }
}
