//! What happens when two things happen at once: a slot, a STAN or a message that is still in use
//! somewhere must not come to mean something else.

use super::*;
use crate::{
    iso8583::stan::Stans as _,
    journal::Volatile,
    link::{BankJob, Late as _, Shared},
    payment::{BankDesk, Opening, Registry},
    pool::Pool,
    status::PeerKind,
};

#[test]
fn a_reversal_under_its_payments_stan_frees_no_stan_of_another_payment() {
    let mut scene = Scene::with(|settings| settings.reversal.stan = ReversalStan::Original);
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, answer(&request, "00"));
    scene.record();
    // All other STANs of the day are used, so the next payment has the first one's again.
    let mut stans = scene.desk.stans.clone();
    for _ in 0..999_998 {
        stans.next_stan();
    }
    scene.transact("p2", Scene::purchase(10_000));
    let (_, second) = scene.sent();
    assert_eq!(second.stan(), request.stan());
    scene.cancel("p1");
    let (record, reversal) = scene.sent();
    assert_eq!(reversal.stan(), request.stan());
    scene.exchanged(record, answer(&reversal, "00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
    assert_eq!(stans.in_use(), 1, "the second payment still has its STAN");
}

#[test]
fn a_record_that_is_forgotten_lends_its_slot_to_none_before_its_own_row_is_written() {
    let mut scene = Scene::with(|settings| settings.records_max = 1);
    scene.transact("p1", Scene::purchase(10_000));
    let (record, request) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (reversal_leg, reversal) = scene.sent();
    scene.exchanged(reversal_leg, answer(&reversal, "00"));
    scene.record();
    // A late answer is written while the record is forgotten.
    let Exchange::Answered(late) = answer(&request, "00") else {
        unreachable!()
    };
    scene.late(&late);
    let first = std::mem::take(&mut scene.desk.out.recorded);
    assert_eq!(first, [record.0]);
    scene.transact("p2", Scene::purchase(10_000));
    assert_eq!(scene.desk.lookup(&Scene::key("p1")), None);
    let second = std::mem::take(&mut scene.desk.out.recorded);
    assert_ne!(second, first);
    scene.desk.durable(scene.now(), &first, true);
    assert!(scene.desk.out.dispatches.is_empty());
    scene.desk.durable(scene.now(), &second, true);
    assert_eq!(scene.desk.out.dispatches.len(), 1);
}

#[test]
fn a_late_0430_is_not_taken_for_the_banks_answer_to_the_payment() {
    let mut scene = Scene::with(|settings| settings.reversal.stan = ReversalStan::Original);
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let Exchange::Answered(late) = answer(&reversal, "00") else {
        unreachable!()
    };
    scene.late(&late);
    assert_eq!(scene.stored("p1").late_response_code, "");
}

/// A desk with its task, and one link whose driver is the test.
struct Running {
    desk: Arc<BankDesk>,
    registry: Arc<Registry>,
    pool: Arc<Pool<BankJob>>,
    outbox: Arc<PaymentOutbox>,
}

impl Running {
    fn start() -> Self {
        let settings = Arc::new(settings());
        let metrics = Metrics::new().unwrap();
        let registry = Arc::<Registry>::default();
        let (desk, unstarted) = BankDesk::open(Opening {
            settings: Arc::clone(&settings),
            stans: StanAllocator::beginning_with(123, StanPer::Bank),
            metrics: metrics.payments("vietcom"),
            registry: Arc::clone(&registry),
            journal: Arc::new(Volatile::default()),
            kept: Vec::new(),
        })
        .unwrap();
        let link_settings = Arc::new(settings.link.clone());
        let link_metrics = metrics.link(PeerKind::Bank, "vietcom", "vietcom/1");
        let link = Shared::new(PeerKind::Bank, &link_settings, 1, link_metrics);
        link.play_open();
        let pool = Arc::new(Pool::new("vietcom".into(), vec![Arc::new(link)]));
        tokio::spawn(unstarted.run(Arc::clone(&pool)));
        Self {
            desk,
            registry,
            pool,
            outbox: Outbox::new(),
        }
    }

    /// Makes a payment and waits until the link's queue has it.
    async fn queue_payment(&self) {
        self.desk.transact(vec![Order {
            key: Scene::key("p1"),
            digest: self.registry.digest(&Scene::key("p1")),
            payment: Scene::payment("p1", Scene::purchase(10_000)),
            deadline: Instant::now() + TIMEOUT,
            reply: self.outbox.reply(0),
        }]);
        while self.pool.links()[0].load() == 0 {
            tokio::task::yield_now().await;
        }
    }

    async fn told(&self) -> PaymentAnswer {
        let mut told = Vec::new();
        self.outbox.take_ready(&mut told).await;
        assert_eq!(told.len(), 1);
        told.remove(0).1
    }
}

#[tokio::test]
async fn an_answer_that_comes_just_after_its_timeout_is_recorded_as_late() {
    let running = Running::start();
    running.queue_payment().await;
    let job = running.pool.links()[0].take_for_tests().unwrap();
    let dialect = Dialect::iso8583_1987_ascii();
    let request = dialect.decode(job.message.clone()).unwrap();
    let Exchange::Answered(late) = answer(&request, "00") else {
        unreachable!()
    };
    // Both wait when the desk looks next, in different places.
    job.reply.send(Exchange::TimedOut);
    let key = settings().match_by.key_of(&late).unwrap();
    running.desk.late(vec![(key, late)]);
    assert_eq!(running.told().await.outcome, PaymentOutcome::Reversing);
    let stored = running.desk.lookup(Scene::key("p1")).await.unwrap();
    assert_eq!(stored.late_response_code, "00");
}

#[test]
fn a_0430_that_comes_during_the_pause_ends_the_reversal_if_it_is_good_news() {
    let mut scene = Scene::new();
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let late = |code| match answer(&reversal, code) {
        Exchange::Answered(message) => message,
        _ => unreachable!(),
    };
    scene.late(&late("25"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversing);
    scene.late(&late("00"));
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::Reversed);
    scene.dispatched();
    scene.wait(BUDGET);
    assert!(scene.dispatched().is_empty(), "it is not repeated any more");
    assert_eq!(scene.desk.open(), 0);
}

#[test]
fn a_failed_reversal_is_kept_beyond_the_retention_and_a_full_table() {
    let mut scene = Scene::with(|settings| settings.records_max = 2);
    scene.transact("p1", Scene::purchase(10_000));
    let (record, _) = scene.sent();
    scene.exchanged(record, Exchange::TimedOut);
    let (record, reversal) = scene.sent();
    scene.exchanged(record, answer(&reversal, "25"));
    scene.dispatched();
    scene.wait(RETENTION * 2);
    for id in ["p2", "p3", "p4"] {
        scene.transact(id, Scene::purchase(10_000));
        let (record, request) = scene.sent();
        scene.exchanged(record, answer(&request, "00"));
        scene.record();
    }
    assert_eq!(scene.stored("p1").outcome, PaymentOutcome::ReversalFailed);
    assert_eq!(scene.desk.lookup(&Scene::key("p2")), None);
}
