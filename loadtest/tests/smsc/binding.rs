//! Binds, and the end of a connection.

use super::*;

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
