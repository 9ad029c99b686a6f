//! `sampan trace`: the PDUs of a running router's SMSC links as they pass, one a line, and into a
//! capture for Wireshark. Texts and passwords do not leave the router.

use std::{
    io::{self, Write},
    path::PathBuf,
    time::{Duration, UNIX_EPOCH},
};

use clap::Args;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tonic::Streaming;

use super::{
    Exit, Trouble,
    connect::{Connection, refused},
    pcap::Capture,
    write_error,
};
use crate::{
    clock,
    rpc::proto::{TraceBatch, TraceRequest, TracedPdu, links_client::LinksClient},
    smpp::CommandStatus,
};

/// What to follow, and how to show it.
#[derive(Args)]
pub(super) struct TraceArgs {
    /// Only PDUs from or to this number, digits as the SMSC has them, and their answers.
    #[arg(long, value_name = "NUMBER")]
    number: Option<String>,
    /// Only this link, such as viettel/2, or all links of this SMSC.
    #[arg(long, value_name = "LINK")]
    link: Option<String>,
    /// Print one JSON object a line.
    #[arg(long)]
    json: bool,
    /// Write what passes to a capture too, for Wireshark. It holds numbers, texts as x.
    #[arg(long, value_name = "FILE")]
    pcap: Option<PathBuf>,
    /// End after so many PDUs. Without it: at Ctrl-C, or when the router stops.
    #[arg(long, value_name = "PDUS")]
    count: Option<u64>,
    #[command(flatten)]
    connection: Connection,
}

/// Follows until Ctrl-C or the count, which is a success, or until the router ends it.
pub(super) fn trace(args: TraceArgs) -> Result<Exit, Trouble> {
    let TraceArgs {
        number,
        link,
        json,
        pcap,
        count,
        connection,
    } = args;
    let capture = pcap.map(|path| Capture::create(&path)).transpose()?;
    let request = TraceRequest {
        link: link.unwrap_or_default(),
        number: number.unwrap_or_default(),
        octets: capture.is_some(),
    };
    connection.ask(async move |sampan| {
        let opened = LinksClient::new(sampan).trace(request).await;
        let batches = opened.map_err(|status| refused(&status))?.into_inner();
        // Before it is promised that Ctrl-C ends it in good order.
        let mut interrupts = signal(SignalKind::interrupt())
            .map_err(|error| Trouble::Failure(format!("the system gives no signals: {error}")))?;
        write_error("sampan: tracing; Ctrl-C ends it");
        let mut told = Told {
            json,
            capture,
            left: count.unwrap_or(u64::MAX),
        };
        tokio::select! {
            ended = told.follow(batches) => ended?,
            _ = interrupts.recv() => {}
        }
        Ok(Exit::Success)
    })
}

/// Where the PDUs go.
struct Told {
    json: bool,
    capture: Option<Capture>,
    /// PDUs until the end.
    left: u64,
}

impl Told {
    async fn follow(&mut self, mut batches: Streaming<TraceBatch>) -> Result<(), Trouble> {
        while self.left > 0 {
            let batch = batches.message().await.map_err(|status| refused(&status))?;
            let Some(batch) = batch else {
                return Err(Trouble::Failure("the router ended the trace".into()));
            };
            self.tell(&batch)?;
        }
        Ok(())
    }

    /// One write a batch: a terminal is slower than a link.
    fn tell(&mut self, batch: &TraceBatch) -> Result<(), Trouble> {
        if batch.missed > 0 {
            write_error(format_args!(
                "sampan: {} PDUs were missed, because they were not read in time",
                batch.missed
            ));
        }
        let mut lines = String::new();
        for pdu in &batch.pdus {
            if self.left == 0 {
                break;
            }
            self.left -= 1;
            lines.push_str(&match self.json {
                true => as_json(pdu),
                false => as_line(pdu),
            });
            lines.push('\n');
            if let Some(capture) = &mut self.capture {
                capture.write(pdu)?;
            }
        }
        if let Some(capture) = &mut self.capture {
            capture.flush()?;
        }
        let mut out = io::stdout().lock();
        out.write_all(lines.as_bytes())?;
        Ok(out.flush()?)
    }
}

fn time(pdu: &TracedPdu) -> String {
    let micros = u64::try_from(pdu.at_us).unwrap_or_default();
    clock::utc_text(UNIX_EPOCH + Duration::from_micros(micros))
}

/// Time, link, direction, command, sequence number, status of an answer, fields.
fn as_line(pdu: &TracedPdu) -> String {
    let arrow = if pdu.outgoing { "->" } else { "<-" };
    let status = CommandStatus(pdu.command_status);
    let status = match pdu.command.ends_with("_resp") || pdu.command_status != 0 {
        true => format!(" {status}"),
        false => String::new(),
    };
    let fields = match pdu.description.as_str() {
        "" => String::new(),
        fields => format!(" {fields}"),
    };
    format!(
        "{} {}#{} {arrow} {} {}{status}{fields}",
        time(pdu),
        pdu.link,
        pdu.connection,
        pdu.command,
        pdu.sequence,
    )
}

fn as_json(pdu: &TracedPdu) -> String {
    json!({
        "at": time(pdu),
        "link": pdu.link,
        "connection": pdu.connection,
        "outgoing": pdu.outgoing,
        "command": pdu.command,
        "command_status": pdu.command_status,
        "sequence": pdu.sequence,
        "fields": pdu.description,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pdu() -> TracedPdu {
        TracedPdu {
            at_us: 1_795_323_600_000_001,
            link: "viettel/2".into(),
            outgoing: false,
            command: "submit_sm_resp".into(),
            command_status: 0x58,
            sequence: 17,
            description: "message_id=\"7\"".into(),
            octets: bytes::Bytes::new(),
            connection: 3,
        }
    }

    #[test]
    fn a_pdu_is_one_line_for_people() {
        assert_eq!(
            as_line(&pdu()),
            "2026-11-22T05:00:00.000001Z viettel/2#3 <- submit_sm_resp 17 \
             ESME_RTHROTTLED message_id=\"7\""
        );
        let request = TracedPdu {
            outgoing: true,
            command: "enquire_link".into(),
            command_status: 0,
            description: String::new(),
            ..pdu()
        };
        assert_eq!(
            as_line(&request),
            "2026-11-22T05:00:00.000001Z viettel/2#3 -> enquire_link 17"
        );
    }

    #[test]
    fn a_pdu_is_one_object_a_line_for_programs() {
        let told: serde_json::Value = serde_json::from_str(&as_json(&pdu())).unwrap();
        assert_eq!(told["command_status"], 0x58);
        assert_eq!(told["outgoing"], false);
        assert_eq!(told["fields"], "message_id=\"7\"");
        assert!(!as_json(&pdu()).contains('\n'));
    }
}
