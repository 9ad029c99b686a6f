//! Which SMSC a message goes to, and which one after that.

use loadtest::{
    fault::Trigger,
    smsc::{Refusal, Smsc, SmscBehaviour, status},
};
use sampan::rpc::proto::{
    ExplainRouteRequest, Outcome, Reason, RouteExplanation, SubmitRequest, SubmitResult, Tlv,
    submit_request::Body,
};

use crate::support::{
    Router, Setup, assert_messages_agree, eventually, message, soon, submit, submit_all,
};

async fn smsc(behaviour: SmscBehaviour) -> Smsc {
    Smsc::start(behaviour).await.unwrap()
}

fn willing() -> SmscBehaviour {
    SmscBehaviour::default()
}

fn refusing(trigger: Trigger, status: u32) -> SmscBehaviour {
    SmscBehaviour {
        refuse: Some(Refusal { trigger, status }),
        ..SmscBehaviour::default()
    }
}

fn throttling(trigger: Trigger) -> SmscBehaviour {
    SmscBehaviour {
        throttle: trigger,
        ..SmscBehaviour::default()
    }
}

fn silent() -> SmscBehaviour {
    SmscBehaviour {
        silent: Trigger::Always,
        ..SmscBehaviour::default()
    }
}

/// A pause after a throttle that outlives every test.
const LONG_PAUSE: &str = "throttle_pause_ms = 60000\nthrottle_pause_max_ms = 60000";

/// A router with a route to both, viettel first.
async fn between(viettel: &Smsc, keys: &str, mobifone: &Smsc) -> Router {
    Setup::new("")
        .smsc("viettel", viettel, keys)
        .smsc("mobifone", mobifone, "")
        .message_route(&["viettel", "mobifone"])
        .start_up()
        .await
}

/// A message in three parts, of which each has a PDU of its own.
fn long() -> SubmitRequest {
    SubmitRequest {
        body: Some(Body::Text("long ".repeat(80))),
        ..message(1)
    }
}

/// Where a message ended, after how many SMSCs.
fn told(result: &SubmitResult) -> (Outcome, &str, u32) {
    (result.outcome(), &result.smsc, result.attempts)
}

#[tokio::test]
async fn a_temporary_rejection_sends_the_message_to_the_next_smsc() {
    for refused in [status::RX_T_APPN, status::RSYSERR, status::RMSGQFUL] {
        let viettel = smsc(refusing(Trigger::Always, refused)).await;
        let mobifone = smsc(willing()).await;
        let router = between(&viettel, "", &mobifone).await;
        let result = submit(&router.messaging(), message(1)).await;
        assert_eq!(told(&result), (Outcome::Accepted, "mobifone", 2));
        let figures = router.app.metrics().render();
        let counted = "sampan_message_failovers_total{smsc=\"viettel\"} 1";
        assert!(figures.contains(counted), "not counted");
    }
}

#[tokio::test]
async fn a_message_that_one_smsc_cannot_carry_goes_to_the_one_after_it() {
    let viettel = smsc(refusing(Trigger::Always, status::RSYSERR)).await;
    let mobifone = smsc(willing()).await;
    let vinaphone = smsc(willing()).await;
    let router = Setup::new("")
        .smsc("viettel", &viettel, "")
        // Would write the parameter that the caller has given.
        .smsc("mobifone", &mobifone, "splitting = \"sar\"")
        .smsc("vinaphone", &vinaphone, "")
        .message_route(&["viettel", "mobifone", "vinaphone"])
        .start_up()
        .await;
    let request = SubmitRequest {
        tlvs: vec![Tlv {
            tag: 0x020C,
            value: vec![0, 7].into(),
        }],
        ..long()
    };
    let result = submit(&router.messaging(), request).await;
    assert_eq!(told(&result), (Outcome::Accepted, "vinaphone", 2));
    assert_eq!(mobifone.totals().submitted, 0);
}

