//! Messages to subscribers: each outcome of the contract in the words of the port.

use super::{
    Router,
    failure::{Failure, contradiction, words},
    proto::{
        Address, Outcome, Reason, SubmitRequest, SubmitResult, TrafficClass, submit_request::Body,
    },
};
use crate::{
    port::{Answer, Message, Messages, Sent, Unheard, Urgency},
    word::Id,
};

impl Messages for Router {
    fn send<'a>(&'a self, message: &'a Message) -> Answer<'a, Sent> {
        Box::pin(self.submit(message))
    }
}

impl Router {
    async fn submit(&self, message: &Message) -> Result<Sent, Unheard> {
        let settings = self.settings();
        let (class, route) = match message.urgency {
            Urgency::Urgent => (TrafficClass::Urgent, &settings.urgent_route),
            Urgency::Normal => (TrafficClass::Normal, &settings.route),
        };
        let request = SubmitRequest {
            request_id: message.id.to_string(),
            source: settings
                .sender
                .as_ref()
                .map(|sender| address(sender.as_str())),
            destination: Some(address(message.to.as_str())),
            body: Some(Body::Text(message.text.as_str().to_owned())),
            route: route.as_ref().map(Id::to_string).unwrap_or_default(),
            receipt: true,
            validity_s: message.validity_s,
            deadline_ms: self.deadline_ms(),
            traffic_class: class.into(),
            ..SubmitRequest::default()
        };
        let mut messaging = self.messaging();
        let called = self.call("send", messaging.submit(self.request(request)));
        match called.await {
            Ok(result) => sent(&message.id, &result),
            Err(Failure::Invalid(why)) => Ok(Sent::Refused { again: false, why }),
            Err(Failure::Unheard(unheard)) => Err(unheard),
        }
    }
}

/// The router tells by the look of a number how it is to be read.
fn address(number: &str) -> Address {
    Address {
        number: number.to_owned(),
        ..Address::default()
    }
}

fn sent(id: &Id, result: &SubmitResult) -> Result<Sent, Unheard> {
    if result.request_id != id.as_str() {
        return Err(contradiction("what became of another message"));
    }
    let Ok(outcome) = Outcome::try_from(result.outcome) else {
        return Err(contradiction("an outcome that commerce does not know"));
    };
    match outcome {
        Outcome::Accepted => Ok(Sent::Accepted),
        Outcome::Rejected => Ok(rejected(result)),
        Outcome::NotSent => Ok(not_sent(result)),
        Outcome::Unknown => Ok(Sent::Unknown),
        Outcome::Unspecified => Err(contradiction("no outcome")),
    }
}

/// An SMSC that has refused a part of a long message may have taken another.
fn rejected(result: &SubmitResult) -> Sent {
    if result.message_ids.iter().any(|id| !id.is_empty()) {
        return Sent::Unknown;
    }
    let status = result.rejection.as_ref().map(|told| words(&told.name));
    Sent::Refused {
        again: result.retry_is_safe,
        why: format!(
            "SMSC {}: {}",
            words(&result.smsc),
            status.unwrap_or_default()
        ),
    }
}

fn not_sent(result: &SubmitResult) -> Sent {
    let reason = Reason::try_from(result.reason).unwrap_or_default();
    let again = match reason {
        // Of this message nothing is known but that another one has its id: perhaps itself, as it was
        // before the sender or the route was configured anew.
        Reason::IdReused => return Sent::Unknown,
        Reason::Invalid => false,
        Reason::Unspecified
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
        | Reason::Internal => result.retry_is_safe,
    };
    Sent::Refused {
        again,
        why: format!("{} ({})", words(&result.detail), reason.as_str_name()),
    }
}
