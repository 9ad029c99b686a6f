//! `sampan send`: one message through a running router.

use clap::{Args, ValueEnum};

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    input,
    report::{Form, Report, bare, made_up_id, reason, some},
};
use crate::rpc::proto::{
    self, Address, Outcome, SubmitRequest, SubmitResult, messaging_client::MessagingClient,
    submit_request::Body,
};

/// A message, and how to reach the router.
#[derive(Args)]
pub(super) struct SendArgs {
    /// The subscriber's number, country code first.
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// The sender; without it the route's default.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// The name of a message route; without it the number's prefix decides.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Ask for a delivery receipt.
    #[arg(long)]
    receipt: bool,
    /// How the text is put on the air.
    #[arg(long, value_enum, default_value_t = Coding::Automatic)]
    coding: Coding,
    /// Whether letters that GSM 7 bit lacks become their nearest ones.
    #[arg(long, value_enum, default_value_t = Transliteration::Default)]
    transliteration: Transliteration,
    /// Who goes first where a bind has no room for all.
    #[arg(long, value_enum, default_value_t = Class::Normal)]
    class: Class,
    /// The SMSC delivers it so many seconds after it gets it; 0 is at once.
    #[arg(long, value_name = "S", default_value_t = 0)]
    schedule_s: u32,
    /// After UNKNOWN the next SMSC of the route may be tried: the subscriber may get it twice.
    #[arg(long)]
    resend_after_unknown: bool,
    /// Your own id for the request; made up and printed if left out.
    #[arg(long, value_name = "ID")]
    id: Option<String>,
    /// What is not dispatched by then is not sent; 0 leaves it to the router.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    deadline_ms: u32,
    /// The text; - reads standard input, which keeps it out of the process list.
    #[arg(value_name = "TEXT|-")]
    text: String,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    connection: Connection,
}

/// The codings of the contract.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Coding {
    /// The cheapest that loses nothing.
    Automatic,
    /// GSM 03.38 and its extension table.
    Gsm7,
    /// ISO 8859-1.
    Latin1,
    /// UCS-2.
    Ucs2,
}

impl From<Coding> for proto::Coding {
    fn from(coding: Coding) -> Self {
        match coding {
            Coding::Automatic => Self::Automatic,
            Coding::Gsm7 => Self::Gsm7,
            Coding::Latin1 => Self::Latin1,
            Coding::Ucs2 => Self::Ucs2,
        }
    }
}

/// The choices of transliteration of the contract.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Transliteration {
    /// As the SMSC is configured.
    Default,
    /// Never.
    Off,
    /// Where the text needs it.
    On,
}

impl From<Transliteration> for proto::Transliteration {
    fn from(wanted: Transliteration) -> Self {
        match wanted {
            Transliteration::Default => Self::Default,
            Transliteration::Off => Self::Off,
            Transliteration::On => Self::On,
        }
    }
}

/// The traffic classes of the contract.
#[derive(Clone, Copy, ValueEnum)]
enum Class {
    /// One-time passwords and alarms.
    Urgent,
    /// Notifications and everything else.
    Normal,
    /// Campaigns.
    Bulk,
}

impl From<Class> for proto::TrafficClass {
    fn from(class: Class) -> Self {
        match class {
            Class::Urgent => Self::Urgent,
            Class::Normal => Self::Normal,
            Class::Bulk => Self::Bulk,
        }
    }
}

/// Sends one message and prints its outcome. [`Exit::Success`] only if the SMSC accepted it.
pub(super) fn send(args: SendArgs) -> Result<Exit, Trouble> {
    let text = text(args.text)?;
    let request = SubmitRequest {
        request_id: args.id.unwrap_or_else(made_up_id),
        source: args.from.map(address),
        destination: Some(address(args.to)),
        body: Some(Body::Text(text)),
        coding: proto::Coding::from(args.coding).into(),
        route: args.route.unwrap_or_default(),
        receipt: args.receipt,
        deadline_ms: args.deadline_ms,
        schedule_s: args.schedule_s,
        traffic_class: proto::TrafficClass::from(args.class).into(),
        transliteration: proto::Transliteration::from(args.transliteration).into(),
        resend_after_unknown: args.resend_after_unknown,
        ..SubmitRequest::default()
    };
    let request_id = request.request_id.clone();
    let result = args.connection.ask(async move |sampan| {
        let answered = MessagingClient::new(sampan).submit(request).await;
        answered.map_err(|status| in_doubt(&request_id, refused(&status)))
    })?;
    let result = result.into_inner();
    let is_accepted = result.outcome() == Outcome::Accepted;
    report(result).print(&args.form)?;
    Ok(Exit::success_if(is_accepted))
}

/// A text as given, or standard input for `-`.
pub(super) fn text(given: String) -> Result<String, Trouble> {
    match input::is_stdin(&given) {
        true => Ok(input::without_line_end(input::read_stdin()?)),
        false => Ok(given),
    }
}

fn in_doubt(request_id: &str, trouble: Trouble) -> Trouble {
    Trouble::Failure(format!(
        "{trouble}; whether message {request_id} was sent is not known"
    ))
}

pub(super) fn address(number: String) -> Address {
    Address {
        number,
        ..Address::default()
    }
}

fn report(result: SubmitResult) -> Report {
    let outcome = bare(result.outcome().as_str_name(), "OUTCOME_");
    let report = Report::new(outcome)
        .with("reason", reason(result.reason()))
        .with("detail", some(result.detail))
        .with("retry_is_safe", result.retry_is_safe)
        .with("request_id", result.request_id)
        .with("smsc", some(result.smsc))
        .with("parts", result.parts)
        .with("message_ids", result.message_ids);
    match result.rejection {
        None => report,
        Some(rejection) => report
            .with("command_status", rejection.command_status)
            .with("command_status_name", rejection.name)
            .with("temporary", rejection.temporary),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rejection_is_told_with_its_status_and_whether_it_passes() {
        let result = SubmitResult {
            request_id: "r-1".into(),
            outcome: Outcome::Rejected.into(),
            retry_is_safe: true,
            rejection: Some(proto::Rejection {
                command_status: 0x58,
                name: "ESME_RTHROTTLED".into(),
                temporary: true,
            }),
            smsc: "viettel".into(),
            parts: 1,
            ..SubmitResult::default()
        };
        assert_eq!(
            report(result).to_string(),
            "outcome                 REJECTED\n\
             retry_is_safe           yes\n\
             request_id              r-1\n\
             smsc                    viettel\n\
             parts                   1\n\
             command_status          88\n\
             command_status_name     ESME_RTHROTTLED\n\
             temporary               yes\n"
        );
    }
}
