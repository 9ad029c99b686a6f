//! The desk under any order of events: callers, journal, links, bank and clock act as chance has it,
//! and the money must come out right.
//!
//! What the desk did is judged by what left it: the journal's entries, the messages to the links,
//! the answers to the callers. A payment is known by the STAN of its request.

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};

use proptest::prelude::*;

use super::*;
use crate::{iso8583::Stan, journal::Entry};

/// Ids are few, so that they are used again, and records fewer, so that they are forgotten.
const IDS: usize = 5;
const RECORDS_MAX: usize = 3;

#[derive(Clone, Debug)]
enum Step {
    Transact {
        id: usize,
        kind: usize,
    },
    Cancel {
        id: usize,
    },
    /// The shell takes what the desk has brought forth.
    HandOver,
    /// The journal answers for its oldest group.
    Journal {
        works: bool,
    },
    /// One of the open exchanges ends.
    End {
        which: usize,
        how: How,
    },
    /// An answer to a request that a link gave up.
    Late {
        which: usize,
    },
    Wait {
        s: u64,
    },
    GiveUp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum How {
    NotSent,
    TimedOut,
    Lost,
    GivenUp,
    Code(&'static str),
    WrongAmount,
}

fn how() -> impl Strategy<Value = How> {
    prop_oneof![
        2 => Just(How::NotSent),
        3 => Just(How::TimedOut),
        1 => Just(How::Lost),
        4 => Just(How::Code("00")),
        1 => Just(How::Code("51")),
        1 => Just(How::Code("96")),
        1 => Just(How::WrongAmount),
    ]
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let index = any::<prop::sample::Index>().prop_map(|index| index.index(1000));
    let step = prop_oneof![
        6 => (0..IDS, 0..3usize).prop_map(|(id, kind)| Step::Transact { id, kind }),
        3 => (0..IDS).prop_map(|id| Step::Cancel { id }),
        8 => Just(Step::HandOver),
        6 => prop::bool::weighted(0.8).prop_map(|works| Step::Journal { works }),
        8 => (index.clone(), how()).prop_map(|(which, how)| Step::End { which, how }),
        1 => index.prop_map(|which| Step::Late { which }),
        3 => (0..40u64).prop_map(|s| Step::Wait { s }),
    ];
    // A stop comes once, and rarely early.
    (
        prop::collection::vec(step, 0..120),
        prop::option::of(0..120usize),
    )
        .prop_map(|(mut steps, stop)| {
            if let Some(at) = stop.filter(|at| *at <= steps.len()) {
                steps.insert(at, Step::GiveUp);
            }
            steps
        })
}

/// How a payment's request ended, as its link told it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    NotSent,
    Approved,
    Declined,
    Unanswered,
}

/// What the world outside the desk knows of one payment.
#[derive(Default)]
struct Known {
    moves_money: bool,
    is_durable: bool,
    dispatched: bool,
    end: Option<End>,
    /// The durable 0420.
    reversal: Option<Bytes>,
    reversal_may_have_left: bool,
    reversal_accepted: bool,
    last_entry: Option<Record>,
}

struct World {
    scene: Scene,
    known: HashMap<Stan, Known>,
    /// The payment that an id means now.
    current: HashMap<PaymentKey, Stan>,
    /// What the journal works on, oldest first.
    groups: VecDeque<(Vec<Entry>, Vec<Stan>, Vec<RecordId>)>,
    open: Vec<Dispatch>,
    given_up: Vec<Message>,
    asked: HashMap<u32, PaymentKey>,
    told: HashSet<u32>,
    stopped: bool,
}

impl World {
    fn new(stan: ReversalStan) -> Self {
        let scene = Scene::with(|settings| {
            settings.records_max = RECORDS_MAX;
            settings.retention = Duration::from_secs(60);
            settings.reversal.budget = Duration::from_secs(200);
            settings.reversal.stan = stan;
        });
        Self {
            scene,
            known: HashMap::new(),
            current: HashMap::new(),
            groups: VecDeque::new(),
            open: Vec::new(),
            given_up: Vec::new(),
            asked: HashMap::new(),
            told: HashSet::new(),
            stopped: false,
        }
    }

    fn act(&mut self, step: Step) {
        match step {
            Step::Transact { id, kind } if !self.stopped => self.transact(id, kind),
            Step::Transact { .. } => {}
            Step::Cancel { id } => {
                let (key, tag) = self.ask(id);
                let reply = self.scene.outbox.reply(tag);
                self.scene.desk.cancel(self.scene.now(), &key, reply);
            }
            Step::HandOver => self.hand_over(),
            Step::Journal { works } => self.answer_group(works),
            Step::End { which, how } => self.end(which, how),
            Step::Late { which } => {
                if !self.given_up.is_empty() {
                    let message = self.given_up.remove(which % self.given_up.len());
                    self.scene.desk.late(self.scene.now(), &message);
                }
            }
            Step::Wait { s } => {
                self.scene.wait(Duration::from_secs(s));
                let (next, now) = (self.scene.desk.next_timeout(), self.scene.now());
                assert!(
                    next.is_none_or(|at| at > now.monotonic),
                    "what is due was done, or the task would spin"
                );
            }
            Step::GiveUp => {
                self.stopped = true;
                self.scene.desk.give_up(self.scene.now());
                self.listen();
                self.give_up_on_links();
            }
        }
        self.listen();
    }

