//! The field packagers of jPOS, by class name: what each makes of a value. Learned from the sources
//! of jPOS 3; a class that is not listed here is not guessed at.

/// How a field of a class travels, in the words of a dialect file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) shape: Shape,
    /// The length before the value; `None` for a fixed one.
    pub(super) prefix: Option<Prefix>,
}

/// What the value is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    Text(Characters),
    Digits(Characters),
    /// Two digits per byte. Which side an odd one is filled on is the attribute `pad`: the left if
    /// it is true, with 0; else the right.
    Packed {
        right_pad: PadDigit,
    },
    /// A sign and digits.
    Signed(Characters),
    /// A sign as a character, and packed digits.
    SignedPacked,
    Bytes,
    /// Two hexadecimal characters per byte.
    Hex(Characters),
    Bitmap(Bitmap),
    /// Nothing at all.
    Absent,
}

/// A code of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Characters {
    Ascii,
    Ebcdic,
}

/// What fills an odd digit on the right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PadDigit {
    Zero,
    F,
}

/// How a bitmap travels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bitmap {
    Hex,
    Binary,
    Ebcdic,
}

/// A length before a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    /// 1 to 4.
    pub(super) digits: u8,
    pub(super) encoding: PrefixEncoding,
    /// Whether it counts bytes where two digits are one.
    pub(super) counts_bytes: bool,
}

/// What a length is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PrefixEncoding {
    Ascii,
    Ebcdic,
    Bcd,
    Binary,
}

/// What is known of a class.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// A dialect has words for it.
    Form(Form),
    /// A subfield behind a tag and a length of ASCII digits. The tag is the attribute `token`, or
    /// the number of the field.
    Tagged {
        tag: u8,
        length: u8,
        by_number: bool,
    },
    /// A dialect has no words for it, and why.
    Inexpressible(&'static str),
}

impl PrefixEncoding {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Ebcdic => "ebcdic",
            Self::Bcd => "bcd",
            Self::Binary => "binary",
        }
    }
}

impl Characters {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Ascii => "ascii",
            Self::Ebcdic => "ebcdic",
        }
    }
}

impl Bitmap {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Hex => "hex",
            Self::Binary => "binary",
            Self::Ebcdic => "ebcdic",
        }
    }
}

impl Prefix {
    /// The greatest length that it can give.
    pub(super) const fn greatest(self) -> u32 {
        match (self.encoding, self.digits) {
            (PrefixEncoding::Binary, 1 | 2) => 0xFF,
            (PrefixEncoding::Binary, _) => 0xFFFF,
            (_, digits) => 10u32.pow(digits as u32) - 1,
        }
    }
}

/// The package that the classes of jPOS are in. A class of the same name in another one is somebody
/// else's.
const PACKAGE: &str = "org.jpos.iso.";

/// What is known of a class, by its full name.
pub(super) fn class(name: &str) -> Option<Class> {
    known(name.strip_prefix(PACKAGE)?)
}

