//! ExplainRoute: the dry run of a message, by a running router or from a configuration alone.

use crate::{
    client::ClientName,
    message::Message,
    route::{Asked, Explanation, Health, Routes},
    rpc::{
        fault::Fault,
        messaging::{fields::Fields, translate},
        proto::{ExplainRouteRequest, RouteExplanation, submit_request::Body},
    },
};

/// What stands for the request's id: nothing is sent under it.
const NO_ID: &str = "-";

/// The message of a dry run, and as whose it is looked at.
pub(super) struct AskedRoute {
    pub(super) client: ClientName,
    pub(super) message: Message,
}

impl AskedRoute {
    /// A message without a body is taken for an empty text: where no route asks, it does not matter.
    pub(super) fn read(request: ExplainRouteRequest, caller: &ClientName) -> Result<Self, Fault> {
        let client = match request.client.as_str() {
            "" => caller.clone(),
            name => ClientName::parse(name)
                .ok_or_else(|| Fault::new("client", "cannot be the name of a client"))?,
        };
        let mut message = request
            .message
            .ok_or_else(|| Fault::new("message", "missing"))?;
        message.body.get_or_insert(Body::Text(String::new()));
        let message = translate::message(NO_ID, &Fields::from(&message));
        Ok(Self {
            client,
            message: message.map_err(|fault| fault.inside("message"))?,
        })
    }
}

pub(super) fn told(explanation: Explanation) -> RouteExplanation {
    let names = explanation.smscs.iter();
    RouteExplanation {
        route: explanation
            .route
            .map_or_else(|_| String::new(), |name| name.to_string()),
        smscs: names.map(ToString::to_string).collect(),
        steps: explanation.steps,
    }
}

/// The same from the routes alone, as if a bind of every SMSC were up.
///
/// # Errors
/// A field of the request cannot be what it says; the text names it.
pub fn explain_offline(
    routes: &Routes,
    request: ExplainRouteRequest,
    caller: &ClientName,
) -> Result<RouteExplanation, String> {
    let asked = AskedRoute::read(request, caller).map_err(|fault| fault.to_string())?;
    let message = Asked::new(&asked.client, &asked.message);
    Ok(told(routes.explain(&message, 0, &|_| Health::Up)))
}
