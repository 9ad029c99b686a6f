//! What a bank says over its link: answers, requests of its own, and how its session goes.

use std::{sync::Arc, time::Instant};

use tracing::{debug, error, info, warn};

use super::{BankJob, BankLink, Exchange, in_flight::Pending};
use crate::{
    iso8583::{
        MatchKey, Message, Mti,
        frame::Tpdu,
        match_key::Unmatchable,
        mti::Class,
        session::{CloseReason, Event, Ignored, MacFault, NetworkCode},
    },
    link::{
        asked::{self, Answering, BankRequest, Duty, Origin},
        hushed::Hushed,
        protocol::{Again, Ended},
        shared::{Response, Shared},
    },
};

/// What a bank could fill the log with.
pub(super) struct Complaints {
    unbelieved: Hushed<(Mti, MacFault)>,
    unmatchable: Hushed<Unmatchable>,
}

impl Complaints {
    pub(super) fn new() -> Self {
        Self {
            unbelieved: Hushed::new(),
            unmatchable: Hushed::new(),
        }
    }

    /// When some of what was held back is to be told.
    pub(super) fn due(&self) -> Option<Instant> {
        let due = [self.unbelieved.due(), self.unmatchable.due()];
        due.into_iter().flatten().min()
    }
}

impl BankLink {
    pub(super) fn handle_events(&mut self, now: Instant) {
        while let Some(event) = self.session.poll_event() {
            self.handle(now, event);
        }
    }

    fn handle(&mut self, now: Instant, event: Event) {
        let link = &self.shared.name;
        match event {
            Event::SignedOn => info!(%link, "signed on"),
            Event::SignOnRefused { response_code } => {
                // The bank's own code says more than the reason of the close that follows.
                let code = response_code.escape_ascii();
                self.ended = Some(Ended {
                    why: format!(
                        "the bank refused the sign-on with response code {code}; check sign_on \
                         in the configuration, or ask the bank"
                    ),
                    again: Again::Later,
                });
            }
            Event::Message { message, tpdu, .. } => match message.mti().is_response() {
                true => self.receive_answer(now, message),
                false => self.receive_request(message, tpdu),
            },
            Event::PeerRequest { code, .. } => self.count_network_request(code),
            Event::KeyChanged { check_value } => {
                self.bank_metrics.keys_accepted.increment(1);
                info!(%link, %check_value, "a new session key is in use");
            }
            Event::KeyRefused(fault) => {
                self.bank_metrics.keys_refused.increment(1);
                self.shared.note_trouble(&fault.to_string(), 1);
                error!(%link, "refused a session key: {fault}");
            }
            Event::KeyDenied { response_code } => {
                self.bank_metrics.keys_denied.increment(1);
                let code = response_code.escape_ascii();
                self.ended = Some(Ended {
                    why: format!(
                        "the bank refused to give a session key with response code {code}; check \
                         [bank.key_exchange] in the configuration, or ask the bank"
                    ),
                    again: Again::Later,
                });
            }
            Event::Ignored(Ignored::Unauthenticated { mti, why }) => {
                let counter = match why {
                    MacFault::Missing => &self.bank_metrics.macs_missing,
                    MacFault::Wrong => &self.bank_metrics.macs_wrong,
                    MacFault::NoKey => &self.bank_metrics.macs_without_key,
                };
                counter.increment(1);
                let what = format!("a {mti} was not believed: {why}");
                self.shared.note_trouble(&what, 1);
                let told = self.complaints.unbelieved.note(now, (mti, why));
                self.tell_unbelieved(told);
            }
            Event::Ignored(ignored) => {
                self.shared.metrics.protocol_errors.increment(1);
                warn!(%link, "contained: {ignored:?}");
                self.shared
                    .note_trouble(&format!("contained: {ignored:?}"), 1);
            }
            Event::Closed(reason) => {
                self.ended.get_or_insert_with(|| ended(reason));
            }
        }
    }

    fn count_network_request(&self, code: Option<NetworkCode>) {
        let (link, own) = (&self.shared.name, &self.session_settings);
        let metrics = &self.bank_metrics;
        debug!(%link, ?code, "answered a network management request");
        let counter = match code {
            code if code.is_none() => &metrics.other_network,
            code if code == own.cutover => {
                info!(%link, "the bank has begun a new business day");
                &metrics.cutovers
            }
            code if code == own.sign_on => &metrics.sign_ons,
            code if code == own.sign_off => &metrics.sign_offs,
            code if code == Some(own.echo) => &metrics.echoes,
            _ => &metrics.other_network,
        };
        counter.increment(1);
    }

