//! Everything around the desk, driven by one seed.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use super::{
    super::*,
    bank::{Bank, Identity, Mood, identity},
};
use crate::{iso8583::MatchElement, journal::Kept};

/// A fault that is put into the surroundings on purpose, to see that the proof finds it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    None,
    /// The journal says "durable" at once and writes later.
    SendsBeforeDurable,
    /// A restart begins with what was final and nothing else.
    RecoversNothing,
    /// As the first, for outcomes alone.
    TellsBeforeDurable,
}

/// How it came out.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    pub(super) orphan_debits: usize,
    pub(super) double_debits: usize,
    pub(super) wrong_outcomes: usize,
    pub(super) unresolved: usize,
    payments: usize,
    kills: usize,
    approved: usize,
    declined: usize,
    not_sent: usize,
    reversed: usize,
    reversed_in_part: usize,
    journal_failures: usize,
    late_answers: usize,
    /// For a person who plays a failing seed.
    faults: Vec<String>,
}

impl Verdict {
    pub(super) fn is_clean(&self) -> bool {
        self.orphan_debits + self.double_debits + self.wrong_outcomes + self.unresolved == 0
            && self.faults.is_empty()
    }

    /// Over many seeds all that is to be proved has to have happened.
    pub(super) fn covers_everything(&self) -> bool {
        [
            self.payments,
            self.kills,
            self.approved,
            self.declined,
            self.not_sent,
            self.reversed,
            self.reversed_in_part,
            self.journal_failures,
            self.late_answers,
        ]
        .iter()
        .all(|count| *count > 0)
    }

    pub(super) fn add(&mut self, other: Self) {
        self.payments += other.payments;
        self.kills += other.kills;
        self.approved += other.approved;
        self.declined += other.declined;
        self.not_sent += other.not_sent;
        self.reversed += other.reversed;
        self.reversed_in_part += other.reversed_in_part;
        self.journal_failures += other.journal_failures;
        self.late_answers += other.late_answers;
    }
}

/// Rows on their way to the disk, and the records that wait for them.
struct Group {
    rows: Vec<Row>,
    recorded: Vec<RecordId>,
}

/// What a caller knows of its payment.
#[derive(Default)]
struct Asked {
    cancelled: bool,
    /// The last outcome that was told and that may not change any more.
    told: Option<&'static str>,
}

pub(super) struct World {
    rng: fastrand::Rng,
    mutant: Mutant,
    scene: Scene,
    /// What UTC is ahead of the monotonic clock: it is moved now and then.
    clock_moved: time::Duration,
    disk: BTreeMap<u64, Kept>,
    groups: VecDeque<Group>,
    wire: Vec<Dispatch>,
    /// Requests of which nobody waits for the answer any more, and that may still reach the bank.
    stray: Vec<Message>,
    /// Answers to what was given up.
    late: Vec<Message>,
    bank: Bank,
    asked: HashMap<PaymentKey, Asked>,
    /// By the tag of a reply: whose payment it is about.
    replies: HashMap<u32, PaymentKey>,
    /// Whose request it is.
    sent: HashMap<Identity, PaymentKey>,
    /// Journal numbers whose request has left, so that none leaves twice.
    left: HashSet<u64>,
    verdict: Verdict,
}

impl World {
    pub(super) fn new(seed: u64, mutant: Mutant) -> Self {
        Self {
            rng: fastrand::Rng::with_seed(seed),
            mutant,
            scene: Scene::with(settings_of(seed)),
            clock_moved: time::Duration::ZERO,
            disk: BTreeMap::new(),
            groups: VecDeque::new(),
            wire: Vec::new(),
            stray: Vec::new(),
            late: Vec::new(),
            bank: Bank::default(),
            asked: HashMap::new(),
            replies: HashMap::new(),
            sent: HashMap::new(),
            left: HashSet::new(),
            verdict: Verdict::default(),
        }
    }

    fn now(&self) -> Now {
        let now = self.scene.now();
        Now {
            utc: now.utc + self.clock_moved,
            ..now
        }
    }

