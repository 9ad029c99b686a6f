//! `sampan lookup` and `sampan reverse`, and how every command tells what became of a payment.

use clap::Args;

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    report::{Form, Report, bare, reason, some},
};
use crate::{
    iso8583::mask::masked,
    rpc::proto::{
        Element, LookupRequest, PaymentOutcome, PaymentResult, ReverseRequest, element,
        payments_client::PaymentsClient,
    },
};

/// A payment by its id, and how to reach the router.
#[derive(Args)]
pub(super) struct PaymentArgs {
    /// The id that the payment was made under, by the same client.
    #[arg(long, value_name = "ID")]
    id: String,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    connection: Connection,
}

/// A payment to take back, and how to reach the router.
#[derive(Args)]
pub(super) struct ReverseArgs {
    /// What the bank is to keep of the amount, in minor units; without it nothing.
    #[arg(long, value_name = "MINOR")]
    keep: Option<u64>,
    #[command(flatten)]
    payment: PaymentArgs,
}

/// Prints what is known of a payment. [`Exit::Success`] if it is known, however it ended.
pub(super) fn lookup(args: PaymentArgs) -> Result<Exit, Trouble> {
    let request = LookupRequest {
        payment_id: args.id.clone(),
    };
    let found = args.connection.ask(async move |sampan| {
        let answered = PaymentsClient::new(sampan).lookup(request).await;
        answered.map_err(|status| refused(&status))
    })?;
    let found = found.into_inner();
    let (exit, told) = match found.payment {
        Some(payment) => (Exit::Success, report(payment)),
        None => {
            let unknown = Report::new("NOT_FOUND").with("payment_id", args.id);
            (Exit::Failure, unknown)
        }
    };
    told.with("late_response_code", some(found.late_response_code))
        .print(&args.form)?;
    Ok(exit)
}

/// Takes a payment back. [`Exit::Success`] if it is taken back or the router is at it, which
/// repeats until the bank acknowledges.
pub(super) fn reverse(args: ReverseArgs) -> Result<Exit, Trouble> {
    let PaymentArgs {
        id,
        form,
        connection,
    } = args.payment;
    let request = ReverseRequest {
        payment_id: id,
        actual_amount_minor: args.keep.unwrap_or(0),
    };
    let answered = connection.ask(async move |sampan| {
        let answered = PaymentsClient::new(sampan).reverse(request).await;
        answered.map_err(|status| refused(&status))
    })?;
    let taken_back = [PaymentOutcome::Reversing, PaymentOutcome::Reversed];
    tell_one_of(answered.into_inner(), &taken_back, &form)
}

/// Prints a payment's outcome. [`Exit::Success`] only if it is one of these.
pub(super) fn tell_one_of(
    payment: PaymentResult,
    outcomes: &[PaymentOutcome],
    form: &Form,
) -> Result<Exit, Trouble> {
    let is_one = outcomes.contains(&payment.outcome());
    report(payment).print(form)?;
    Ok(Exit::success_if(is_one))
}

/// Prints a payment's outcome. [`Exit::Success`] only if the bank approved.
pub(super) fn tell(payment: PaymentResult, form: &Form) -> Result<Exit, Trouble> {
    let is_approved = payment.outcome() == PaymentOutcome::Approved;
    report(payment).print(form)?;
    Ok(Exit::success_if(is_approved))
}

fn report(payment: PaymentResult) -> Report {
    let outcome = bare(payment.outcome().as_str_name(), "PAYMENT_OUTCOME_");
    let mut report = Report::new(outcome)
        .with("reason", reason(payment.reason()))
        .with("detail", some(payment.detail))
        .with("retry_is_safe", payment.retry_is_safe)
        .with("payment_id", payment.payment_id)
        .with("bank", some(payment.bank))
        .with("response_code", some(payment.response_code))
        .with("authorization_id", some(payment.authorization_id))
        .with("stan", some(payment.stan))
        .with("retrieval_reference", some(payment.retrieval_reference));
    if let Some(reversal) = payment.reversal {
        report = report
            .with("reversal_reason", reason(reversal.reason()))
            .with("reversal_attempts", reversal.attempts)
            .with("reversal_response_code", some(reversal.response_code))
            .with("reversal_stan", some(reversal.stan));
        if reversal.actual_amount_minor > 0 {
            report = report.with("kept_by_the_bank_minor", reversal.actual_amount_minor);
        }
    }
    payment.elements.iter().fold(report, with_element)
}

/// As it may be shown: what a bank answers beside its code may be a secret too.
fn with_element(report: Report, element: &Element) -> Report {
    let octets = match &element.value {
        Some(element::Value::Text(text)) => text.as_bytes(),
        Some(element::Value::Binary(octets)) => octets,
        None => &[],
    };
    // A number that is no element is hidden like every one that is not known to be harmless.
    let number = u8::try_from(element.number).unwrap_or(u8::MAX);
    let shown = masked(number, octets).to_string();
    report.with(format!("de{}", element.number), shown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{Reason, Reversal};

    #[test]
    fn a_reversal_is_told_with_its_reason_and_attempts_and_elements_are_masked() {
        let text = |number, text: &str| Element {
            number,
            value: Some(element::Value::Text(text.into())),
        };
        let payment = PaymentResult {
            payment_id: "p-1".into(),
            outcome: PaymentOutcome::Reversing.into(),
            reason: Reason::Timeout.into(),
            bank: "vietcom".into(),
            stan: "000124".into(),
            reversal: Some(Reversal {
                reason: Reason::Timeout.into(),
                attempts: 2,
                response_code: String::new(),
                stan: "000125".into(),
                actual_amount_minor: 0,
            }),
            elements: vec![text(43, "HA NOI"), text(48, "482913"), text(300, "x")],
            ..PaymentResult::default()
        };
        assert_eq!(
            report(payment).to_string(),
            "outcome                 REVERSING\n\
             reason                  TIMEOUT\n\
             retry_is_safe           no\n\
             payment_id              p-1\n\
             bank                    vietcom\n\
             stan                    000124\n\
             reversal_reason         TIMEOUT\n\
             reversal_attempts       2\n\
             reversal_stan           000125\n\
             de43                    HA NOI\n\
             de48                    <hidden, 6 bytes>\n\
             de300                   <hidden, 1 bytes>\n"
        );
    }
}
