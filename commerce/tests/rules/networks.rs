//! The networks of the tests of purchases: a bank that does what it is told and knows each charge by its
//! id, and handsets that keep what they get.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex},
};

use commerce::{
    otp::Code,
    port::{Answer, Banks, Charge, Charged, Message, Messages, Sent, Unheard},
    word::Id,
};
use tokio::sync::Notify;

pub(crate) fn approved() -> Charged {
    Charged::Approved {
        authorization: "A1".to_owned(),
    }
}

pub(crate) fn declined() -> Charged {
    Charged::Declined {
        response_code: "51".to_owned(),
    }
}

pub(crate) fn not_sent() -> Charged {
    Charged::NotSent {
        why: "no link".to_owned(),
    }
}

/// What the bank does at its next call.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// It gets the call, lets this be the outcome, and says so.
    Becomes(Charged),
    /// The same, and its answer is lost.
    BecomesUnheard(Charged),
    /// It does not get the call.
    Lost,
}

#[derive(Default)]
struct Books {
    charges: HashMap<String, (i64, Charged)>,
    acts: VecDeque<Act>,
    calls: Vec<&'static str>,
    gate: Option<Arc<Gate>>,
    /// Decides where there is no act, if the bank is one that nobody can rely on.
    chance: Option<fastrand::Rng>,
}

/// Holds an answer of the bank up, which has done what it was asked.
#[derive(Default)]
pub(crate) struct Gate {
    /// It has.
    pub(crate) reached: Notify,
    /// It may answer.
    pub(crate) open: Notify,
}

/// A bank behind a router: the same id is the same charge.
#[derive(Default)]
pub(crate) struct Bank(Mutex<Books>);

impl Bank {
    pub(crate) fn flaky(seed: u64) -> Self {
        let chance = Some(fastrand::Rng::with_seed(seed));
        Self(Mutex::new(Books {
            chance,
            ..Books::default()
        }))
    }

    pub(crate) fn will(&self, acts: impl IntoIterator<Item = Act>) {
        self.0.lock().unwrap().acts.extend(acts);
    }

    /// Holds its next answer to a charge up.
    pub(crate) fn holds_up(&self) -> Arc<Gate> {
        let gate: Arc<Gate> = Arc::default();
        self.0.lock().unwrap().gate = Some(gate.clone());
        gate
    }

    /// What was asked of it since this was asked last.
    pub(crate) fn calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    pub(crate) fn outcome(&self, id: &Id) -> Option<Charged> {
        let books = self.0.lock().unwrap();
        let charge = books.charges.get(&format!("{id}-pay"));
        charge.map(|(_, outcome)| outcome.clone())
    }

    /// What customers are debited altogether.
    pub(crate) fn debited(&self) -> i64 {
        let books = self.0.lock().unwrap();
        let debits = books.charges.values();
        let debits = debits.filter(|(_, outcome)| matches!(outcome, Charged::Approved { .. }));
        debits.map(|(dong, _)| dong).sum()
    }

    pub(crate) fn forgets_all(&self) {
        self.0.lock().unwrap().charges.clear();
    }

    fn is_called(
        &self,
        call: &'static str,
        id: &Id,
        amount: Option<i64>,
    ) -> Result<Option<Charged>, Unheard> {
        let mut books = self.0.lock().unwrap();
        books.calls.push(call);
        let known = books.charges.get(id.as_str()).cloned();
        let act = match (books.acts.pop_front(), &mut books.chance) {
            (Some(act), _) => Some(act),
            (None, Some(chance)) => by_chance(chance, call, known.as_ref().map(|(_, one)| one)),
            (None, None) => None,
        };
        let unheard = || Err(Unheard("a test's wire is cut".to_owned()));
        let (becomes, is_heard) = match act {
            Some(Act::Lost) => return unheard(),
            Some(Act::Becomes(outcome)) => (Some(outcome), true),
            Some(Act::BecomesUnheard(outcome)) => (Some(outcome), false),
            None if call == "charge" => (Some(approved()), true),
            None if call == "reverse" => (Some(Charged::Reversed), true),
            None => (None, true),
        };
        let (dong, was) = match (known, amount) {
            (Some(known), _) => (known.0, Some(known.1)),
            (None, Some(dong)) => (dong, None),
            (None, None) => return Ok(None),
        };
        let is_open = match (&was, call) {
            (None, _) => true,
            // The same charge again is not another.
            (_, "charge") => false,
            (Some(Charged::Approved { .. }), call) => call == "reverse",
            (Some(Charged::Pending | Charged::Reversing), _) => true,
            (Some(_), _) => false,
        };
        let outcome = match becomes {
            Some(outcome) if is_open => outcome,
            _ => was.unwrap_or_else(approved),
        };
        books
            .charges
            .insert(id.to_string(), (dong, outcome.clone()));
        if is_heard {
            Ok(Some(outcome))
        } else {
            unheard()
        }
    }
}