    /// One thing happens.
    pub(super) fn step(&mut self) {
        match self.rng.u32(0..100) {
            0..18 => self.transact(),
            18..22 => self.repeat(),
            22..28 => self.cancel(),
            28..54 => self.hand_over(),
            54..66 => self.write_a_group(true),
            66..68 => self.write_a_group(false),
            68..88 => self.end_an_exchange(),
            88..90 => self.deliver_a_stray(),
            90..92 => self.deliver_a_late_answer(),
            92..97 => {
                let time = Duration::from_millis(self.rng.u64(0..8_000));
                self.wait(time);
            }
            97 => {
                let seconds = self.rng.i64(-7_200..7_200);
                self.clock_moved += time::Duration::seconds(seconds);
            }
            _ => self.kill(),
        }
        self.listen();
    }

    fn key(&mut self, known: bool) -> PaymentKey {
        let id = match known {
            true => self.rng.usize(0..self.asked.len().max(1)),
            false => self.asked.len(),
        };
        Scene::key(&format!("p{id}"))
    }

    fn reply(&mut self, key: &PaymentKey) -> crate::outbox::Reply<PaymentAnswer> {
        let tag = u32::try_from(self.replies.len()).unwrap();
        self.replies.insert(tag, key.clone());
        self.scene.outbox.reply(tag)
    }

    fn transact(&mut self) {
        let key = self.key(false);
        self.verdict.payments += 1;
        self.ask(&key);
        self.asked.insert(key, Asked::default());
    }

    /// A caller that heard nothing, or does not trust what it heard, asks once more.
    fn repeat(&mut self) {
        let key = self.key(true);
        if self.asked.contains_key(&key) {
            self.ask(&key);
        }
    }

    fn ask(&mut self, key: &PaymentKey) {
        let id = key.id.as_str().to_owned();
        let number: u64 = id[1..].parse().unwrap();
        // The body belongs to the id.
        let transaction = match number % 8 {
            0 => Transaction::Balance {
                from: AccountType::Default,
            },
            more => Scene::purchase(10_000 + more),
        };
        let mut payment = Scene::payment(&id, transaction);
        payment.pan = Pan::parse(&format!("970436123456789{}", number % 3)).unwrap();
        payment.terminal_id = format!("T000000{}", number % 2).into();
        let deadline_ms = self.rng.u64(1_000..60_000);
        let order = Order {
            key: key.clone(),
            digest: self.scene.desk.registry.digest(key),
            payment,
            deadline: self.now().monotonic + Duration::from_millis(deadline_ms),
            reply: self.reply(key),
        };
        self.scene.number += 1;
        let (now, number) = (self.now(), self.scene.number);
        self.scene.desk.transact(now, number, order);
    }

    fn cancel(&mut self) {
        let key = self.key(true);
        let Some(asked) = self.asked.get_mut(&key) else {
            return;
        };
        asked.cancelled = true;
        let stays = self.rng.bool().then_some(1_000);
        // To a balance, or after a restart without its row, the answer is no.
        let (now, reply) = (self.now(), self.scene.outbox.reply(u32::MAX));
        drop(self.scene.desk.cancel(now, &key, stays, reply));
    }

    /// The shell takes what the desk has brought forth.
    fn hand_over(&mut self) {
        let rows = std::mem::take(&mut self.scene.desk.out.rows);
        let recorded = std::mem::take(&mut self.scene.desk.out.recorded);
        let lies = match self.mutant {
            Mutant::None | Mutant::RecoversNothing => false,
            Mutant::SendsBeforeDurable => true,
            Mutant::TellsBeforeDurable => rows.iter().any(|row| kind(row) == "ended"),
        };
        if !rows.is_empty() {
            match lies {
                false => self.groups.push_back(Group { rows, recorded }),
                true => {
                    let now = self.now();
                    let none = Vec::new();
                    self.groups.push_back(Group {
                        rows,
                        recorded: none,
                    });
                    self.scene.desk.durable(now, &recorded, true);
                }
            }
        }
        for dispatch in std::mem::take(&mut self.scene.desk.out.dispatches) {
            self.send(dispatch);
        }
    }

