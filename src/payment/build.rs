//! The messages to a bank: a request from a payment, a reversal from the request that was sent.
//!
//! Pure: the time and the STAN are passed in. Which elements a message carries is decided here, how
//! they travel is the dialect's business.

use bytes::Bytes;

use super::Payment;
use crate::{
    iso8583::{
        Message, Mti, OriginalData, Stan, amount,
        original::OriginalDataError,
        security::{PinBlock, PinError, PinPolicy},
        session::Now,
        time::{local_date, local_time, transmission},
    },
    journal::{KeptRequest, KeptResponse},
    link::settings::{BankSettings, ReversalSettings, ReversalStan},
    outcome::Reason,
};

/// Why a request could not be built; each is the caller's fault.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum BuildError {
    /// A raw element that is not the caller's to set.
    #[error("elements[{index}].number: DE{number} is filled in by Sampan; leave it out")]
    Reserved {
        /// Its place in the request.
        index: usize,
        /// The element.
        number: u8,
    },
    /// No element of that number can be sent.
    #[error("elements[{index}].number: {number} is not between 2 and 128")]
    NoElement {
        /// Its place in the request.
        index: usize,
        /// What was given.
        number: u8,
    },
    /// A PIN block where none is taken.
    #[error(
        "elements[{index}]: the bank takes no PIN block (DE52) from callers; [bank.pin] in the \
         configuration says how it could"
    )]
    PinRefused {
        /// Its place in the request.
        index: usize,
    },
    /// A PIN block that cannot be given to the bank.
    #[error("elements[{index}]: {why}")]
    Pin {
        /// Its place in the request.
        index: usize,
        /// Why.
        why: PinError,
    },
}

/// DE52, the PIN block.
const DE_PIN: u8 = 52;

/// The elements that a request's own fields and the bank's settings fill in, and the MACs.
const RESERVED: [u8; 16] = [1, 2, 3, 4, 7, 11, 12, 13, 37, 41, 42, 49, 64, 65, 90, 128];

/// The elements that a 0420 takes over from the request, besides those that it makes anew.
const KEPT_BY_REVERSAL: [u8; 17] = [
    2, 3, 4, 12, 13, 15, 22, 25, 32, 33, 37, 41, 42, 49, 102, 103, 18,
];

/// The 0200 of a payment.
pub(super) fn request(
    payment: &Payment,
    settings: &BankSettings,
    stan: Stan,
    now: Now,
) -> Result<Message, BuildError> {
    let mut message = Message::new(Mti::FINANCIAL_REQUEST);
    let local = now.utc.to_offset(settings.local_offset);
    message
        .set(2, payment.pan.digits())
        .set(3, payment.transaction.processing_code());
    if let Some(money) = payment.transaction.amount() {
        message
            .set(4, amount::zero_filled::<12>(money.amount_minor()))
            .set(49, money.currency().digits());
    }
    message
        .set(7, transmission(now.utc))
        .set(11, stan.digits())
        .set(12, local_time(local))
        .set(13, local_date(local))
        .set(37, retrieval_reference(payment, local, stan));
    let filled: [(u8, &[u8]); 10] = [
        (14, &payment.expiry),
        (18, settings.merchant_category.as_bytes()),
        (22, settings.pos_entry_mode.as_bytes()),
        (25, settings.pos_condition.as_bytes()),
        (32, settings.acquirer_id.as_bytes()),
        (33, settings.forwarder_id.as_bytes()),
        (41, terminal(payment, settings)),
        (42, or_own(&payment.merchant_id, &settings.merchant_id)),
        (102, &payment.from_account_id),
        (103, &payment.to_account_id),
    ];
    for (number, value) in filled {
        if !value.is_empty() {
            message.set(number, value);
        }
    }
    for (index, (number, value)) in payment.elements.iter().enumerate() {
        let number = *number;
        if !(2..=128).contains(&number) {
            return Err(BuildError::NoElement { index, number });
        }
        if RESERVED.contains(&number) {
            return Err(BuildError::Reserved { index, number });
        }
        if number == DE_PIN {
            let block = pin_block(payment, settings, index, value)?;
            message.set(number, block.octets());
            continue;
        }
        message.set(number, value);
    }
    Ok(message)
}

/// DE41 of a payment's messages.
pub(super) fn terminal<'a>(payment: &'a Payment, settings: &'a BankSettings) -> &'a [u8] {
    or_own(&payment.terminal_id, &settings.terminal_id)
}

