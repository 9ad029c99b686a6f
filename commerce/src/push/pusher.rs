//! Makes the calls of partners: reads who it is, calls him, and says what his answer means.

use std::sync::Arc;

use super::{Partner, PushError, Signer, fibo, partner, route::Event, webhook};
use crate::{
    deliveries::{Attempt, Carried, Carrier, Kind, Verdict},
    egress::{Call, Egress},
    moment::UnixMs,
    seal::Keys,
    store::Store,
};

/// The carrier of [`Kind::Fibo`] and [`Kind::Webhook`].
pub struct Pusher {
    store: Store,
    keys: Keys,
    egress: Egress,
}

impl Pusher {
    /// Calls partners of that database by that egress.
    pub fn new(store: Store, keys: Keys, egress: Egress) -> Self {
        Self {
            store,
            keys,
            egress,
        }
    }

    /// The carriers of a worker.
    pub fn carriers(self) -> Vec<(Kind, Arc<dyn Carrier>)> {
        let pusher = Arc::new(self);
        vec![(Kind::Fibo, pusher.clone()), (Kind::Webhook, pusher)]
    }

    async fn attempt(&self, attempt: &Attempt, now: UnixMs) -> Result<Verdict, PushError> {
        let undeliverable = |why: &str| Verdict::Undeliverable {
            why: why.to_owned(),
        };
        let found = {
            let mut read = self.store.read().await?;
            partner::find(&mut read, &self.keys, &attempt.target, now).await?
        };
        let (partner, signer) = match found {
            Some((partner, _)) if !partner.active => {
                return Ok(undeliverable("the partner is switched off"));
            }
            Some(found) => found,
            None => return Ok(undeliverable("there is no such partner")),
        };
        match (attempt.kind, signer) {
            (Kind::Fibo, signer) => Ok(self.fibo(&partner, signer, attempt, now).await),
            (Kind::Webhook, Some(signer)) => self.webhook(&partner, &signer, attempt, now).await,
            (Kind::Webhook, None) => Ok(undeliverable("the webhook has no secret")),
            (Kind::Ipn, _) => Ok(undeliverable("no partner gets this kind")),
        }
    }

    async fn fibo(
        &self,
        partner: &Partner,
        signer: Option<Signer>,
        attempt: &Attempt,
        now: UnixMs,
    ) -> Verdict {
        let Ok(event) = serde_json::from_str::<Event<'_>>(&attempt.payload) else {
            return Verdict::Undeliverable {
                why: "the payload is no message".to_owned(),
            };
        };
        let registered = &partner.registration;
        let url = registered.url.with_parameters(&[
            ("message", &event.data.message),
            ("phone", &event.data.phone),
            ("guid", attempt.guid.as_str()),
        ]);
        // There is no body: what is signed is the query as it is sent.
        let headers =
            signer.map(|signer| signer.headers(&attempt.guid, now, url.query().as_bytes()));
        let call = Call {
            url: &url,
            plain_http: registered.plain_http,
            only_networks: &registered.networks,
            headers: headers.unwrap_or_default(),
            json: None,
            body_bytes_max: fibo::ANSWER_BYTES_MAX,
        };
        match self.egress.call(call).await {
            Err(error) => Verdict::failed(error),
            Ok(answer) => match fibo::taken(answer.status, &answer.body) {
                Ok(()) => Verdict::Done,
                Err(fault) => Verdict::failed(fault),
            },
        }
    }

    async fn webhook(
        &self,
        partner: &Partner,
        signer: &Signer,
        attempt: &Attempt,
        now: UnixMs,
    ) -> Result<Verdict, PushError> {
        let registered = &partner.registration;
        let body = attempt.payload.as_bytes();
        let call = Call {
            url: &registered.url,
            plain_http: registered.plain_http,
            only_networks: &registered.networks,
            headers: signer.headers(&attempt.guid, now, body),
            json: Some(body.to_vec()),
            body_bytes_max: 0,
        };
        let verdict = match self.egress.call(call).await {
            Err(error) => Verdict::failed(error),
            Ok(answer) => webhook::verdict(answer.status, &answer.headers),
        };
        if let Verdict::Undeliverable { why } = &verdict {
            let mut write = self.store.write().await?;
            partner::set_active(&mut write, &attempt.target, false, why).await?;
            write.commit().await?;
            tracing::warn!(partner = %attempt.target, why, "switched off");
        }
        Ok(verdict)
    }
}

impl Carrier for Pusher {
    fn carry<'a>(&'a self, attempt: &'a Attempt, now: UnixMs) -> Carried<'a> {
        Box::pin(async move {
            let verdict = self.attempt(attempt, now).await;
            verdict.unwrap_or_else(Verdict::failed)
        })
    }
}