    fn send(&mut self, dispatch: Dispatch) {
        let message = self.decode(&dispatch);
        let number = self.scene.desk.record(dispatch.record).unwrap().number;
        let on_disk = self.disk.get(&number).map(|kept| kept.stage.clone());
        if self.mutant == Mutant::None {
            let is_recorded = match (dispatch.leg, on_disk) {
                (Leg::Request, stage) => stage == Some(Stage::Sending),
                (Leg::Reversal, Some(Stage::Reversing(kept))) => {
                    let mut same = kept.message;
                    same.set_mti(message.mti());
                    same == message
                }
                (Leg::Reversal, _) => false,
            };
            if !is_recorded {
                let fault = format!(
                    "{:?} {number} was sent otherwise than recorded",
                    dispatch.leg
                );
                self.verdict.faults.push(fault);
            }
        }
        if dispatch.leg == Leg::Request {
            if !self.left.insert(number) {
                self.verdict.faults.push(format!("{number} was sent twice"));
            }
            let key = self.scene.desk.record(dispatch.record).unwrap().key.clone();
            self.sent.insert(identity(&message), key);
        }
        self.wire.push(dispatch);
    }

    fn decode(&self, dispatch: &Dispatch) -> Message {
        self.scene.dialect.decode(dispatch.message.clone()).unwrap()
    }

    /// The disk comes to the end of its oldest group. One that fails may be there all the same.
    fn write_a_group(&mut self, works: bool) {
        let Some(group) = self.groups.pop_front() else {
            return;
        };
        self.verdict.journal_failures += usize::from(!works);
        if works || self.rng.bool() {
            self.apply(group.rows);
        }
        let now = self.now();
        self.scene.desk.durable(now, &group.recorded, works);
    }

    fn apply(&mut self, rows: Vec<Row>) {
        for row in rows {
            match row.change {
                RowChange::Keep(kept) => drop(self.disk.insert(row.number, *kept)),
                RowChange::Forget => drop(self.disk.remove(&row.number)),
            }
        }
    }

    /// One message that is on its way comes to its end, well or not.
    fn end_an_exchange(&mut self) {
        if self.wire.is_empty() {
            return;
        }
        let which = self.rng.usize(0..self.wire.len());
        let dispatch = self.wire.swap_remove(which);
        let message = self.decode(&dispatch);
        let mood = match self.rng.u32(0..4) {
            0 => Mood::Bad,
            _ => Mood::Good,
        };
        let exchange = match self.rng.u32(0..20) {
            // Nothing left: a link that is gone, or full.
            0..3 => Exchange::NotSent(Reason::NoLink),
            3 => Exchange::NotSent(Reason::QueueFull),
            // It is lost on its way there, or comes there after all.
            4..6 => {
                self.stray.push(message);
                Exchange::Lost
            }
            // The bank has it, and its answer is lost, late, or of no use.
            6..9 => {
                drop(self.bank.take(&message, mood));
                Exchange::Lost
            }
            9..12 => {
                let answer = self.bank.take(&message, mood);
                self.late.push(answer);
                Exchange::TimedOut
            }
            12 if dispatch.leg == Leg::Request => {
                let mut answer = self.bank.take(&message, mood);
                answer.set(37, "999999999999");
                Exchange::Answered(answer)
            }
            _ => Exchange::Answered(self.bank.take(&message, mood)),
        };
        let now = self.now();
        self.scene
            .desk
            .exchanged(now, dispatch.record, dispatch.leg, exchange);
    }

    fn deliver_a_stray(&mut self) {
        if let Some(message) = self.stray.pop() {
            let answer = self.bank.take(&message, Mood::Good);
            self.late.push(answer);
        }
    }

    fn deliver_a_late_answer(&mut self) {
        if let Some(message) = self.late.pop() {
            self.verdict.late_answers += 1;
            let now = self.now();
            let key = self.scene.desk.settings.match_by.key_of(&message);
            self.scene.desk.late(now, key.unwrap(), &message);
        }
    }

