//! The desk with a virtual clock, a journal that the test answers, and a bank made of the test's
//! own messages.

mod books;
mod matching;
mod races;
mod recovery;
mod reversals;
mod security;
mod simulation;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use time::{OffsetDateTime, UtcOffset};

use super::{
    AccountType, Money, Pan, Payment, PaymentAnswer, PaymentId, PaymentKey, PaymentOutbox,
    PaymentOutcome, StanAllocator, Transaction,
    desk::{Desk, Dispatch, Leg, RecordId},
    orders::Order,
};
use crate::{
    client::ClientName,
    digest::{Digest, DigestKey},
    iso8583::{
        Dialect, MatchElements, Message, Mti,
        currency::Currency,
        session::{Now, SessionSettings},
    },
    journal::{Row, RowChange, Stage},
    link::{
        Exchange,
        settings::{
            AnswersOn, AskedSettings, BankSettings, LinkSettings, Reach, ReversalSettings,
            ReversalStan, StanPer,
        },
    },
    metrics::Metrics,
    outbox::Outbox,
    outcome::Reason,
};

const TIMEOUT: Duration = Duration::from_secs(30);
const REPEAT_MIN: Duration = Duration::from_secs(2);
const BUDGET: Duration = Duration::from_secs(3600);
const RETENTION: Duration = Duration::from_secs(86_400);

fn settings() -> BankSettings {
    let dialect = Arc::new(Dialect::iso8583_1987_ascii().clone());
    BankSettings {
        link: LinkSettings {
            peer: "vietcom".into(),
            reach: Reach::dial("127.0.0.1:1"),
            links: 1,
            window: 64,
            queue_max: 64,
            response_timeout: TIMEOUT,
            connect_timeout: TIMEOUT,
            reconnect_min: TIMEOUT,
            reconnect_max: TIMEOUT,
            refused_pause: TIMEOUT,
            drain_timeout: TIMEOUT,
        },
        session: SessionSettings::new(Arc::clone(&dialect)),
        dialect,
        match_by: MatchElements::default(),
        stan_per: StanPer::Bank,
        answers_on: AnswersOn::SameLink,
        approved_codes: vec!["00".into()],
        currency: Currency::from_alpha("VND").unwrap(),
        terminal_id: "T0000001".into(),
        merchant_id: "VNMART000000001".into(),
        acquirer_id: "970499".into(),
        forwarder_id: String::new(),
        merchant_category: "5999".into(),
        pos_entry_mode: "012".into(),
        pos_condition: "00".into(),
        local_offset: UtcOffset::from_hms(7, 0, 0).unwrap(),
        reversal: ReversalSettings {
            mti: Mti::REVERSAL_ADVICE,
            reason_element: 39,
            in_flight_max: 16,
            timeout_code: "68".into(),
            cancel_code: "17".into(),
            error_code: "06".into(),
            stan: ReversalStan::New,
            repeat_min: REPEAT_MIN,
            repeat_max: Duration::from_secs(60),
            budget: BUDGET,
            final_codes: vec!["00".into()],
            retry_codes: vec!["96".into()],
        },
        asked: AskedSettings {
            hand_up: Vec::new(),
            elements: Vec::new(),
            reconcile: false,
            out_of_balance_code: "95".into(),
            busy_code: "96".into(),
        },
        records_max: 100,
        retention: RETENTION,
    }
}

/// A desk between a caller, a journal and a bank that are all the test.
struct Scene {
    desk: Desk,
    dialect: Arc<Dialect>,
    start: Now,
    elapsed: Duration,
    outbox: Arc<PaymentOutbox>,
    /// Where the STANs of the next process begin.
    rng: fastrand::Rng,
    journal_works: bool,
    /// The last number of the journal.
    number: u64,
    /// What the journal was given, by kind.
    recorded: Vec<&'static str>,
}

