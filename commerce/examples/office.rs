//! The program with a back office over a shop that is made up, to look at: it serves on a free port of this
//! machine, says where, and forgets everything when its standard input ends. Its admin is `anna`, its clerk
//! `clara`, its viewer `victor`; their password is in [`PASSWORD`].
//!
//!     cargo run -p commerce --example office

#![allow(
    clippy::unwrap_used,
    reason = "a shop that cannot be made up has nothing to show"
)]

mod office_customers;

use commerce::{
    agents,
    app::App,
    audit::Who,
    catalogue::{self, CardType, Category},
    clock,
    config::Config,
    egress::Egress,
    ledger::{self, Account, Entry, Line},
    merchants::{
        self, Amounts,
        orders::{self, NewOrder},
    },
    moment::{Day, UnixMs},
    money::Vnd,
    office::{Hardness, Hasher, Password, Role, operators},
    sales::{self, BuyCount, Purchase},
    seal::Keys,
    stock::{self, CardFile},
    store::Store,
    views::Viewer,
    word::Id,
};

const PASSWORD: &str = "correct horse battery";

/// Of made-up cards alone.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// The program's, on ports that the system chooses.
const SETTINGS: &str = r#"
    store = { location = "office.db" }
    keys = { current = "file:key" }
    http = { listen = "127.0.0.1:0" }
    admin = { listen = "127.0.0.1:0" }
    office = { enabled = true, secure_cookies = false }
"#;

const DAY_MS: i64 = 86_400_000;

/// Card types with their values, and how many cards of each come in.
const CARD_TYPES: [(&str, &str, &str, i64, u32); 8] = [
    ("MOBI10", "MOBI", "Thẻ MobiFone 10.000", 10_000, 400),
    ("MOBI50", "MOBI", "Thẻ MobiFone 50.000", 50_000, 300),
    ("MOBI100", "MOBI", "Thẻ MobiFone 100.000", 100_000, 300),
    ("VINA20", "VINA", "Thẻ VinaPhone 20.000", 20_000, 250),
    ("VINA200", "VINA", "Thẻ VinaPhone 200.000", 200_000, 90),
    ("VIET50", "VIET", "Thẻ Viettel 50.000", 50_000, 250),
    ("VIET500", "VIET", "Thẻ Viettel 500.000", 500_000, 42),
    ("GATE100", "GAME", "Thẻ Gate 100.000", 100_000, 0),
];

#[tokio::main]
async fn main() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let config = Config::parse(SETTINGS, folder.path()).unwrap();
    let store = Store::open(&config.store).await.unwrap();
    let (keys, now) = (config.keys.clone(), clock::now());
    hire(&store, &Hasher::new(Hardness::STRONG), now).await;
    furnish(&store, &keys, now).await;
    trade(&store, &keys, now).await;
    let egress = Egress::new(config.push.egress.clone()).unwrap();
    take_orders(&store, &keys, &egress, now).await;
    office_customers::buy(&store, &keys, now).await;
    office_customers::tell(&store, &keys, now).await;
    store.close().await;

    let app = App::start(config).await.unwrap();
    println!("http://{}/office", app.http_address());
    end_of_input().await;
    app.stop().await;
}

async fn end_of_input() {
    let read = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    let read = tokio::task::spawn_blocking(read).await.unwrap();
    read.unwrap();
}

async fn hire(store: &Store, hasher: &Hasher, now: UnixMs) {
    let password = Password::parse(PASSWORD).unwrap();
    for (name, role) in [
        ("anna", Role::Admin),
        ("clara", Role::Clerk),
        ("victor", Role::Viewer),
    ] {
        let hashed = hasher.hash(&password).await.unwrap();
        let mut write = store.write().await.unwrap();
        let name = name.parse().unwrap();
        operators::add(&mut write, Who::Console, &name, role, &hashed, now)
            .await
            .unwrap();
        write.commit().await.unwrap();
    }
}

