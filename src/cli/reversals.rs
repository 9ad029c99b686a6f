//! `sampan reversals`: what banks have not taken back yet, and what an operator decides about it.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use clap::{Args, Subcommand};
use serde_json::json;
use time::OffsetDateTime;

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    payment,
    report::{Form, bare},
};
use crate::rpc::proto::{
    ListReversalsRequest, ListReversalsResult, OpenReversal, PaymentOutcome,
    ResolveReversalRequest, RetryReversalRequest, reversals_client::ReversalsClient,
};

/// What to do with reversals.
#[derive(Subcommand)]
pub(super) enum ReversalsArgs {
    /// List the payments that a bank has not taken back yet, the oldest first.
    List(ListArgs),
    /// Try a failed reversal again. Exit code 0 if it is REVERSING or REVERSED then.
    Retry(RetryArgs),
    /// End a reversal that was settled with the bank by hand. Exit code 0 if that is recorded.
    Resolve(ResolveArgs),
}

#[derive(Args)]
pub(super) struct ListArgs {
    /// Only this bank's.
    #[arg(long, value_name = "BANK")]
    bank: Option<String>,
    /// Only those that an operator has to deal with.
    #[arg(long)]
    failed: bool,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
struct Chosen {
    /// The client that made the payment.
    #[arg(long, value_name = "CLIENT")]
    of: String,
    /// The id that the payment was made under.
    #[arg(long, value_name = "ID")]
    id: String,
}

#[derive(Args)]
pub(super) struct RetryArgs {
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Args)]
pub(super) struct ResolveArgs {
    #[command(flatten)]
    chosen: Chosen,
    /// What was found and done, at most 500 characters; kept with the payment. No card numbers.
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Does what the operator wants.
pub(super) fn reversals(args: ReversalsArgs) -> Result<Exit, Trouble> {
    match args {
        ReversalsArgs::List(args) => list(args),
        ReversalsArgs::Retry(args) => retry(args),
        ReversalsArgs::Resolve(args) => resolve(args),
    }
}

fn list(args: ListArgs) -> Result<Exit, Trouble> {
    let request = ListReversalsRequest {
        bank: args.bank.unwrap_or_default(),
        failed_only: args.failed,
    };
    let answered = args.connection.ask(async move |sampan| {
        let answered = ReversalsClient::new(sampan).list(request).await;
        answered.map_err(|status| refused(&status))
    })?;
    let listed = answered.into_inner();
    let text = match args.form.is_json() {
        true => lines_of_json(&listed),
        false => table(&listed),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::Success)
}

fn retry(args: RetryArgs) -> Result<Exit, Trouble> {
    let request = RetryReversalRequest {
        client: args.chosen.of,
        payment_id: args.chosen.id,
    };
    let answered = args.connection.ask(async move |sampan| {
        let answered = ReversalsClient::new(sampan).retry(request).await;
        answered.map_err(|status| refused(&status))
    })?;
    let allowed = [PaymentOutcome::Reversing, PaymentOutcome::Reversed];
    payment::tell_one_of(answered.into_inner(), &allowed, &args.form)
}

fn resolve(args: ResolveArgs) -> Result<Exit, Trouble> {
    let request = ResolveReversalRequest {
        client: args.chosen.of,
        payment_id: args.chosen.id,
        reason: args.reason,
    };
    let answered = args.connection.ask(async move |sampan| {
        let answered = ReversalsClient::new(sampan).resolve(request).await;
        answered.map_err(|status| refused(&status))
    })?;
    payment::tell_one_of(
        answered.into_inner(),
        &[PaymentOutcome::Resolved],
        &args.form,
    )
}

fn table(listed: &ListReversalsResult) -> String {
    let mut text = format!(
        "{:<20} {:<16} {:<24} {:<12} {:>16} {:<6} {:<12} {:<9} {:>8} {:<4}\n",
        "accepted",
        "client",
        "payment",
        "bank",
        "amount",
        "stan",
        "reference",
        "state",
        "attempts",
        "code"
    );
    for open in &listed.reversals {
        let (attempts, code) = match &open.reversal {
            Some(reversal) => (reversal.attempts, reversal.response_code.as_str()),
            None => (0, ""),
        };
        let amount = format!("{} {}", open.amount_minor, open.currency);
        // Writing to a String cannot fail.
        writeln!(
            text,
            "{:<20} {:<16} {:<24} {:<12} {:>16} {:<6} {:<12} {:<9} {:>8} {:<4}",
            accepted(open),
            open.client,
            open.payment_id,
            open.bank,
            amount,
            open.stan,
            open.retrieval_reference,
            state(open),
            attempts,
            code
        )
        .ok();
    }
    let shown = listed.reversals.len() as u64;
    if listed.total > shown {
        writeln!(text, "… and {} more", listed.total - shown).ok();
    }
    text
}

fn lines_of_json(listed: &ListReversalsResult) -> String {
    let line = |open: &OpenReversal| {
        let reversal = open.reversal.as_ref().map(|reversal| {
            json!({
                "reason": bare(reversal.reason().as_str_name(), "REASON_"),
                "attempts": reversal.attempts,
                "response_code": reversal.response_code,
                "stan": reversal.stan,
            })
        });
        let line = json!({
            "accepted": accepted(open), "client": open.client, "payment_id": open.payment_id,
            "bank": open.bank, "amount_minor": open.amount_minor, "currency": open.currency,
            "stan": open.stan, "retrieval_reference": open.retrieval_reference,
            "state": state(open), "reversal": reversal,
        });
        format!("{line}\n")
    };
    listed.reversals.iter().map(line).collect()
}

fn state(open: &OpenReversal) -> &'static str {
    match open.has_failed {
        true => "FAILED",
        false => "REVERSING",
    }
}

/// UTC, to the second.
fn accepted(open: &OpenReversal) -> String {
    match OffsetDateTime::from_unix_timestamp(open.accepted_ms.div_euclid(1000)) {
        Ok(at) => format!(
            "{}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
            at.year(),
            u8::from(at.month()),
            at.day(),
            at.hour(),
            at.minute(),
            at.second()
        ),
        Err(_) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_sees_what_the_bank_needs_to_find_the_payment_and_no_card() {
        let listed = ListReversalsResult {
            total: 2,
            reversals: vec![OpenReversal {
                client: "shop".into(),
                payment_id: "p-1".into(),
                bank: "vietcom".into(),
                accepted_ms: 1_348_212_764_123,
                amount_minor: 10_000,
                currency: "704".into(),
                stan: "000124".into(),
                retrieval_reference: "226514000124".into(),
                has_failed: true,
                reversal: None,
            }],
        };
        let table = table(&listed);
        let line = table.lines().nth(1).unwrap();
        for shown in [
            "2012-09-21T07:32:44Z",
            "shop",
            "p-1",
            "vietcom",
            "10000 704",
            "000124",
            "226514000124",
            "FAILED",
        ] {
            assert!(line.contains(shown), "{shown} in {line}");
        }
        assert_eq!(table.lines().last(), Some("… and 1 more"));
    }
}
