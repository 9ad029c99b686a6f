//! What subscribers write goes to partners or to the purchases, and no partner gets a one-time password.

use commerce::{
    deliveries,
    intake::{Command, Grammar, GrammarWords, Handle as _, Handled, Mo},
    push::{PartnerKind, Signing},
    store::Store,
    subscribers::Subscribers,
};
use zeroize::Zeroizing;

use crate::{
    databases::on_both,
    partners::{Desk, Page, Reply, egress, registration},
    shop::{id, keys},
    town::{ANNA, BINH, Town, phone},
};

fn grammar() -> Grammar {
    Grammar::try_from(GrammarWords::default()).unwrap()
}

/// A message as the reception hands it over.
async fn write(town: &Town, from: &str, guid: &str, text: &str) -> Handled {
    let mo = Mo {
        id: id(guid),
        from: phone(from),
        to: "8049".to_owned(),
        text: Zeroizing::new(text.to_owned()),
        command: grammar().read(text),
        received_at: town.now(),
    };
    let subscribers = Subscribers::new(keys(), town.rules);
    let mut write = town.store.write().await.unwrap();
    let handled = subscribers.message(&mut write, &mo, town.now()).await;
    write.commit().await.unwrap();
    handled.unwrap()
}

/// A partner who wants everything.
async fn partner(store: &Store) {
    let page = Page::start([Reply::Silence]).await;
    let desk = Desk::new(store, egress(&[&page]));
    let new = registration("shop", PartnerKind::Json, &page.url("/hook"));
    desk.add(&new, Signing::New).await;
}

/// The guids of what waits for partners, the first queued first.
async fn for_partners(store: &Store) -> Vec<String> {
    let mut read = store.read().await.unwrap();
    let filter = deliveries::Filter::default();
    let mut all = deliveries::list(&mut read, &filter, deliveries::LIST_MAX)
        .await
        .unwrap();
    all.reverse();
    all.into_iter().map(|one| one.guid.to_string()).collect()
}

on_both! {
    async fn a_partner_gets_what_asks_nothing_of_us_and_nothing_else(store: Store) {
        let town = Town::found(store, 3).await;
        partner(&town.store).await;
        let texts = [
            ("m1", "KQ XSMB 22/11", "partner"),
            ("m2", "HD", "help"),
            ("m3", "MUA MOBI10", "buy"),
            ("m4", "HUY", "cancel"),
            ("m5", "123456", "confirm"),
            ("m6", "TC", "status"),
            ("m7", "xin chao", "partner"),
        ];
        for (guid, text, for_whom) in texts {
            assert_eq!(write(&town, ANNA, guid, text).await, Handled(for_whom), "{text}");
        }
        assert_eq!(for_partners(&town.store).await, ["m1", "m7"]);
    }

    async fn a_mistyped_one_time_password_goes_to_no_partner(store: Store) {
        let town = Town::found(store, 3).await;
        partner(&town.store).await;
        write(&town, ANNA, "m1", "MUA MOBI10").await;
        town.deliver().await;
        let code = town.handsets.code(ANNA).unwrap();
        let mistyped = format!("OTP: {}. cam on", code.reveal());
        assert_eq!(grammar().read(&mistyped), Command::Unknown);
        assert_eq!(write(&town, ANNA, "m2", &mistyped).await, Handled("unknown"));
        assert_eq!(write(&town, ANNA, "m3", "ma la １２３４５６").await, Handled("unknown"));
        // Neither what holds no digit nor what another subscriber writes is kept back.
        assert_eq!(write(&town, ANNA, "m4", "xin chao").await, Handled("partner"));
        assert_eq!(write(&town, BINH, "m5", &mistyped).await, Handled("partner"));
        // Once nothing is awaited any more it is a message like others.
        assert_eq!(write(&town, ANNA, "m6", "HUY").await, Handled("cancel"));
        assert_eq!(write(&town, ANNA, "m7", "KQ 22/11").await, Handled("partner"));
        assert_eq!(for_partners(&town.store).await, ["m4", "m5", "m7"]);
    }

    async fn a_code_for_a_page_that_comes_by_message_goes_to_no_partner(store: Store) {
        let town = Town::found(store, 3).await;
        partner(&town.store).await;
        let (_, code) = town.order_card(ANNA).await;
        let text = format!("day la ma {} nhe", code.reveal());
        assert_eq!(write(&town, ANNA, "m1", &text).await, Handled("unknown"));
        assert_eq!(for_partners(&town.store).await, Vec::<String>::new());
    }

    async fn without_a_partner_who_wants_it_a_message_is_answered_with_help(store: Store) {
        let town = Town::found(store, 3).await;
        assert_eq!(write(&town, ANNA, "m1", "xin chao").await, Handled("unknown"));
        town.deliver().await;
        assert_eq!(town.handsets.texts(ANNA).len(), 1);
    }
}