async fn furnish(store: &Store, keys: &Keys, now: UnixMs) {
    let mut write = store.write().await.unwrap();
    for (place, (code, name)) in (1..).zip([
        ("MOBI", "MobiFone"),
        ("VINA", "VinaPhone"),
        ("VIET", "Viettel"),
        ("GAME", "Game"),
    ]) {
        let category = Category {
            code: code.parse().unwrap(),
            name: name.parse().unwrap(),
            place,
        };
        catalogue::put_category(&mut write, &category)
            .await
            .unwrap();
    }
    for (n, (id, category, name, dong, cards)) in (1_u64..).zip(CARD_TYPES) {
        let card_type = CardType {
            id: id.parse().unwrap(),
            category: category.parse().unwrap(),
            name: name.parse().unwrap(),
            issuer: category.parse().unwrap(),
            value: Vnd::new(dong).unwrap(),
            sell_value: Vnd::new(dong * 95 / 100).unwrap(),
            on_sale: id != "VIET500",
            low_stock: 40,
        };
        catalogue::put_card_type(&mut write, &card_type)
            .await
            .unwrap();
        let lines: String = (0..u64::from(cards))
            .map(|card| {
                let serial = n * 10_000_000_000 + 29_091_000 + card;
                let pin = (n * 1_000_003 + card * 7_919) * 104_729;
                format!(
                    "{serial:015},{:013},203{}-06-30\n",
                    pin % 10_000_000_000_000,
                    card % 3
                )
            })
            .collect();
        let file = format!("CARDSERIESNO,CARDPINCODE,CARDEXPIREDATE\n{lines}");
        if cards > 0 {
            let file = CardFile::parse(file.as_bytes(), Day::of(now).unwrap()).unwrap();
            stock::import(&mut write, keys, &card_type.id, &file)
                .await
                .unwrap();
        }
    }
    write.commit().await.unwrap();
}

/// Orders of a shop whose customers have come and not paid yet.
async fn take_orders(store: &Store, keys: &Keys, egress: &Egress, now: UnixMs) {
    let merchant = merchants::Registration {
        id: "vemaybay".parse().unwrap(),
        name: "Vé Máy Bay Sài Gòn".parse().unwrap(),
        ipn_url: "https://vemaybay.example/ipn".parse().unwrap(),
        plain_http: false,
        return_prefixes: vec!["https://vemaybay.example/thanh-toan".parse().unwrap()],
        amounts: Amounts::new(Vnd::new(50_000).unwrap(), Vnd::new(20_000_000).unwrap()).unwrap(),
    };
    let mut write = store.write().await.unwrap();
    let since = UnixMs(now.0 - 40 * DAY_MS);
    merchants::add(&mut write, keys, egress, &merchant, since)
        .await
        .unwrap();
    for n in 0..5_u8 {
        let order = NewOrder {
            merchant: merchant.id.clone(),
            reference: format!("VE-2026-{n:04}").parse().unwrap(),
            amount: Vnd::new(1_250_000).unwrap(),
            description: "Vé SGN-HAN".parse().unwrap(),
            return_url: "https://vemaybay.example/thanh-toan".parse().unwrap(),
        };
        let came = now.plus_ms((i64::from(n) - 4) * 3_600_000);
        assert!(
            orders::open(&mut write, &order, &[n; 32], came)
                .await
                .unwrap()
        );
    }
    write.commit().await.unwrap();
}

/// Four weeks of sales to three agents, more of them at the end of each week.
async fn trade(store: &Store, keys: &Keys, now: UnixMs) {
    let agents: [Id; 3] = ["anphat", "sao-viet", "shop-24h"].map(|id| id.parse().unwrap());
    let mut write = store.write().await.unwrap();
    let first = UnixMs(now.0 - 29 * DAY_MS);
    for (agent, dong) in agents.iter().zip([25_000_000, 18_000_000, 9_000_000]) {
        agents::add(&mut write, agent).await.unwrap();
        agents::make_key(&mut write, agent, first).await.unwrap();
        let amount = Vnd::new(dong).unwrap();
        let lines = [
            Line::debit(Account::BankSettlement("vcb".parse().unwrap()), amount),
            Line::credit(Account::AgentDeposit(agent.clone()), amount),
        ];
        let reference = format!("deposit:vcb:FT{dong}").parse().unwrap();
        let entry = Entry::new(reference, first, lines).unwrap();
        ledger::post(&mut write, &entry).await.unwrap();
    }
    write.commit().await.unwrap();
    let mut random = fastrand::Rng::with_seed(7);
    for day in (0..30).rev() {
        let busy = if day % 7 < 2 { 14 } else { 8 };
        for n in 0..random.usize(busy / 2..busy) {
            let purchase = Purchase {
                buyer: Viewer {
                    agent: agents[random.usize(0..3)].clone(),
                    key_prefix: "EXAMPLE0".to_owned(),
                    address: None,
                },
                card_type: CARD_TYPES[random.usize(0..6)].0.parse().unwrap(),
                count: BuyCount::new(random.u32(1..4)).unwrap(),
                sell_dest_no: Some(format!("DH-{day:02}{n:03}").parse().unwrap()),
                idempotency_key: None,
            };
            let at = UnixMs(now.0 - day * DAY_MS - random.i64(0..DAY_MS / 8));
            sales::buy(store, keys, &purchase, at).await.unwrap();
        }
    }
}