/// What the payment says, or else the bank's own value.
fn or_own<'a>(given: &'a Bytes, own: &'a str) -> &'a [u8] {
    match given.is_empty() {
        true => own.as_bytes(),
        false => given,
    }
}

/// The PIN block as the bank gets it.
fn pin_block(
    payment: &Payment,
    settings: &BankSettings,
    index: usize,
    given: &[u8],
) -> Result<PinBlock, BuildError> {
    let failed = |why| BuildError::Pin { index, why };
    let block = PinBlock::new(given).ok_or(failed(PinError::Block))?;
    match &settings.session.security.pin {
        PinPolicy::Refuse => Err(BuildError::PinRefused { index }),
        PinPolicy::Pass => Ok(block),
        PinPolicy::Translate(translator) => translator
            .translate(&block, payment.pan.digits())
            .map_err(failed),
    }
}

/// DE37 as given, or last digit of the year, day of the year, hour and STAN, which is the common use.
fn retrieval_reference(payment: &Payment, local: time::OffsetDateTime, stan: Stan) -> Bytes {
    if !payment.retrieval_reference.is_empty() {
        return payment.retrieval_reference.clone();
    }
    let year = local.year().rem_euclid(10);
    format!("{year}{:03}{:02}{stan}", local.ordinal(), local.hour()).into()
}

/// What names the original in DE90, besides what the reversal carries itself.
const NAMES_THE_ORIGINAL: [u8; 2] = [7, 11];

/// Of a request what its reversal is made of. All else, which may be a PIN block, a track, a card's
/// verification value in an element of the bank's own, is kept no longer than the exchange.
pub(super) fn kept_for_reversal(request: &Message) -> KeptRequest {
    KeptRequest::of(request, |number| {
        KEPT_BY_REVERSAL.contains(&number) || NAMES_THE_ORIGINAL.contains(&number)
    })
}

/// What is to be taken back.
pub(super) struct Original<'a> {
    /// The request as it was sent, without what may not be kept.
    pub(super) request: &'a Message,
    /// What the bank answered, if it did.
    pub(super) response: &'a KeptResponse,
    /// What the bank is to keep of the amount; `None` takes back the whole.
    pub(super) actual_amount_minor: Option<u64>,
}

/// The 0420 that takes a request back.
///
/// # Errors
/// If the request lacks what DE90 is made of, which would be a fault of Sampan.
pub(super) fn reversal(
    original: Original<'_>,
    settings: &ReversalSettings,
    reason: Reason,
    stan: Stan,
    now: Now,
) -> Result<Message, OriginalDataError> {
    let Original {
        request, response, ..
    } = original;
    let mut message = Message::new(settings.mti);
    for number in KEPT_BY_REVERSAL {
        if let Some(value) = request.get(number) {
            message.set(number, value);
        }
    }
    // The day on which the bank settles is the bank's to say, and a reversal belongs to the day of
    // its original, even after a cutover.
    if let Some(day) = response.other(15) {
        message.set(15, day);
    }
    if !response.authorization_id().is_empty() {
        message.set(38, response.authorization_id());
    }
    let stan = match settings.stan {
        ReversalStan::New => stan,
        ReversalStan::Original => request.stan().unwrap_or(stan),
    };
    message
        .set(7, transmission(now.utc))
        .set(11, stan.digits())
        .set(settings.reason_element, reason_code(settings, reason))
        .set(90, OriginalData::of(request)?.digits());
    if let Some(actual_amount_minor) = original.actual_amount_minor {
        message.set(95, replacement_amounts(actual_amount_minor));
    }
    Ok(message)
}

/// DE95: the actual amount of the transaction in 12 digits, that of the settlement (0: the bank
/// computes it), and the fees, unchanged, in zeros (ISO 8583:1987, data element 95).
fn replacement_amounts(actual_amount_minor: u64) -> [u8; 42] {
    let mut digits = [b'0'; 42];
    let (amount, _) = digits.split_at_mut(12);
    amount.copy_from_slice(&amount::zero_filled::<12>(actual_amount_minor));
    digits
}

fn reason_code(settings: &ReversalSettings, reason: Reason) -> &str {
    match reason {
        Reason::Cancelled => &settings.cancel_code,
        Reason::BadAnswer | Reason::Internal => &settings.error_code,
        Reason::Timeout
        | Reason::LinkLost
        | Reason::Stopping
        | Reason::Deadline
        | Reason::Invalid
        | Reason::NoRoute
        | Reason::NoLink
        | Reason::QueueFull
        | Reason::Limit
        | Reason::Journal
        | Reason::IdReused => &settings.timeout_code,
    }
}