#[tokio::test]
async fn a_permanent_rejection_is_told_and_no_other_smsc_is_asked() {
    let viettel = smsc(refusing(Trigger::Always, status::RINVDSTADR)).await;
    let mobifone = smsc(willing()).await;
    let router = between(&viettel, "", &mobifone).await;
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(told(&result), (Outcome::Rejected, "viettel", 1));
    assert_eq!(mobifone.totals().submitted, 0);
}

#[tokio::test]
async fn what_is_queued_for_a_dying_smsc_goes_to_the_next_one() {
    let viettel = smsc(silent()).await;
    let mobifone = smsc(willing()).await;
    let keys = "window = 1\nresponse_timeout_ms = 60000";
    let router = between(&viettel, keys, &mobifone).await;
    let traffic = submit_all(router.messaging(), (0..100).map(message).collect());
    let traffic = tokio::spawn(traffic);
    router
        .until("one is in flight, the others wait", |links| {
            links[0].queued == 99
        })
        .await;
    viettel.kill().await;
    let results = soon("the outcomes", traffic).await.unwrap();
    let unknown: Vec<_> = results
        .values()
        .filter(|own| own.outcome() != Outcome::Accepted)
        .collect();
    assert_eq!(unknown.len(), 1, "only what was in flight is in doubt");
    assert_eq!(told(unknown[0]), (Outcome::Unknown, "viettel", 1));
    assert_eq!(mobifone.totals().accepted, 99);
    assert_messages_agree(&results, &mobifone.books());
}

#[tokio::test]
async fn what_is_queued_for_a_dying_bind_goes_to_another_bind_of_the_same_smsc() {
    let viettel = smsc(SmscBehaviour {
        disconnect: Trigger::First(1),
        ..SmscBehaviour::default()
    })
    .await;
    let mobifone = smsc(willing()).await;
    let router = between(&viettel, "binds = 2\nwindow = 1", &mobifone).await;
    let results = submit_all(router.messaging(), (0..50).map(message).collect()).await;
    let unknown = results
        .values()
        .filter(|own| own.outcome() == Outcome::Unknown);
    assert_eq!(unknown.count(), 1);
    assert!(results.values().all(|own| own.smsc == "viettel"));
    assert_eq!(viettel.totals().accepted, 50);
    assert_eq!(mobifone.totals().submitted, 0);
}

#[tokio::test]
async fn what_does_not_fit_the_queue_goes_to_the_next_smsc() {
    let viettel = smsc(silent()).await;
    let mobifone = smsc(willing()).await;
    let keys = "window = 1\nqueue_max = 2\nresponse_timeout_ms = 60000";
    let router = between(&viettel, keys, &mobifone).await;
    let traffic = submit_all(router.messaging(), (0..50).map(message).collect());
    let traffic = tokio::spawn(traffic);
    eventually("the rest goes elsewhere", async || {
        mobifone.totals().accepted >= 47
    })
    .await;
    traffic.abort();
}

#[tokio::test]
async fn what_may_have_arrived_is_never_given_to_another_smsc() {
    let viettel = smsc(silent()).await;
    let mobifone = smsc(willing()).await;
    let router = between(&viettel, "response_timeout_ms = 100", &mobifone).await;
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(told(&result), (Outcome::Unknown, "viettel", 1));
    assert_eq!(result.reason(), Reason::Timeout);
    assert_eq!(mobifone.totals().submitted, 0);
}

