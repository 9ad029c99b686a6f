//! `sampan receive`: what waits for an upstream service, one event a line. It leaves the events to the
//! service unless it is told to take them.

use std::{
    io::{self, Write},
    time::{Duration, UNIX_EPOCH},
};

use clap::Args;
use serde_json::{Value, json};
use tokio::{
    signal::unix::{SignalKind, signal},
    sync::mpsc,
};
use tokio_stream::wrappers::ReceiverStream;
use tonic::Streaming;

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    report::bare,
    write_error,
};
use crate::{
    clock,
    rpc::proto::{
        Acknowledge, Address, BankEvent, Element, Event, ReceiveBatch, ReceiveRequest, Subscribe,
        element::Value as ElementValue, event::Kind, messaging_client::MessagingClient,
        receive_request::Request,
    },
};

/// Requests that wait for the router to read them: the subscription and some acknowledgements.
const REQUESTS_WAITING: usize = 16;

/// Which events, and what becomes of them.
#[derive(Args)]
pub(super) struct ReceiveArgs {
    /// A subscription of the configuration; without it the one that gets what no other wants.
    #[arg(long, value_name = "NAME", default_value = "")]
    subscription: String,
    /// Acknowledge what is printed: the router forgets it, and no service gets it any more. Without it,
    /// the events go back and are marked as handed over before.
    #[arg(long)]
    take: bool,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Show the texts of messages, which are left out otherwise.
    #[arg(long)]
    texts: bool,
    /// End after so many events. Without it: at Ctrl-C, or when the router stops.
    #[arg(long, value_name = "EVENTS")]
    count: Option<u64>,
    #[command(flatten)]
    connection: Connection,
}

/// Prints events until Ctrl-C or the count, which is a success, or until the router ends it.
pub(super) fn receive(args: ReceiveArgs) -> Result<Exit, Trouble> {
    let ReceiveArgs {
        subscription,
        take,
        json,
        texts,
        count,
        connection,
    } = args;
    connection.ask(async move |sampan| {
        let (requests, sent) = mpsc::channel(REQUESTS_WAITING);
        let subscribe = Request::Subscribe(Subscribe {
            subscription,
            ..Subscribe::default()
        });
        // There is room, and the other end is in our hands.
        requests.try_send(request(subscribe)).ok();
        let mut client = MessagingClient::new(sampan);
        let opened = client.receive(ReceiverStream::new(sent)).await;
        let batches = opened.map_err(|status| refused(&status))?.into_inner();
        // Before it is promised that Ctrl-C ends it in good order.
        let mut interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Trouble::Failure(format!("the system gives no signals: {error}")))?;
        write_error("sampan: receiving; Ctrl-C ends it");
        let mut shown = Shown {
            json,
            texts,
            take,
            left: count.unwrap_or(u64::MAX),
        };
        tokio::select! {
            ended = shown.follow(batches, requests) => ended?,
            _ = interrupts.recv() => {}
        }
        Ok(Exit::Success)
    })
}

fn request(request: Request) -> ReceiveRequest {
    ReceiveRequest {
        request: Some(request),
    }
}

/// How events are shown.
struct Shown {
    json: bool,
    texts: bool,
    /// Whether they are acknowledged.
    take: bool,
    /// Events until the end.
    left: u64,
}

impl Shown {
    async fn follow(
        &mut self,
        mut batches: Streaming<ReceiveBatch>,
        requests: mpsc::Sender<ReceiveRequest>,
    ) -> Result<(), Trouble> {
        while self.left > 0 {
            let batch = batches.message().await.map_err(|status| refused(&status))?;
            let Some(batch) = batch else {
                return Err(Trouble::Failure("the router ended the subscription".into()));
            };
            let delivery_ids = self.print(&batch)?;
            if self.take {
                let acknowledge = Request::Acknowledge(Acknowledge { delivery_ids });
                let sent = requests.send(request(acknowledge)).await;
                sent.map_err(|_| Trouble::Failure("the router takes no acknowledgement".into()))?;
            }
        }
        // The router ends the call once it has read all acknowledgements.
        drop(requests);
        while let Ok(Some(_)) = batches.message().await {}
        Ok(())
    }

    /// One write a batch; gives the ids of what was printed.
    fn print(&mut self, batch: &ReceiveBatch) -> Result<Vec<u64>, Trouble> {
        let left = usize::try_from(self.left).unwrap_or(usize::MAX);
        let printed = batch.events.get(..left).unwrap_or(&batch.events);
        self.left -= printed.len() as u64;
        let mut lines = String::new();
        for event in printed {
            let told = self.tell(event);
            lines.push_str(&match self.json {
                true => told.to_string(),
                false => as_line(&told),
            });
            lines.push('\n');
        }
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes())?;
        out.flush()?;
        Ok(printed.iter().map(|event| event.delivery_id).collect())
    }

    fn tell(&self, event: &Event) -> Value {
        let mut told = json!({
            "received": received(event),
            "link": event.link,
            "redelivered": event.redelivered,
        });
        let number = |own: &Option<Address>| own.as_ref().map(|own| own.number.clone());
        let more = match &event.kind {
            Some(Kind::Message(message)) => json!({
                "kind": "MESSAGE", "smsc": event.smsc,
                "from": number(&event.source), "to": number(&event.destination),
                "octets": message.data.len(),
                "text": message.text.as_ref().filter(|_| self.texts),
            }),
            Some(Kind::Receipt(receipt)) => json!({
                "kind": "RECEIPT", "smsc": event.smsc,
                "message_id": receipt.message_id,
                "state": bare(receipt.state().as_str_name(), "MESSAGE_STATE_"),
                "request_id": receipt.request_id, "client": receipt.client,
            }),
            Some(Kind::Bank(begun)) => bank_event(begun),
            None => json!({ "kind": "UNKNOWN" }),
        };
        if let (Some(told), Value::Object(more)) = (told.as_object_mut(), more) {
            told.extend(more);
        }
        told
    }
}