impl Scene {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(change: impl FnOnce(&mut BankSettings)) -> Self {
        let mut settings = settings();
        change(&mut settings);
        let dialect = Arc::clone(&settings.dialect);
        static METRICS: std::sync::LazyLock<Metrics> =
            std::sync::LazyLock::new(|| Metrics::new().unwrap());
        let metrics = METRICS.payments("vietcom");
        let stans = StanAllocator::beginning_with(123, settings.stan_per);
        Self {
            desk: Desk::new(
                Arc::new(settings),
                stans,
                metrics,
                Arc::default(),
                DigestKey::from_bytes([7; 16]),
            ),
            dialect,
            start: Now {
                monotonic: Instant::now(),
                // 2012-09-21 07:32:44 UTC.
                utc: OffsetDateTime::from_unix_timestamp(1_348_212_764).unwrap(),
            },
            elapsed: Duration::ZERO,
            outbox: Outbox::new(),
            rng: fastrand::Rng::with_seed(1),
            journal_works: true,
            number: 0,
            recorded: Vec::new(),
        }
    }

    /// The desk of the next process, with what the journal has.
    fn reopen(&mut self, now: Now, kept: Vec<(u64, crate::journal::Kept)>) {
        self.try_reopen(now, kept).unwrap();
    }

    fn try_reopen(
        &mut self,
        now: Now,
        kept: Vec<(u64, crate::journal::Kept)>,
    ) -> Result<(), super::RecoveryError> {
        let stans = StanAllocator::beginning_with(self.rng.u32(..), self.desk.settings.stan_per);
        self.desk = Desk::new(
            Arc::clone(&self.desk.settings),
            stans,
            self.desk.metrics.clone(),
            Arc::default(),
            DigestKey::from_bytes([7; 16]),
        );
        self.outbox = Outbox::new();
        self.desk.recover(now, kept)
    }

    fn now(&self) -> Now {
        Now {
            monotonic: self.start.monotonic + self.elapsed,
            utc: self.start.utc + self.elapsed,
        }
    }

    fn key(id: &str) -> PaymentKey {
        PaymentKey {
            client: ClientName::parse("shop").unwrap(),
            id: PaymentId::parse(id).unwrap(),
        }
    }

    fn digest(&self, id: &str) -> Digest {
        self.desk.registry.digest(&Self::key(id))
    }

    fn payment(id: &str, transaction: Transaction) -> Payment {
        Payment {
            id: PaymentId::parse(id).unwrap(),
            transaction,
            bank: "vietcom".into(),
            pan: Pan::parse("9704361234567890").unwrap(),
            from_account_id: Bytes::new(),
            to_account_id: Bytes::new(),
            terminal_id: Bytes::new(),
            merchant_id: Bytes::new(),
            expiry: Bytes::new(),
            retrieval_reference: Bytes::new(),
            elements: Vec::new(),
        }
    }

    fn purchase(amount_minor: u64) -> Transaction {
        Transaction::Purchase {
            amount: Money::new(amount_minor, Currency::from_alpha("VND").unwrap()).unwrap(),
            from: AccountType::Default,
        }
    }

    fn transact(&mut self, id: &str, transaction: Transaction) {
        let order = Order {
            key: Self::key(id),
            digest: self.digest(id),
            payment: Self::payment(id, transaction),
            deadline: self.start.monotonic + self.elapsed + Duration::from_secs(5),
            reply: self.outbox.reply(0),
        };
        self.take(order);
    }

    fn take(&mut self, order: Order) {
        self.number += 1;
        self.desk.transact(self.now(), self.number, order);
    }

    /// Lets the journal do its work.
    fn record(&mut self) {
        while !self.desk.out.rows.is_empty() {
            let rows = std::mem::take(&mut self.desk.out.rows);
            self.recorded.extend(rows.iter().map(kind));
            let waiting = std::mem::take(&mut self.desk.out.recorded);
            self.desk.durable(self.now(), &waiting, self.journal_works);
        }
    }

