//! How the contract's messages that carry card data or message text show themselves: by what
//! names them, never by what they carry. `build.rs` leaves their derived `Debug` out.

use std::fmt;

use super::proto::{
    Address, BankEvent, BinaryBody, Element, MobileOriginated, Receipt, ReplaceRequest,
    SubmitRequest, Tlv, TransactRequest, element, submit_request,
};

impl fmt::Debug for SubmitRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitRequest")
            .field("request_id", &self.request_id)
            .field("route", &self.route)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for submit_request::Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Binary(binary) => binary.fmt(f),
        }
    }
}

impl fmt::Debug for BinaryBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BinaryBody({} bytes)", self.data.len())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({} characters)", self.number.len())
    }
}

impl fmt::Debug for Tlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tlv({:#06x}, {} bytes)", self.tag, self.value.len())
    }
}

impl fmt::Debug for ReplaceRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReplaceRequest")
            .field("request_id", &self.request_id)
            .field("smsc", &self.smsc)
            .field("message_id", &self.message_id)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for MobileOriginated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MobileOriginated({} bytes)", self.data.len())
    }
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Receipt")
            .field("message_id", &self.message_id)
            .field("state", &self.state())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for BankEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankEvent")
            .field("bank", &self.bank)
            .field("message_type", &self.message_type)
            .field("stan", &self.stan)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for TransactRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TransactRequest")
            .field("payment_id", &self.payment_id)
            .field("kind", &self.kind())
            .field("bank", &self.bank)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Element({}, {:?})", self.number, self.value)
    }
}

impl fmt::Debug for element::Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{} characters", text.len()),
            Self::Binary(octets) => write!(f, "{} octets", octets.len()),
        }
    }
}
