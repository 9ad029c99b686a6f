//! Messages and what is asked about them.

use super::*;

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
