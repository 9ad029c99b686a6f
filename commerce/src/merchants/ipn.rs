//! Tells a merchant what became of an order (IPN), and reads whether he has taken it.

use std::sync::Arc;

use axum::http::StatusCode;
use serde_json::Value;

use super::{Merchant, MerchantError, Secrets, call, record};
use crate::{
    deliveries::{Attempt, Carried, Carrier, Kind, Verdict},
    egress::{Call, Egress},
    moment::UnixMs,
    seal::Keys,
    store::Store,
};

/// Octets of an answer: two short fields, many times over.
const ANSWER_BYTES_MAX: usize = 16 << 10;

/// The carrier of [`Kind::Ipn`].
pub struct Ipn {
    store: Store,
    keys: Keys,
    egress: Egress,
}

impl Ipn {
    /// Calls merchants of that database by that egress.
    pub fn new(store: Store, keys: Keys, egress: Egress) -> Self {
        Self {
            store,
            keys,
            egress,
        }
    }

    /// The carrier of a worker.
    pub fn carriers(self) -> Vec<(Kind, Arc<dyn Carrier>)> {
        vec![(Kind::Ipn, Arc::new(self))]
    }

    /// Also one that is switched off is told of what was begun.
    async fn attempt(&self, attempt: &Attempt, now: UnixMs) -> Result<Verdict, MerchantError> {
        let found = {
            let mut read = self.store.read().await?;
            record::find(&mut read, &self.keys, &attempt.target, now).await?
        };
        match found {
            Some((merchant, secrets)) => Ok(self.call(&merchant, &secrets, attempt, now).await),
            None => Ok(Verdict::Undeliverable {
                why: "there is no such merchant".to_owned(),
            }),
        }
    }

    async fn call(
        &self,
        merchant: &Merchant,
        secrets: &Secrets,
        attempt: &Attempt,
        now: UnixMs,
    ) -> Verdict {
        let registered = &merchant.registration;
        let body = attempt.payload.as_bytes();
        let call = Call {
            url: &registered.ipn_url,
            plain_http: registered.plain_http,
            only_networks: &[],
            headers: call::headers(secrets.present(), now, body),
            json: Some(body.to_vec()),
            body_bytes_max: ANSWER_BYTES_MAX,
        };
        match self.egress.call(call).await {
            Err(error) => Verdict::failed(error),
            Ok(answer) => taken(answer.status, &answer.body),
        }
    }
}

impl Carrier for Ipn {
    fn carry<'a>(&'a self, attempt: &'a Attempt, now: UnixMs) -> Carried<'a> {
        Box::pin(async move {
            let verdict = self.attempt(attempt, now).await;
            verdict.unwrap_or_else(Verdict::failed)
        })
    }
}

/// Whether a merchant has taken it, by `RspCode`.
fn taken(status: StatusCode, body: &[u8]) -> Verdict {
    if status != StatusCode::OK {
        let code = status.as_u16();
        return Verdict::failed(format!("the merchant answered HTTP status {code}"));
    }
    let answer = serde_json::from_slice::<Value>(body).unwrap_or_default();
    let Some(code) = answer.get("RspCode").and_then(Value::as_str) else {
        return Verdict::failed("the merchant's answer is no JSON with an RspCode");
    };
    let why = match code {
        // Taken now, or taken before.
        "00" | "02" => return Verdict::Done,
        "01" => "RspCode 01: he does not know the order",
        "04" => "RspCode 04: to him the order costs another amount",
        "97" => "RspCode 97: to him the signature is wrong; he may have another secret",
        "99" => "RspCode 99: he cannot take it now",
        _ => "an RspCode that is none",
    };
    Verdict::failed(format!("the merchant answered {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ipn_ends_with_00_or_02_and_with_nothing_else() {
        let is_done = |status, body: &str| {
            let status = StatusCode::from_u16(status).unwrap();
            taken(status, body.as_bytes()) == Verdict::Done
        };
        for code in ["00", "02"] {
            let body = format!(r#"{{"RspCode":"{code}","Message":""}}"#);
            assert!(is_done(200, &body), "{body}");
            assert!(!is_done(500, &body) && !is_done(204, &body) && !is_done(302, &body));
        }
        for body in [
            r#"{"RspCode":"01"}"#,
            r#"{"RspCode":"04"}"#,
            r#"{"RspCode":"97"}"#,
            r#"{"RspCode":"99"}"#,
            r#"{"RspCode":"0"}"#,
            r#"{"RspCode":0}"#,
            r#"{"rspcode":"00"}"#,
            r#"["00"]"#,
            "00",
            "",
        ] {
            assert!(!is_done(200, body), "{body}");
        }
    }
}
