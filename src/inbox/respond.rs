//! The answers that SMSCs are owed. Nothing here decides which.

use std::sync::Arc;

/// How a deliver_sm is to be answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// ESME_ROK: it is durable here.
    Acknowledged,
    /// ESME_RX_T_APPN: send it again later.
    Later,
    /// ESME_RX_R_APPN: do not send it again.
    Never,
}

/// The link that owes the SMSC an answer.
pub trait Respond: Send + Sync {
    /// Answers requests, by their sequence numbers, of the connection `session`; an answer for a
    /// connection that is gone is dropped, because the SMSC will send the event again.
    fn respond(&self, session: u64, verdicts: &[(u32, Verdict)]);
}

/// The duty to answer one deliver_sm.
#[derive(Clone)]
pub struct Responder {
    /// The link.
    pub link: Arc<dyn Respond>,
    /// Which connection of that link.
    pub session: u64,
    /// The sequence number to echo.
    pub sequence: u32,
}

/// Answers in the order given, with one call for what goes to the same connection in a row.
pub(super) fn to_all(verdicts: impl IntoIterator<Item = (Responder, Verdict)>) {
    let mut run: Vec<(u32, Verdict)> = Vec::new();
    let mut last: Option<Responder> = None;
    for (responder, verdict) in verdicts {
        let goes_on = last.as_ref().is_some_and(|last| {
            Arc::ptr_eq(&last.link, &responder.link) && last.session == responder.session
        });
        if !goes_on && let Some(last) = last.take() {
            last.link.respond(last.session, &run);
            run.clear();
        }
        run.push((responder.sequence, verdict));
        last = Some(responder);
    }
    if let Some(last) = last {
        last.link.respond(last.session, &run);
    }
}
