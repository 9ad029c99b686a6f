//! A key can be changed: what is sealed under the old one is sealed anew, and then the old one is not
//! needed. Partners' and merchants' secrets have this rule in `webhooks` and `merchants`.

use std::fs;

use commerce::{
    customers::{self, Registered},
    outgoing,
    port::{AccountToken, Message, Urgency},
    reseal::{Resealed, Table, reseal},
    seal::Keys,
    stock,
    store::Store,
};
use zeroize::Zeroizing;

use crate::{
    books::{NOW, by_hand},
    databases::{on_both, postgres, sqlite},
    program,
    shop::{SECOND_KEY, hand_out, id, keys, reserve, rotated_keys, second_keys},
    town::{ANNA, Town, crash_after, phone},
};

/// What a table came to if all of it was opened.
pub(crate) fn all_anew(rows: u64) -> Resealed {
    Resealed {
        anew: rows,
        ..Resealed::default()
    }
}

async fn resealed(store: &Store, keys: &Keys, table: Table) -> Resealed {
    reseal(store, keys, table).await.unwrap()
}

/// Five cards of which one is sold and one is kept for somebody, three customers, a message that waits.
async fn town(store: Store) -> Town {
    let mut town = Town::found(store, 5).await;
    reserve(&town.store, "p1", 1, NOW).await;
    hand_out(&town.store, "p1", NOW).await;
    reserve(&town.store, "p2", 1, NOW).await;
    let message = Message {
        id: id("m1"),
        to: phone(ANNA),
        text: Zeroizing::new("xin chao".to_owned()),
        urgency: Urgency::Urgent,
        validity_s: 3_600,
    };
    let mut write = town.store.write().await.unwrap();
    let queued = outgoing::queue(&mut write, &keys(), &message, NOW).await;
    queued.unwrap();
    write.commit().await.unwrap();
    // Whoever goes on has the new key alone.
    town.keys = second_keys();
    town
}

/// That all of it can be read by the town's key.
async fn assert_opens(town: &Town) {
    let keys = &town.keys;
    let mut read = town.store.read().await.unwrap();
    let sold = stock::handed_out(&mut read, keys, &id("p1")).await.unwrap();
    assert_eq!(sold[0].pin.reveal(), "55500000");
    drop(read);
    let mut write = town.store.write().await.unwrap();
    let account = AccountToken::parse("9704000000000001").unwrap();
    let (anna, bank) = (phone(ANNA), id("vcb"));
    let linked = customers::register(&mut write, keys, &anna, &bank, &account, NOW).await;
    assert_eq!(linked, Ok(Registered::Stands));
    let kept = stock::hand_out(&mut write, keys, &id("p2"), NOW).await;
    assert_eq!(kept.unwrap()[0].pin.reveal(), "55500001");
    drop(write);
    town.deliver().await;
    assert_eq!(town.handsets.texts(ANNA), ["xin chao"]);
}

on_both! {
    async fn what_was_under_the_old_key_opens_with_the_new_one_alone(store: Store) {
        let town = town(store).await;
        let keys = rotated_keys();
        for (table, rows) in [(Table::Card, 5), (Table::Customer, 3), (Table::Outgoing, 1)] {
            assert_eq!(resealed(&town.store, &keys, table).await, all_anew(rows), "{table:?}");
            assert_eq!(resealed(&town.store, &keys, table).await, all_anew(0), "{table:?}");
        }
        assert_opens(&town).await;
    }

    async fn what_was_broken_off_anywhere_is_gone_on_with(store: Store) {
        let town = town(store).await;
        let keys = rotated_keys();
        let mut anew = 0;
        for table in [Table::Card, Table::Customer, Table::Outgoing] {
            for polls in 1.. {
                let came_of = crash_after(polls, reseal(&town.store, &keys, table)).await;
                let first = "SELECT COUNT(DISTINCT pin_key) FROM card";
                anew += u64::from(town.count(first).await > 1);
                if came_of.is_some() {
                    break;
                }
            }
            assert_eq!(resealed(&town.store, &keys, table).await, all_anew(0), "{table:?}");
        }
        assert!(anew > 0, "none was broken off in the middle");
        assert_opens(&town).await;
    }

    async fn rows_that_cannot_be_opened_are_named_and_stand_in_nobodys_way(store: Store) {
        let town = town(store).await;
        let moved = "UPDATE card SET pin = (SELECT pin FROM card WHERE serial = 'S004')
            WHERE serial = 'S002'";
        by_hand(&town.store, &[moved]).await.unwrap();
        let cards = resealed(&town.store, &rotated_keys(), Table::Card).await;
        assert_eq!((cards.anew, cards.unopened), (4, 1));
        let named = cards.named.concat();
        assert!(named.starts_with("card MOBI10:S002: the PIN code does not fit its seal"), "{named}");
        assert!(!named.contains("555"), "{named}");
        let lost = resealed(&town.store, &second_keys(), Table::Customer).await;
        assert_eq!((lost.anew, lost.unopened, lost.named.len()), (0, 3, 3));
        assert!(lost.named[0].contains("which is not configured"), "{lost:?}");
        assert_eq!(resealed(&town.store, &rotated_keys(), Table::Customer).await, all_anew(3));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_says_what_came_of_each_table_and_fails_if_a_row_stays_as_it_was() {
    let (_folder, file) = sqlite();
    for location in [Some(file), postgres().await].into_iter().flatten() {
        let folder = program::folder(&location);
        let store = Store::open(&location).await.unwrap();
        let town = town(store).await;
        let config = folder.path().join("commerce.toml");
        let text = fs::read_to_string(&config).unwrap();
        let rotated = "current = \"file:new\"\nprevious = [\"file:key\"]";
        let text = text.replace("current = \"file:key\"", rotated);
        fs::write(folder.path().join("new"), SECOND_KEY).unwrap();
        fs::write(&config, text).unwrap();
        let moved = "UPDATE card SET pin = (SELECT pin FROM card WHERE serial = 'S004')
            WHERE serial = 'S002'";
        by_hand(&town.store, &[moved]).await.unwrap();
        let (code, out, err) = program::run_with(folder.path(), "reseal", "");
        assert_eq!((code, err.as_str()), (1, ""), "{out}");
        let lines: Vec<&str> = out.lines().collect();
        assert_eq!(lines.len(), 8, "{out}");
        assert_eq!(
            lines[0],
            "card               4 sealed anew         1 not opened"
        );
        assert!(
            lines[1].starts_with("NOT OPENED card MOBI10:S002: "),
            "{out}"
        );
        assert_eq!(
            lines[4],
            "outgoing           1 sealed anew         0 not opened"
        );
        // Restored from a copy.
        let restored = "UPDATE card SET pin = pin, pin_key = (SELECT pin_key FROM card c
            WHERE c.serial = 'S004') WHERE serial = 'S002'";
        by_hand(&town.store, &[restored]).await.unwrap();
        let (code, out, _) = program::run_with(folder.path(), "reseal", "");
        assert_eq!((code, out.lines().count()), (0, 7), "{out}");
        assert_opens(&town).await;
        town.store.close().await;
    }
}