#[rustfmt::skip]
fn known(name: &str) -> Option<Class> {
    use Characters::{Ascii, Ebcdic};
    use PrefixEncoding as By;
    use Shape::{Bytes, Digits, Hex, Signed, SignedPacked, Text};
    const PACKED: Shape = Shape::Packed { right_pad: PadDigit::Zero };
    const PACKED_F: Shape = Shape::Packed { right_pad: PadDigit::F };
    Some(match name {
        "IF_CHAR" => fixed(Text(Ascii)),
        "IF_ECHAR" | "IFE_CHAR" => fixed(Text(Ebcdic)),
        "IF_NOP" | "IF_UNUSED" => fixed(Shape::Absent),

        "IFA_NUMERIC" | "IFA_AMOUNT2003" => fixed(Digits(Ascii)),
        "IFA_LLNUM" => prefixed(Digits(Ascii), 2, By::Ascii),
        "IFA_LLLNUM" => prefixed(Digits(Ascii), 3, By::Ascii),
        "IFA_LCHAR" => prefixed(Text(Ascii), 1, By::Ascii),
        "IFA_LLCHAR" => prefixed(Text(Ascii), 2, By::Ascii),
        "IFA_LLLCHAR" => prefixed(Text(Ascii), 3, By::Ascii),
        "IFA_LLLLCHAR" => prefixed(Text(Ascii), 4, By::Ascii),
        "IFA_AMOUNT" => fixed(Signed(Ascii)),
        "IFA_BINARY" => fixed(Hex(Ascii)),
        "IFA_LBINARY" => prefixed(Bytes, 1, By::Ascii),
        "IFA_LLBINARY" => prefixed(Bytes, 2, By::Ascii),
        "IFA_LLLBINARY" => prefixed(Bytes, 3, By::Ascii),
        "IFA_LLLLBINARY" => prefixed(Bytes, 4, By::Ascii),
        "IFA_LLABINARY" => counting_bytes(Hex(Ascii), 2, By::Ascii),
        "IFA_LLLABINARY" => counting_bytes(Hex(Ascii), 3, By::Ascii),
        "IFA_BITMAP" => fixed(Shape::Bitmap(Bitmap::Hex)),

        "IFB_NUMERIC" | "IFB_AMOUNT2003" => fixed(PACKED),
        "IFB_FNUMERIC" => fixed(PACKED_F),
        "IFB_LLNUM" => prefixed(PACKED, 2, By::Bcd),
        "IFB_LLLNUM" => prefixed(PACKED, 3, By::Bcd),
        "IFB_FLLNUM" => prefixed(PACKED_F, 2, By::Bcd),
        "IFB_FLLLNUM" => prefixed(PACKED_F, 3, By::Bcd),
        "IFB_LLHNUM" => prefixed(PACKED, 2, By::Binary),
        "IFB_LLLHNUM" => prefixed(PACKED, 3, By::Binary),
        "IFB_LLCHAR" => prefixed(Text(Ascii), 2, By::Bcd),
        "IFB_LLLCHAR" => prefixed(Text(Ascii), 3, By::Bcd),
        "IFB_LLLLCHAR" => prefixed(Text(Ascii), 4, By::Bcd),
        "IFB_LLHCHAR" => prefixed(Text(Ascii), 2, By::Binary),
        "IFB_LLLHCHAR" => prefixed(Text(Ascii), 3, By::Binary),
        "IFB_LLHECHAR" => prefixed(Text(Ebcdic), 2, By::Binary),
        "IFB_LLLHECHAR" => prefixed(Text(Ebcdic), 3, By::Binary),
        "IFB_AMOUNT" => fixed(SignedPacked),
        "IFB_BINARY" => fixed(Bytes),
        "IFB_LLBINARY" => prefixed(Bytes, 2, By::Bcd),
        "IFB_LLLBINARY" => prefixed(Bytes, 3, By::Bcd),
        "IFB_LLLLBINARY" => prefixed(Bytes, 4, By::Bcd),
        "IFB_LLHBINARY" => prefixed(Bytes, 2, By::Binary),
        "IFB_LLLHBINARY" => prefixed(Bytes, 3, By::Binary),
        "IFB_BITMAP" => fixed(Shape::Bitmap(Bitmap::Binary)),

        "IFE_NUMERIC" => fixed(Digits(Ebcdic)),
        "IFE_LNUM" => prefixed(Digits(Ebcdic), 1, By::Ebcdic),
        "IFE_LLNUM" => prefixed(Digits(Ebcdic), 2, By::Ebcdic),
        "IFE_LLLNUM" => prefixed(Digits(Ebcdic), 3, By::Ebcdic),
        "IFE_LCHAR" => prefixed(Text(Ebcdic), 1, By::Ebcdic),
        "IFE_LLCHAR" => prefixed(Text(Ebcdic), 2, By::Ebcdic),
        "IFE_LLLCHAR" => prefixed(Text(Ebcdic), 3, By::Ebcdic),
        "IFE_LLLLCHAR" => prefixed(Text(Ebcdic), 4, By::Ebcdic),
        "IFE_AMOUNT" => fixed(Signed(Ebcdic)),
        "IFE_BINARY" => fixed(Hex(Ebcdic)),
        "IFE_LBINARY" => prefixed(Bytes, 1, By::Ebcdic),
        "IFE_LLBINARY" => prefixed(Bytes, 2, By::Ebcdic),
        "IFE_LLLBINARY" => prefixed(Bytes, 3, By::Ebcdic),
        "IFE_LLLLBINARY" => prefixed(Bytes, 4, By::Ebcdic),
        "IFE_BITMAP" => fixed(Shape::Bitmap(Bitmap::Ebcdic)),

        "IFAE_LLCHAR" => prefixed(Text(Ebcdic), 2, By::Ascii),
        "IFEA_LLCHAR" => prefixed(Text(Ascii), 2, By::Ebcdic),
        "IFEB_LLNUM" => counting_bytes(PACKED_F, 2, By::Ebcdic),
        "IFEB_LLLNUM" => counting_bytes(PACKED_F, 3, By::Ebcdic),

        "IFMC_LLCHAR" | "IFMC_LLBINARY" => tagged(2, 2, true),
        "IFMC_LLLCHAR" | "IFMC_LLLBINARY" => tagged(2, 3, true),
        "IFA_TTLCHAR" | "IFA_TTLBINARY" => tagged(2, 1, false),
        "IFA_TTLLCHAR" | "IFA_TTLLBINARY" => tagged(2, 2, false),
        "IFA_TTLLLCHAR" | "IFA_TTLLLBINARY" => tagged(2, 3, false),
        "IFA_TTLLLLCHAR" | "IFA_TTLLLLBINARY" => tagged(2, 4, false),
        "IFA_TTTLLLCHAR" => tagged(3, 3, false),

        "IFA_FLLCHAR" | "IFA_FLLNUM" | "IFB_LLHFBINARY" => {
            Class::Inexpressible("it is filled to its full length behind a length that does not say so")
        }
        "IFA_LLBNUM" => Class::Inexpressible("its length counts the digits with their filling"),
        "IFA_LLLLLCHAR" | "IFA_LLLLLBINARY" | "IFA_LLLLLLCHAR" | "IFA_LLLLLLBINARY"
        | "IFB_LLLLLLCHAR" => {
            Class::Inexpressible("its length has more than four digits; no element of a message of at \
                                  most 9,999 bytes is so long")
        }
        "IFB_HEX" | "IFB_LLHEX" | "IFB_LLLHEX" => {
            Class::Inexpressible("it packs hexadecimal characters, of which a dialect has none")
        }
        "IFE_SIGNED_NUMERIC" => Class::Inexpressible("its sign is punched over its last digit"),
        "IFE_LLLEBINARY" => Class::Inexpressible("it translates bytes as if they were EBCDIC"),
        "IF_TCHAR" => Class::Inexpressible("it ends with a character and not by a length"),
        "IFEP_LLCHAR" | "IFEP_LLLCHAR" | "IFEP_LLLBINARY" | "IFEPE_LLCHAR" | "IFEPE_LLLCHAR"
        | "IFEPE_LLBINARY" | "IFELPE_LLLCHAR" | "IFIPM_LLLCHAR" | "IFEMC_LLCHAR"
        | "IFEMC_LLLCHAR" => {
            Class::Inexpressible("its length counts a field number, or its tag is not ASCII digits")
        }
        "IFMC_TCC" | "IFEMC_TCC" => Class::Inexpressible("it is a code before the subfields of its element"),
        "X92_BITMAP" => Class::Inexpressible("it is a bitmap of X9.2"),
        _ => return None,
    })
}

const fn fixed(shape: Shape) -> Class {
    Class::Form(Form {
        shape,
        prefix: None,
    })
}

const fn prefixed(shape: Shape, digits: u8, encoding: PrefixEncoding) -> Class {
    with_prefix(shape, digits, encoding, false)
}

const fn counting_bytes(shape: Shape, digits: u8, encoding: PrefixEncoding) -> Class {
    with_prefix(shape, digits, encoding, true)
}

const fn with_prefix(
    shape: Shape,
    digits: u8,
    encoding: PrefixEncoding,
    counts_bytes: bool,
) -> Class {
    let prefix = Some(Prefix {
        digits,
        encoding,
        counts_bytes,
    });
    Class::Form(Form { shape, prefix })
}

const fn tagged(tag: u8, length: u8, by_number: bool) -> Class {
    Class::Tagged {
        tag,
        length,
        by_number,
    }
}
