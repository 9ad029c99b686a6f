//! Optional parameters (SMPP 3.4 5.3): every tag by name, unknown ones preserved in their order.
//!
//! A PDU's TLVs stay one run of octets: decoding checks the run once and shares it, encoding
//! appends it, and neither allocates. Reading a value walks the run, which is short.

use std::fmt;

use bytes::{BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::octets::MessageId;

/// Longest run of TLVs of one PDU in octets: one message_payload of the greatest length and room
/// for what goes with it.
pub const TLVS_OCTETS_MAX: usize = 68 * 1024;

/// Octets of a tag and a length.
const TLV_HEADER_OCTETS: usize = 4;

/// The tag of an optional parameter.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tag(pub u16);

macro_rules! tags {
    ($($value:literal $constant:ident $name:literal)*) => {
        impl Tag {
            $(#[doc = concat!("`", $name, "` (", stringify!($value), ").")]
            pub const $constant: Self = Self($value);)*

            /// Every tag of SMPP 3.4 table 5-7.
            pub const ALL: &'static [Self] = &[$(Self::$constant),*];

            /// The name of the standard, or `None` for a reserved or vendor's tag.
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some($name),)*
                    _ => None,
                }
            }
        }
    };
}

tags! {
    0x0005 DEST_ADDR_SUBUNIT "dest_addr_subunit"
    0x0006 DEST_NETWORK_TYPE "dest_network_type"
    0x0007 DEST_BEARER_TYPE "dest_bearer_type"
    0x0008 DEST_TELEMATICS_ID "dest_telematics_id"
    0x000D SOURCE_ADDR_SUBUNIT "source_addr_subunit"
    0x000E SOURCE_NETWORK_TYPE "source_network_type"
    0x000F SOURCE_BEARER_TYPE "source_bearer_type"
    0x0010 SOURCE_TELEMATICS_ID "source_telematics_id"
    0x0017 QOS_TIME_TO_LIVE "qos_time_to_live"
    0x0019 PAYLOAD_TYPE "payload_type"
    0x001D ADDITIONAL_STATUS_INFO_TEXT "additional_status_info_text"
    0x001E RECEIPTED_MESSAGE_ID "receipted_message_id"
    0x0030 MS_MSG_WAIT_FACILITIES "ms_msg_wait_facilities"
    0x0201 PRIVACY_INDICATOR "privacy_indicator"
    0x0202 SOURCE_SUBADDRESS "source_subaddress"
    0x0203 DEST_SUBADDRESS "dest_subaddress"
    0x0204 USER_MESSAGE_REFERENCE "user_message_reference"
    0x0205 USER_RESPONSE_CODE "user_response_code"
    0x020A SOURCE_PORT "source_port"
    0x020B DESTINATION_PORT "destination_port"
    0x020C SAR_MSG_REF_NUM "sar_msg_ref_num"
    0x020D LANGUAGE_INDICATOR "language_indicator"
    0x020E SAR_TOTAL_SEGMENTS "sar_total_segments"
    0x020F SAR_SEGMENT_SEQNUM "sar_segment_seqnum"
    0x0210 SC_INTERFACE_VERSION "sc_interface_version"
    0x0302 CALLBACK_NUM_PRES_IND "callback_num_pres_ind"
    0x0303 CALLBACK_NUM_ATAG "callback_num_atag"
    0x0304 NUMBER_OF_MESSAGES "number_of_messages"
    0x0381 CALLBACK_NUM "callback_num"
    0x0420 DPF_RESULT "dpf_result"
    0x0421 SET_DPF "set_dpf"
    0x0422 MS_AVAILABILITY_STATUS "ms_availability_status"
    0x0423 NETWORK_ERROR_CODE "network_error_code"
    0x0424 MESSAGE_PAYLOAD "message_payload"
    0x0425 DELIVERY_FAILURE_REASON "delivery_failure_reason"
    0x0426 MORE_MESSAGES_TO_SEND "more_messages_to_send"
    0x0427 MESSAGE_STATE "message_state"
    0x0501 USSD_SERVICE_OP "ussd_service_op"
    0x1201 DISPLAY_TIME "display_time"
    0x1203 SMS_SIGNAL "sms_signal"
    0x1204 MS_VALIDITY "ms_validity"
    0x130C ALERT_ON_MESSAGE_DELIVERY "alert_on_message_delivery"
    0x1380 ITS_REPLY_TYPE "its_reply_type"
    0x1383 ITS_SESSION_INFO "its_session_info"
}

/// The name of the standard, or the value as four hexadecimal digits.
impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.pad(name),
            None => f.pad(&format!("{:#06x}", self.0)),
        }
    }
}

