//! The tags of chip data that banks are sent, their names (EMV Book 3, Annex A), and how much of
//! each may be seen.
//!
//! What holds the card's number, its track, its holder or what could be used to talk to the card is
//! hidden, and so is every tag that is not listed: wallets and schemes put track data into tags of
//! their own.

use super::Shown;
use super::ber::Tag;

/// A tag that is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTag {
    /// The tag.
    pub tag: Tag,
    /// Its name in EMV Book 3, Annex A.
    pub name: &'static str,
    /// How its value is shown.
    pub(super) shown: Shown,
}

/// What is known of a tag.
pub fn known(tag: Tag) -> Option<&'static KnownTag> {
    let index = KNOWN.binary_search_by_key(&tag, |known| known.tag).ok()?;
    KNOWN.get(index)
}

const fn tag(tag: u32, name: &'static str, shown: Shown) -> KnownTag {
    KnownTag {
        tag: Tag::of(tag),
        name,
        shown,
    }
}

/// Rising by tag.
static KNOWN: &[KnownTag] = {
    use Shown::{ByItsParts, CardNumber, Hex, Hidden, Text};
    &[
        tag(0x42, "Issuer identification number", Hex),
        tag(0x4F, "Application dedicated file name", Hex),
        tag(0x50, "Application label", Text),
        // All of track 1: card number, holder, expiry, card code.
        tag(0x56, "Track 1 data", Hidden),
        // All of track 2: card number, expiry, card code.
        tag(0x57, "Track 2 equivalent data", Hidden),
        tag(0x5A, "Application PAN", CardNumber),
        tag(0x61, "Application template", ByItsParts),
        tag(0x6F, "FCI template", ByItsParts),
        tag(0x70, "Record template", ByItsParts),
        tag(0x71, "Issuer script template 1", ByItsParts),
        tag(0x72, "Issuer script template 2", ByItsParts),
        tag(0x73, "Directory discretionary template", ByItsParts),
        tag(0x77, "Response message template 2", ByItsParts),
        // The card's answer in the order of the card: cryptogram and issuer data without tags.
        tag(0x80, "Response message template 1", Hidden),
        tag(0x81, "Amount, authorised (binary)", Hex),
        tag(0x82, "Application interchange profile", Hex),
        tag(0x83, "Command template", Hidden),
        tag(0x84, "Dedicated file name", Hex),
        // A command for the card, a new PIN among others.
        tag(0x86, "Issuer script command", Hidden),
        tag(0x87, "Application priority indicator", Hex),
        tag(0x88, "Short file identifier", Hex),
        tag(0x89, "Authorisation code", Text),
        tag(0x8A, "Authorisation response code", Text),
        tag(0x8C, "Card risk management DOL 1", Hex),
        tag(0x8D, "Card risk management DOL 2", Hex),
        tag(0x8E, "Cardholder verification method list", Hex),
        tag(0x8F, "Certification authority public key index", Hex),
        tag(0x90, "Issuer public key certificate", Hidden),
        tag(0x91, "Issuer authentication data", Hex),
        tag(0x92, "Issuer public key remainder", Hidden),
        // Signed by the issuer over the card's own data.
        tag(0x93, "Signed static application data", Hidden),
        tag(0x94, "Application file locator", Hex),
        tag(0x95, "Terminal verification results", Hex),
        tag(0x97, "Transaction certificate DOL", Hex),
        tag(0x98, "Transaction certificate hash", Hex),
        // The PIN.
        tag(0x99, "Transaction PIN data", Hidden),
        tag(0x9A, "Transaction date", Hex),
        tag(0x9B, "Transaction status information", Hex),
        tag(0x9C, "Transaction type", Hex),
        tag(0x9D, "Directory definition file name", Hex),
        tag(0xA5, "FCI proprietary template", ByItsParts),
        // The holder's name.
        tag(0x5F20, "Cardholder name", Hidden),
        // Expiry goes with the card number; DE14 is hidden too.
        tag(0x5F24, "Application expiration date", Hidden),
        tag(0x5F25, "Application effective date", Hex),
        tag(0x5F28, "Issuer country code", Hex),
        tag(0x5F2A, "Transaction currency code", Hex),
        tag(0x5F2D, "Language preference", Text),
        tag(0x5F30, "Service code", Hidden),
        tag(0x5F34, "Application PAN sequence number", Hex),
        tag(0x5F36, "Transaction currency exponent", Hex),
        // Names the holder's account.
        tag(0x5F53, "International bank account number", Hidden),
        tag(0x5F54, "Bank identifier code", Text),
        tag(0x5F55, "Issuer country code (two letters)", Text),
        tag(0x5F56, "Issuer country code (three letters)", Text),
        tag(0x9F01, "Acquirer identifier", Hex),
        tag(0x9F02, "Amount, authorised", Hex),
        tag(0x9F03, "Amount, other", Hex),
        tag(0x9F04, "Amount, other (binary)", Hex),
        tag(0x9F05, "Application discretionary data", Hidden),
        tag(0x9F06, "Application identifier, terminal", Hex),
        tag(0x9F07, "Application usage control", Hex),
        tag(0x9F08, "Application version number, card", Hex),
        tag(0x9F09, "Application version number, terminal", Hex),
        // The holder's name.
        tag(0x9F0B, "Cardholder name, extended", Hidden),
        tag(0x9F0D, "Issuer action code, default", Hex),
        tag(0x9F0E, "Issuer action code, denial", Hex),
        tag(0x9F0F, "Issuer action code, online", Hex),
        tag(0x9F10, "Issuer application data", Hex),
        tag(0x9F11, "Issuer code table index", Hex),
        tag(0x9F12, "Application preferred name", Text),
        tag(0x9F13, "Last online application transaction counter", Hex),
        tag(0x9F14, "Lower consecutive offline limit", Hex),
        tag(0x9F15, "Merchant category code", Hex),
        tag(0x9F16, "Merchant identifier", Text),
        tag(0x9F17, "PIN try counter", Hex),
        tag(0x9F18, "Issuer script identifier", Hex),
        tag(0x9F1A, "Terminal country code", Hex),
        tag(0x9F1B, "Terminal floor limit", Hex),
        tag(0x9F1C, "Terminal identification", Text),
        tag(0x9F1D, "Terminal risk management data", Hex),
        tag(0x9F1E, "Interface device serial number", Text),
        // The rest of a track: card code and PIN check value.
        tag(0x9F1F, "Track 1 discretionary data", Hidden),
        // The rest of a track: card code and PIN check value.
        tag(0x9F20, "Track 2 discretionary data", Hidden),
        tag(0x9F21, "Transaction time", Hex),
        tag(0x9F22, "Certification authority public key index", Hex),
        tag(0x9F23, "Upper consecutive offline limit", Hex),
        // Identifies the account behind a token (EMV tokenisation framework).
        tag(0x9F24, "Payment account reference", Hidden),
        tag(0x9F26, "Application cryptogram", Hex),
        tag(0x9F27, "Cryptogram information data", Hex),
        tag(0x9F33, "Terminal capabilities", Hex),
        tag(0x9F34, "Cardholder verification method results", Hex),
        tag(0x9F35, "Terminal type", Hex),
        tag(0x9F36, "Application transaction counter", Hex),
        tag(0x9F37, "Unpredictable number", Hex),
        tag(0x9F38, "Processing options DOL", Hex),
        tag(0x9F39, "Point-of-service entry mode", Hex),
        tag(0x9F3A, "Amount, reference currency", Hex),
        tag(0x9F3B, "Application reference currency", Hex),
        tag(0x9F3C, "Transaction reference currency code", Hex),
        tag(0x9F3D, "Transaction reference currency exponent", Hex),
        tag(0x9F40, "Additional terminal capabilities", Hex),
        tag(0x9F41, "Transaction sequence counter", Hex),
        tag(0x9F42, "Application currency code", Hex),
        tag(0x9F44, "Application currency exponent", Hex),
        tag(0x9F45, "Data authentication code", Hex),
        tag(0x9F4C, "ICC dynamic number", Hex),
        tag(0x9F4E, "Merchant name and location", Text),
        tag(0x9F53, "Transaction category code", Hex),
        tag(0x9F5B, "Issuer script results", Hex),
        tag(0x9F66, "Terminal transaction qualifiers", Hex),
        // Card number, expiry and card code of a contactless card.
        tag(0x9F6B, "Track 2 data, contactless", Hidden),
        tag(0x9F6C, "Card transaction qualifiers", Hex),
        // Device identifiers of a telephone or wallet.
        tag(0x9F6E, "Form factor indicator", Hidden),
        // Whatever the issuer likes, account data too.
        tag(0x9F7C, "Customer exclusive data", Hidden),
        tag(0xBF0C, "FCI issuer discretionary data", ByItsParts),
    ]
};

/// Whether a binary search finds every tag.
#[cfg(test)]
pub(super) fn is_sorted() -> bool {
    KNOWN.is_sorted_by(|one, next| one.tag < next.tag)
}
