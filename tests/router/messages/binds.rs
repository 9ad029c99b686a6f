//! What becomes of messages when binds come and go.

use loadtest::{
    fault::{DelayMs, Timing},
    smsc::{Account, Accounts, Smsc, SmscBehaviour},
};
use sampan::{
    rpc::proto::{LinkRequest, Outcome, Reason},
    status::LinkState,
};
use tokio::net::TcpListener;

use crate::support::{Setup, assert_messages_agree, eventually, message, soon, submit, submit_all};

fn slow() -> SmscBehaviour {
    SmscBehaviour {
        timing: Timing {
            delay: DelayMs::between(1, 5),
            ..Timing::default()
        },
        ..SmscBehaviour::default()
    }
}

#[tokio::test]
async fn a_killed_smsc_leaves_no_message_without_an_outcome_and_its_binds_come_back() {
    let smsc = Smsc::start(slow()).await.unwrap();
    let router = Setup::new("")
        .smsc("viettel", &smsc, "binds = 3")
        .message_route(&["viettel"])
        .start_up()
        .await;
    let traffic = submit_all(router.messaging(), (0..2_000).map(message).collect());
    let traffic = tokio::spawn(traffic);
    eventually("traffic flows", async || smsc.totals().accepted > 300).await;
    smsc.kill().await;
    let mut told = traffic.await.unwrap();
    let mut hit = 0;
    for result in told.values() {
        match result.outcome() {
            Outcome::Accepted => assert!(!result.retry_is_safe),
            Outcome::NotSent => assert!(result.retry_is_safe, "{}", result.detail),
            Outcome::Unknown => {
                assert_eq!(result.reason(), Reason::LinkLost);
                assert!(!result.retry_is_safe);
                hit += 1;
            }
            Outcome::Rejected | Outcome::Unspecified => panic!("{result:?}"),
        }
    }
    assert!(hit <= 30, "{hit} are unknown, more than the windows hold");
    assert!(told.values().any(|own| own.outcome() == Outcome::NotSent));

    smsc.restart().await.unwrap();
    router.until_up().await;
    let after = submit_all(router.messaging(), (2_000..2_500).map(message).collect()).await;
    assert!(after.values().all(|own| own.outcome() == Outcome::Accepted));
    told.extend(after);
    assert_messages_agree(&told, &smsc.books());
    assert!(router.of("viettel").iter().all(|link| link.reconnects == 1));
}

#[tokio::test]
async fn an_smsc_that_unbinds_gets_its_answer_and_the_binds_come_back() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new("")
        .smsc("viettel", &smsc, "binds = 2")
        .message_route(&["viettel"])
        .start_up()
        .await;
    smsc.unbind_all();
    router
        .until("each bind came back once", |links| {
            links
                .iter()
                .all(|link| link.state == LinkState::Up && link.reconnects == 1)
        })
        .await;
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(result.outcome(), Outcome::Accepted);
    let books = smsc.books();
    assert_eq!(books.protocol_errors, []);
    assert_eq!((books.binds.len(), books.open_binds()), (4, 2));
}

#[tokio::test]
async fn the_second_smsc_of_a_route_serves_while_the_first_is_down() {
    let first = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let second = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new("")
        .smsc("viettel", &first, "")
        .smsc("mobifone", &second, "")
        .message_route(&["viettel", "mobifone"])
        .start_up()
        .await;
    let client = router.messaging();
    assert_eq!(submit(&client, message(1)).await.smsc, "viettel");
    first.kill().await;
    router.until_down("viettel").await;
    assert_eq!(submit(&client, message(2)).await.smsc, "mobifone");
    first.restart().await.unwrap();
    router.until_up().await;
    assert_eq!(submit(&client, message(3)).await.smsc, "viettel");
    assert_eq!(first.totals().accepted, 2);
    assert_eq!(second.totals().accepted, 1);
}

#[tokio::test]
async fn messages_are_not_sent_at_once_while_no_bind_is_up() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    smsc.kill().await;
    let router = Setup::new("")
        .smsc("viettel", &smsc, "")
        .message_route(&["viettel"])
        .start()
        .await;
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(result.outcome(), Outcome::NotSent);
    assert_eq!(result.reason(), Reason::NoLink);
}

#[tokio::test]
async fn a_drained_bind_takes_nothing_new_until_it_is_resumed() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new("")
        .smsc("viettel", &smsc, "binds = 2")
        .message_route(&["viettel"])
        .start_up()
        .await;
    let mut links = router.links();
    let first = LinkRequest {
        peer: "viettel".to_owned(),
        link: router.of("viettel")[0].name.to_string(),
    };
    soon("drain", links.drain(first.clone())).await.unwrap();
    router
        .until("one link drains", |links| {
            links[0].state == LinkState::Draining
        })
        .await;
    let before = router.of("viettel")[0].submitted;
    let told = submit_all(router.messaging(), (0..200).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    assert_eq!(router.of("viettel")[0].submitted, before);

    let whole = LinkRequest {
        link: String::new(),
        ..first.clone()
    };
    soon("drain", links.drain(whole.clone())).await.unwrap();
    router.until_down("viettel").await;
    let refused = submit(&router.messaging(), message(200)).await;
    assert_eq!(refused.outcome(), Outcome::NotSent);

    soon("resume", links.resume(whole)).await.unwrap();
    router.until_up().await;
    let told = submit_all(router.messaging(), (201..401).map(message).collect()).await;
    assert!(told.values().all(|own| own.outcome() == Outcome::Accepted));
    assert!(router.of("viettel")[0].submitted > before);
    assert_eq!(
        smsc.books().binds.len(),
        2,
        "a drain must not cost the bind"
    );
}

#[tokio::test]
async fn a_wrong_password_is_told_in_links_and_not_tried_again_and_again() {
    let smsc = Smsc::start(SmscBehaviour {
        accounts: Accounts::Listed(vec![Account::new("sampan", "right")]),
        ..SmscBehaviour::default()
    })
    .await
    .unwrap();
    // Closes each connection at once: what is retried soon shows how often soon is.
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let router = Setup::new("")
        .smsc("viettel", &smsc, "password = \"wrong\"")
        .smsc_at("mobifone", other.local_addr().unwrap(), "")
        .message_route(&["viettel"])
        .start()
        .await;
    router
        .until("the refusal is told", |links| {
            links[0].state == LinkState::Down && !links[0].last_error.is_empty()
        })
        .await;
    let told = router.of("viettel")[0].last_error.clone();
    assert!(told.contains("password"), "{told}");
    assert!(!told.contains("wrong"), "{told}");
    for _ in 0..5 {
        drop(soon("another try", other.accept()).await.unwrap());
    }
    assert_eq!(smsc.totals().connections, 1);
}