impl fmt::Debug for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One optional parameter. Its value shares the buffer it was read from.
#[derive(Clone, PartialEq, Eq)]
pub struct Tlv {
    /// What it is.
    pub tag: Tag,
    /// Its octets.
    pub value: Bytes,
}

/// The tag and the length alone: a value may be a message's text.
impl fmt::Debug for Tlv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{} octets>", self.tag, self.value.len())
    }
}

/// A TLV that cannot be added.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum TlvError {
    /// The value's length does not fit its 16-bit field.
    #[error("{tag}: {octets} octets where at most 65535 fit: shorten the value")]
    ValueTooLong {
        /// The TLV that was to be added.
        tag: Tag,
        /// Octets given.
        octets: usize,
    },
    /// All TLVs of the PDU together are too long.
    #[error("{tag}: the TLVs of one PDU would exceed {TLVS_OCTETS_MAX} octets: send fewer")]
    TooMany {
        /// The TLV that was to be added.
        tag: Tag,
    },
}

/// The optional parameters of one PDU, in their order on the wire.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Tlvs {
    // Whole TLVs only: checked when read, built by `push` otherwise.
    run: Bytes,
}

impl Tlvs {
    /// No optional parameters.
    pub const EMPTY: Self = Self { run: Bytes::new() };

    /// The reader has checked that `run` consists of whole TLVs.
    pub(super) fn received(run: Bytes) -> Self {
        Self { run }
    }

    /// Appends a parameter.
    pub fn push(&mut self, tag: Tag, value: &[u8]) -> Result<(), TlvError> {
        let Ok(length) = u16::try_from(value.len()) else {
            return Err(TlvError::ValueTooLong {
                tag,
                octets: value.len(),
            });
        };
        if self.run.len() + TLV_HEADER_OCTETS + value.len() > TLVS_OCTETS_MAX {
            return Err(TlvError::TooMany { tag });
        }
        let mut run = BytesMut::from(std::mem::take(&mut self.run));
        run.reserve(TLV_HEADER_OCTETS + value.len());
        run.put_u16(tag.0);
        run.put_u16(length);
        run.put_slice(value);
        self.run = run.freeze();
        Ok(())
    }

    /// The same with one more parameter, to be chained.
    pub fn with(mut self, tag: Tag, value: &[u8]) -> Result<Self, TlvError> {
        self.push(tag, value)?;
        Ok(self)
    }

    /// True when there are none.
    pub fn is_empty(&self) -> bool {
        self.run.is_empty()
    }

    /// The parameters in their order.
    pub fn iter(&self) -> impl Iterator<Item = Tlv> + '_ {
        let mut at = 0;
        std::iter::from_fn(move || {
            let [t0, t1, l0, l1] = self.run.get(at..)?.first_chunk::<4>().copied()?;
            let start = at + TLV_HEADER_OCTETS;
            let end = start + usize::from(u16::from_be_bytes([l0, l1]));
            // `get` has to succeed before `slice` may be asked, which panics out of bounds.
            self.run.get(start..end)?;
            at = end;
            let tag = Tag(u16::from_be_bytes([t0, t1]));
            Some(Tlv {
                tag,
                value: self.run.slice(start..end),
            })
        })
    }

    /// The value of the first parameter with this tag.
    pub fn get(&self, tag: Tag) -> Option<Bytes> {
        if self.run.is_empty() {
            return None;
        }
        self.iter().find(|tlv| tlv.tag == tag).map(|tlv| tlv.value)
    }

    fn get_u8(&self, tag: Tag) -> Option<u8> {
        self.get(tag)?.first_chunk::<1>().map(|[octet]| *octet)
    }

    fn get_u16(&self, tag: Tag) -> Option<u16> {
        self.get(tag)?
            .first_chunk::<2>()
            .copied()
            .map(u16::from_be_bytes)
    }

    /// The message that a receipt is about (5.3.2.12). A missing NUL is tolerated; an id that is
    /// empty or longer than [`MESSAGE_ID_OCTETS_MAX`](super::octets::MESSAGE_ID_OCTETS_MAX) is none.
    pub fn receipted_message_id(&self) -> Option<MessageId> {
        let mut value = self.get(Tag::RECEIPTED_MESSAGE_ID)?;
        let length = value
            .iter()
            .position(|&octet| octet == 0)
            .unwrap_or(value.len());
        value.truncate(length);
        MessageId::new(value).ok().filter(|id| !id.is_empty())
    }

    /// The state of the message that a receipt is about (5.3.2.35), as in query_sm_resp.
    pub fn message_state(&self) -> Option<u8> {
        self.get_u8(Tag::MESSAGE_STATE)
    }

    /// The network's error (5.3.2.31): network type, then code.
    pub fn network_error_code(&self) -> Option<(u8, u16)> {
        let [network, c0, c1] = self
            .get(Tag::NETWORK_ERROR_CODE)?
            .first_chunk::<3>()
            .copied()?;
        Some((network, u16::from_be_bytes([c0, c1])))
    }

    /// The text of a message that is too long for short_message (5.3.2.32).
    pub fn message_payload(&self) -> Option<Bytes> {
        self.get(Tag::MESSAGE_PAYLOAD)
    }

    /// The reference that all segments of one message share (5.3.2.22).
    pub fn sar_msg_ref_num(&self) -> Option<u16> {
        self.get_u16(Tag::SAR_MSG_REF_NUM)
    }

    /// How many segments the message has (5.3.2.23).
    pub fn sar_total_segments(&self) -> Option<u8> {
        self.get_u8(Tag::SAR_TOTAL_SEGMENTS)
    }

    /// Which segment this is, from one (5.3.2.24).
    pub fn sar_segment_seqnum(&self) -> Option<u8> {
        self.get_u8(Tag::SAR_SEGMENT_SEQNUM)
    }

    /// The version that an SMSC speaks (5.3.2.25): 0x34 is 3.4.
    pub fn sc_interface_version(&self) -> Option<u8> {
        self.get_u8(Tag::SC_INTERFACE_VERSION)
    }

    /// The ESME's own reference of a message (5.3.2.17).
    pub fn user_message_reference(&self) -> Option<u16> {
        self.get_u16(Tag::USER_MESSAGE_REFERENCE)
    }

    #[inline]
    pub(super) fn put(&self, out: &mut BytesMut) {
        if !self.run.is_empty() {
            out.put_slice(&self.run);
        }
    }
}

