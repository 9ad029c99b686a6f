//! The callers' book: every payment with all that its caller did and was told, in its order. It only
//! remembers; what must be so is the affair of `books`.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};

/// What a caller knows of a payment once it was told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Knowledge {
    /// The router has none of that id.
    NotFound,
    /// The bank's answer is awaited.
    Pending,
    /// Final unless the caller takes it back.
    Approved,
    /// Final.
    Declined,
    /// Final: no byte left.
    NotSent,
    /// It is being taken back.
    Reversing,
    /// Final: it was taken back.
    Reversed,
    /// A person has to look.
    ReversalFailed,
    /// A person has looked, which nobody does in a run.
    Resolved,
    /// Final: unanswered, and moves no money.
    Unknown,
}

impl Knowledge {
    /// Whether the caller need not ask again.
    pub(crate) fn is_settled(self) -> bool {
        match self {
            Self::NotFound
            | Self::Approved
            | Self::Declined
            | Self::NotSent
            | Self::Reversed
            | Self::Unknown => true,
            // A dead letter is settled by a person, and there is none here.
            Self::Pending | Self::Reversing | Self::ReversalFailed | Self::Resolved => false,
        }
    }
}

/// What a caller wants of the router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// The payment, for the first time or with the same body again.
    Pay,
    /// Another payment under the same id, which must be refused.
    PayAltered,
    /// To take it back.
    TakeBack,
    /// What became of it.
    LookUp,
}

/// One thing that happened to a payment as its caller sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fact {
    /// The caller has asked.
    Asked(Ask),
    /// It was answered.
    Told {
        /// The place of the question among the facts.
        asked: usize,
        /// The answer.
        knowledge: Knowledge,
    },
    /// The stream or call ended before the answer.
    Lost {
        /// The place of the question among the facts.
        asked: usize,
    },
}

/// A payment as its caller sees it.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    /// Of the bank that it goes to.
    pub(crate) bank: usize,
    /// In minor units; 0 if it moves no money.
    pub(crate) amount_minor: u64,
    /// What happened, with milliseconds since the run began.
    pub(crate) facts: Vec<(u64, Fact)>,
}

/// An answer, with what it answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    /// The place of the question among the facts.
    pub(crate) asked: usize,
    /// The question.
    pub(crate) ask: Ask,
    /// The place of the answer among the facts.
    pub(crate) at: usize,
    /// The answer.
    pub(crate) knowledge: Knowledge,
}

impl Payment {
    /// Whether money moves if it is approved.
    pub(crate) fn moves_money(&self) -> bool {
        self.amount_minor > 0
    }

    /// All answers in their order.
    pub(crate) fn told(&self) -> impl Iterator<Item = Told> {
        let facts = self.facts.iter().enumerate();
        facts.filter_map(|(at, (_, fact))| match *fact {
            Fact::Told { asked, knowledge } => Some(Told {
                asked,
                ask: self.ask(asked)?,
                at,
                knowledge,
            }),
            Fact::Asked(_) | Fact::Lost { .. } => None,
        })
    }

    fn ask(&self, at: usize) -> Option<Ask> {
        match self.facts.get(at)?.1 {
            Fact::Asked(ask) => Some(ask),
            Fact::Told { .. } | Fact::Lost { .. } => None,
        }
    }

    /// What its caller was told last of this very payment.
    pub(crate) fn known(&self) -> Option<Knowledge> {
        let own = self.told().filter(|told| told.ask != Ask::PayAltered);
        own.last().map(|told| told.knowledge)
    }

    /// Whether its caller need not ask again.
    pub(crate) fn is_settled(&self) -> bool {
        self.known().is_some_and(Knowledge::is_settled)
    }

    /// Whether its caller asked to take it back before this place among the facts.
    pub(crate) fn was_taken_back_before(&self, place: usize) -> bool {
        let before = self.facts.get(..place).unwrap_or(&self.facts);
        before
            .iter()
            .any(|(_, fact)| *fact == Fact::Asked(Ask::TakeBack))
    }

    /// Whether its caller could not know its end for a while.
    pub(crate) fn was_uncertain(&self) -> bool {
        self.facts.iter().any(|(_, fact)| {
            matches!(
                fact,
                Fact::Lost { .. }
                    | Fact::Told {
                        knowledge: Knowledge::Pending | Knowledge::Reversing,
                        ..
                    }
            )
        })
    }
}

impl fmt::Display for Payment {
    /// One line for each fact.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at_ms, fact) in &self.facts {
            write!(f, "  caller  {:>4}.{:03} s  ", at_ms / 1_000, at_ms % 1_000)?;
            match fact {
                Fact::Asked(ask) => writeln!(f, "{ask:?}")?,
                Fact::Told { asked, knowledge } => match self.ask(*asked) {
                    Some(ask) => writeln!(f, "told {knowledge:?}, on {ask:?}")?,
                    None => writeln!(f, "told {knowledge:?}")?,
                },
                Fact::Lost { .. } => writeln!(f, "lost the stream or call")?,
            }
        }
        Ok(())
    }
}

/// All payments of a run, by their numbers.
pub(crate) struct Booklet {
    began: Instant,
    payments: Mutex<BTreeMap<u32, Payment>>,
}

impl Booklet {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            payments: Mutex::default(),
        }
    }

    fn payments(&self) -> MutexGuard<'_, BTreeMap<u32, Payment>> {
        self.payments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a payment.
    pub(crate) fn open(&self, number: u32, bank: usize, amount_minor: u64) {
        let payment = Payment {
            bank,
            amount_minor,
            facts: Vec::new(),
        };
        self.payments().insert(number, payment);
    }

    /// Notes that the caller asks; its place is what the answer refers to.
    pub(crate) fn asked(&self, number: u32, ask: Ask) -> usize {
        self.note(number, Fact::Asked(ask))
    }

    /// Notes an answer.
    pub(crate) fn told(&self, number: u32, asked: usize, knowledge: Knowledge) {
        self.note(number, Fact::Told { asked, knowledge });
    }

    /// Notes that no answer will come.
    pub(crate) fn lost(&self, number: u32, asked: usize) {
        self.note(number, Fact::Lost { asked });
    }

    fn note(&self, number: u32, fact: Fact) -> usize {
        let at_ms = self.began.elapsed().as_millis() as u64;
        let mut payments = self.payments();
        let Some(payment) = payments.get_mut(&number) else {
            return 0;
        };
        payment.facts.push((at_ms, fact));
        payment.facts.len() - 1
    }

    /// The numbers of those whose callers have to ask again.
    pub(crate) fn unsettled(&self) -> Vec<u32> {
        let payments = self.payments();
        let unsettled = payments.iter().filter(|(_, payment)| !payment.is_settled());
        unsettled.map(|(number, _)| *number).collect()
    }

    /// All numbers.
    pub(crate) fn numbers(&self) -> Vec<u32> {
        self.payments().keys().copied().collect()
    }

    /// A copy of everything.
    pub(crate) fn copy(&self) -> BTreeMap<u32, Payment> {
        self.payments().clone()
    }
}
