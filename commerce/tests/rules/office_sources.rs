//! What others keep is shown and changed through the office by the same rules.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering::Relaxed},
};

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
    store::{Store, Write},
    word::Id,
};
use sqlx::AnyConnection;

use crate::{
    books::{NOW, vnd},
    databases::on_both,
    desk::Desk,
    shop::{furnish, id, type_id},
};

/// One purchase and one delivery, which are stuck until they are settled.
struct One {
    is_settled: AtomicBool,
}

impl One {
    fn purchase(&self) -> PurchaseLine {
        let is_stuck = !self.is_settled.load(Relaxed);
        PurchaseLine {
            id: id("p1"),
            phone: "84912345678".parse().unwrap(),
            card_type: type_id("MOBI10"),
            amount: vnd(10_000),
            bank: Some(id("vcb")),
            channel: "sms".to_owned(),
            state: if is_stuck {
                "MANUAL_REVIEW"
            } else {
                "REFUNDED"
            }
            .to_owned(),
            is_stuck,
            created_at: NOW,
            updated_at: NOW,
        }
    }

    fn delivery(&self) -> DeliveryLine {
        let is_dead = !self.is_settled.load(Relaxed);
        DeliveryLine {
            id: id("d1"),
            partner: id("partner-1"),
            kind: "sms".to_owned(),
            state: if is_dead { "dead" } else { "waiting" }.to_owned(),
            is_dead,
            tries: 5,
            next_at: None,
            last_error: "status 500 <b>".to_owned(),
            created_at: NOW,
        }
    }

    fn settle(&self) -> Result<(), SourceError> {
        if self.is_settled.swap(true, Relaxed) {
            return Err(SourceError::Refused("It waits for the next try".to_owned()));
        }
        Ok(())
    }
}

impl Customers for One {
    fn registered_per_day<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        since: UnixMs,
    ) -> Told<'a, Vec<DayCount>> {
        let day = (since.0 + 7 * 3_600_000) / 86_400_000 + 29;
        let today = DayCount {
            day,
            count: 17,
            ..DayCount::default()
        };
        Box::pin(async move { Ok(vec![today]) })
    }
}

impl Purchases for One {
    fn list<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        filter: &'a PurchaseFilter,
        before: Option<&'a Id>,
        lines_max: u32,
    ) -> Told<'a, Vec<PurchaseLine>> {
        assert!(lines_max <= 51);
        let line = self.purchase();
        let is_found = before.is_none()
            && (filter.is_stuck <= line.is_stuck)
            && filter
                .phone
                .as_ref()
                .is_none_or(|phone| *phone == line.phone);
        Box::pin(async move { Ok(is_found.then_some(line).into_iter().collect()) })
    }

    fn find<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        id: &'a Id,
    ) -> Told<'a, Option<PurchaseDetail>> {
        let line = self.purchase();
        let refund = WayOut {
            word: "refunded",
            label: "Refunded by hand",
            what: "The bank has given the money back.",
        };
        let detail = PurchaseDetail {
            ways_out: if line.is_stuck {
                vec![refund]
            } else {
                Vec::new()
            },
            happened: vec![Happened {
                at: NOW,
                what: "FUNDS_HELD".to_owned(),
                detail: "<i>".to_owned(),
            }],
            cards: vec![(type_id("MOBI10"), "S-0001".parse().unwrap())],
            line,
        };
        let found = (id.as_str() == "p1").then_some(detail);
        Box::pin(async move { Ok(found) })
    }

    fn resolve<'a>(
        &'a self,
        _write: &'a mut Write,
        _id: &'a Id,
        way_out: &'a str,
        reason: &'a str,
        _now: UnixMs,
    ) -> Told<'a, ()> {
        assert_eq!((way_out, reason), ("refunded", "told by the bank"));
        Box::pin(async move { self.settle() })
    }

    fn stuck<'a>(&'a self, _connection: &'a mut AnyConnection, _max: u32) -> Told<'a, u64> {
        Box::pin(async move { Ok(u64::from(self.purchase().is_stuck)) })
    }

    fn per_day<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        _since: UnixMs,
        large: Vnd,
    ) -> Told<'a, Vec<DayCount>> {
        assert_eq!(large, vnd(100_000));
        Box::pin(async move { Ok(Vec::new()) })
    }
}