    /// What is to be sent after the journal has done its work.
    fn dispatched(&mut self) -> Vec<Dispatch> {
        self.record();
        std::mem::take(&mut self.desk.out.dispatches)
    }

    /// The one message that is to be sent now.
    fn sent(&mut self) -> ((RecordId, Leg), Message) {
        let mut dispatched = self.dispatched();
        assert_eq!(dispatched.len(), 1, "exactly one message is to be sent");
        let dispatch = dispatched.remove(0);
        let message = self.dialect.decode(dispatch.message).unwrap();
        ((dispatch.record, dispatch.leg), message)
    }

    fn exchanged(&mut self, of: (RecordId, Leg), exchange: Exchange) {
        self.desk.exchanged(self.now(), of.0, of.1, exchange);
    }

    fn wait(&mut self, time: Duration) {
        self.elapsed += time;
        self.desk.handle_timeout(self.now());
    }

    /// What is told after the journal has done its work.
    fn told(&mut self) -> Vec<PaymentAnswer> {
        self.record();
        self.told_already()
    }

    fn told_already(&mut self) -> Vec<PaymentAnswer> {
        let told = self.told_with_tags().into_iter();
        told.map(|(_, answer)| answer).collect()
    }

    fn told_with_tags(&mut self) -> Vec<(u32, PaymentAnswer)> {
        self.desk.out.answers.flush();
        let mut answers = Vec::new();
        self.outbox.try_take_ready(&mut answers);
        answers
    }

    fn outcomes(&mut self) -> Vec<PaymentOutcome> {
        self.told().into_iter().map(|told| told.outcome).collect()
    }

    fn stored(&mut self, id: &str) -> PaymentAnswer {
        self.record();
        self.desk.lookup(&Self::key(id)).unwrap()
    }

    fn cancel(&mut self, id: &str) {
        let reply = self.outbox.reply(1);
        let now = self.now();
        self.desk.cancel(now, &Self::key(id), None, reply).unwrap();
    }
}

impl Scene {
    /// An answer to which no link had a request.
    fn late(&mut self, message: &Message) {
        let now = self.now();
        let key = self.desk.settings.match_by.key_of(message).unwrap();
        self.desk.late(now, key, message);
    }
}

fn kind(row: &Row) -> &'static str {
    match &row.change {
        RowChange::Forget => "forget",
        RowChange::Keep(kept) => match kept.stage {
            Stage::Sending => "sending",
            Stage::Ended { .. } => "ended",
            Stage::Reversing(_) => "reversing",
            Stage::ReversalEnded { .. } => "reversal ended",
        },
    }
}

fn answer(request: &Message, code: &str) -> Exchange {
    let mut answer = Message::new(request.mti().response().unwrap());
    for number in [2, 3, 4, 7, 11, 37, 41, 49] {
        if let Some(value) = request.get(number) {
            answer.set(number, value);
        }
    }
    answer.set(39, code);
    if code == "00" && request.mti() == Mti::FINANCIAL_REQUEST {
        answer.set(38, "AUTH01");
    }
    Exchange::Answered(answer)
}

#[test]
fn nothing_is_sent_before_its_record_is_durable() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    assert!(scene.desk.out.dispatches.is_empty());
    assert_eq!(scene.dispatched().len(), 1);
    assert_eq!(scene.recorded, ["sending"]);
}

#[test]
fn a_payment_whose_record_cannot_be_made_durable_is_not_sent() {
    let mut scene = Scene::new();
    scene.journal_works = false;
    scene.transact("p1", Scene::purchase(10_000));
    assert!(scene.dispatched().is_empty());
    assert!(matches!(
        scene.outcomes()[..],
        [PaymentOutcome::NotSent {
            reason: Reason::Journal,
            ..
        }]
    ));
}

