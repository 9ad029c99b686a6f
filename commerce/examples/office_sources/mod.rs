//! Customers, purchases and deliveries that are made up and kept in memory.

use std::sync::Mutex;

use commerce::{
    moment::UnixMs,
    money::Vnd,
    office::{
        DayCount,
        source::{
            Customers, Deliveries, DeliveryFilter, DeliveryLine, Happened, PurchaseDetail,
            PurchaseFilter, PurchaseLine, Purchases, SourceError, Told, WayOut,
        },
    },
    store::Write,
    word::Id,
};
use sqlx::AnyConnection;

const MINUTE_MS: i64 = 60_000;

pub(crate) struct MadeUp {
    now: UnixMs,
    purchases: Mutex<Vec<PurchaseLine>>,
    deliveries: Mutex<Vec<DeliveryLine>>,
}

impl MadeUp {
    pub(crate) fn new(now: UnixMs) -> Self {
        let mut random = fastrand::Rng::with_seed(11);
        let purchases = (0..84).map(|n| purchase(&mut random, now, n)).collect();
        let deliveries = (0..12).map(|n| delivery(&mut random, now, n)).collect();
        Self {
            now,
            purchases: Mutex::new(purchases),
            deliveries: Mutex::new(deliveries),
        }
    }

    /// Numbers of the last thirty days that grow a little.
    fn days(&self, seed: u64, about: i64) -> Vec<DayCount> {
        let mut random = fastrand::Rng::with_seed(seed);
        let today = (self.now.0 + 7 * 3_600_000) / 86_400_000;
        let day = |day: i64| {
            let count = random.i64(about / 2..about) + day * about / 40;
            DayCount {
                day: today - 29 + day,
                count,
                large: count * random.i64(20..45) / 100,
                dong: count * 64_000,
            }
        };
        (0..30).map(day).collect()
    }
}

fn purchase(random: &mut fastrand::Rng, now: UnixMs, n: i64) -> PurchaseLine {
    let state = match n {
        2 | 17 => "MANUAL_REVIEW",
        5 => "UNKNOWN",
        n if n % 9 == 4 => "REFUNDED",
        n if n % 13 == 6 => "FAILED",
        _ => "COMPLETED",
    };
    let began = now.0 - n * 37 * MINUTE_MS - random.i64(0..MINUTE_MS);
    let digits: String = std::iter::repeat_with(|| random.alphanumeric())
        .take(16)
        .collect();
    let types = [("MOBI100", 100_000), ("VINA20", 20_000), ("VIET50", 50_000)];
    let (card_type, dong) = types[random.usize(0..3)];
    PurchaseLine {
        id: digits.parse().unwrap(),
        phone: format!("8491{:07}", random.u32(0..10_000_000))
            .parse()
            .unwrap(),
        card_type: card_type.parse().unwrap(),
        amount: Vnd::new(dong).unwrap(),
        bank: Some(["vcb", "bidv"][random.usize(0..2)].parse().unwrap()),
        channel: ["sms", "web"][random.usize(0..2)].to_owned(),
        state: state.to_owned(),
        is_stuck: matches!(state, "MANUAL_REVIEW" | "UNKNOWN"),
        created_at: UnixMs(began),
        updated_at: UnixMs(began + 21_000),
    }
}

fn delivery(random: &mut fastrand::Rng, now: UnixMs, n: i64) -> DeliveryLine {
    let is_dead = n % 5 == 1;
    DeliveryLine {
        id: format!("mo-{:08x}", random.u32(..)).parse().unwrap(),
        partner: ["fibo-demo", "quiz-show"][random.usize(0..2)]
            .parse()
            .unwrap(),
        kind: ["sms", "webhook"][random.usize(0..2)].to_owned(),
        state: if is_dead { "dead" } else { "delivered" }.to_owned(),
        is_dead,
        tries: if is_dead { 5 } else { 1 },
        next_at: None,
        last_error: if is_dead {
            "status 502 in place of an answer"
        } else {
            ""
        }
        .to_owned(),
        created_at: UnixMs(now.0 - n * 91 * MINUTE_MS),
    }
}

impl Customers for MadeUp {
    fn registered_per_day<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        _since: UnixMs,
    ) -> Told<'a, Vec<DayCount>> {
        Box::pin(async { Ok(self.days(3, 40)) })
    }
}

