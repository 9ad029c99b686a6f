//! Receipts and their delivery.

use super::*;

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