#[tokio::test]
async fn a_caller_that_prefers_two_messages_to_none_gets_the_next_smsc_after_unknown() {
    let resend = SubmitRequest {
        resend_after_unknown: true,
        ..message(1)
    };
    let viettel = smsc(silent()).await;
    let mobifone = smsc(willing()).await;
    let router = between(&viettel, "response_timeout_ms = 100", &mobifone).await;
    let result = submit(&router.messaging(), resend.clone()).await;
    assert_eq!(told(&result), (Outcome::Accepted, "mobifone", 2));

    // A later refusal does not make it safe to retry: the first one may have it still.
    mobifone.set_behaviour(refusing(Trigger::Always, status::RX_T_APPN));
    let again = SubmitRequest {
        request_id: "again".into(),
        ..resend
    };
    let result = submit(&router.messaging(), again).await;
    assert_eq!(told(&result), (Outcome::Unknown, "viettel", 2));
    assert!(!result.retry_is_safe);
}

#[tokio::test]
async fn no_more_smscs_are_tried_than_the_route_allows() {
    let refusing = || refusing(Trigger::Always, status::RX_T_APPN);
    let viettel = smsc(refusing()).await;
    let mobifone = smsc(refusing()).await;
    let vina = smsc(willing()).await;
    let router = Setup::new("")
        .smsc("viettel", &viettel, "")
        .smsc("mobifone", &mobifone, "")
        .smsc("vina", &vina, "")
        .message_route(&["viettel", "mobifone", "vina"])
        .more("failover_max = 1")
        .start_up()
        .await;
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(told(&result), (Outcome::Rejected, "mobifone", 2));
    assert!(result.retry_is_safe);
    assert_eq!(vina.totals().submitted, 0);
}

#[tokio::test]
async fn a_throttled_message_goes_to_the_next_smsc_and_waits_only_for_the_last_one() {
    let viettel = smsc(throttling(Trigger::Always)).await;
    let mobifone = smsc(throttling(Trigger::First(1))).await;
    let router = Setup::new("")
        .smsc("viettel", &viettel, LONG_PAUSE)
        .smsc("mobifone", &mobifone, "throttle_pause_ms = 100")
        .message_route(&["viettel", "mobifone"])
        .start_up()
        .await;
    let result = submit(&router.messaging(), message(1)).await;
    assert_eq!(told(&result), (Outcome::Accepted, "mobifone", 2));
    assert_eq!(viettel.totals().submitted, 1);
    assert_eq!(mobifone.totals().submitted, 2);
}

#[tokio::test]
async fn a_throttled_message_waits_no_longer_than_its_deadline() {
    let viettel = smsc(throttling(Trigger::Always)).await;
    let router = Setup::new("")
        .smsc("viettel", &viettel, LONG_PAUSE)
        .message_route(&["viettel"])
        .start_up()
        .await;
    let hasty = SubmitRequest {
        deadline_ms: 200,
        ..message(1)
    };
    let result = submit(&router.messaging(), hasty).await;
    assert_eq!(told(&result), (Outcome::NotSent, "viettel", 1));
    assert_eq!(result.reason(), Reason::Deadline);
    assert!(result.retry_is_safe);
}

#[tokio::test]
async fn a_part_that_is_throttled_joins_the_others_at_the_same_smsc() {
    let viettel = smsc(throttling(Trigger::First(1))).await;
    let mobifone = smsc(willing()).await;
    let router = between(&viettel, "throttle_pause_ms = 100", &mobifone).await;
    let result = submit(&router.messaging(), long()).await;
    assert_eq!(told(&result), (Outcome::Accepted, "viettel", 1));
    assert_eq!((result.parts, result.message_ids.len()), (3, 3));
    assert_eq!(viettel.totals().accepted, 3);
    assert_eq!(mobifone.totals().submitted, 0);
}

#[tokio::test]
async fn a_message_of_which_a_part_was_taken_never_goes_elsewhere() {
    let viettel = smsc(refusing(Trigger::First(1), status::RX_T_APPN)).await;
    let mobifone = smsc(willing()).await;
    let router = between(&viettel, "", &mobifone).await;
    let result = submit(&router.messaging(), long()).await;
    assert_eq!(told(&result), (Outcome::Rejected, "viettel", 1));
    assert!(!result.retry_is_safe);
    assert_eq!(mobifone.totals().submitted, 0);
}

