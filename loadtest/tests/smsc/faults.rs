//! Faults on demand.

use super::*;

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
        late_ms: 1_000,
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