#[test]
fn a_request_holds_what_the_payment_and_the_bank_s_settings_say() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (_, request) = scene.sent();
    let expected = [
        (2, "9704361234567890"),
        (3, "000000"),
        (4, "000000010000"),
        (7, "0921073244"),
        (11, "000124"),
        (12, "143244"),
        (13, "0921"),
        (18, "5999"),
        (22, "012"),
        (25, "00"),
        (32, "970499"),
        (37, "226514000124"),
        (41, "T0000001"),
        (42, "VNMART000000001"),
        (49, "704"),
    ];
    assert_eq!(request.mti(), Mti::FINANCIAL_REQUEST);
    let elements: Vec<_> = request
        .iter()
        .map(|(number, value)| (number, std::str::from_utf8(value).unwrap()))
        .collect();
    assert_eq!(elements, expected);
}

#[test]
fn an_answer_with_an_approval_code_approves_and_any_other_declines() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "00"));
    let told = scene.told().remove(0);
    assert_eq!(told.outcome, PaymentOutcome::Approved);
    assert_eq!(told.response.authorization_id(), b"AUTH01");
    assert_eq!(told.stan.unwrap().get(), 124);

    scene.transact("p2", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "51"));
    let told = scene.told().remove(0);
    assert_eq!(told.outcome, PaymentOutcome::Declined);
    assert_eq!(told.response.code(), b"51");
}

#[test]
fn an_unanswered_payment_is_told_as_reversing_only_after_the_reversal_is_durable() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    assert_eq!(scene.told_already(), []);
    scene.dispatched();
    assert_eq!(scene.outcomes(), [PaymentOutcome::Reversing]);
    assert_eq!(scene.recorded, ["sending", "reversing"]);
}

#[test]
fn a_late_answer_is_recorded_and_changes_nothing_that_was_told() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    let Exchange::Answered(late) = answer(&request, "00") else {
        unreachable!()
    };
    scene.late(&late);
    let stored = scene.stored("p1");
    assert_eq!(stored.outcome, PaymentOutcome::Reversing);
    assert_eq!(stored.late_response_code, "00");
    scene.exchanged(record, answer(&reversal, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
}

#[test]
fn a_refused_link_means_not_sent_and_owes_no_reversal() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::NotSent(Reason::NoLink));
    let told = scene.told().remove(0);
    assert!(told.outcome.retry_is_safe());
    assert_eq!(told.stan, None);
    assert!(scene.dispatched().is_empty());
}

#[test]
fn a_payment_whose_deadline_passed_while_it_was_recorded_is_not_sent() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    scene.elapsed += Duration::from_secs(5);
    assert!(scene.dispatched().is_empty());
    assert!(matches!(
        scene.outcomes()[..],
        [PaymentOutcome::NotSent {
            reason: Reason::Deadline,
            ..
        }]
    ));
}

#[test]
fn the_same_id_again_gets_the_stored_outcome_and_sends_nothing() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "00"));
    assert_eq!(
        scene.outcomes(),
        [PaymentOutcome::Approved, PaymentOutcome::Approved]
    );
    scene.transact("p1", Scene::purchase(10_000));
    assert!(scene.dispatched().is_empty());
    assert_eq!(scene.outcomes(), [PaymentOutcome::Approved]);
}

#[test]
fn the_same_id_with_another_body_is_refused_and_changes_nothing() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    scene.transact("p1", Scene::purchase(10_001));
    assert!(matches!(
        scene.outcomes()[..],
        [PaymentOutcome::NotSent {
            reason: Reason::IdReused,
            ..
        }]
    ));
    assert_eq!(scene.dispatched().len(), 1);
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Pending);
}