    /// As the links do at a stop: half of the open requests are still queued and come back, the
    /// bytes of the others have left, and their answers are not waited for.
    fn give_up_on_links(&mut self) {
        let is_request = |dispatch: &Dispatch| dispatch.leg == Leg::Request;
        let queued = self.open.iter().filter(|own| is_request(own)).count() / 2;
        for how in std::iter::repeat_n(How::NotSent, queued).chain(std::iter::repeat(How::GivenUp))
        {
            match self.open.iter().position(is_request) {
                Some(which) => self.end(which, how),
                None => break,
            }
        }
    }

    fn ask(&mut self, id: usize) -> (PaymentKey, u32) {
        let key = Scene::key(&format!("p{id}"));
        let tag = self.asked.len() as u32;
        self.asked.insert(tag, key.clone());
        (key, tag)
    }

    /// Of the three kinds two move money, and each has a body of its own.
    fn transact(&mut self, id: usize, kind: usize) {
        let transaction = match kind {
            0 => Transaction::Balance {
                from: AccountType::Default,
            },
            more => Scene::purchase(10_000 * more as u64),
        };
        let (key, tag) = self.ask(id);
        let order = Order {
            key,
            payment: Scene::payment(&format!("p{id}"), transaction),
            deadline: self.scene.now().monotonic + Duration::from_secs(30),
            reply: self.scene.outbox.reply(tag),
        };
        self.scene.desk.transact(self.scene.now(), order);
    }

    fn decode(&self, message: &Bytes) -> Message {
        self.scene.dialect.decode(message.clone()).unwrap()
    }

    fn hand_over(&mut self) {
        let entries = std::mem::take(&mut self.scene.desk.out.entries);
        let recorded = std::mem::take(&mut self.scene.desk.out.recorded);
        if !entries.is_empty() {
            let stans = entries.iter().map(|entry| self.enter(entry)).collect();
            self.groups.push_back((entries, stans, recorded));
        }
        for dispatch in std::mem::take(&mut self.scene.desk.out.dispatches) {
            self.check_dispatch(&dispatch);
            self.open.push(dispatch);
        }
    }

    /// Which payment an entry is about.
    fn enter(&mut self, entry: &Entry) -> Stan {
        if let Record::Sending(request) = &entry.record {
            let request = self.decode(request);
            let stan = request.stan().unwrap();
            let known = Known {
                moves_money: request.get(4).is_some(),
                ..Known::default()
            };
            assert!(self.known.insert(stan, known).is_none(), "a STAN again");
            self.current.insert(entry.key.clone(), stan);
        }
        let stan = self.current[&entry.key];
        self.known(stan).last_entry = Some(entry.record.clone());
        stan
    }

    fn known(&mut self, stan: Stan) -> &mut Known {
        self.known.get_mut(&stan).unwrap()
    }

    fn answer_group(&mut self, works: bool) {
        let Some((entries, stans, recorded)) = self.groups.pop_front() else {
            return;
        };
        for (entry, stan) in entries.into_iter().zip(stans).filter(|_| works) {
            match entry.record {
                Record::Sending(_) => self.known(stan).is_durable = true,
                Record::Reversing { reversal, .. } => self.known(stan).reversal = Some(reversal),
                Record::Answered(_) | Record::NotSent | Record::ReversalEnded(_) => {}
            }
        }
        self.scene.desk.durable(self.scene.now(), &recorded, works);
    }

    fn check_dispatch(&mut self, dispatch: &Dispatch) {
        let message = self.decode(&dispatch.message);
        assert!(
            self.open.iter().all(|own| own.key != dispatch.key),
            "two open exchanges have one key"
        );
        let known = {
            let stan = payment_of(&message);
            self.known(stan)
        };
        match dispatch.leg {
            Leg::Request => {
                assert!(known.is_durable, "sent before it was durable");
                assert!(!known.dispatched, "sent twice");
                known.dispatched = true;
            }
            Leg::Reversal => {
                let durable = known.reversal.as_ref().expect("its record is durable");
                assert!(known.moves_money && known.dispatched);
                assert_ne!(known.end, Some(End::NotSent), "nothing to take back");
                assert_ne!(known.end, Some(End::Declined), "nothing to take back");
                let mti: &[u8] = match known.reversal_may_have_left {
                    false => b"0420",
                    true => b"0421",
                };
                assert_eq!(&dispatch.message[..4], mti);
                assert_eq!(
                    dispatch.message[4..],
                    durable[4..],
                    "it differs from its record"
                );
            }
        }
    }

