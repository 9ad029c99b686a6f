//! A store that fails and may hold what it was given all the same.

use super::*;
use crate::store::tests::Disk;

/// A bench whose SMSC was told to send a part again, because the disk failed late in its commit; the
/// rows are there all the same.
fn after_a_commit_in_doubt() -> Bench {
    // How many operations a commit needs is redb's own matter, so they fail from the last one on.
    (0..64)
        .rev()
        .find_map(failing_after)
        .expect("a commit that fails and is there")
}

fn failing_after(operations: usize) -> Option<Bench> {
    let disk = Disk::new();
    let bench = Bench::over(disk.store());
    bench.deliver(1, message("before"));
    disk.fail_after(operations);
    let part = (part(9, 2, 1, "a"), bench.responder(1));
    bench.inbox.offer(bench.start, [part]);
    bench.until_told(1);
    disk.mend();
    bench.until_store_is_healthy();
    let told = std::mem::take(&mut *bench.link.0.lock().unwrap());
    let is_in_doubt = told[0].1 == Verdict::Later && bench.rows(Table::Inbox) == 2;
    is_in_doubt.then_some(bench)
}

#[test]
fn what_a_failed_commit_left_behind_is_removed_with_what_it_says_was_seen() {
    let bench = after_a_commit_in_doubt();
    assert_eq!(bench.rows(Table::Seen), 2, "the rows are there");
    bench.inbox.expire(bench.start);
    bench.settle();
    let rows = [Table::Inbox, Table::Seen].map(|table| bench.rows(table));
    assert_eq!(rows, [1, 1]);
}

#[tokio::test]
async fn a_part_sent_again_after_a_failed_commit_and_a_restart_is_not_lost() {
    let bench = after_a_commit_in_doubt();
    bench.inbox.expire(bench.start);
    let bench = bench.restarted(InboxSettings::default());
    for part in [part(9, 2, 1, "a"), part(9, 2, 2, "b")] {
        assert_eq!(bench.deliver(2, part), Some(Verdict::Acknowledged));
    }
    let events = bench.consumer("").next().await;
    assert_eq!(texts(&events), ["before", "ab"]);
}
