//! What is for sale and what an agent pays.

use commerce::{
    catalogue::{self, CardType, CatalogueError},
    store::{Store, StoreError},
};

use crate::{
    books::{NOW, vnd},
    databases::on_both,
    shop::{card_type, furnish, id, import, type_id},
};

on_both! {
    async fn an_agent_sees_his_own_price_and_others_the_list_price(store: Store) {
        furnish(&store).await;
        let mut write = store.write().await.unwrap();
        let (agent, mobi) = (id("agent-1"), type_id("MOBI10"));
        catalogue::put_agent_price(&mut write, &agent, &mobi, vnd(9_400)).await.unwrap();
        catalogue::put_agent_price(&mut write, &agent, &mobi, vnd(9_450)).await.unwrap();
        write.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        for (agent, dong) in [("agent-1", 9_450), ("agent-2", 9_500)] {
            let offer = catalogue::offer(&mut read, &id(agent), &mobi, NOW).await.unwrap();
            assert_eq!(offer.unwrap().sell_value, vnd(dong), "{agent}");
        }
    }

    async fn a_category_lists_what_is_on_sale_and_whether_there_is_any(store: Store) {
        furnish(&store).await;
        import(&store, "MOBI20", &["s1,111,2030-01-01"]).await.unwrap();
        let mut write = store.write().await.unwrap();
        let off = CardType { on_sale: false, ..card_type("GAME10", 10_000, "gate") };
        catalogue::put_card_type(&mut write, &off).await.unwrap();
        write.commit().await.unwrap();
        let mut read = store.read().await.unwrap();
        let category = "MOBI".parse().unwrap();
        let offers = catalogue::offers(&mut read, &id("a"), &category, NOW).await.unwrap();
        let offers: Vec<_> = offers
            .iter()
            .map(|offer| (offer.id.as_str(), offer.name.as_str(), offer.in_stock))
            .collect();
        assert_eq!(offers, [("MOBI10", "Thẻ MOBI10", false), ("MOBI20", "Thẻ MOBI20", true)]);
        let game = catalogue::offer(&mut read, &id("a"), &type_id("GAME10"), NOW).await;
        assert_eq!(game, Ok(None));
        let categories = catalogue::categories(&mut read).await.unwrap();
        assert_eq!(categories.len(), 1);
        assert_eq!(categories[0].name.as_str(), "MobiFone");
    }

    async fn a_card_type_keeps_its_issuer_and_its_value(store: Store) {
        furnish(&store).await;
        let mut write = store.write().await.unwrap();
        for other in [card_type("MOBI10", 20_000, "mobifone"), card_type("MOBI10", 10_000, "x")] {
            let refused = catalogue::put_card_type(&mut write, &other).await;
            assert_eq!(refused, Err(CatalogueError::Fixed(type_id("MOBI10"))));
        }
        let renamed = CardType {
            name: "Another".parse().unwrap(),
            ..card_type("MOBI10", 10_000, "mobifone")
        };
        catalogue::put_card_type(&mut write, &renamed).await.unwrap();
        let change = "UPDATE card_type SET value = 1";
        drop(write);
        let refused = crate::books::by_hand(&store, &[change]).await.unwrap_err();
        assert!(refused.contains("stays what it is"), "{refused}");
    }

    async fn a_price_of_a_card_type_that_is_not_there_is_refused(store: Store) {
        let mut write = store.write().await.unwrap();
        let (agent, none) = (id("a"), type_id("NONE"));
        let refused = catalogue::put_agent_price(&mut write, &agent, &none, vnd(1)).await;
        let is_refused = matches!(
            refused,
            Err(CatalogueError::Store(StoreError::Refused { table: "agent_price", .. }))
        );
        assert!(is_refused, "{refused:?}");
    }
}
