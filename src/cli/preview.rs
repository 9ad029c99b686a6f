//! `sampan preview`: what a message would become, asked of a running router. Sends nothing.

use clap::Args;

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    report::{Form, Report, bare, reason, some},
    send::{self, Coding, Transliteration},
};
use crate::rpc::proto::{
    self, Outcome, PreviewRequest, PreviewResult, Splitting, messaging_client::MessagingClient,
    preview_request::Body,
};

/// A message, and how to reach the router.
#[derive(Args)]
pub(super) struct PreviewArgs {
    /// The subscriber's number, country code first.
    #[arg(long, value_name = "NUMBER")]
    to: String,
    /// The sender; without it the route's default.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// The name of a message route; without it the number's prefix decides.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// How the text is put on the air.
    #[arg(long, value_enum, default_value_t = Coding::Automatic)]
    coding: Coding,
    /// Whether letters that GSM 7 bit lacks become their nearest ones.
    #[arg(long, value_enum, default_value_t = Transliteration::Default)]
    transliteration: Transliteration,
    /// The text; - reads standard input, which keeps it out of the process list.
    #[arg(long, value_name = "TEXT|-")]
    text: String,
    #[command(flatten)]
    form: Form,
    #[command(flatten)]
    connection: Connection,
}

/// Prints what a message would become. [`Exit::Success`] only if it could be sent.
pub(super) fn preview(args: PreviewArgs) -> Result<Exit, Trouble> {
    let request = PreviewRequest {
        source: args.from.map(send::address),
        destination: Some(send::address(args.to)),
        body: Some(Body::Text(send::text(args.text)?)),
        coding: proto::Coding::from(args.coding).into(),
        route: args.route.unwrap_or_default(),
        transliteration: proto::Transliteration::from(args.transliteration).into(),
    };
    let result = args.connection.ask(async move |sampan| {
        let answered = MessagingClient::new(sampan).preview(request).await;
        answered.map_err(|status| refused(&status))
    })?;
    let result = result.into_inner();
    let could_be_sent = result.outcome() != Outcome::NotSent;
    report(result).print(&args.form)?;
    Ok(Exit::success_if(could_be_sent))
}

fn report(result: PreviewResult) -> Report {
    if result.outcome() == Outcome::NotSent {
        return Report::new(bare(result.outcome().as_str_name(), "OUTCOME_"))
            .with("reason", reason(result.reason()))
            .with("detail", some(result.detail));
    }
    let splitting = match result.splitting() {
        Splitting::Unspecified | Splitting::None => None,
        splitting => Some(bare(splitting.as_str_name(), "SPLITTING_").to_owned()),
    };
    Report::new("PREVIEW")
        .with("route", some(result.route.clone()))
        .with("smsc", some(result.smsc.clone()))
        .with("coding", bare(result.coding().as_str_name(), "CODING_"))
        .with("data_coding", result.data_coding)
        .with("parts", result.parts)
        .with("units", result.units)
        .with("units_left", result.units_left)
        .with("splitting", splitting)
        .with("text", some(result.text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_preview_tells_coding_parts_units_and_the_text_as_it_arrives() {
        let result = PreviewResult {
            route: "otp".into(),
            smsc: "viettel".into(),
            coding: proto::Coding::Gsm7.into(),
            parts: 2,
            units: 161,
            units_left: 145,
            splitting: Splitting::Udh8.into(),
            text: "Dang".into(),
            ..PreviewResult::default()
        };
        assert_eq!(
            report(result).to_string(),
            "outcome                 PREVIEW\n\
             route                   otp\n\
             smsc                    viettel\n\
             coding                  GSM7\n\
             data_coding             0\n\
             parts                   2\n\
             units                   161\n\
             units_left              145\n\
             splitting               UDH_8\n\
             text                    Dang\n"
        );
    }

    #[test]
    fn what_could_not_be_sent_is_told_with_its_reason() {
        let result = PreviewResult {
            outcome: Outcome::NotSent.into(),
            reason: proto::Reason::NoRoute.into(),
            detail: "no route".into(),
            ..PreviewResult::default()
        };
        assert_eq!(
            report(result).to_string(),
            "outcome                 NOT_SENT\n\
             reason                  NO_ROUTE\n\
             detail                  no route\n"
        );
    }
}
