//! The SMSC simulator over real sockets, by an ESME written by hand from SMPP 3.4.

// What cannot be unwrapped has failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

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

#[tokio::test]
async fn a_bind_is_answered_with_the_interface_version() {
    let smsc = start(SmscBehaviour::default()).await;
    for (command, kind) in [(1, "Receiver"), (2, "Transmitter"), (9, "Transceiver")] {
        let mut esme = Esme::connect(&smsc).await;
        esme.send(command, 0, 77, CREDENTIALS).await;
        let answer = esme.read().await;
        assert_eq!(
            (answer.command, answer.status, answer.sequence),
            (command | RESPONSE, 0, 77)
        );
        assert_eq!(answer.body, b"SIMULATOR\x00\x02\x10\x00\x01\x34");
        assert_eq!(
            format!("{:?}", smsc.books().binds.last().unwrap().kind),
            kind
        );
    }
}

#[tokio::test]
async fn wrong_credentials_and_a_second_bind_get_the_status_that_names_them() {
    let listed = Accounts::Listed(vec![Account::new("sampan", "secret")]);
    let smsc = start(SmscBehaviour {
        accounts: listed,
        ..Default::default()
    })
    .await;
    let mut esme = Esme::connect(&smsc).await;
    esme.send(9, 0, 1, b"nobody\x00secret\x00\x00\x34\x00\x00\x00")
        .await;
    assert_eq!(esme.read().await.status, status::RINVSYSID);
    esme.send(9, 0, 2, b"sampan\x00wrong\x00\x00\x34\x00\x00\x00")
        .await;
    assert_eq!(esme.read().await.status, status::RINVPASWD);
    esme.submit(3, 0).await;
    assert_eq!(esme.read().await.status, status::RINVBNDSTS);
    esme.send(9, 0, 4, CREDENTIALS).await;
    assert_eq!(esme.read().await.status, status::ROK);
    esme.send(9, 0, 5, CREDENTIALS).await;
    assert_eq!(esme.read().await.status, status::RALYBND);
    assert_eq!(smsc.books().totals.binds_refused, 3);
}

#[tokio::test]
async fn binds_beyond_the_limit_of_an_account_are_refused() {
    let smsc = start(SmscBehaviour {
        binds_max: Some(1),
        ..Default::default()
    })
    .await;
    let _first = Esme::bound(&smsc).await;
    let mut second = Esme::connect(&smsc).await;
    second.send(9, 0, 1, CREDENTIALS).await;
    assert_eq!(second.read().await.status, status::RALYBND);
}

#[tokio::test]
async fn an_accepted_message_is_on_the_books_as_it_was_sent() {
    let smsc = start(SmscBehaviour::default()).await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 0).await;
    let answer = esme.read().await;
    assert_eq!(
        (answer.command, answer.status, answer.sequence),
        (SUBMIT_SM | RESPONSE, 0, 2)
    );
    assert_eq!(answer.body, b"1\x00");
    let books = smsc.books();
    let message = &books.messages[0];
    assert_eq!(
        (message.message_id.as_str(), message.bind, message.sequence),
        ("1", 0, 2)
    );
    assert_eq!(message.source.digits(), "8049");
    assert_eq!(message.dest.digits(), "84901234567");
    assert_eq!(&message.short_message.0[..], b"Hello");
    assert_eq!((books.binds[0].submitted, books.binds[0].accepted), (1, 1));
    assert!(
        !format!("{books:?}{books}").contains("Hello"),
        "texts are never shown"
    );
}

#[tokio::test]
async fn a_receiver_may_not_submit() {
    let smsc = start(SmscBehaviour::default()).await;
    let mut esme = Esme::bound_as(&smsc, 1).await;
    esme.submit(2, 0).await;
    assert_eq!(esme.read().await.status, status::RINVBNDSTS);
    assert_eq!(smsc.books().totals.accepted, 0);
}

