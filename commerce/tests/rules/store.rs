//! Opening a database, changing it, and what it says when it cannot.

use commerce::store::{Location, Store, StoreError};
use sqlx::{Executor as _, Row as _};

use crate::databases::{on_both, postgres, sqlite};

on_both! {
    async fn what_is_committed_stays_and_what_is_dropped_is_undone(store: Store) {
        let mut write = store.write().await.unwrap();
        write.connection().execute("CREATE TABLE seen (word TEXT)").await.unwrap();
        let insert = |word| sqlx::query("INSERT INTO seen (word) VALUES ($1)").bind(word);
        insert("kept").execute(write.connection()).await.unwrap();
        write.commit().await.unwrap();

        let mut write = store.write().await.unwrap();
        insert("dropped").execute(write.connection()).await.unwrap();
        drop(write);

        let mut read = store.read().await.unwrap();
        let rows = sqlx::query("SELECT word FROM seen").fetch_all(&mut *read).await.unwrap();
        let words: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(words, ["kept"]);
    }

    async fn a_step_that_fails_leaves_the_rest_of_its_change(store: Store) {
        let mut write = store.write().await.unwrap();
        write.connection().execute("CREATE TABLE seen (word TEXT UNIQUE)").await.unwrap();
        let insert = |word| sqlx::query("INSERT INTO seen (word) VALUES ($1)").bind(word);
        insert("first").execute(write.connection()).await.unwrap();
        let mut step = write.step().await.unwrap();
        insert("second").execute(&mut *step).await.unwrap();
        insert("first").execute(&mut *step).await.unwrap_err();
        drop(step);
        insert("third").execute(write.connection()).await.unwrap();
        write.commit().await.unwrap();

        let mut read = store.read().await.unwrap();
        let asked = sqlx::query("SELECT word FROM seen ORDER BY word");
        let rows = asked.fetch_all(&mut *read).await.unwrap();
        let words: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        assert_eq!(words, ["first", "third"]);
    }

    async fn a_database_can_be_opened_by_several_at_once(store: Store) {
        let again = store.clone();
        let (first, second) = tokio::join!(store.read(), again.read());
        first.unwrap();
        second.unwrap();
    }
}

#[tokio::test]
async fn a_database_of_a_later_version_is_refused_and_left_as_it_is() {
    let (_folder, sqlite) = sqlite();
    for location in [Some(sqlite), postgres().await].into_iter().flatten() {
        let store = Store::open(&location).await.unwrap();
        let later = "INSERT INTO _sqlx_migrations
                (version, description, success, checksum, execution_time)
            SELECT 99, 'later', success, checksum, 0 FROM _sqlx_migrations WHERE version = 1";
        crate::books::by_hand(&store, &[later]).await.unwrap();
        store.close().await;
        let error = Store::open(&location).await.unwrap_err();
        assert!(matches!(error, StoreError::Unmigrated { .. }), "{error}");
        assert!(
            error.to_string().contains("run the version that made them"),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_file_of_sqlite_is_opened_so_that_an_answered_change_survives_a_power_cut() {
    let (_folder, location) = sqlite();
    let store = Store::open(&location).await.unwrap();
    let mut read = store.read().await.unwrap();
    for (pragma, wanted) in [
        ("synchronous", 2_i64),
        ("foreign_keys", 1),
        ("recursive_triggers", 1),
    ] {
        let asked = format!("PRAGMA {pragma}");
        let row = sqlx::query(&asked).fetch_one(&mut *read).await.unwrap();
        assert_eq!(row.get::<i64, _>(0), wanted, "{pragma}");
    }
    let row = sqlx::query("PRAGMA journal_mode")
        .fetch_one(&mut *read)
        .await
        .unwrap();
    assert_eq!(row.get::<String, _>(0), "wal");
}

#[tokio::test]
async fn only_the_one_writer_of_sqlite_writes() {
    let (_folder, location) = sqlite();
    let store = Store::open(&location).await.unwrap();
    let mut read = store.read().await.unwrap();
    read.execute("CREATE TABLE seen (word TEXT)")
        .await
        .unwrap_err();
    let first = store.write().await.unwrap();
    let second = store.write();
    let mut second = std::pin::pin!(second);
    let waits = std::future::poll_fn(|context| match second.as_mut().poll(context) {
        std::task::Poll::Pending => std::task::Poll::Ready(true),
        std::task::Poll::Ready(_) => std::task::Poll::Ready(false),
    });
    assert!(waits.await);
    first.commit().await.unwrap();
    second.await.unwrap();
}

#[tokio::test]
async fn a_file_keeps_what_it_has_when_it_is_opened_again() {
    let (_folder, location) = sqlite();
    let store = Store::open(&location).await.unwrap();
    let mut write = store.write().await.unwrap();
    write
        .connection()
        .execute("CREATE TABLE seen (word TEXT)")
        .await
        .unwrap();
    write.commit().await.unwrap();
    store.close().await;
    let store = Store::open(&location).await.unwrap();
    let mut read = store.read().await.unwrap();
    sqlx::query("SELECT word FROM seen")
        .fetch_all(&mut *read)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_database_that_is_not_there_is_named_without_its_password() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no-such-folder");
    let url = format!("postgres:///books?host={}&password=hush", missing.display());
    for location in [
        Location::Sqlite(missing.join("books")),
        Location::Postgres(url),
    ] {
        let error = Store::open(&location).await.unwrap_err();
        let text = error.to_string();
        assert!(matches!(error, StoreError::Unopened { .. }), "{text}");
        assert!(
            text.contains("books") && text.contains("check that"),
            "{text}"
        );
        assert!(!text.contains("hush"), "{text}");
    }
}
