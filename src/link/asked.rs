//! What a bank asks of its own accord over its links: a request of a switch, a chargeback, totals.
//!
//! A floor above answers each, at once or once it has made it durable; a request that it lets go of
//! unanswered is answered by itself, so that none is dropped in silence. The answer goes over the
//! connection that brought the request: if that is gone, the bank will ask again.

use std::{fmt, sync::Arc};

use crate::iso8583::{Message, answer, frame::Tpdu};

/// Requests of one link that wait for their answers, each with memory of a few KiB. No bank has as many
/// open; more are refused at once, and the bank sends them again later.
pub(super) const OPEN_MAX: u32 = 1024;

/// DE39 96, system malfunction: what nobody could take or nobody answered.
const MALFUNCTION: &str = "96";

/// Who gets what a bank asks.
pub trait Requests: Send + Sync {
    /// The requests of one turn of a link. Must not wait.
    fn asked(&self, requests: Vec<BankRequest>);
}

/// A request, advice or notification that a bank began. It shows itself masked.
#[derive(Debug)]
pub struct BankRequest {
    /// The bank.
    pub bank: Arc<str>,
    /// The link that it came over.
    pub link: Arc<str>,
    /// What it asks, its MAC verified where it needs one.
    pub message: Message,
    /// The duty to answer; `None` for a notification, which wants no answer.
    pub answer: Option<Duty>,
}

impl BankRequest {
    /// Answers with a response code and nothing else, if it wants an answer.
    pub fn answer_with(self, response_code: &str) {
        let answer = answer::to(&self.message, response_code);
        if let Some((duty, answer)) = self.answer.zip(answer) {
            duty.fulfil(answer);
        }
    }
}

/// What a request came by, and its answer goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// Which connection of the link.
    pub(super) session: u64,
    /// What stood before the request, where the dialect has it. Networks find by it who asked.
    pub(super) tpdu: Option<Tpdu>,
}

/// The link that owes a bank an answer.
pub(super) trait Answering: Send + Sync {
    /// Answers where the request came from; nothing happens if that connection is gone.
    fn answer(&self, origin: Origin, answer: Message);
}

/// The duty to answer one request. Dropped unanswered, it answers 96 by itself.
pub struct Duty {
    link: Arc<dyn Answering>,
    origin: Origin,
    /// What is answered if nobody does.
    otherwise: Option<Message>,
}

impl Duty {
    /// The duty to answer `request`; `None` if it wants no answer.
    pub(super) fn of(request: &Message, link: Arc<dyn Answering>, origin: Origin) -> Option<Self> {
        let otherwise = Some(answer::to(request, MALFUNCTION)?);
        Some(Self {
            link,
            origin,
            otherwise,
        })
    }

    /// Answers. [`answer::to`] makes what every answer needs.
    pub fn fulfil(mut self, answer: Message) {
        self.otherwise = None;
        self.link.answer(self.origin, answer);
    }
}

impl Drop for Duty {
    fn drop(&mut self) {
        if let Some(answer) = self.otherwise.take() {
            self.link.answer(self.origin, answer);
        }
    }
}

impl fmt::Debug for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Duty")
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Default)]
    struct Link(Mutex<Vec<(u64, Message)>>);

    impl Answering for Link {
        fn answer(&self, origin: Origin, answer: Message) {
            assert_eq!(origin.tpdu, Tpdu::parse("6012345678"));
            self.0.lock().unwrap().push((origin.session, answer));
        }
    }

    fn asked(mti: &str, link: &Arc<Link>) -> BankRequest {
        let mut message = Message::new(mti.parse().unwrap());
        message.set(11, "000007");
        let link = Arc::clone(link);
        let (session, tpdu) = (3, Tpdu::parse("6012345678"));
        let answer = Duty::of(&message, link, Origin { session, tpdu });
        BankRequest {
            bank: "vietcom".into(),
            link: "vietcom/1".into(),
            message,
            answer,
        }
    }

    fn answered(link: &Link) -> Vec<(u64, String, String)> {
        let answers = link.0.lock().unwrap();
        let told = |message: &Message| message.text(39).unwrap().to_owned();
        answers
            .iter()
            .map(|(session, answer)| (*session, answer.mti().to_string(), told(answer)))
            .collect()
    }

    #[test]
    fn a_request_is_answered_with_a_code_and_a_notification_is_not() {
        let link = Arc::new(Link::default());
        for mti in ["0200", "0422", "0340"] {
            asked(mti, &link).answer_with("40");
        }
        let expected = [("0210", "40"), ("0432", "40")];
        let expected = expected.map(|(mti, code)| (3, mti.to_owned(), code.to_owned()));
        assert_eq!(answered(&link), expected, "a notification wants no answer");
    }

    #[test]
    fn a_duty_that_is_let_go_of_is_answered_once_as_a_malfunction() {
        let link = Arc::new(Link::default());
        drop(asked("0200", &link));
        assert_eq!(answered(&link), [(3, "0210".into(), "96".into())]);
        let request = asked("0220", &link);
        let own = answer::to(&request.message, "00").unwrap();
        request.answer.unwrap().fulfil(own);
        assert_eq!(answered(&link).len(), 2, "and a fulfilled one is not");
        assert_eq!(answered(&link)[1], (3, "0230".into(), "00".into()));
    }
}