#[tokio::test]
async fn all_pdus_of_one_read_are_answered_however_they_are_cut() {
    let smsc = start(SmscBehaviour::default()).await;
    let mut esme = Esme::bound(&smsc).await;
    let mut burst = Vec::new();
    for sequence in 1..=500u32 {
        let body = submit(0);
        for word in [16 + body.len() as u32, SUBMIT_SM, 0, sequence] {
            burst.extend_from_slice(&word.to_be_bytes());
        }
        burst.extend_from_slice(&body);
    }
    for piece in burst.chunks(1_013) {
        esme.0.write_all(piece).await.unwrap();
    }
    for sequence in 1..=500 {
        assert_eq!(esme.read().await.sequence, sequence);
    }
    assert_eq!(smsc.books().messages.len(), 500);
}

#[tokio::test]
async fn counts_are_kept_without_messages_under_load() {
    let smsc = start(SmscBehaviour {
        books: BookKeeping::CountsOnly,
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 0).await;
    assert_eq!(esme.read().await.status, 0);
    assert_eq!(
        (smsc.books().messages.len(), smsc.totals().accepted),
        (0, 1)
    );
}

#[tokio::test]
async fn data_sm_and_submit_multi_are_accepted() {
    let smsc = start(SmscBehaviour::default()).await;
    let mut esme = Esme::bound(&smsc).await;
    esme.send(
        0x103,
        0,
        2,
        b"\x00\x00\x008049\x00\x01\x01849\x00\x00\x00\x00\x04\x24\x00\x02Hi",
    )
    .await;
    assert_eq!(esme.read().await.body, b"1\x00");
    let multi = b"\x00\x00\x008049\x00\x02\x01\x01\x01849\x00\x01\x01\x01848\x00\
        \x00\x00\x00\x00\x00\x00\x00\x00\x00\x02Hi";
    esme.send(0x21, 0, 3, multi).await;
    let answer = esme.read().await;
    assert_eq!(
        (answer.command, &answer.body[..]),
        (0x8000_0021, &b"2\x00\x00"[..])
    );
    let books = smsc.books();
    assert_eq!(&books.messages[0].payload.as_ref().unwrap().0[..], b"Hi");
    assert_eq!(books.messages[1].more_dests[0].digits(), "848");
}

#[tokio::test]
async fn query_replace_and_cancel_follow_the_books() {
    let slow = Delivering {
        delay: DelayMs::fixed(60_000),
        ..Delivering::default()
    };
    let smsc = start(SmscBehaviour {
        delivering: slow,
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 0).await;
    esme.read().await;
    let query = b"1\x00\x00\x008049\x00";
    esme.send(3, 0, 3, query).await;
    assert_eq!(esme.read().await.body, b"1\x00\x00\x01\x00", "ENROUTE");
    esme.send(7, 0, 4, b"1\x00\x00\x008049\x00\x00\x00\x00\x00\x03New")
        .await;
    assert_eq!(esme.read().await.status, status::ROK);
    assert_eq!(&smsc.books().messages[0].short_message.0[..], b"New");
    let cancel = b"\x001\x00\x00\x008049\x00\x01\x0184901234567\x00";
    esme.send(8, 0, 5, cancel).await;
    assert_eq!(esme.read().await.status, status::ROK);
    esme.send(8, 0, 6, cancel).await;
    assert_eq!(
        esme.read().await.status,
        status::RCANCELFAIL,
        "it is gone already"
    );
    esme.send(3, 0, 7, query).await;
    let answer = esme.read().await;
    assert_eq!(
        answer.body[19..],
        [4, 0],
        "DELETED after 16 characters of final date"
    );
    esme.send(3, 0, 8, b"2\x00\x00\x008049\x00").await;
    assert_eq!(esme.read().await.status, status::RQUERYFAIL);
    assert_eq!(
        smsc.books().messages[0].state(Instant::now()),
        MessageState::Deleted
    );
}

#[tokio::test]
async fn an_unknown_command_is_nacked_and_a_lost_framing_ends_the_connection() {
    let smsc = start(SmscBehaviour::default()).await;
    let mut esme = Esme::bound(&smsc).await;
    esme.send(0x0000_0042, 0, 7, b"x").await;
    let nack = esme.read().await;
    assert_eq!(
        (nack.command, nack.status, nack.sequence),
        (RESPONSE, status::RINVCMDID, 7)
    );
    esme.send(3, 0, 8, b"no NUL at the end").await;
    let refused = esme.read().await;
    assert_eq!(
        (refused.command, refused.status),
        (3 | RESPONSE, status::RINVPARLEN)
    );
    esme.0.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let nack = esme.read().await;
    assert_eq!(
        (nack.command, nack.status, nack.sequence),
        (RESPONSE, status::RINVCMDLEN, 0)
    );
    assert_eq!(esme.next().await, None);
    assert_eq!(smsc.books().totals.protocol_errors, 3);
}

#[tokio::test]
async fn unbind_works_from_either_side() {
    let smsc = start(SmscBehaviour::default()).await;
    let mut esme = Esme::bound(&smsc).await;
    esme.send(UNBIND, 0, 2, b"").await;
    assert_eq!(esme.read().await.command, UNBIND | RESPONSE);
    assert_eq!(esme.next().await, None);
    let mut esme = Esme::bound(&smsc).await;
    smsc.unbind_all();
    let unbind = esme.read().await;
    assert_eq!(unbind.command, UNBIND);
    esme.send(UNBIND | RESPONSE, 0, unbind.sequence, b"").await;
    assert_eq!(esme.next().await, None);
    assert_eq!(smsc.books().open_binds(), 0);
}

#[tokio::test]
async fn a_silent_bind_is_enquired_after_and_then_closed() {
    let smsc = start(SmscBehaviour {
        enquire_link_ms: Some(50),
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    let enquiry = esme.read().await;
    assert_eq!(enquiry.command, ENQUIRE_LINK);
    esme.send(ENQUIRE_LINK | RESPONSE, 0, enquiry.sequence, b"")
        .await;
    assert_eq!(
        esme.read().await.command,
        ENQUIRE_LINK,
        "the answer proved life"
    );
    assert_eq!(esme.next().await, None, "no answer is a dead peer");
}

#[tokio::test]
async fn a_receipt_has_the_standard_text_and_tlvs() {
    let delivering = Delivering {
        receipt_ids: IdFormat::Padded,
        ..quick_receipts()
    };
    let behaviour = SmscBehaviour {
        delivering,
        message_ids: IdFormat::Hex,
        ..Default::default()
    };
    let smsc = start(behaviour).await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 1).await;
    assert_eq!(esme.read().await.command, SUBMIT_SM | RESPONSE);
    let receipt = esme.read().await;
    assert_eq!(receipt.command, DELIVER_SM);
    let head = b"\x00\x01\x0184901234567\x00\x00\x008049\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00";
    assert_eq!(
        &receipt.body[..head.len()],
        head,
        "addresses turned round, esm_class 4"
    );
    let length = usize::from(receipt.body[head.len()]);
    let (text, tlvs) = receipt.body[head.len() + 1..].split_at(length);
    let text = std::str::from_utf8(text).unwrap();
    assert!(
        text.starts_with("id:0000000001 sub:001 dlvrd:001 submit date:"),
        "{text}"
    );
    assert!(text.ends_with(" stat:DELIVRD err:000 text:Hello"), "{text}");
    assert_eq!(tlvs, b"\x00\x1e\x00\x0b0000000001\x00\x04\x27\x00\x01\x02");
    esme.send(DELIVER_SM | RESPONSE, 0, receipt.sequence, b"\x00")
        .await;
    until(&smsc, |books| books.totals.receipts_acknowledged == 1).await;
    let ended = &smsc.books().deliveries[0];
    assert_eq!(
        (ended.what.clone(), ended.status),
        (Delivered::Receipt("1".into()), Some(0))
    );
}

#[tokio::test]
async fn failure_only_receipts_come_for_failures_alone() {
    let delivering = Delivering {
        undeliverable: Trigger::Every(2),
        ..quick_receipts()
    };
    let smsc = start(SmscBehaviour {
        delivering,
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 2).await;
    esme.submit(3, 2).await;
    assert_eq!(
        (esme.read().await.sequence, esme.read().await.sequence),
        (2, 3)
    );
    let receipt = esme.read().await;
    let text = String::from_utf8_lossy(&receipt.body).into_owned();
    assert!(
        text.contains("id:2 ") && text.contains("stat:UNDELIV"),
        "{text}"
    );
    assert_eq!(smsc.books().totals.receipts, 1);
}

#[tokio::test]
async fn a_temporary_error_is_sent_again_and_a_permanent_one_is_not() {
    let smsc = start(SmscBehaviour {
        delivering: quick_receipts(),
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    let end = smsc.inject_mo("84901234567", "8049", 0, "VI BAN MB10");
    for given in [status::RX_T_APPN, status::RX_R_APPN] {
        let mo = esme.read().await;
        assert_eq!(&mo.body[..12], b"\x00\x01\x01849012345");
        esme.send(DELIVER_SM | RESPONSE, given, mo.sequence, b"\x00")
            .await;
    }
    let end = end.await.unwrap();
    assert_eq!((end.status, end.attempts), (Some(status::RX_R_APPN), 2));
    esme.nothing_before_an_enquiry().await;
    assert_eq!(smsc.books().totals.mo_lost, 1);
}

#[tokio::test]
async fn a_delivery_is_given_up_after_its_last_attempt() {
    let delivering = Delivering {
        attempts_max: 2,
        response_timeout_ms: 20,
        ..quick_receipts()
    };
    let smsc = start(SmscBehaviour {
        delivering,
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    let end = smsc.inject_mo("849", "8049", 0, "x");
    assert_eq!(esme.read().await.command, DELIVER_SM);
    assert_eq!(esme.read().await.command, DELIVER_SM);
    let end = end.await.unwrap();
    assert_eq!((end.status, end.attempts), (None, 2));
}

#[tokio::test]
async fn a_delivery_without_a_response_goes_through_the_next_bind() {
    let smsc = start(SmscBehaviour::default()).await;
    let end = smsc.inject_mo("849", "8049", 0, "x");
    let mut first = Esme::bound_as(&smsc, 1).await;
    assert_eq!(
        first.read().await.command,
        DELIVER_SM,
        "it waited for the first receiver"
    );
    let _transmitter = Esme::bound_as(&smsc, 2).await;
    drop(first);
    let mut second = Esme::bound_as(&smsc, 1).await;
    let mo = second.read().await;
    second
        .send(DELIVER_SM | RESPONSE, 0, mo.sequence, b"\x00")
        .await;
    assert_eq!(end.await.unwrap().status, Some(0));
    let ended = &smsc.books().deliveries[0];
    assert_eq!(
        (ended.what.clone(), ended.bind, ended.attempts),
        (Delivered::Mo, 2, 2)
    );
}

#[tokio::test]
async fn throttling_and_refusing_leave_nothing_on_the_books() {
    let refuse = Some(Refusal {
        trigger: Trigger::Always,
        status: status::RINVDSTADR,
    });
    let behaviour = SmscBehaviour {
        throttle: Trigger::First(1),
        refuse,
        ..SmscBehaviour::default()
    };
    let smsc = start(behaviour.clone()).await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 0).await;
    let throttled = esme.read().await;
    assert_eq!(
        (throttled.status, throttled.body.len()),
        (status::RTHROTTLED, 0)
    );
    esme.submit(3, 0).await;
    assert_eq!(esme.read().await.status, status::RINVDSTADR);
    assert_eq!(smsc.books().totals.accepted, 0);
    smsc.set_behaviour(SmscBehaviour {
        error_bodies: true,
        ..behaviour
    });
    esme.submit(4, 0).await;
    assert_eq!(esme.read().await.body, b"\x00", "counts and all start anew");
}

#[tokio::test]
async fn a_message_left_unanswered_is_accepted_only_where_that_is_asked() {
    for silent_accepts in [false, true] {
        let behaviour = SmscBehaviour {
            silent: Trigger::Always,
            silent_accepts,
            ..Default::default()
        };
        let smsc = start(behaviour).await;
        let mut esme = Esme::bound(&smsc).await;
        esme.submit(2, 0).await;
        esme.nothing_before_an_enquiry().await;
        let books = smsc.books();
        assert_eq!(books.messages.len(), usize::from(silent_accepts));
        assert!(books.messages.iter().all(|message| !message.answered));
    }
}

#[tokio::test]
async fn a_late_answer_comes_after_those_that_were_made_later() {
    let timing = Timing {
        late: Trigger::First(1),
        late_ms: 50,
        ..Timing::default()
    };
    let smsc = start(SmscBehaviour {
        timing,
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 0).await;
    esme.submit(3, 0).await;
    assert_eq!(
        (esme.read().await.sequence, esme.read().await.sequence),
        (3, 2)
    );
    assert_eq!(smsc.books().totals.late, 1);
}

#[tokio::test]
async fn delayed_answers_keep_their_order_unless_they_are_shuffled() {
    for shuffle in [false, true] {
        let timing = Timing {
            delay: DelayMs::between(1, 60),
            shuffle,
            ..Timing::default()
        };
        let smsc = start(SmscBehaviour {
            timing,
            ..Default::default()
        })
        .await;
        let mut esme = Esme::bound(&smsc).await;
        for sequence in 1..=40 {
            esme.submit(sequence, 0).await;
        }
        let mut order = Vec::new();
        for _ in 1..=40 {
            order.push(esme.read().await.sequence);
        }
        assert_eq!(order.is_sorted(), !shuffle, "{order:?}");
        order.sort_unstable();
        assert_eq!(order, (1..=40).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_dropped_connection_leaves_half_an_answer_and_the_message_on_the_books() {
    let smsc = start(SmscBehaviour {
        disconnect: Trigger::Every(2),
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 0).await;
    esme.read().await;
    esme.submit(3, 0).await;
    let mut rest = Vec::new();
    esme.0.read_to_end(&mut rest).await.unwrap();
    assert_eq!(
        rest, b"\x00\x00\x00\x12\x80\x00\x00\x04\x00",
        "half of 18 octets"
    );
    let books = smsc.books();
    assert_eq!((books.messages.len(), books.totals.disconnected), (2, 1));
}

#[tokio::test]
async fn enquiries_and_binds_are_ignored_or_refused_as_told() {
    let smsc = start(SmscBehaviour {
        ignore_enquire_link: true,
        ..Default::default()
    })
    .await;
    let mut esme = Esme::bound(&smsc).await;
    esme.send(ENQUIRE_LINK, 0, 2, b"").await;
    esme.submit(3, 0).await;
    assert_eq!(esme.read().await.sequence, 3);
    assert_eq!(smsc.books().totals.enquired, 1);
    let refuse_binds = Some(status::RBINDFAIL);
    smsc.set_behaviour(SmscBehaviour {
        refuse_binds,
        ..Default::default()
    });
    let mut esme = Esme::connect(&smsc).await;
    esme.send(9, 0, 1, CREDENTIALS).await;
    assert_eq!(esme.read().await.status, status::RBINDFAIL);
}

#[tokio::test]
async fn a_black_hole_accepts_the_connection_and_says_nothing() {
    let smsc = start(SmscBehaviour {
        black_hole: true,
        ..Default::default()
    })
    .await;
    let mut esme = Esme::connect(&smsc).await;
    esme.send(9, 0, 1, CREDENTIALS).await;
    let mut octet = [0];
    let said = tokio::time::timeout(Duration::from_millis(50), esme.0.read(&mut octet)).await;
    assert!(said.is_err(), "{said:?}");
}

#[tokio::test]
async fn a_killed_smsc_refuses_connections_and_comes_back_with_its_books() {
    let smsc = start(SmscBehaviour::default()).await;
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 0).await;
    esme.read().await;
    smsc.kill().await;
    assert_eq!(esme.next().await, None);
    assert!(TcpStream::connect(smsc.address()).await.is_err());
    assert_eq!(smsc.books().open_binds(), 0);
    smsc.restart().await.unwrap();
    let mut esme = Esme::bound(&smsc).await;
    esme.submit(2, 0).await;
    assert_eq!(
        esme.read().await.body,
        b"2\x00",
        "ids go on where they were"
    );
    assert_eq!(smsc.books().messages[1].bind, 1);
}

#[tokio::test]
async fn a_stopping_smsc_unbinds_first() {
    let smsc = start(SmscBehaviour::default()).await;
    let mut esme = Esme::bound(&smsc).await;
    let client = async {
        let unbind = esme.read().await;
        esme.send(unbind.command | RESPONSE, 0, unbind.sequence, b"")
            .await;
        (unbind.command, esme.next().await)
    };
    let ((), said) = tokio::join!(smsc.stop(), client);
    assert_eq!(said, (UNBIND, None));
}
