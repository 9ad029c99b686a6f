//! Texts on their way out: what a preview promises, the SMSC gets.

use loadtest::smsc::{Smsc, SmscBehaviour};
use sampan::rpc::proto::{
    Outcome, PreviewRequest, PreviewResult, SubmitRequest, Transliteration, preview_request,
    submit_request::Body,
};

use crate::support::{Router, Setup, message, soon, submit};

const TEXTS: [&str; 4] = [
    "Your code is on its way",
    "Ma xac nhan [123] cua ban ",
    "Quý khách Đặng Thị Hưởng đã trả 1.250.000₫ ",
    "Đã nhận 😀 ",
];

async fn preview(router: &Router, request: &SubmitRequest) -> PreviewResult {
    let Some(Body::Text(text)) = request.body.clone() else {
        panic!("a text was given");
    };
    let asked = PreviewRequest {
        destination: request.destination.clone(),
        body: Some(preview_request::Body::Text(text)),
        transliteration: request.transliteration,
        ..PreviewRequest::default()
    };
    let mut client = router.messaging();
    let told = soon("a preview", client.preview(asked)).await;
    told.unwrap().into_inner()
}

#[tokio::test]
async fn what_a_preview_promises_the_smsc_gets_in_every_way_of_splitting() {
    for splitting in ["udh8", "udh16", "sar", "payload"] {
        let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
        let router = Setup::new("")
            .smsc("viettel", &smsc, &format!("splitting = {splitting:?}"))
            .message_route(&["viettel"])
            .start_up()
            .await;
        let mut seen = 0;
        for (number, text) in TEXTS.iter().enumerate() {
            for transliteration in [Transliteration::Off, Transliteration::On] {
                let request = SubmitRequest {
                    request_id: format!("{number}-{transliteration:?}"),
                    body: Some(Body::Text(text.repeat(8))),
                    transliteration: transliteration.into(),
                    ..message(number)
                };
                let told = preview(&router, &request).await;
                let result = submit(&router.messaging(), request).await;
                assert_eq!(result.outcome(), Outcome::Accepted, "{result:?}");
                assert_eq!(result.parts, told.parts, "what it costs");
                let messages = smsc.books().messages;
                let got = &messages[seen..];
                seen = messages.len();
                let pdus = if splitting == "payload" {
                    1
                } else {
                    told.parts
                };
                assert_eq!(got.len(), pdus as usize, "{splitting} {told:?}");
                for pdu in got {
                    assert_eq!(u32::from(pdu.data_coding), told.data_coding);
                    let is_payload = splitting == "payload" && told.parts > 1;
                    assert_eq!(pdu.payload.is_some(), is_payload);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_preview_sends_nothing_and_says_why_a_message_could_not_be_sent() {
    let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
    let router = Setup::new("")
        .smsc("viettel", &smsc, "")
        .message_route(&["viettel"])
        .start_up()
        .await;
    let told = preview(&router, &message(1)).await;
    assert_eq!(told.outcome(), Outcome::Unspecified);
    assert_eq!((told.smsc.as_str(), told.parts), ("viettel", 1));
    let unroutable = PreviewRequest {
        route: "nowhere".into(),
        destination: message(1).destination,
        body: Some(preview_request::Body::Text("a".into())),
        ..PreviewRequest::default()
    };
    let told = router.messaging().preview(unroutable).await.unwrap();
    assert_eq!(told.into_inner().outcome(), Outcome::NotSent);
    let result = submit(&router.messaging(), message(2)).await;
    assert_eq!(result.outcome(), Outcome::Accepted);
    assert_eq!(smsc.books().messages.len(), 1);
}