impl Purchases for MadeUp {
    fn list<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        filter: &'a PurchaseFilter,
        before: Option<&'a Id>,
        lines_max: u32,
    ) -> Told<'a, Vec<PurchaseLine>> {
        let all = self.purchases.lock().unwrap().clone();
        let start = before.and_then(|id| all.iter().position(|line| line.id == *id));
        let wanted = all
            .into_iter()
            .skip(start.map_or(0, |place| place + 1))
            .filter(|line| {
                filter.id.as_ref().is_none_or(|id| *id == line.id)
                    && filter
                        .phone
                        .as_ref()
                        .is_none_or(|phone| *phone == line.phone)
                    && filter
                        .state
                        .as_ref()
                        .is_none_or(|state| state.as_str() == line.state)
                    && filter.is_stuck <= line.is_stuck
            });
        let lines = wanted.take(lines_max as usize).collect();
        Box::pin(async { Ok(lines) })
    }

    fn find<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        id: &'a Id,
    ) -> Told<'a, Option<PurchaseDetail>> {
        let line = self
            .purchases
            .lock()
            .unwrap()
            .iter()
            .find(|line| line.id == *id)
            .cloned();
        Box::pin(async { Ok(line.map(detail)) })
    }

    fn resolve<'a>(
        &'a self,
        _write: &'a mut Write,
        id: &'a Id,
        _way_out: &'a str,
        _reason: &'a str,
        now: UnixMs,
    ) -> Told<'a, ()> {
        for line in self
            .purchases
            .lock()
            .unwrap()
            .iter_mut()
            .filter(|line| line.id == *id)
        {
            line.state = "REFUNDED".to_owned();
            line.is_stuck = false;
            line.updated_at = now;
        }
        Box::pin(async { Ok(()) })
    }

    fn stuck<'a>(&'a self, _connection: &'a mut AnyConnection, _max: u32) -> Told<'a, u64> {
        let count = self
            .purchases
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.is_stuck)
            .count();
        Box::pin(async move { Ok(count as u64) })
    }

    fn per_day<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        _since: UnixMs,
        _large: Vnd,
    ) -> Told<'a, Vec<DayCount>> {
        Box::pin(async { Ok(self.days(5, 120)) })
    }
}

fn detail(line: PurchaseLine) -> PurchaseDetail {
    let steps = [
        "CREATED",
        "AUTHENTICATING",
        "FUNDS_HELD",
        line.state.as_str(),
    ];
    let details = [
        "MUA MOBI100 by SMS",
        "a one-time password was sent",
        "the bank was asked",
        if line.is_stuck {
            "the bank has said neither yes nor no for ten minutes"
        } else {
            ""
        },
    ];
    let happened = (0..)
        .zip(steps.iter().zip(details))
        .map(|(n, (what, detail))| Happened {
            at: UnixMs(line.created_at.0 + n * 7_000),
            what: (*what).to_owned(),
            detail: detail.to_owned(),
        });
    let ways_out = [
        WayOut {
            word: "retry",
            label: "Ask the bank again",
            what: "An inquiry is sent with the same id.",
        },
        WayOut {
            word: "refunded",
            label: "Settle as refunded",
            what: "The bank has confirmed that the money went back.",
        },
    ];
    PurchaseDetail {
        happened: happened.collect(),
        cards: Vec::new(),
        ways_out: if line.is_stuck {
            ways_out.to_vec()
        } else {
            Vec::new()
        },
        line,
    }
}

impl Deliveries for MadeUp {
    fn list<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        filter: &'a DeliveryFilter,
        _before: Option<&'a Id>,
        lines_max: u32,
    ) -> Told<'a, Vec<DeliveryLine>> {
        let all = self.deliveries.lock().unwrap().clone();
        let wanted = all.into_iter().filter(|line| {
            filter.partner.as_ref().is_none_or(|id| *id == line.partner)
                && filter.is_dead <= line.is_dead
        });
        let lines = wanted.take(lines_max as usize).collect();
        Box::pin(async { Ok(lines) })
    }

    fn find<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        id: &'a Id,
    ) -> Told<'a, Option<(DeliveryLine, Vec<Happened>)>> {
        let line = self
            .deliveries
            .lock()
            .unwrap()
            .iter()
            .find(|line| line.id == *id)
            .cloned();
        let tried = |line: DeliveryLine| {
            let tries = (0..i64::from(line.tries)).map(|n| Happened {
                at: UnixMs(line.created_at.0 + n * n * MINUTE_MS),
                what: format!("try {}", n + 1),
                detail: line.last_error.clone(),
            });
            (line.clone(), tries.collect())
        };
        Box::pin(async move { Ok(line.map(tried)) })
    }

    fn replay<'a>(&'a self, _write: &'a mut Write, id: &'a Id, now: UnixMs) -> Told<'a, ()> {
        let mut deliveries = self.deliveries.lock().unwrap();
        let line = deliveries
            .iter_mut()
            .find(|line| line.id == *id && line.is_dead);
        let done = match line {
            Some(line) => {
                line.is_dead = false;
                "waiting".clone_into(&mut line.state);
                line.next_at = Some(now);
                Ok(())
            }
            None => Err(SourceError::Refused("It is no dead letter".to_owned())),
        };
        Box::pin(async { done })
    }

    fn dead<'a>(&'a self, _connection: &'a mut AnyConnection, _max: u32) -> Told<'a, u64> {
        let count = self
            .deliveries
            .lock()
            .unwrap()
            .iter()
            .filter(|line| line.is_dead)
            .count();
        Box::pin(async move { Ok(count as u64) })
    }
}