    /// The bank asks something of its own accord.
    fn receive_request(&mut self, message: Message, tpdu: Option<Tpdu>) {
        let (link, mti) = (Arc::clone(&self.shared.name), message.mti());
        let metrics = &self.bank_metrics;
        let counter = match mti.class {
            Class::Authorization => &metrics.authorizations,
            Class::Financial => &metrics.financials,
            Class::FileAction => &metrics.file_actions,
            Class::Reversal => &metrics.reversals,
            Class::Reconciliation => &metrics.reconciliations,
            Class::Administrative => &metrics.administratives,
            Class::FeeCollection => &metrics.fee_collections,
            Class::NetworkManagement => &metrics.other_network,
        };
        counter.increment(1);
        info!(%link, %mti, "the bank asks of its own accord");
        let answering: Arc<dyn Answering> = Arc::<Shared<BankJob>>::clone(&self.shared);
        let session = self.session_number;
        let answer = Duty::of(&message, answering, Origin { session, tpdu });
        self.asked_open += u32::from(answer.is_some());
        if self.asked_open > asked::OPEN_MAX {
            warn!(%link, %mti, "too many requests of the bank are unanswered; it is told so");
            return; // The duty answers as it is dropped.
        }
        self.asked.push(BankRequest {
            bank: Arc::clone(&self.settings.link.peer),
            link,
            message,
            answer,
        });
    }

    fn receive_answer(&mut self, now: Instant, message: Message) {
        let key = match self.settings.match_by.key_of(&message) {
            Ok(key) => key,
            Err(error) => {
                self.shared.metrics.unmatched.increment(1);
                let what = format!("an answer was of no request: {error}");
                self.shared.note_trouble(&what, 1);
                let told = self.complaints.unmatchable.note(now, error);
                self.tell_unmatchable(told);
                return;
            }
        };
        if let Some(pending) = self.in_flight.take(key) {
            self.answered(now, pending, message);
            return;
        }
        match self.in_flight.hand_over(key, message) {
            Ok(()) => self.bank_metrics.answers_handed_over.increment(1),
            Err(message) => self.nobody_waits(key, message),
        }
    }

    /// An answer of ours came by another link.
    pub(super) fn receive_handed_over(&mut self, now: Instant, key: MatchKey, answer: Message) {
        match self.in_flight.take(key) {
            Some(pending) => self.answered(now, pending, answer),
            // It has timed out meanwhile.
            None => self.nobody_waits(key, answer),
        }
    }

    /// Takes what other links have handed over, at the end of the connection.
    pub(super) fn take_handed_over(&mut self, now: Instant) {
        let mut responses = Vec::new();
        self.shared.take_responses(&mut responses);
        for response in responses {
            // Answers to the bank have nowhere to go any more.
            if let Response::HandedOver { key, answer } = response {
                self.receive_handed_over(now, key, answer);
            }
        }
    }

    fn answered(&mut self, now: Instant, pending: Pending, message: Message) {
        let time = now - pending.sent_at;
        self.shared.metrics.response_seconds.record(time, 1);
        self.turn.answered += 1;
        self.answers
            .push(pending.reply, Exchange::Answered(message));
    }

    fn nobody_waits(&mut self, key: MatchKey, message: Message) {
        self.shared.metrics.unmatched.increment(1);
        self.late_answers.push((key, message));
    }

    /// Tells what was held back for so long that it may be told.
    pub(super) fn tell_complaints(&mut self, now: Instant) {
        let told = self.complaints.unbelieved.tell(now);
        self.tell_unbelieved(told);
        let told = self.complaints.unmatchable.tell(now);
        self.tell_unmatchable(told);
    }

    fn tell_unbelieved(&self, told: Option<(u64, (Mti, MacFault))>) {
        if let Some((times, (mti, why))) = told {
            error!(link = %self.shared.name, %mti, times, "not believed: {why}");
        }
    }

    fn tell_unmatchable(&self, told: Option<(u64, Unmatchable)>) {
        if let Some((times, error)) = told {
            error!(
                link = %self.shared.name, times,
                "an answer is of no request: {error}; compare match in the configuration with the \
                 elements that the bank gives back"
            );
        }
    }
}

/// What a closed session means for the next try.
fn ended(reason: CloseReason) -> Ended {
    let again = match reason {
        CloseReason::SignOnRefused
        | CloseReason::KeyDenied
        | CloseReason::NoKey
        | CloseReason::Unencodable(_)
        | CloseReason::Unframeable(_) => Again::Later,
        CloseReason::SignOnTimeout
        | CloseReason::NoSignOn
        | CloseReason::EchoTimeout
        | CloseReason::SignedOff
        | CloseReason::SignOffTimeout
        | CloseReason::PeerSignedOff
        | CloseReason::BrokenFrame(_)
        | CloseReason::OutputFull => Again::Soon,
    };
    let why = match again {
        Again::Later if reason == CloseReason::NoKey => {
            format!("{reason}; check [bank.key_exchange] in the configuration, or ask the bank")
        }
        Again::Later => format!("{reason}; check sign_on and the dialect in the configuration"),
        Again::Soon | Again::After(_) => reason.to_string(),
    };
    Ended { why, again }
}
