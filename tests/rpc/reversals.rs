//! Who may look at what banks have not taken back, and end it.

use sampan::rpc::{
    proto::{
        ListReversalsRequest, ResolveReversalRequest, RetryReversalRequest,
        reversals_client::ReversalsClient,
    },
    settings::ClientSettings,
};
use sha2::{Digest, Sha256};
use tonic::{Code, Request};

use crate::support::{Running, client, settings};

fn with_token(name: &str, token: &str, is_operator: bool) -> ClientSettings {
    ClientSettings {
        token_sha256: Some(Sha256::digest(token).into()),
        is_operator,
        ..client(name)
    }
}

/// A request in the name of the token's owner, or of nobody in particular.
fn by<T>(token: &str, request: T) -> Request<T> {
    let mut request = Request::new(request);
    if !token.is_empty() {
        let value = format!("Bearer {token}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
    }
    request
}

async fn listing(server: &Running, token: &str) -> Code {
    let mut reversals = ReversalsClient::new(server.channel().await);
    let listed = reversals.list(by(token, ListReversalsRequest::default()));
    listed
        .await
        .map_or_else(|status| status.code(), |_| Code::Ok)
}

#[tokio::test]
async fn only_operators_and_whoever_the_machine_trusts_may_see_reversals() {
    let clients = [
        with_token("shop", "a shop", false),
        with_token("desk", "a desk", true),
    ];
    let server = Running::start_with(&settings("127.0.0.1:0"), &clients).await;
    assert_eq!(listing(&server, "a shop").await, Code::PermissionDenied);
    assert_eq!(listing(&server, "a desk").await, Code::Ok);
    assert_eq!(listing(&server, "").await, Code::Ok);
}

#[tokio::test]
async fn a_shop_can_neither_retry_nor_resolve() {
    let clients = [with_token("shop", "a shop", false)];
    let server = Running::start_with(&settings("127.0.0.1:0"), &clients).await;
    let mut reversals = ReversalsClient::new(server.channel().await);
    let retry = RetryReversalRequest {
        client: "shop".into(),
        payment_id: "p-1".into(),
    };
    let refused = reversals.retry(by("a shop", retry)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    let resolve = ResolveReversalRequest {
        client: "shop".into(),
        payment_id: "p-1".into(),
        reason: "paid".into(),
    };
    let refused = reversals.resolve(by("a shop", resolve)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);
    assert!(refused.message().contains("operator = true"));
}

#[tokio::test]
async fn what_names_no_payment_and_a_settlement_without_a_reason_are_refused() {
    let server = Running::start().await;
    let mut reversals = ReversalsClient::new(server.channel().await);
    for (client, payment_id, code) in [
        ("shop", "p-1", Code::NotFound),
        ("no client", "p-1", Code::InvalidArgument),
        ("shop", "", Code::InvalidArgument),
    ] {
        let retry = RetryReversalRequest {
            client: client.into(),
            payment_id: payment_id.into(),
        };
        let refused = reversals.retry(retry).await.unwrap_err();
        assert_eq!(refused.code(), code, "{client:?} {payment_id:?}");
    }
    for reason in [String::from(" "), "x".repeat(501)] {
        let resolve = ResolveReversalRequest {
            client: "shop".into(),
            payment_id: "p-1".into(),
            reason,
        };
        let refused = reversals.resolve(resolve).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
}
