//! What the tests of catalogue and stock have in common: one category and two card types.

use commerce::{
    catalogue::{self, CardType, Category},
    moment::{Day, UnixMs},
    seal::{Keys, MasterKey},
    stock::{self, CardFile, FileFault, LineReason, StockError},
    store::Store,
    word::{CardTypeId, Id},
};

use crate::books::{NOW, vnd};

pub(crate) const LATER: UnixMs = UnixMs(NOW.0 + 60_000);

pub(crate) const FIRST_KEY: &str =
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";
pub(crate) const SECOND_KEY: &str =
    "f00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

pub(crate) fn keys() -> Keys {
    Keys::new(MasterKey::parse(FIRST_KEY).unwrap(), Vec::new())
}

/// A new key, the first one kept for what is under it.
pub(crate) fn rotated_keys() -> Keys {
    let first = MasterKey::parse(FIRST_KEY).unwrap();
    Keys::new(MasterKey::parse(SECOND_KEY).unwrap(), vec![first])
}

/// The new key alone.
pub(crate) fn second_keys() -> Keys {
    Keys::new(MasterKey::parse(SECOND_KEY).unwrap(), Vec::new())
}

pub(crate) fn id(text: &str) -> Id {
    text.parse().unwrap()
}

pub(crate) fn type_id(text: &str) -> CardTypeId {
    text.parse().unwrap()
}

pub(crate) fn card_type(id: &str, dong: i64, issuer: &str) -> CardType {
    CardType {
        id: type_id(id),
        category: "MOBI".parse().unwrap(),
        name: format!("Thẻ {id}").parse().unwrap(),
        issuer: issuer.parse().unwrap(),
        value: vnd(dong),
        sell_value: vnd(dong * 95 / 100),
        on_sale: true,
        low_stock: 3,
    }
}

/// MOBI10 and MOBI20 of one issuer, and GAME10 of another.
pub(crate) async fn furnish(store: &Store) {
    let mut write = store.write().await.unwrap();
    let category = Category {
        code: "MOBI".parse().unwrap(),
        name: "MobiFone".parse().unwrap(),
        place: 1,
    };
    catalogue::put_category(&mut write, &category)
        .await
        .unwrap();
    for (id, dong, issuer) in [
        ("MOBI20", 20_000, "mobifone"),
        ("MOBI10", 10_000, "mobifone"),
        ("GAME10", 10_000, "gate"),
    ] {
        let card_type = card_type(id, dong, issuer);
        catalogue::put_card_type(&mut write, &card_type)
            .await
            .unwrap();
    }
    write.commit().await.unwrap();
}

/// Imports lines of `serial,PIN code,expiry` at a time.
pub(crate) async fn import_at(
    store: &Store,
    keys: &Keys,
    card_type: &str,
    lines: &[&str],
    now: UnixMs,
) -> Result<usize, StockError> {
    let text = format!(
        "CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\n{}",
        lines.join("\n")
    );
    let file = CardFile::parse(text.as_bytes(), Day::of(now).unwrap()).unwrap();
    let mut write = store.write().await?;
    let imported = stock::import(&mut write, keys, &type_id(card_type), &file).await?;
    write.commit().await?;
    Ok(imported)
}

/// The same now, under one key.
pub(crate) async fn import(
    store: &Store,
    card_type: &str,
    lines: &[&str],
) -> Result<usize, StockError> {
    import_at(store, &keys(), card_type, lines, NOW).await
}

/// The lines of a file that are refused.
pub(crate) fn refused(imported: Result<usize, StockError>) -> Vec<(usize, LineReason)> {
    match imported {
        Err(StockError::File(FileFault::Lines { lines, more: 0 })) => lines
            .iter()
            .map(|fault| (fault.line, fault.reason))
            .collect(),
        other => panic!("{other:?}"),
    }
}

/// Reserves cards of MOBI10 in a change of its own.
pub(crate) async fn reserve(store: &Store, reservation: &str, cards: u32, now: UnixMs) -> u64 {
    let mut write = store.write().await.unwrap();
    let until = UnixMs(now.0 + 60_000);
    let reserved = stock::reserve(
        &mut write,
        &type_id("MOBI10"),
        &id(reservation),
        cards,
        until,
        now,
    )
    .await;
    write.commit().await.unwrap();
    reserved.unwrap()
}

/// Hands a reservation out in a change of its own, and gives its serials.
pub(crate) async fn hand_out(store: &Store, reservation: &str, now: UnixMs) -> Vec<String> {
    let mut write = store.write().await.unwrap();
    let cards = stock::hand_out(&mut write, &keys(), &id(reservation), now)
        .await
        .unwrap();
    write.commit().await.unwrap();
    cards.iter().map(|card| card.serial.to_string()).collect()
}
