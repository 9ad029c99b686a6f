//! One caller who asks after payments and takes them back, across the router's lives.

use std::{sync::Arc, time::Duration};

use sampan::rpc::proto::{LookupRequest, ReverseRequest, payments_client::PaymentsClient};
use tokio::{
    sync::watch,
    time::{sleep, timeout},
};
use tonic::{
    Code,
    transport::{Channel, Endpoint},
};

use super::{
    booklet::{Ask, Booklet, Knowledge},
    request,
};
use crate::chaos::router::Living;

/// How long an answer may take; both questions may be asked again.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a router may take to accept a connection.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(2);
/// The pause after a call that failed.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) struct Asker {
    booklet: Arc<Booklet>,
    living: watch::Receiver<Living>,
    /// The life that it was made for, and its client.
    client: Option<(u32, PaymentsClient<Channel>)>,
}

impl Asker {
    pub(super) fn new(booklet: &Arc<Booklet>, living: &watch::Receiver<Living>) -> Self {
        Self {
            booklet: Arc::clone(booklet),
            living: living.clone(),
            client: None,
        }
    }

    /// What became of a payment; `None` if the question was not answered.
    pub(super) async fn look_up(&mut self, number: u32) -> Option<Knowledge> {
        let mut client = self.client().await?;
        let asked = self.booklet.asked(number, Ask::LookUp);
        let payment_id = request::id(number);
        let answer = timeout(PATIENCE, client.lookup(LookupRequest { payment_id })).await;
        let Ok(Ok(found)) = answer else {
            self.failed(number, asked).await;
            return None;
        };
        let knowledge = request::looked_up(found.get_ref());
        self.booklet.told(number, asked, knowledge);
        Some(knowledge)
    }

    /// Takes a payment back; false if the question was not answered.
    pub(super) async fn take_back(&mut self, number: u32) -> bool {
        let Some(mut client) = self.client().await else {
            return false;
        };
        let asked = self.booklet.asked(number, Ask::TakeBack);
        let request = ReverseRequest {
            payment_id: request::id(number),
            // The whole is taken back.
            ..ReverseRequest::default()
        };
        match timeout(PATIENCE, client.reverse(request)).await {
            Ok(Ok(result)) => {
                let knowledge = request::knowledge(result.get_ref());
                self.booklet.told(number, asked, knowledge);
                true
            }
            // It overtook its payment, or the router never got that.
            Ok(Err(status)) if status.code() == Code::NotFound => {
                self.booklet.lost(number, asked);
                true
            }
            Ok(Err(_)) | Err(_) => {
                self.failed(number, asked).await;
                false
            }
        }
    }

    async fn failed(&mut self, number: u32, asked: usize) {
        self.booklet.lost(number, asked);
        self.client = None;
        sleep(PAUSE).await;
    }

    /// A client of the router's present life, once it lives.
    async fn client(&mut self) -> Option<PaymentsClient<Channel>> {
        let alive = self.living.wait_for(|living| living.rpc.is_some()).await;
        let Living { life, rpc } = alive.ok()?.clone();
        if let Some((of_life, client)) = &self.client
            && *of_life == life
        {
            return Some(client.clone());
        }
        match connect(&rpc?).await {
            Some(client) => {
                self.client = Some((life, client.clone()));
                Some(client)
            }
            None => {
                sleep(PAUSE).await;
                None
            }
        }
    }
}

/// A client over a connection of its own; `None` if the router does not accept it.
pub(super) async fn connect(rpc: &str) -> Option<PaymentsClient<Channel>> {
    let endpoint = Endpoint::from_shared(rpc.to_owned()).ok()?;
    let channel = timeout(CONNECT_MAX, endpoint.connect()).await.ok()?.ok()?;
    Some(PaymentsClient::new(channel))
}