impl fmt::Debug for Tlvs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tag_of_the_standard_has_one_name() {
        assert_eq!(Tag::ALL.len(), 44);
        assert!(Tag::ALL.windows(2).all(|pair| pair[0] < pair[1]));
        assert_eq!(Tag(0x1400).to_string(), "0x1400");
    }

    #[test]
    fn an_unknown_tag_keeps_its_place_and_its_value() {
        let tlvs = Tlvs::EMPTY
            .with(Tag::MESSAGE_STATE, &[2])
            .and_then(|tlvs| tlvs.with(Tag(0x1400), b"vendor"))
            .and_then(|tlvs| tlvs.with(Tag::USER_MESSAGE_REFERENCE, &[1, 2]))
            .unwrap();
        let tags: Vec<_> = tlvs.iter().map(|tlv| tlv.tag.0).collect();
        assert_eq!(tags, [0x0427, 0x1400, 0x0204]);
        assert_eq!(tlvs.get(Tag(0x1400)).unwrap(), "vendor");
        assert_eq!(tlvs.user_message_reference(), Some(0x0102));
        assert_eq!(tlvs.message_state(), Some(2));
    }

    #[test]
    fn a_value_shorter_than_its_type_is_no_value() {
        let tlvs = Tlvs::EMPTY
            .with(Tag::SAR_MSG_REF_NUM, &[1])
            .and_then(|tlvs| tlvs.with(Tag::NETWORK_ERROR_CODE, &[3, 0]))
            .unwrap();
        assert_eq!(tlvs.sar_msg_ref_num(), None);
        assert_eq!(tlvs.network_error_code(), None);
    }

    #[test]
    fn a_receipted_message_id_is_read_with_and_without_its_nul() {
        for value in [&b"4F2A\0"[..], b"4F2A"] {
            let tlvs = Tlvs::EMPTY.with(Tag::RECEIPTED_MESSAGE_ID, value).unwrap();
            assert_eq!(tlvs.receipted_message_id().unwrap().as_bytes(), b"4F2A");
        }
    }

    #[test]
    fn too_long_a_value_and_too_many_values_are_refused() {
        let long = vec![0; 65_536];
        let tag = Tag::MESSAGE_PAYLOAD;
        let refused = Tlvs::EMPTY.with(tag, &long);
        assert_eq!(
            refused,
            Err(TlvError::ValueTooLong {
                tag,
                octets: 65_536
            })
        );
        let full = Tlvs::EMPTY.with(tag, &long[1..]).unwrap();
        assert_eq!(
            full.with(tag, &long[..4096]),
            Err(TlvError::TooMany { tag })
        );
    }

    #[test]
    fn a_value_is_not_in_debug_output() {
        let tlvs = Tlvs::EMPTY.with(Tag::MESSAGE_PAYLOAD, b"PIN 9999").unwrap();
        assert_eq!(format!("{tlvs:?}"), "[message_payload <8 octets>]");
    }
}
