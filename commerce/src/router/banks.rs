//! Charges by the router's payments: each outcome of the contract in the words of the port.
//!
//! A charge is told as not sent only once a look-up by its id knows of nothing else: an earlier call for
//! it may have gone unheard. What the contract excludes is told as unheard, never guessed.

use super::{
    Router,
    failure::{Failure, contradiction, words},
    proto::{
        LookupRequest, Money, PaymentKind, PaymentOutcome, PaymentResult, Reason, ReverseRequest,
        TransactRequest,
    },
};
use crate::{
    port::{Answer, Banks, Charge, Charged, Unheard},
    word::Id,
};

const CURRENCY: &str = "VND";

impl Banks for Router {
    fn charge<'a>(&'a self, charge: &'a Charge) -> Answer<'a, Charged> {
        Box::pin(self.transact(charge))
    }

    fn find<'a>(&'a self, id: &'a Id) -> Answer<'a, Option<Charged>> {
        Box::pin(self.look_up(id))
    }

    fn reverse<'a>(&'a self, id: &'a Id) -> Answer<'a, Charged> {
        Box::pin(self.take_back(id))
    }
}

impl Router {
    async fn transact(&self, charge: &Charge) -> Result<Charged, Unheard> {
        let Ok(amount_minor) = u64::try_from(charge.amount.dong()) else {
            let why = "an amount below zero; this is a fault of commerce".to_owned();
            return Ok(Charged::NotSent { why });
        };
        let request = TransactRequest {
            payment_id: charge.id.to_string(),
            kind: PaymentKind::Purchase.into(),
            bank: charge.bank.to_string(),
            pan: charge.account.reveal().to_owned(),
            // The dong has no smaller unit, so that its minor unit is itself.
            amount: Some(Money {
                amount_minor,
                currency: CURRENCY.to_owned(),
            }),
            deadline_ms: self.deadline_ms(),
            ..TransactRequest::default()
        };
        let mut payments = self.payments();
        let called = self.call("charge", payments.transact(self.request(request)));
        let charged = match called.await {
            Ok(result) => charged(&charge.id, result)?,
            Err(Failure::Invalid(why)) => Charged::NotSent { why },
            Err(Failure::Unheard(unheard)) => return Err(unheard),
        };
        match charged {
            Charged::NotSent { .. } => Ok(self.look_up(&charge.id).await?.unwrap_or(charged)),
            known => Ok(known),
        }
    }

    async fn look_up(&self, id: &Id) -> Result<Option<Charged>, Unheard> {
        let request = LookupRequest {
            payment_id: id.to_string(),
        };
        let mut payments = self.payments();
        let called = self.call("find", payments.lookup(self.request(request)));
        let result = called.await.map_err(Failure::into_unheard)?;
        match (result.found, result.payment) {
            (false, _) => Ok(None),
            (true, Some(payment)) => charged(id, payment).map(Some),
            (true, None) => Err(contradiction("that it has a payment, and not which")),
        }
    }

    async fn take_back(&self, id: &Id) -> Result<Charged, Unheard> {
        let request = ReverseRequest {
            payment_id: id.to_string(),
            ..ReverseRequest::default()
        };
        let mut payments = self.payments();
        let called = self.call("reverse", payments.reverse(self.request(request)));
        charged(id, called.await.map_err(Failure::into_unheard)?)
    }
}

fn charged(id: &Id, result: PaymentResult) -> Result<Charged, Unheard> {
    if result.payment_id != id.as_str() {
        return Err(contradiction("what became of another payment"));
    }
    let Ok(outcome) = PaymentOutcome::try_from(result.outcome) else {
        return Err(contradiction("an outcome that commerce does not know"));
    };
    let reason = Reason::try_from(result.reason).unwrap_or_default();
    if outcome == PaymentOutcome::NotSent && is_of_another(reason) {
        return Err(Unheard(format!(
            "it has another charge under the id {id}: its amount, bank or account has changed since \
             it was first asked for; have a person look up the payment at the router"
        )));
    }
    let charged = match outcome {
        PaymentOutcome::Approved => Charged::Approved {
            authorization: words(&result.authorization_id),
        },
        PaymentOutcome::Declined => Charged::Declined {
            response_code: words(&result.response_code),
        },
        PaymentOutcome::NotSent => Charged::NotSent {
            why: format!("{} ({})", words(&result.detail), reason.as_str_name()),
        },
        PaymentOutcome::Pending => Charged::Pending,
        PaymentOutcome::Reversing => Charged::Reversing,
        PaymentOutcome::Reversed => Charged::Reversed,
        PaymentOutcome::ReversalFailed => Charged::ReversalFailed,
        PaymentOutcome::Resolved => Charged::Resolved {
            how: words(&result.detail),
        },
        PaymentOutcome::Unknown => {
            return Err(contradiction("UNKNOWN of a payment that moves money"));
        }
        PaymentOutcome::Unspecified => return Err(contradiction("no outcome")),
    };
    if has_no_effect(&charged) != result.retry_is_safe {
        // Of a reversal: that the bank keeps a part of the amount.
        return Err(contradiction("an outcome and another of a retry"));
    }
    Ok(charged)
}

/// Whether the id stands for another payment, of which the refusal says nothing.
fn is_of_another(reason: Reason) -> bool {
    match reason {
        Reason::IdReused => true,
        Reason::Unspecified
        | Reason::Invalid
        | Reason::NoRoute
        | Reason::NoLink
        | Reason::QueueFull
        | Reason::Deadline
        | Reason::Timeout
        | Reason::LinkLost
        | Reason::Stopping
        | Reason::Limit
        | Reason::Journal
        | Reason::BadAnswer
        | Reason::Cancelled
        | Reason::Internal => false,
    }
}

/// Whether the bank has nothing of the account, so that the same may be tried under another id.
fn has_no_effect(charged: &Charged) -> bool {
    match charged {
        Charged::Declined { .. } | Charged::NotSent { .. } | Charged::Reversed => true,
        Charged::Approved { .. }
        | Charged::Pending
        | Charged::Reversing
        | Charged::ReversalFailed
        | Charged::Resolved { .. } => false,
    }
}