/// What a bank and its router can say in that place, the unpleasant as often as the pleasant.
fn by_chance(
    chance: &mut fastrand::Rng,
    call: &'static str,
    known: Option<&Charged>,
) -> Option<Act> {
    let outcome = match (call, known) {
        ("charge", None) => match chance.u8(0..6) {
            0 => declined(),
            1 => not_sent(),
            2 => Charged::Pending,
            3 => Charged::Reversing,
            _ => approved(),
        },
        ("find", Some(Charged::Pending)) => match chance.u8(0..4) {
            0 => approved(),
            1 => declined(),
            2 => Charged::Reversing,
            _ => Charged::Pending,
        },
        ("reverse", Some(Charged::Approved { .. })) if chance.bool() => Charged::Reversing,
        ("find" | "reverse", Some(Charged::Reversing)) if chance.bool() => Charged::Reversing,
        ("find", Some(Charged::Reversing)) | ("reverse", _) => Charged::Reversed,
        (_, Some(known)) => known.clone(),
        (_, None) => approved(),
    };
    Some(match chance.u8(0..6) {
        0 => Act::Lost,
        1 => Act::BecomesUnheard(outcome),
        _ => Act::Becomes(outcome),
    })
}

impl Banks for Bank {
    fn charge<'a>(&'a self, charge: &'a Charge) -> Answer<'a, Charged> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            assert_eq!(charge.account.reveal(), "9704000000000001");
            let dong = charge.amount.dong();
            let said = self.is_called("charge", &charge.id, Some(dong));
            let gate = self.0.lock().unwrap().gate.take();
            if let Some(gate) = gate {
                gate.reached.notify_one();
                gate.open.notified().await;
            }
            Ok(said?.unwrap())
        })
    }

    fn find<'a>(&'a self, id: &'a Id) -> Answer<'a, Option<Charged>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.is_called("find", id, None)
        })
    }

    fn reverse<'a>(&'a self, id: &'a Id) -> Answer<'a, Charged> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let said = self.is_called("reverse", id, None)?;
            said.ok_or_else(|| Unheard("there is no such charge".to_owned()))
        })
    }
}

/// What handsets got, and what the router says next.
#[derive(Default)]
pub(crate) struct Handsets {
    got: Mutex<Vec<(String, String, String)>>,
    answers: Mutex<VecDeque<Result<Sent, Unheard>>>,
    calls: Mutex<Vec<Message>>,
    /// A message has arrived.
    pub(crate) arrived: Notify,
}

impl Handsets {
    pub(crate) fn will(&self, answers: impl IntoIterator<Item = Result<Sent, Unheard>>) {
        self.answers.lock().unwrap().extend(answers);
    }

    /// The texts that a phone has, the oldest first.
    pub(crate) fn texts(&self, phone: &str) -> Vec<String> {
        let got = self.got.lock().unwrap();
        let own = got.iter().filter(|(_, to, _)| to == phone);
        own.map(|(_, _, text)| text.clone()).collect()
    }

    pub(crate) fn last(&self, phone: &str) -> String {
        self.texts(phone).pop().unwrap_or_default()
    }

    /// The last one-time password that a phone got.
    pub(crate) fn code(&self, phone: &str) -> Option<Code> {
        let texts = self.texts(phone);
        let codes = texts.iter().rev();
        let mut codes = codes.filter_map(|text| text.strip_prefix("Ma xac nhan "));
        codes.find_map(|rest| Code::parse(rest.get(..6)?))
    }

    pub(crate) fn calls(&self) -> Vec<Message> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }
}

impl Messages for Handsets {
    fn send<'a>(&'a self, message: &'a Message) -> Answer<'a, Sent> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            self.calls.lock().unwrap().push(message.clone());
            let answer = self.answers.lock().unwrap().pop_front();
            let answer = answer.unwrap_or(Ok(Sent::Accepted));
            let mut got = self.got.lock().unwrap();
            let is_known = got.iter().any(|(id, _, _)| id == message.id.as_str());
            if answer == Ok(Sent::Accepted) && !is_known {
                got.push((
                    message.id.to_string(),
                    message.to.to_string(),
                    message.text.to_string(),
                ));
                self.arrived.notify_one();
            }
            answer
        })
    }
}