fn received(event: &Event) -> String {
    let millis = u64::try_from(event.received_at_ms).unwrap_or_default();
    clock::utc_text(UNIX_EPOCH + Duration::from_millis(millis))
}

fn bank_event(event: &BankEvent) -> Value {
    let element = |element: &Element| {
        let value = match &element.value {
            Some(ElementValue::Text(text)) => text.clone(),
            Some(ElementValue::Binary(octets)) => {
                octets.iter().map(|o| format!("{o:02X}")).collect()
            }
            None => String::new(),
        };
        (element.number.to_string(), Value::String(value))
    };
    let all = |elements: &[Element]| -> serde_json::Map<String, Value> {
        elements.iter().map(element).collect()
    };
    let reconciliation = event.reconciliation.as_ref();
    let amount = event.amount.as_ref();
    let original = event.original.as_ref();
    let payment = event.payment.as_ref();
    json!({
        "kind": bare(event.kind().as_str_name(), "BANK_EVENT_KIND_"),
        "bank": event.bank,
        "message_type": event.message_type,
        "card": event.masked_pan,
        "amount_minor": amount.map(|own| own.amount_minor),
        "currency": amount.map(|own| own.currency.clone()),
        "stan": event.stan,
        "retrieval_reference": event.retrieval_reference,
        "reason_code": event.reason_code,
        "settlement_date": event.settlement_date,
        "terminal_id": event.terminal_id,
        "merchant_id": event.merchant_id,
        "original_stan": original.map(|own| own.stan.clone()),
        "client": payment.map(|own| own.client.clone()),
        "payment_id": payment.map(|own| own.payment_id.clone()),
        "balance": reconciliation.map(|own| bare(own.balance().as_str_name(), "BALANCE_")),
        "open": reconciliation.map(|own| own.open),
        "ours": reconciliation.map(|own| all(&own.ours)),
        "elements": all(&event.elements),
    })
}

/// Time, kind, and each field that says something; elements are for programs.
fn as_line(told: &Value) -> String {
    let text = |value: &Value| match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let empty = serde_json::Map::new();
    let fields = told.as_object().unwrap_or(&empty);
    let head = ["received", "kind"].map(|name| fields.get(name).map(text).unwrap_or_default());
    let rest = fields.iter().filter(|(name, value)| {
        let says_something = match value {
            Value::Null | Value::Object(_) | Value::Bool(false) => false,
            Value::String(text) => !text.is_empty(),
            _ => true,
        };
        says_something && !["received", "kind"].contains(&name.as_str())
    });
    let rest = rest.map(|(name, value)| format!(" {name}={}", text(value)));
    format!("{} {}{}", head[0], head[1], rest.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::proto::{BankEventKind, MobileOriginated, Money, PaymentReference};

    fn shown(texts: bool) -> Shown {
        Shown {
            json: false,
            texts,
            take: false,
            left: 1,
        }
    }

    #[test]
    fn a_chargeback_is_one_line_with_what_finds_its_payment() {
        let event = Event {
            received_at_ms: 1_795_323_600_000,
            link: "vietcom/1".into(),
            kind: Some(Kind::Bank(BankEvent {
                bank: "vietcom".into(),
                kind: BankEventKind::Chargeback.into(),
                message_type: "0422".into(),
                masked_pan: "970436******1234".into(),
                amount: Some(Money {
                    amount_minor: 10_000,
                    currency: "VND".into(),
                }),
                payment: Some(PaymentReference {
                    client: "shop".into(),
                    payment_id: "order-7".into(),
                }),
                ..BankEvent::default()
            })),
            ..Event::default()
        };
        let line = as_line(&shown(false).tell(&event));
        assert!(
            line.starts_with("2026-11-22T05:00:00.000000Z CHARGEBACK "),
            "{line}"
        );
        for told in [
            "bank=vietcom",
            "card=970436******1234",
            "amount_minor=10000",
            "currency=VND",
            "client=shop",
            "payment_id=order-7",
        ] {
            assert!(line.contains(told), "{told} in {line}");
        }
        assert!(
            !line.contains("stan="),
            "what says nothing is left out: {line}"
        );
    }

    #[test]
    fn the_text_of_a_message_is_shown_on_request_only() {
        let event = Event {
            kind: Some(Kind::Message(MobileOriginated {
                text: Some("OTP 482913".into()),
                data: bytes::Bytes::from_static(b"OTP 482913"),
                ..MobileOriginated::default()
            })),
            ..Event::default()
        };
        let line = as_line(&shown(false).tell(&event));
        assert!(
            line.contains("octets=10") && !line.contains("482913"),
            "{line}"
        );
        assert!(as_line(&shown(true).tell(&event)).contains("text=OTP 482913"));
    }
}
