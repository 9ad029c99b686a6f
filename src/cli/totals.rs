//! `sampan totals`: what a bank and Sampan say of a settlement day.

use clap::Args;

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    report::{Form, Report, bare},
};
use crate::rpc::proto::{
    Balance, DayTotals, Element, GetTotalsRequest, element::Value, totals_client::TotalsClient,
};

/// What the elements mean, in the order in which they are told.
const NAMES: [(u32, &str); 11] = [
    (76, "debits"),
    (88, "debits_minor"),
    (77, "debit_reversals"),
    (89, "debit_reversals_minor"),
    (74, "credits"),
    (86, "credits_minor"),
    (75, "credit_reversals"),
    (87, "credit_reversals_minor"),
    (78, "transfers"),
    (79, "transfer_reversals"),
    (80, "inquiries"),
];

/// Which bank's, and of which day.
#[derive(Args)]
pub(super) struct TotalsArgs {
    /// The bank.
    #[arg(value_name = "BANK")]
    bank: String,
    /// The settlement day (DE15), MMDD.
    #[arg(value_name = "MMDD")]
    day: String,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Tells both totals; a success only if they agree.
pub(super) fn totals(args: TotalsArgs) -> Result<Exit, Trouble> {
    let request = GetTotalsRequest {
        bank: args.bank,
        day: args.day,
    };
    let answered = args.connection.ask(async move |sampan| {
        let answered = TotalsClient::new(sampan).get(request).await;
        answered.map_err(|status| refused(&status))
    })?;
    let told = answered.into_inner();
    report(&told).print(&args.form)?;
    let balance = told.reconciliation.unwrap_or_default().balance();
    Ok(Exit::success_if(balance == Balance::In))
}

fn report(told: &DayTotals) -> Report {
    let ours = told.reconciliation.clone().unwrap_or_default();
    let mut report = Report::new(bare(ours.balance().as_str_name(), "BALANCE_"))
        .with("bank", told.bank.as_str())
        .with("day", told.day.as_str())
        .with("open", ours.open);
    for (side, elements) in [("ours", &ours.ours), ("theirs", &told.theirs)] {
        for (number, name) in NAMES {
            if let Some(value) = value(elements, number) {
                report = report.with(format!("{side}.{name}"), value);
            }
        }
    }
    report
}

/// A total without its leading zeros; as it is, if it is no number.
fn value(elements: &[Element], number: u32) -> Option<String> {
    let element = elements.iter().find(|own| own.number == number)?;
    match &element.value {
        Some(Value::Text(text)) => {
            let total = text.parse::<u64>();
            Some(total.map_or_else(|_| text.clone(), |total| total.to_string()))
        }
        Some(Value::Binary(_)) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::Reconciliation;

    #[test]
    fn both_sides_are_told_by_name_and_without_leading_zeros() {
        let element = |number, text: &str| Element {
            number,
            value: Some(Value::Text(text.to_owned())),
        };
        let told = DayTotals {
            bank: "vietcom".into(),
            day: "1122".into(),
            reconciliation: Some(Reconciliation {
                balance: Balance::Out.into(),
                ours: vec![element(76, "0000000003"), element(88, "0000000000060000")],
                open: 1,
            }),
            theirs: vec![element(88, "0000000000070000")],
        };
        let text = report(&told).to_string();
        for line in [
            "outcome                 OUT\n",
            "open                    1\n",
            "ours.debits             3\n",
            "ours.debits_minor       60000\n",
            "theirs.debits_minor     70000\n",
        ] {
            assert!(text.contains(line), "{line} in {text}");
        }
    }
}
