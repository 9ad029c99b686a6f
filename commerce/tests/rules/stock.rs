//! Cards come in sealed and go out once.

use std::collections::BTreeSet;

use commerce::{
    audit::{self, AuditFilter, Who},
    moment::UnixMs,
    reseal::{Table, reseal},
    seal::{PinFault, SealFault},
    stock::{self, LineReason, StockError},
    store::Store,
    verdict::CHECKS,
};
use sqlx::Row as _;
use tokio::task::JoinSet;

use crate::{
    books::{NOW, by_hand},
    databases::on_both,
    reseal::all_anew,
    shop::{
        LATER, furnish, hand_out, id, import, import_at, keys, refused, reserve, rotated_keys,
        second_keys, type_id,
    },
};

const THREE: [&str; 3] = [
    "s3,333,2030-03-01",
    "s1,111,2030-01-01",
    "s2,222,2030-02-01",
];

on_both! {
    async fn a_card_is_sold_with_the_pin_code_it_came_with(store: Store) {
        furnish(&store).await;
        assert_eq!(import(&store, "MOBI10", &THREE).await, Ok(3));
        assert_eq!(reserve(&store, "p1", 2, NOW).await, 2);
        let mut write = store.write().await.unwrap();
        let cards = stock::hand_out(&mut write, &keys(), &id("p1"), NOW).await.unwrap();
        write.commit().await.unwrap();
        let seen: Vec<_> = cards
            .iter()
            .map(|card| (card.serial.printed(), card.pin.reveal(), card.expires_on.to_string()))
            .collect();
        let wanted = [("s1", "111", "2030-01-01"), ("s2", "222", "2030-02-01")];
        assert_eq!(seen, wanted.map(|(serial, pin, day)| (serial, pin, day.to_owned())));
        let mut read = store.read().await.unwrap();
        let again = stock::handed_out(&mut read, &keys(), &id("p1")).await.unwrap();
        assert_eq!(again, cards);
    }

    async fn no_pin_code_stands_in_the_database_in_clear(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &["s1,987654321,2030-01-01"]).await.unwrap();
        let mut read = store.read().await.unwrap();
        let rows = sqlx::query("SELECT pin, pin_index FROM card");
        let row = rows.fetch_one(&mut *read).await.unwrap();
        for column in 0..2 {
            let bytes: Vec<u8> = row.get(column);
            assert!(!bytes.windows(3).any(|part| b"987654321".windows(3).any(|pin| pin == part)));
        }
    }

    async fn a_file_with_a_known_card_changes_nothing(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &THREE).await.unwrap();
        let again = import(&store, "MOBI10", &["s4,444,2030-01-01", "S2,555,2030-01-01"]).await;
        assert_eq!(refused(again), [(3, LineReason::SerialKnown)]);
        let again = import(&store, "MOBI20", &["s2,666,2030-01-01", "s9,111,2030-01-01"]).await;
        assert_eq!(refused(again), [(3, LineReason::PinKnown)]);
        // Another issuer counts for himself, and a serial is one of its type.
        assert_eq!(import(&store, "GAME10", &["s2,111,2030-01-01"]).await, Ok(1));
        assert_eq!(import(&store, "MOBI10", &["s4,444,2030-01-01"]).await, Ok(1));
        assert_eq!(import(&store, "MOBI20", &["s2,666,2030-01-01"]).await, Ok(1));
        let unknown = import(&store, "NONE", &["s1,777,2030-01-01"]).await;
        assert_eq!(unknown, Err(StockError::NoCardType(type_id("NONE"))));
    }

    async fn of_two_files_at_once_with_the_same_cards_one_is_taken(store: Store) {
        furnish(&store).await;
        let mut tasks = JoinSet::new();
        for _ in 0..4 {
            let store = store.clone();
            tasks.spawn(async move { import(&store, "MOBI10", &THREE).await.is_ok() });
        }
        let taken = tasks.join_all().await;
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 1);
    }

    async fn a_card_that_is_reserved_is_nobody_elses_until_its_time_is_over(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &THREE).await.unwrap();
        assert_eq!(reserve(&store, "p1", 5, NOW).await, 3);
        assert_eq!(reserve(&store, "p2", 1, UnixMs(LATER.0 - 1)).await, 0);
        assert_eq!(hand_out(&store, "p1", LATER).await, [""; 0]);
        assert_eq!(reserve(&store, "p2", 1, LATER).await, 1);
        // The two that nobody else wanted are still not the first one's: its time is over.
        assert_eq!(hand_out(&store, "p1", LATER).await, [""; 0]);
        assert_eq!(hand_out(&store, "p2", LATER).await, ["s1"]);
    }

    async fn a_reservation_that_is_given_back_is_free_at_once(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &THREE).await.unwrap();
        assert_eq!(reserve(&store, "p1", 3, NOW).await, 3);
        let mut write = store.write().await.unwrap();
        assert_eq!(stock::release(&mut write, &id("p1")).await, Ok(3));
        write.commit().await.unwrap();
        assert_eq!(hand_out(&store, "p1", NOW).await, [""; 0]);
        assert_eq!(reserve(&store, "p2", 3, NOW).await, 3);
    }

    async fn a_card_is_handed_out_once(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &THREE).await.unwrap();
        reserve(&store, "p1", 1, NOW).await;
        assert_eq!(hand_out(&store, "p1", NOW).await, ["s1"]);
        assert_eq!(hand_out(&store, "p1", NOW).await, [""; 0]);
        let mut write = store.write().await.unwrap();
        assert_eq!(stock::release(&mut write, &id("p1")).await, Ok(0));
        drop(write);
        let far = UnixMs(NOW.0 + 10_000_000);
        assert_eq!(reserve(&store, "p2", 5, far).await, 2);
        let free = "UPDATE card SET state = 'free', reservation = NULL, sold_at_ms = NULL
            WHERE state = 'sold'";
        let refused = by_hand(&store, &[free]).await.unwrap_err();
        assert!(refused.contains("stays sold"), "{refused}");
        let refused = by_hand(&store, &["DELETE FROM card"]).await.unwrap_err();
        assert!(refused.contains("never deleted"), "{refused}");
    }

    async fn many_buyers_at_once_get_different_cards_and_all_of_them(store: Store) {
        furnish(&store).await;
        let lines: Vec<_> = (10..35).map(|n| format!("s{n},{n},2030-01-01")).collect();
        let lines: Vec<_> = lines.iter().map(String::as_str).collect();
        import(&store, "MOBI10", &lines).await.unwrap();
        let mut tasks = JoinSet::new();
        for buyer in 0..10 {
            let store = store.clone();
            tasks.spawn(async move {
                let reservation = format!("p{buyer}");
                let reserved = reserve(&store, &reservation, 4, NOW).await;
                let (one, other) = tokio::join!(
                    hand_out(&store, &reservation, NOW),
                    hand_out(&store, &reservation, NOW)
                );
                let cards = [one, other].concat();
                assert_eq!(cards.len() as u64, reserved);
                cards
            });
        }
        let cards = tasks.join_all().await.concat();
        let different: BTreeSet<_> = cards.iter().collect();
        assert_eq!((cards.len(), different.len()), (25, 25));
    }

    async fn an_expired_card_is_not_sold(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &["s1,111,2027-01-15", "s2,222,2027-01-16"]).await.unwrap();
        // NOW is 2027-01-15 in Vietnam.
        let tomorrow = UnixMs(NOW.0 + 86_400_000);
        assert_eq!(reserve(&store, "p1", 2, tomorrow).await, 1);
        assert_eq!(hand_out(&store, "p1", tomorrow).await, ["s2"]);
    }

    async fn a_card_type_with_few_cards_raises_an_alarm(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &THREE).await.unwrap();
        let level = async |now| {
            let mut read = store.read().await.unwrap();
            let levels = stock::levels(&mut read, now).await.unwrap();
            let found = levels.into_iter().find(|level| level.card_type == type_id("MOBI10"));
            let level = found.unwrap();
            (level.free, level.is_low())
        };
        assert_eq!(level(NOW).await, (3, false));
        reserve(&store, "p1", 1, NOW).await;
        assert_eq!(level(NOW).await, (2, true));
        assert_eq!(level(LATER).await, (3, false));
    }

    async fn a_key_can_be_changed_and_the_old_one_taken_away(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &THREE).await.unwrap();
        reserve(&store, "p1", 1, NOW).await;
        hand_out(&store, "p1", NOW).await;
        let again = import_at(&store, &rotated_keys(), "MOBI10", &["s4,222,2030-01-01"], NOW).await;
        assert_eq!(refused(again), [(2, LineReason::PinKnown)]);

        let mut read = store.read().await.unwrap();
        let lost = stock::handed_out(&mut read, &second_keys(), &id("p1")).await;
        let fault = match lost {
            Err(StockError::Pin { fault, .. }) => fault,
            other => panic!("{other:?}"),
        };
        assert_eq!(fault, PinFault::Seal(SealFault::Key(keys().current().id())));
        drop(read);

        for wanted in [3, 0] {
            let came_of = reseal(&store, &rotated_keys(), Table::Card).await;
            assert_eq!(came_of, Ok(all_anew(wanted)));
        }
        let mut read = store.read().await.unwrap();
        let cards = stock::handed_out(&mut read, &second_keys(), &id("p1")).await.unwrap();
        assert_eq!(cards[0].pin.reveal(), "111");
        drop(read);
        let again = import_at(&store, &second_keys(), "MOBI10", &["s4,222,2030-01-01"], NOW).await;
        assert_eq!(refused(again), [(2, LineReason::PinKnown)]);
    }

    async fn a_card_that_cannot_be_opened_is_set_aside_until_it_can_be(store: Store) {
        furnish(&store).await;
        import_at(&store, &second_keys(), "MOBI10", &THREE, NOW).await.unwrap();
        let (mobi, serial) = (type_id("MOBI10"), |text: &str| text.parse().unwrap());
        reserve(&store, "p1", 1, NOW).await;
        let mut write = store.write().await.unwrap();
        let (s1, s2) = (serial("s1"), serial("S2"));
        for (serial, is_new) in [(&s1, true), (&s2, true), (&s2, false)] {
            let done = stock::set_aside(&mut write, &mobi, serial, "no key", NOW).await;
            assert_eq!(done, Ok(is_new));
        }
        write.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        let levels = stock::levels(&mut read, NOW).await.unwrap();
        let level = levels.iter().find(|level| level.card_type == mobi).unwrap();
        assert_eq!((level.free, level.faulty), (1, 2));
        let faulty = stock::faulty(&mut read).await.unwrap();
        assert_eq!(faulty.len(), 2);
        drop(read);
        assert_eq!(reserve(&store, "p2", 5, NOW).await, 1);
        let mut write = store.write().await.unwrap();
        let sold = stock::hand_out(&mut write, &second_keys(), &id("p2"), NOW).await.unwrap();
        assert_eq!(sold[0].serial, serial("s3"));
        // What is sold stays sold.
        assert_eq!(stock::set_aside(&mut write, &mobi, &serial("s3"), "", NOW).await, Ok(false));
        let card = &faulty[0];
        let still = stock::give_back(&mut write, &keys(), Who::Console, card, NOW).await;
        assert!(matches!(still, Err(StockError::Pin { .. })), "{still:?}");
        for is_new in [true, false] {
            let given = stock::give_back(&mut write, &rotated_keys(), Who::Console, card, NOW).await;
            assert_eq!(given, Ok(is_new));
        }
        write.commit().await.unwrap();
        assert_eq!(reserve(&store, "p3", 5, NOW).await, 1);
        let mut read = store.read().await.unwrap();
        let lines = audit::list(&mut read, &AuditFilter::default(), None, 9).await.unwrap();
        let told: Vec<_> = lines.iter().map(|line| (line.what.as_str(), line.subject.as_str())).collect();
        assert_eq!(told, [
            ("card.given_back", "card:MOBI10:S1"),
            ("card.set_aside", "card:MOBI10:S2"),
            ("card.set_aside", "card:MOBI10:S1"),
        ]);
        let mut wrong = Vec::new();
        for check in CHECKS {
            wrong.extend((check.faults)(&mut read).await.unwrap());
        }
        assert_eq!(wrong, [""; 0]);
        drop(read);
        by_hand(&store, &["UPDATE card SET faulty_at_ms = 1 WHERE serial = 'S3'"]).await.unwrap();
        let mut read = store.read().await.unwrap();
        let set_aside = CHECKS.iter().find(|check| check.name.contains("set aside")).unwrap();
        assert_eq!((set_aside.faults)(&mut read).await.unwrap(), ["card MOBI10:S3"]);
    }

    async fn a_card_whose_pin_code_was_moved_is_not_sold(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI10", &THREE).await.unwrap();
        let swap = "UPDATE card SET pin = (SELECT pin FROM card WHERE serial = 'S2')
            WHERE serial = 'S1'";
        by_hand(&store, &[swap]).await.unwrap();
        reserve(&store, "p1", 1, NOW).await;
        let mut write = store.write().await.unwrap();
        let refused = stock::hand_out(&mut write, &keys(), &id("p1"), NOW).await;
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("serial s1") && text.contains("moved"), "{text}");
        write.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        let sold = stock::handed_out(&mut read, &keys(), &id("p1")).await;
        assert_eq!(sold, Ok(Vec::new()));
    }
}