#[test]
fn what_moves_no_money_is_unknown_when_unanswered_and_never_reversed() {
    let mut scene = Scene::new();
    let from = AccountType::Savings;
    scene.transact("p1", Transaction::Balance { from });
    let (record, request) = scene.sent();
    assert_eq!(request.text(3), Some("301000"));
    assert_eq!(request.get(4), None);
    scene.exchanged(record, Exchange::TimedOut);
    assert!(scene.dispatched().is_empty());
    assert!(matches!(
        scene.outcomes()[..],
        [PaymentOutcome::Unknown {
            reason: Reason::Timeout,
            ..
        }]
    ));
}

#[test]
fn an_answer_with_another_amount_is_not_believed_and_the_payment_is_reversed() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, mut request) = scene.sent();
    request.set(4, "000000020000");
    scene.exchanged(record, answer(&request, "00"));
    let (_, reversal) = scene.sent();
    assert_eq!(reversal.text(39), Some("06"));
    assert_eq!(reversal.text(4), Some("000000010000"));
}

#[test]
fn a_stop_gives_up_waiting_and_takes_back_what_may_have_moved_money() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (request_leg, request) = scene.sent();
    let from = AccountType::Default;
    scene.transact("p2", Transaction::Balance { from });
    let (balance_leg, _) = scene.sent();
    scene.desk.give_up(scene.now());
    scene.exchanged(request_leg, Exchange::GivenUp);
    scene.exchanged(balance_leg, Exchange::GivenUp);
    let (reversal_leg, reversal) = scene.sent();
    assert_eq!(reversal.mti(), Mti::REVERSAL_ADVICE);
    let outcomes = scene.outcomes();
    assert!(outcomes.contains(&PaymentOutcome::Reversing));
    assert!(outcomes.iter().any(|outcome| matches!(
        outcome,
        PaymentOutcome::Unknown {
            reason: Reason::Stopping,
            ..
        }
    )));
    // The request's answer comes after all, and is not taken for that of the reversal.
    scene.exchanged(request_leg, answer(&request, "00"));
    let stored = scene.stored("p1");
    assert_eq!(stored.outcome, PaymentOutcome::Reversing);
    assert_eq!(stored.late_response_code, "00");
    scene.exchanged(reversal_leg, answer(&reversal, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
    assert_eq!(scene.desk.open(), 0);
}

#[test]
fn a_full_table_forgets_what_is_settled_and_refuses_when_all_is_open() {
    let mut scene = Scene::with(|settings| settings.records_max = 2);
    for id in ["p1", "p2"] {
        scene.transact(id, Scene::purchase(10_000));
    }
    let first = scene.dispatched().remove(0);
    let first = (first.record, first.leg);
    scene.transact("p3", Scene::purchase(10_000));
    assert!(matches!(
        scene.outcomes()[..],
        [PaymentOutcome::NotSent {
            reason: Reason::QueueFull,
            ..
        }]
    ));
    scene.exchanged(first, Exchange::NotSent(Reason::NoLink));
    scene.record();
    scene.transact("p3", Scene::purchase(10_000));
    assert_eq!(scene.dispatched().len(), 1);
    assert_eq!(scene.desk.lookup(&Scene::key("p1")), None);
}

#[test]
fn an_element_that_sampan_fills_in_cannot_be_set_by_the_caller() {
    let mut scene = Scene::new();
    let mut payment = Scene::payment("p1", Scene::purchase(10_000));
    payment.elements = vec![
        (48, Bytes::from_static(b"x")),
        (4, Bytes::from_static(b"1")),
    ];
    let order = Order {
        key: Scene::key("p1"),
        digest: scene.digest("p1"),
        payment,
        deadline: scene.now().monotonic + TIMEOUT,
        reply: scene.outbox.reply(0),
    };
    scene.take(order);
    let [PaymentOutcome::NotSent { reason, detail }] = &scene.outcomes()[..] else {
        panic!("not refused")
    };
    assert_eq!(*reason, Reason::Invalid);
    assert_eq!(
        detail,
        "elements[1].number: DE4 is filled in by Sampan; leave it out"
    );
    assert_eq!(scene.desk.lookup(&Scene::key("p1")), None);
}