    fn wait(&mut self, time: Duration) {
        self.scene.elapsed += time;
        let now = self.now();
        self.scene.desk.handle_timeout(now);
        assert!(
            self.scene
                .desk
                .next_timeout()
                .is_none_or(|at| at > now.monotonic),
            "what is due was done, or the task would spin"
        );
    }

    /// kill -9, and a new process. Of the groups on their way, some first ones have reached the disk;
    /// what was on the wire is lost, or reaches the bank.
    fn kill(&mut self) {
        self.verdict.kills += 1;
        let written = self.rng.usize(0..=self.groups.len());
        for group in self.groups.drain(..).take(written).collect::<Vec<_>>() {
            self.apply(group.rows);
        }
        for dispatch in std::mem::take(&mut self.wire) {
            let message = self.decode(&dispatch);
            match self.rng.u32(0..3) {
                0 => drop(self.bank.take(&message, Mood::Good)),
                1 => self.stray.push(message),
                _ => {}
            }
        }
        self.late.clear();
        self.restart();
    }

    fn restart(&mut self) {
        let kept: Vec<(u64, Kept)> = self
            .disk
            .iter()
            .filter(|(_, kept)| {
                self.mutant != Mutant::RecoversNothing
                    || matches!(
                        kept.stage,
                        Stage::Ended { .. } | Stage::ReversalEnded { .. }
                    )
            })
            .map(|(number, kept)| (*number, kept.clone()))
            .collect();
        let now = self.now();
        self.scene.reopen(now, kept);
    }

    /// What the callers are told must not change once it is final, but by their own cancel.
    fn listen(&mut self) {
        for (tag, answer) in self.scene.told_with_tags() {
            if let Some(key) = self.replies.get(&tag).cloned() {
                self.hear(&key, &answer);
            }
        }
    }

    fn hear(&mut self, key: &PaymentKey, answer: &PaymentAnswer) {
        let Some(asked) = self.asked.get_mut(key) else {
            return;
        };
        let told = match &answer.outcome {
            PaymentOutcome::Approved => "approved",
            PaymentOutcome::Declined => "declined",
            PaymentOutcome::Reversed => "reversed",
            PaymentOutcome::Unknown { .. } => "unknown",
            // What the journal never had may be sent after all, if the caller asks by the same id.
            PaymentOutcome::NotSent { reason, .. } if *reason == Reason::Journal => return,
            PaymentOutcome::NotSent { .. } => "not sent",
            PaymentOutcome::Reversing
            | PaymentOutcome::ReversalFailed
            | PaymentOutcome::Resolved { .. }
            | PaymentOutcome::Pending => "open",
        };
        let allowed = match asked.told {
            None => true,
            Some("approved") => told == "approved" || asked.cancelled,
            Some(before) => told == before,
        };
        if !allowed {
            self.verdict.wrong_outcomes += 1;
            let (id, before) = (key.id.as_str(), asked.told);
            let fault = format!("{id} was told {before:?} and then {told}");
            self.verdict.faults.push(fault);
        }
        if told != "open" {
            asked.told = Some(told);
        }
    }

    /// The faults stop, and everybody does their part until nothing is open.
    pub(super) fn settle(&mut self) {
        for _ in 0..2_000 {
            self.hand_over();
            while !self.groups.is_empty() {
                self.write_a_group(true);
                self.hand_over();
            }
            while let Some(message) = self.stray.pop() {
                self.bank.take(&message, Mood::Good);
            }
            while let Some(dispatch) = self.wire.pop() {
                let message = self.decode(&dispatch);
                let exchange = Exchange::Answered(self.bank.take(&message, Mood::Good));
                let now = self.now();
                self.scene
                    .desk
                    .exchanged(now, dispatch.record, dispatch.leg, exchange);
            }
            self.wait(Duration::from_secs(2));
            self.listen();
            let out = &self.scene.desk.out;
            if self.scene.desk.open() == 0 && out.rows.is_empty() && self.groups.is_empty() {
                return;
            }
        }
    }

