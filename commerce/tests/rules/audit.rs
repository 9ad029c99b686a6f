//! What was done is told for good.

use commerce::{
    audit::{self, AUDIT_TEXT_MAX, AuditFilter, AuditLine, Who},
    moment::UnixMs,
    store::Store,
};

use crate::{
    books::{NOW, by_hand},
    databases::on_both,
};

async fn record(store: &Store, who: &str, what: &'static str, subject: &str, detail: &str) {
    let mut write = store.write().await.unwrap();
    let who = Who::Operator(who);
    audit::record(&mut write, who, what, subject, detail, NOW)
        .await
        .unwrap();
    write.commit().await.unwrap();
}

async fn list(store: &Store, filter: &AuditFilter, before: Option<i64>) -> Vec<AuditLine> {
    let mut read = store.read().await.unwrap();
    audit::list(&mut read, filter, before, 2).await.unwrap()
}

on_both! {
    async fn lines_are_paged_from_the_last_and_found_by_who_what_and_subject(store: Store) {
        record(&store, "anna", "card.shown", "card:MOBI10:1", "asked by phone").await;
        record(&store, "binh", "card.shown", "card:MOBI10:1", "").await;
        record(&store, "anna", "stock.imported", "MOBI10", "7 cards").await;
        let all = AuditFilter::default();
        let first = list(&store, &all, None).await;
        let subjects: Vec<_> = first.iter().map(|line| line.subject.as_str()).collect();
        assert_eq!(subjects, ["MOBI10", "card:MOBI10:1"]);
        let second = list(&store, &all, Some(first[1].number)).await;
        assert_eq!(second.len(), 1);
        assert_eq!(second[0].at, UnixMs(NOW.0));
        assert_eq!(second[0].detail, "asked by phone");
        let some = |text: &str| Some(text.to_owned());
        let filter = AuditFilter {
            who: some("operator:anna"),
            what: some("card.shown"),
            subject: some("card:MOBI10:1"),
        };
        assert_eq!(list(&store, &filter, None).await, second);
        let nobody = AuditFilter { who: some("anna"), ..all };
        assert_eq!(list(&store, &nobody, None).await, []);
    }

    async fn a_line_is_never_changed_or_deleted(store: Store) {
        record(&store, "anna", "card.shown", "card:MOBI10:1", "").await;
        for (statement, refusal) in [
            ("UPDATE audit SET who = 'nobody'", "an audit line is never changed"),
            ("DELETE FROM audit", "an audit line is never deleted"),
        ] {
            let refused = by_hand(&store, &[statement]).await.unwrap_err();
            assert!(refused.contains(refusal), "{refused}");
        }
        assert_eq!(list(&store, &AuditFilter::default(), None).await.len(), 1);
    }

    async fn a_long_or_hostile_detail_is_cut_and_told_all_the_same(store: Store) {
        let detail = format!("a\0b\n{}", "ă".repeat(AUDIT_TEXT_MAX));
        record(&store, "anna", "card.shown", "card:MOBI10:1", &detail).await;
        let lines = list(&store, &AuditFilter::default(), None).await;
        assert_eq!(lines[0].detail.chars().count(), AUDIT_TEXT_MAX);
        assert!(lines[0].detail.starts_with("abă"));
    }
}
