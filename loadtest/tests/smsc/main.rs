//! The SMSC simulator over real sockets, by an ESME written by hand from SMPP 3.4.

// What cannot be unwrapped has failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod binding;
mod delivering;
mod faults;
mod submitting;

use std::time::{Duration, Instant};

use loadtest::fault::{DelayMs, Timing, Trigger};
use loadtest::smsc::books::{Delivered, MessageState};
use loadtest::smsc::{
    Account, Accounts, BookKeeping, Delivering, IdFormat, Refusal, Smsc, SmscBehaviour, status,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SUBMIT_SM: u32 = 4;
const DELIVER_SM: u32 = 5;
const UNBIND: u32 = 6;
const ENQUIRE_LINK: u32 = 0x15;
const RESPONSE: u32 = 0x8000_0000;
/// bind_transceiver's body for sampan / secret, version 3.4.
const CREDENTIALS: &[u8] = b"sampan\x00secret\x00\x00\x34\x00\x00\x00";

#[derive(Debug, PartialEq)]
struct Pdu {
    command: u32,
    status: u32,
    sequence: u32,
    body: Vec<u8>,
}

struct Esme(TcpStream);

impl Esme {
    async fn connect(smsc: &Smsc) -> Self {
        Self(TcpStream::connect(smsc.address()).await.unwrap())
    }

    /// Connects and binds by the given command.
    async fn bound_as(smsc: &Smsc, command: u32) -> Self {
        let mut esme = Self::connect(smsc).await;
        esme.send(command, 0, 1, CREDENTIALS).await;
        let answer = esme.read().await;
        assert_eq!((answer.command, answer.status), (command | RESPONSE, 0));
        esme
    }

    async fn bound(smsc: &Smsc) -> Self {
        Self::bound_as(smsc, 9).await
    }

    async fn send(&mut self, command: u32, status: u32, sequence: u32, body: &[u8]) {
        let length = 16 + body.len() as u32;
        let mut pdu = Vec::new();
        for word in [length, command, status, sequence] {
            pdu.extend_from_slice(&word.to_be_bytes());
        }
        pdu.extend_from_slice(body);
        self.0.write_all(&pdu).await.unwrap();
    }

    async fn submit(&mut self, sequence: u32, registered_delivery: u8) {
        self.send(SUBMIT_SM, 0, sequence, &submit(registered_delivery))
            .await;
    }

    /// The next PDU, or `None` at the end of the connection.
    async fn next(&mut self) -> Option<Pdu> {
        tokio::time::timeout(Duration::from_secs(10), async {
            let mut header = [0; 16];
            self.0.read_exact(&mut header).await.ok()?;
            let word = |at: usize| u32::from_be_bytes(header[at..at + 4].try_into().unwrap());
            let mut body = vec![0; word(0) as usize - 16];
            self.0.read_exact(&mut body).await.ok()?;
            Some(Pdu {
                command: word(4),
                status: word(8),
                sequence: word(12),
                body,
            })
        })
        .await
        .expect("the simulator said nothing for ten seconds")
    }

    async fn read(&mut self) -> Pdu {
        self.next().await.expect("the connection has ended")
    }

    /// Proves that what was asked before has no answer: an enquiry overtakes nothing.
    async fn nothing_before_an_enquiry(&mut self) {
        self.send(ENQUIRE_LINK, 0, 999, b"").await;
        let answer = self.read().await;
        assert_eq!(
            (answer.command, answer.sequence),
            (ENQUIRE_LINK | RESPONSE, 999)
        );
    }
}

fn submit(registered_delivery: u8) -> Vec<u8> {
    let mut body = b"\x00\x00\x008049\x00\x01\x0184901234567\x00\x00\x00\x00\x00\x00".to_vec();
    body.extend_from_slice(&[registered_delivery, 0, 0, 0, 5]);
    body.extend_from_slice(b"Hello");
    body
}

async fn start(behaviour: SmscBehaviour) -> Smsc {
    Smsc::start(behaviour).await.unwrap()
}

fn quick_receipts() -> Delivering {
    Delivering {
        delay: DelayMs::fixed(1),
        retry_ms: 1,
        ..Delivering::default()
    }
}

/// Waits until the books say so.
async fn until(smsc: &Smsc, holds: impl Fn(&loadtest::smsc::SmscBooks) -> bool) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !holds(&smsc.books()) {
        assert!(
            Instant::now() < deadline,
            "never came true:\n{}",
            smsc.books()
        );
        tokio::task::yield_now().await;
    }
}
