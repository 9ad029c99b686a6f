//! The Links service.

use sampan::rpc::proto::{LinkRequest, ListLinksRequest};
use tonic::Code;

use crate::support::Running;

#[tokio::test]
async fn a_router_without_peers_lists_no_links() {
    let server = Running::start().await;
    let listed = server.links().await.list(ListLinksRequest::default()).await;
    assert_eq!(listed.unwrap().into_inner().links, []);
}

#[tokio::test]
async fn a_drain_without_a_peers_name_does_not_drain_everything() {
    let server = Running::start().await;
    let mut links = server.links().await;
    let refused = links.drain(LinkRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    let refused = links.resume(LinkRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
}