    fn end(&mut self, which: usize, how: How) {
        if self.open.is_empty() {
            return;
        }
        let dispatch = self.open.swap_remove(which % self.open.len());
        let sent = self.decode(&dispatch.message);
        let exchange = match how {
            How::NotSent => Exchange::NotSent(Reason::NoLink),
            How::TimedOut => Exchange::TimedOut,
            How::Lost => Exchange::Lost,
            How::GivenUp => Exchange::GivenUp,
            How::Code(code) => answer(&sent, code),
            How::WrongAmount => {
                let mut other = sent.clone();
                other.set(4, "000000000001");
                answer(&other, "00")
            }
        };
        let known = self.known(payment_of(&sent));
        match dispatch.leg {
            Leg::Request => {
                known.end.get_or_insert(match how {
                    How::NotSent => End::NotSent,
                    How::Code("00") => End::Approved,
                    // Without an amount of its own there is none to be wrong.
                    How::WrongAmount if !known.moves_money => End::Approved,
                    How::Code(_) => End::Declined,
                    How::TimedOut | How::Lost | How::GivenUp | How::WrongAmount => End::Unanswered,
                });
                if matches!(how, How::TimedOut | How::GivenUp)
                    && let Exchange::Answered(late) = answer(&sent, "00")
                {
                    self.given_up.push(late);
                }
            }
            Leg::Reversal => {
                known.reversal_may_have_left |= how != How::NotSent;
                known.reversal_accepted |= matches!(how, How::Code("00") | How::WrongAmount);
            }
        }
        let now = self.scene.now();
        self.scene
            .desk
            .exchanged(now, dispatch.record, dispatch.leg, exchange);
    }

    /// What the callers are told must be true at that moment, and told once.
    fn listen(&mut self) {
        // As in the shell: entries go to the journal before the next command is looked at, so the
        // world knows which payment an answer is about.
        self.scene.desk.out.answers.flush();
        let mut answers = Vec::new();
        self.scene.outbox.try_take_ready(&mut answers);
        for (tag, told) in answers {
            assert!(self.told.insert(tag), "a reply was told twice");
            let Some(known) = told.stan.and_then(|stan| self.known.get(&stan)) else {
                assert!(told.outcome.retry_is_safe(), "{:?}", told.outcome);
                continue;
            };
            match told.outcome {
                PaymentOutcome::Approved => assert_eq!(known.end, Some(End::Approved)),
                PaymentOutcome::Declined => assert_eq!(known.end, Some(End::Declined)),
                PaymentOutcome::Unknown { .. } => assert!(!known.moves_money),
                PaymentOutcome::Reversing | PaymentOutcome::ReversalFailed => {
                    assert!(known.reversal.is_some(), "told before it was durable");
                }
                PaymentOutcome::Reversed => assert!(known.reversal_accepted),
                PaymentOutcome::NotSent { .. } | PaymentOutcome::Pending => {
                    panic!("{:?} with a STAN", told.outcome)
                }
            }
        }
    }

    /// Lets everybody do their part until nothing is open.
    fn settle(&mut self) {
        for _ in 0..200 {
            self.act(Step::HandOver);
            while !self.groups.is_empty() {
                self.act(Step::Journal { works: true });
            }
            self.act(Step::HandOver);
            while !self.open.is_empty() {
                let how = How::Code("00");
                self.act(Step::End { which: 0, how });
            }
            self.act(Step::Wait { s: 1 });
            let out = &self.scene.desk.out;
            if self.scene.desk.open() == 0 && out.entries.is_empty() && self.groups.is_empty() {
                return;
            }
        }
        panic!("{} payments are never settled", self.scene.desk.open());
    }

    fn check_the_books(&self) {
        let untold: BTreeSet<_> = self
            .asked
            .keys()
            .filter(|t| !self.told.contains(t))
            .collect();
        assert!(untold.is_empty(), "never told: {untold:?}");
        assert_eq!(self.scene.desk.stans.in_use(), 0, "a STAN leaked");
        for (stan, known) in &self.known {
            let may_have_moved = known.moves_money
                && known.dispatched
                && !matches!(known.end, Some(End::NotSent | End::Declined));
            let entry = known.last_entry.as_ref().unwrap();
            let is_right = match entry {
                Record::Answered(_) => matches!(known.end, Some(End::Approved | End::Declined)),
                Record::NotSent => !known.dispatched || known.end == Some(End::NotSent),
                Record::ReversalEnded(true) => may_have_moved && known.reversal_accepted,
                Record::ReversalEnded(false) => may_have_moved,
                // What moves no money and is not answered leaves nothing to be done.
                Record::Sending(_) => !known.moves_money,
                Record::Reversing { .. } => false,
            };
            assert!(is_right, "{stan}: {} after {:?}", kind(entry), known.end);
        }
    }
}

/// The STAN of the request that a message is, or takes back (DE90).
fn payment_of(message: &Message) -> Stan {
    let digits = match message.text(90) {
        Some(original) => &original[4..10],
        None => message.text(11).unwrap(),
    };
    Stan::new(digits.parse().unwrap()).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn in_any_order_of_events_no_money_is_orphaned_and_everyone_is_told_once(
        steps in steps(),
        original in any::<bool>(),
    ) {
        let stan = if original { ReversalStan::Original } else { ReversalStan::New };
        let mut world = World::new(stan);
        for step in steps {
            world.act(step);
        }
        world.settle();
        world.check_the_books();
    }
}
