//! Health and reflection.

use sampan::rpc::Service;
use tokio_stream::{StreamExt, once};
use tonic::{Code, Request};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tonic_reflection::pb::v1::{
    ServerReflectionRequest, server_reflection_client::ServerReflectionClient,
    server_reflection_request::MessageRequest, server_reflection_response::MessageResponse,
};

use crate::support::Running;

async fn status(server: &Running, service: &str) -> Result<ServingStatus, Code> {
    let request = HealthCheckRequest {
        service: service.into(),
    };
    HealthClient::new(server.channel().await)
        .check(request)
        .await
        .map(|response| response.into_inner().status())
        .map_err(|status| status.code())
}

#[tokio::test]
async fn health_is_told_for_each_service_and_can_be_set() {
    let server = Running::start().await;
    for service in [
        "",
        "sampan.v1.Messaging",
        "sampan.v1.Payments",
        "sampan.v1.Links",
    ] {
        assert_eq!(
            status(&server, service).await,
            Ok(ServingStatus::Serving),
            "{service}"
        );
    }
    assert_eq!(
        status(&server, "sampan.v1.Nothing").await,
        Err(Code::NotFound)
    );
    server.health.set(Service::Payments, false).await;
    assert_eq!(
        status(&server, "sampan.v1.Payments").await,
        Ok(ServingStatus::NotServing)
    );
    assert_eq!(
        status(&server, "sampan.v1.Messaging").await,
        Ok(ServingStatus::Serving)
    );
}

#[tokio::test]
async fn reflection_lists_the_services_of_the_contract() {
    let server = Running::start().await;
    let request = ServerReflectionRequest {
        host: String::new(),
        message_request: Some(MessageRequest::ListServices(String::new())),
    };
    let mut responses = ServerReflectionClient::new(server.channel().await)
        .server_reflection_info(Request::new(once(request)))
        .await
        .unwrap()
        .into_inner();
    let response = responses.next().await.unwrap().unwrap();
    let Some(MessageResponse::ListServicesResponse(list)) = response.message_response else {
        panic!("{response:?}");
    };
    let names: Vec<_> = list
        .service
        .into_iter()
        .map(|service| service.name)
        .collect();
    for service in Service::ALL {
        assert!(names.iter().any(|name| name == service.name()), "{names:?}");
    }
}