impl Deliveries for One {
    fn list<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        filter: &'a DeliveryFilter,
        _before: Option<&'a Id>,
        _lines_max: u32,
    ) -> Told<'a, Vec<DeliveryLine>> {
        let line = self.delivery();
        let is_found = filter.is_dead <= line.is_dead;
        Box::pin(async move { Ok(is_found.then_some(line).into_iter().collect()) })
    }

    fn find<'a>(
        &'a self,
        _connection: &'a mut AnyConnection,
        id: &'a Id,
    ) -> Told<'a, Option<(DeliveryLine, Vec<Happened>)>> {
        let found = (id.as_str() == "d1").then(|| (self.delivery(), Vec::new()));
        Box::pin(async move { Ok(found) })
    }

    fn replay<'a>(&'a self, _write: &'a mut Write, _id: &'a Id, _now: UnixMs) -> Told<'a, ()> {
        Box::pin(async move { self.settle() })
    }

    fn dead<'a>(&'a self, _connection: &'a mut AnyConnection, _max: u32) -> Told<'a, u64> {
        Box::pin(async move { Ok(u64::from(self.delivery().is_dead)) })
    }
}

async fn open(store: &Store) -> Desk {
    furnish(store).await;
    let one = Arc::new(One {
        is_settled: AtomicBool::new(false),
    });
    Desk::open_with(store, |office| {
        office.customers = Some(one.clone());
        office.purchases = Some(one.clone());
        office.deliveries = Some(one);
    })
    .await
}

on_both! {
    async fn what_is_stuck_is_counted_listed_and_settled_once(store: Store) {
        let desk = open(&store).await;
        let anna = desk.log_in("anna").await;
        let overview = anna.get("/office").await.text;
        assert!(overview.contains("Stuck purchases</span><strong>1</strong>"), "{overview}");
        assert!(overview.contains("<strong>17</strong> in 30 days"), "{overview}");
        assert!(anna.get("/office/purchases?stuck=yes").await.text.contains("MANUAL_REVIEW"));
        let page = anna.get("/office/purchases/p1").await.text;
        assert!(page.contains("Refunded by hand") && page.contains("&lt;i&gt;"), "{page}");
        let path = "/office/purchases/p1/resolve";
        let fields = |way| [("reason", "told by the bank"), ("way_out", way)];
        assert_eq!(anna.post(path, &fields("completed")).await.status, 409);
        assert_eq!(anna.post(path, &[("way_out", "refunded")]).await.status, 400);
        assert_eq!(desk.told().await, [""; 0]);
        assert_eq!(anna.post(path, &fields("refunded")).await.status, 303);
        assert_eq!(anna.post(path, &fields("refunded")).await.status, 409);
        assert_eq!(
            desk.told().await,
            ["operator:anna purchase.resolved purchase:p1 refunded: told by the bank"]
        );
        assert!(anna.get("/office/purchases?stuck=yes").await.text.contains("No purchase"));
        assert_eq!(anna.get("/office/purchases/p2").await.status, 404);
    }

    async fn a_dead_letter_is_tried_again_once_and_told(store: Store) {
        let desk = open(&store).await;
        let clara = desk.log_in("clara").await;
        let list = clara.get("/office/deliveries?dead=yes").await.text;
        assert!(list.contains("Try again") && list.contains("status 500 &lt;b&gt;"), "{list}");
        let path = "/office/deliveries/d1/replay";
        assert_eq!(clara.post(path, &[]).await.status, 303);
        let again = clara.post(path, &[]).await;
        assert_eq!(again.status, 409);
        assert!(again.text.contains("It waits for the next try. Nothing was changed."));
        assert_eq!(desk.told().await, ["operator:clara delivery.replayed delivery:d1 "]);
    }

    async fn a_viewer_sees_numbers_of_subscribers_in_part(store: Store) {
        let desk = open(&store).await;
        for (name, shown, hidden) in [
            ("victor", "8491…678", "84912345678"),
            ("clara", "84912345678", "8491…678"),
        ] {
            let browser = desk.log_in(name).await;
            for path in ["/office/purchases", "/office/purchases/p1"] {
                let page = browser.get(path).await;
                assert!(page.text.contains(shown) && !page.text.contains(hidden), "{name}");
            }
        }
    }
}
