//! `sampan charge`: one payment through a running router.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    input, payment,
    report::{Form, made_up_id},
    write_error,
};
use crate::rpc::proto::{
    self, Element, Money, PaymentKind, TransactRequest, element, payments_client::PaymentsClient,
};

/// A payment, and how to reach the router.
#[derive(Args)]
pub(super) struct ChargeArgs {
    #[command(flatten)]
    card: CardArgs,
    /// What kind of payment.
    #[arg(long, value_enum, default_value_t = Kind::Purchase)]
    kind: Kind,
    /// In minor units of the currency: 10,000 dong are 10000, ten dollars are 1000.
    #[arg(long, value_name = "MINOR UNITS", requires = "currency")]
    amount: Option<u64>,
    /// ISO 4217, such as VND.
    #[arg(long, value_name = "CODE", requires = "amount")]
    currency: Option<String>,
    /// The name of a bank; without it the card's prefix decides.
    #[arg(long, value_name = "NAME")]
    bank: Option<String>,
    /// Your own id for the payment, the one to look it up by; made up and printed if left out.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// The card's expiry, DE14.
    #[arg(long, value_name = "YYMM")]
    expiry: Option<String>,
    /// The type of the account that is debited or asked about.
    #[arg(long, value_enum, default_value_t = Account::Default)]
    from_account: Account,
    /// The type of a transfer's receiving account.
    #[arg(long, value_enum, default_value_t = Account::Default)]
    to_account: Account,
    /// The account that is debited, DE102.
    #[arg(long, value_name = "ACCOUNT")]
    from_account_id: Option<String>,
    /// A transfer's receiving account, DE103.
    #[arg(long, value_name = "ACCOUNT")]
    to_account_id: Option<String>,
    /// DE41; without it the bank's configured one.
    #[arg(long, value_name = "ID")]
    terminal_id: Option<String>,
    /// DE42; without it the bank's configured one.
    #[arg(long, value_name = "ID")]
    merchant_id: Option<String>,
    /// DE37, 12 characters; without it Sampan makes one.
    #[arg(long, value_name = "REFERENCE")]
    retrieval_reference: Option<String>,
    /// A further element as the bank wants it, such as 48=TEXT. May be repeated.
    #[arg(long, value_name = "NUMBER=TEXT", value_parser = parse_element)]
    element: Vec<(u32, String)>,
    /// What is not dispatched by then is not sent; 0 leaves it to the router.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    deadline_ms: u32,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Where the card number comes from.
#[derive(Args)]
#[group(required = true, multiple = false)]
struct CardArgs {
    /// The card or account number. Other users of the machine see it in the process list: prefer
    /// --pan-file for real cards.
    #[arg(long, value_name = "PAN")]
    pan: Option<String>,
    /// A file that holds nothing but the number; - reads standard input.
    #[arg(long, value_name = "FILE|-")]
    pan_file: Option<PathBuf>,
}

impl CardArgs {
    fn read(self) -> Result<String, Trouble> {
        match (self.pan, self.pan_file) {
            (_, Some(path)) => Ok(input::without_line_end(input::read_text(&path)?)),
            (pan, None) => Ok(pan.unwrap_or_default()),
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// Goods and services.
    Purchase,
    /// Cash.
    Withdrawal,
    /// The balance; has no amount.
    Balance,
    /// The last movements; has no amount.
    MiniStatement,
    /// To another account.
    Transfer,
}

impl From<Kind> for PaymentKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Purchase => Self::Purchase,
            Kind::Withdrawal => Self::Withdrawal,
            Kind::Balance => Self::Balance,
            Kind::MiniStatement => Self::MiniStatement,
            Kind::Transfer => Self::Transfer,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Account {
    Default,
    Savings,
    Current,
}

impl From<Account> for proto::AccountType {
    fn from(account: Account) -> Self {
        match account {
            Account::Default => Self::Default,
            Account::Savings => Self::Savings,
            Account::Current => Self::Current,
        }
    }
}

fn parse_element(text: &str) -> Result<(u32, String), String> {
    let (number, value) = text.split_once('=').ok_or("must be NUMBER=TEXT")?;
    let number = number.parse().map_err(|_| "NUMBER must be 2 to 128")?;
    Ok((number, value.to_owned()))
}

/// Makes one payment and prints its outcome. [`Exit::Success`] only if the bank approved.
pub(super) fn charge(args: ChargeArgs) -> Result<Exit, Trouble> {
    let is_made_up = args.id.is_none();
    let payment_id = args.id.unwrap_or_else(made_up_id);
    let amount = args.amount.zip(args.currency);
    let request = TransactRequest {
        payment_id: payment_id.clone(),
        kind: PaymentKind::from(args.kind).into(),
        bank: args.bank.unwrap_or_default(),
        pan: args.card.read()?,
        amount: amount.map(|(amount_minor, currency)| Money {
            amount_minor,
            currency,
        }),
        from_account: proto::AccountType::from(args.from_account).into(),
        to_account: proto::AccountType::from(args.to_account).into(),
        from_account_id: args.from_account_id.unwrap_or_default(),
        to_account_id: args.to_account_id.unwrap_or_default(),
        terminal_id: args.terminal_id.unwrap_or_default(),
        merchant_id: args.merchant_id.unwrap_or_default(),
        expiry: args.expiry.unwrap_or_default(),
        retrieval_reference: args.retrieval_reference.unwrap_or_default(),
        elements: args.element.into_iter().map(text_element).collect(),
        deadline_ms: args.deadline_ms,
    };
    let result = args.connection.ask(async move |sampan| {
        if is_made_up {
            // Before the answer, so that a payment whose call is cut off can still be looked up.
            write_error(format_args!("payment_id {payment_id}"));
        }
        let answered = PaymentsClient::new(sampan).transact(request).await;
        answered.map_err(|status| in_doubt(&payment_id, refused(&status)))
    })?;
    payment::tell(result.into_inner(), &args.form)
}

fn text_element((number, text): (u32, String)) -> Element {
    Element {
        number,
        value: Some(element::Value::Text(text)),
    }
}

fn in_doubt(payment_id: &str, trouble: Trouble) -> Trouble {
    Trouble::Failure(format!(
        "{trouble}; `sampan lookup --id {payment_id}` tells whether the payment was made"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_element_is_a_number_and_a_text_that_may_hold_equals_signs() {
        assert_eq!(parse_element("48=a=b"), Ok((48, "a=b".to_owned())));
        assert_eq!(parse_element("48="), Ok((48, String::new())));
        assert!(parse_element("48").is_err());
        assert!(parse_element("x=y").is_err());
    }
}