    /// The three books, one against the other.
    pub(super) fn verdict(mut self) -> Verdict {
        self.verdict.unresolved = self.scene.desk.open();
        let keys: Vec<PaymentKey> = self.asked.keys().cloned().collect();
        for key in keys {
            self.judge(&key);
        }
        for (original, identities) in &self.bank.reversals {
            if identities.iter().any(|own| *own != identities[0]) {
                let fault = format!("the reversals of {original:?} differ: {identities:?}");
                self.verdict.faults.push(fault);
            }
        }
        if self.mutant == Mutant::None && self.scene.desk.stans.in_use() != 0 {
            self.verdict.faults.push("a STAN leaked".to_owned());
        }
        if self.mutant == Mutant::None && self.scene.desk.keys.open() != 0 {
            self.verdict.faults.push("a key leaked".to_owned());
        }
        self.verdict
    }

    fn judge(&mut self, key: &PaymentKey) {
        let known = self.scene.desk.lookup(key);
        if let Some(answer) = &known {
            self.hear(key, answer);
        }
        let booked: Vec<u64> = self
            .sent
            .iter()
            .filter(|(_, owner)| *owner == key)
            .filter_map(|(identity, _)| self.bank.books.get(identity))
            .map(|booked| booked.debited - booked.given_back)
            .filter(|stays| *stays > 0)
            .collect();
        if booked.len() > 1 {
            self.verdict.double_debits += 1;
        }
        let stays: u64 = booked.iter().sum();
        let number: u64 = key.id.as_str()[1..].parse().unwrap();
        let amount = match number % 8 {
            0 => 0,
            more => 10_000 + more,
        };
        let outcome = known.as_ref().map(|answer| &answer.outcome);
        let in_part = known
            .as_ref()
            .and_then(|answer| answer.reversal.as_ref()?.actual_amount_minor);
        let verdict = &mut self.verdict;
        let expected = match outcome {
            Some(PaymentOutcome::Approved) => {
                verdict.approved += 1;
                amount
            }
            Some(PaymentOutcome::Reversed) => {
                verdict.reversed += 1;
                verdict.reversed_in_part += usize::from(in_part.is_some());
                in_part.unwrap_or(0)
            }
            Some(PaymentOutcome::Declined) => {
                verdict.declined += 1;
                0
            }
            Some(PaymentOutcome::NotSent { .. }) | None => {
                verdict.not_sent += 1;
                0
            }
            _ => 0,
        };
        if stays > expected {
            verdict.orphan_debits += 1;
            let id = key.id.as_str();
            let fault = format!("{id} is {outcome:?} and the bank has kept {stays}");
            verdict.faults.push(fault);
        } else if stays < expected {
            verdict.wrong_outcomes += 1;
            let id = key.id.as_str();
            let fault = format!("{id} is {outcome:?} and the bank has only {stays}");
            verdict.faults.push(fault);
        }
    }
}

/// Keys under which a simulated bank matches; that of the first is counted per terminal.
const MATCH_BY: [&[MatchElement]; 3] = [
    &[MatchElement::Stan, MatchElement::Terminal],
    &[MatchElement::Stan],
    &[MatchElement::TransmissionTime, MatchElement::Rrn],
];

fn settings_of(seed: u64) -> impl FnOnce(&mut BankSettings) {
    move |settings| {
        let way = (seed / 2 % 3) as usize;
        settings.match_by = MatchElements::new(MATCH_BY[way].iter().copied()).unwrap();
        settings.stan_per = match way {
            0 => StanPer::Terminal,
            _ => StanPer::Bank,
        };
        settings.records_max = 1_000_000;
        settings.reversal.in_flight_max = 1 + (seed % 5) as usize;
        settings.reversal.budget = Duration::from_secs(1_000_000);
        settings.reversal.stan = match seed % 2 {
            0 => ReversalStan::New,
            _ => ReversalStan::Original,
        };
    }
}
