//! `sampan route`: which way a message would take, and why. Sends nothing.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use clap::Args;

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    input,
    send::{Coding, address},
};
use crate::{
    client::ClientName,
    config::Config,
    route::Routes,
    rpc::{
        explain_offline,
        proto::{
            self, BinaryBody, ExplainRouteRequest, RouteExplanation, SubmitRequest,
            messaging_client::MessagingClient, submit_request::Body,
        },
    },
};

/// Who asks where nobody says so, as a router on this machine would call them.
const LOCAL: &str = "local";

/// A message as far as routes look at it, and where to ask.
#[derive(Args)]
pub(super) struct RouteArgs {
    /// The subscriber's number, country code first.
    #[arg(value_name = "NUMBER")]
    to: String,
    /// The sender that the message names.
    #[arg(long, value_name = "NUMBER")]
    from: Option<String>,
    /// The text; - reads standard input, which keeps it out of the process list.
    #[arg(long, value_name = "TEXT|-", conflicts_with = "binary")]
    text: Option<String>,
    /// It is no text.
    #[arg(long)]
    binary: bool,
    /// How the text is put on the air.
    #[arg(long, value_enum, default_value_t = Coding::Automatic)]
    coding: Coding,
    /// The name of a message route; without it the number's prefix decides.
    #[arg(long, value_name = "NAME")]
    route: Option<String>,
    /// Look into this file instead of asking a router, as if every SMSC were up.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

/// Prints the way of a message. [`Exit::Success`] only if an SMSC would be offered it.
pub(super) fn route(args: RouteArgs) -> Result<Exit, Trouble> {
    let client = args.connection.client().cloned();
    let body = match (&args.text, args.binary) {
        (_, true) => Body::Binary(BinaryBody::default()),
        (Some(text), false) if input::is_stdin(text) => {
            Body::Text(input::without_line_end(input::read_stdin()?))
        }
        (text, false) => Body::Text(text.clone().unwrap_or_default()),
    };
    let request = ExplainRouteRequest {
        message: Some(SubmitRequest {
            source: args.from.map(address),
            destination: Some(address(args.to)),
            body: Some(body),
            coding: proto::Coding::from(args.coding).into(),
            route: args.route.unwrap_or_default(),
            ..SubmitRequest::default()
        }),
        client: client
            .as_ref()
            .map_or_else(String::new, |name| name.as_str().to_owned()),
    };
    let (told, assumption) = match args.config {
        Some(file) => {
            let told = from_file(&file, request)?;
            (told, "by the file alone: every SMSC is taken to be up\n")
        }
        None => {
            let told = args.connection.ask(async move |sampan| {
                let answered = MessagingClient::new(sampan).explain_route(request).await;
                answered.map_err(|status| refused(&status))
            })?;
            (told.into_inner(), "")
        }
    };
    let text = format!("{}\n{assumption}", shown(&told));
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(Exit::success_if(!told.smscs.is_empty()))
}

fn from_file(file: &Path, request: ExplainRouteRequest) -> Result<RouteExplanation, Trouble> {
    let config = Config::load(file).map_err(|faults| Trouble::Usage(faults.to_string()))?;
    let routes = Routes::new(config.message_routes, config.payment_routes);
    let Some(local) = ClientName::parse(LOCAL) else {
        return Err(Trouble::Failure(format!("{LOCAL} is no client's name")));
    };
    explain_offline(&routes, request, &local).map_err(Trouble::Usage)
}

fn shown(told: &RouteExplanation) -> String {
    let or_none = |text: String| if text.is_empty() { "none".into() } else { text };
    let mut text = format!(
        "route  {}\nsmscs  {}\n",
        or_none(told.route.clone()),
        or_none(told.smscs.join(", "))
    );
    for (number, step) in told.steps.iter().enumerate() {
        // A String takes whatever is written to it.
        write!(text, "\n{:>5}  {step}", number + 1).ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_is_told_first_and_then_the_steps_to_it() {
        let told = RouteExplanation {
            route: "vietnam".into(),
            smscs: vec!["viettel".into(), "mobifone".into()],
            steps: vec!["looked".into(), "found".into()],
        };
        assert_eq!(
            shown(&told),
            "route  vietnam\nsmscs  viettel, mobifone\n\n    1  looked\n    2  found"
        );
    }

    #[test]
    fn no_way_is_told_as_none() {
        let told = shown(&RouteExplanation::default());
        assert_eq!(told, "route  none\nsmscs  none\n");
    }
}