#[tokio::test]
async fn all_parts_of_a_message_that_no_smsc_has_begun_go_on_together() {
    let viettel = smsc(refusing(Trigger::Always, status::RX_T_APPN)).await;
    let mobifone = smsc(willing()).await;
    let router = between(&viettel, "", &mobifone).await;
    let result = submit(&router.messaging(), long()).await;
    assert_eq!(told(&result), (Outcome::Accepted, "mobifone", 2));
    assert_eq!(result.message_ids.len(), 3);
    assert_eq!(viettel.totals().accepted, 0);
}

#[tokio::test]
async fn messages_are_spread_by_weight_and_the_share_of_a_dead_smsc_goes_to_the_others() {
    let viettel = smsc(willing()).await;
    let mobifone = smsc(willing()).await;
    let router = Setup::new("")
        .smsc("viettel", &viettel, "")
        .smsc("mobifone", &mobifone, "")
        .section(
            "[[message_route]]\nname = \"all\"\nprefixes = [\"\"]\nchoice = \"weighted\"\n\
             smscs = [{ name = \"viettel\", weight = 70 }, { name = \"mobifone\", weight = 30 }]\n\
             default_source = \"8049\"",
        )
        .start_up()
        .await;
    let results = submit_all(router.messaging(), (0..1_000).map(message).collect()).await;
    assert!(
        results
            .values()
            .all(|own| own.outcome() == Outcome::Accepted)
    );
    let share = viettel.totals().accepted;
    assert!((690..=710).contains(&share), "{share} of 1,000");
    viettel.kill().await;
    router.until_down("viettel").await;
    let more = submit_all(router.messaging(), (1_000..1_100).map(message).collect()).await;
    assert!(more.values().all(|own| own.smsc == "mobifone"));
}

#[tokio::test]
async fn a_keyword_and_a_client_choose_the_route_and_the_dry_run_says_why() {
    let viettel = smsc(willing()).await;
    let mobifone = smsc(willing()).await;
    let router = Setup::new("")
        .smsc("viettel", &viettel, "")
        .smsc("mobifone", &mobifone, "")
        .message_route(&["viettel", "mobifone"])
        .section(
            "[[message_route]]\nname = \"otp\"\nprefixes = [\"84\"]\nkeywords = [\"otp\"]\n\
             clients = [\"local\"]\nsmscs = [\"mobifone\"]\ndefault_source = \"8049\"",
        )
        .start_up()
        .await;
    let otp = |client: &str| ExplainRouteRequest {
        message: Some(SubmitRequest {
            body: Some(Body::Text("OTP 1234".into())),
            ..message(1)
        }),
        client: client.to_owned(),
    };
    let explain = async |request| -> RouteExplanation {
        let mut client = router.messaging();
        let answered = soon("the explanation", client.explain_route(request)).await;
        answered.unwrap().into_inner()
    };
    let told = explain(otp("")).await;
    assert_eq!(
        (told.route.as_str(), &*told.smscs),
        ("otp", &["mobifone".to_owned()][..])
    );
    let sent = otp("").message.unwrap();
    assert_eq!(submit(&router.messaging(), sent).await.smsc, "mobifone");

    let told = explain(otp("other")).await;
    assert_eq!(told.route, "vietnam");
    assert_eq!(told.smscs, ["viettel", "mobifone"]);
    let first = "route otp: prefix \"84\", not taken: the client is not local";
    assert_eq!(told.steps.first().map(String::as_str), Some(first));

    viettel.kill().await;
    router.until_down("viettel").await;
    let told = explain(otp("other")).await;
    assert_eq!(told.smscs, ["mobifone"]);
    let skipped = "smsc viettel: no bind is up: skipped".to_owned();
    assert!(told.steps.contains(&skipped), "{:?}", told.steps);
    assert_eq!(viettel.totals().submitted, 0, "a dry run sends nothing");
}
