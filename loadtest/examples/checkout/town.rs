//! Everybody who takes part in a payment, each as it is elsewhere and all in one process.

use std::{net::Ipv4Addr, time::Duration};

use commerce::{
    app::App, clock, config::Config, customers, egress::Egress, merchants, money::Vnd,
    port::AccountToken, store::Store,
};
use loadtest::{
    bank::{Account, Bank, BankBehaviour, Decline, ResponseCode, Reversing},
    fault::Trigger,
    shop::{Shop, ShopFaults, ShopSettings},
    smsc::{
        Smsc, SmscBehaviour,
        handset::{Handsets, Text},
    },
};
use serde::Deserialize;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    net::TcpListener,
    time::{Instant, sleep, timeout},
};

/// Linked customers. A case has a phone of its own, so that no limit of one meets another.
pub(crate) const PHONES: [&str; 16] = [
    "0912345601",
    "0912345602",
    "0912345603",
    "0912345604",
    "0912345605",
    "0912345606",
    "0912345607",
    "0912345608",
    "0912345609",
    "0912345610",
    "0912345611",
    "0912345612",
    "0912345613",
    "0912345614",
    "0912345615",
    "0912345616",
];

/// In dong: enough for some orders of each.
const OPENING_MINOR: i64 = 5_000_000;

/// Of made-up customers alone.
const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f";

/// For links to come up and for a message to arrive.
const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(20);

/// How the bank treats all charges.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Mood {
    Approves,
    /// 51: there is too little money.
    Declines,
    /// It debits and says nothing, nor to the first who want it taken back.
    Silent,
}

/// All of them.
pub(crate) struct Town {
    smsc: Smsc,
    handsets: Handsets,
    /// What has come to handsets and was not read.
    texts: Vec<Text>,
    bank: Bank,
    router: sampan::app::App,
    app: App,
    settings: ShopSettings,
    pub(crate) shop: Shop,
    _folder: TempDir,
}

impl Town {
    pub(crate) async fn open() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let smsc = Smsc::start(SmscBehaviour::default()).await.unwrap();
        let bank = Bank::start(behaviour(Mood::Approves)).await.unwrap();
        let router = router(&smsc, &bank, &folder).await;
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = door.local_addr().unwrap().port();
        let config = config(&router, port, &folder);
        let (keys, egress) = (config.keys.clone(), config.push.egress.clone());
        let app = App::start(config).await.unwrap();
        link_customers(app.store(), &keys).await;
        let registration = merchants::Registration {
            id: "cho-noi".parse().unwrap(),
            name: "Chợ Nổi".parse().unwrap(),
            ipn_url: format!("http://127.0.0.1:{port}/ipn").parse().unwrap(),
            plain_http: true,
            return_prefixes: vec![format!("http://127.0.0.1:{port}/return").parse().unwrap()],
            amounts: merchants::Amounts::new(vnd(1_000), vnd(20_000_000)).unwrap(),
        };
        let egress = Egress::new(egress).unwrap();
        let mut write = app.store().write().await.unwrap();
        let secret = merchants::add(&mut write, &keys, &egress, &registration, clock::now())
            .await
            .unwrap();
        write.commit().await.unwrap();
        let settings = ShopSettings {
            merchant: registration.id.to_string(),
            secret: secret.reveal().to_owned(),
            commerce: format!("http://{}", app.http_address()),
            faults: ShopFaults::default(),
        };
        Self {
            shop: Shop::open_on(door, settings.clone()).unwrap(),
            settings,
            smsc,
            handsets: Handsets::default(),
            texts: Vec::new(),
            bank,
            router,
            app,
            _folder: folder,
        }
    }

    /// Where everybody is, and what the shop signs with.
    pub(crate) fn introduce(&self) -> Value {
        json!({
            "phones": PHONES,
            "commerce": self.settings.commerce,
            "admin": format!("http://{}", self.app.admin_address()),
            "merchant": self.settings.merchant,
            "secret": self.settings.secret,
        })
    }

    pub(crate) async fn close(self) {
        self.app.stop().await;
        self.router.stop().await;
        self.smsc.stop().await;
        self.bank.stop().await;
    }

    /// The link by which an order's customer pays.
    pub(crate) fn place(
        &self,
        order: &str,
        amount: i64,
        description: &str,
        minutes_ago: i64,
    ) -> String {
        let created_s = clock::now().0 / 1_000 - minutes_ago * 60;
        self.shop.place(order, amount, description, created_s)
    }

    pub(crate) fn set_mood(&self, mood: Mood) {
        self.bank.set_behaviour(behaviour(mood));
    }

    /// The first one-time password on a handset that was not read yet; nothing if none comes.
    pub(crate) async fn password(&mut self, phone: &str) -> Option<String> {
        let number = format!("84{}", phone.strip_prefix('0')?);
        let awaited = async {
            loop {
                self.texts.extend(self.handsets.read(&self.smsc));
                let is_next = |text: &Text| text.to == number && password_of(text).is_some();
                if let Some(place) = self.texts.iter().position(is_next) {
                    return password_of(&self.texts.remove(place)).map(str::to_owned);
                }
                sleep(LOOK).await;
            }
        };
        timeout(PATIENCE, awaited).await.ok().flatten()
    }

    /// Of one customer, by the bank's own books.
    pub(crate) fn debits(&self, phone: &str) -> Value {
        let books = self.bank.books();
        let token = token(phone);
        // The books show the end of an account's number alone.
        let end = &token[token.len() - 4..];
        let own = books.accounts.iter().find(|own| own.pan.ends_with(end));
        let stands: i64 = own.map_or(0, |own| own.opening_minor - own.balance_minor);
        let own_entries = books.entries.iter();
        let own_entries = own_entries.filter(|one| one.pan.as_str().ends_with(end));
        let times = own_entries.filter(|one| one.debited).count();
        json!({"times": times, "stands": stands})
    }
}

fn password_of(text: &Text) -> Option<&str> {
    text.text.strip_prefix("Ma xac nhan ")?.get(..6)
}

fn vnd(dong: i64) -> Vnd {
    Vnd::new(dong).unwrap()
}

/// A customer's account, whose end is that of his phone.
fn token(phone: &str) -> String {
    format!("970436000000{}", &phone[phone.len() - 4..])
}

fn behaviour(mood: Mood) -> BankBehaviour {
    let accounts = PHONES.map(|phone| Account::new(&token(phone), OPENING_MINOR));
    let sound = BankBehaviour {
        accounts: accounts.to_vec(),
        ..BankBehaviour::default()
    };
    match mood {
        Mood::Approves => sound,
        Mood::Declines => BankBehaviour {
            decline: Some(Decline {
                trigger: Trigger::Always,
                code: ResponseCode::INSUFFICIENT_FUNDS,
            }),
            ..sound
        },
        Mood::Silent => BankBehaviour {
            silent: Trigger::Always,
            silent_debits: true,
            reversing: Reversing {
                silent_first: 3,
                ..Reversing::default()
            },
            ..sound
        },
    }
}

async fn link_customers(store: &Store, keys: &commerce::seal::Keys) {
    let mut write = store.write().await.unwrap();
    let bank = "vietcom".parse().unwrap();
    for phone in PHONES {
        let account = AccountToken::parse(&token(phone)).unwrap();
        let phone = phone.parse().unwrap();
        customers::register(&mut write, keys, &phone, &bank, &account, clock::now())
            .await
            .unwrap();
    }
    write.commit().await.unwrap();
}

/// The bank is awaited for longer than commerce awaits the router, so that a silent one is first unknown and
/// then taken back; its 0420 is repeated in a few seconds.
async fn router(smsc: &Smsc, bank: &Bank, folder: &TempDir) -> sampan::app::App {
    let (smsc, bank) = (smsc.address(), bank.address());
    let text = format!(
        r#"
rpc = {{ listen = "127.0.0.1:0" }}
admin = {{ listen = "127.0.0.1:0" }}
store = {{ path = "router.redb" }}

[[subscription]]
name = "commerce"
destinations = ["8049"]
receipts_of = "commerce"

[[smsc]]
name = "simulator"
address = "{smsc}"
system_id = "sampan"
password = "secret"

[[bank]]
name = "vietcom"
address = "{bank}"
response_timeout_ms = 5000
currency = "VND"
terminal_id = "SAMPAN01"
merchant_id = "VNMART000000001"

[bank.reversal]
repeat_min_ms = 1000
final_codes = ["00", "25"]

[[message_route]]
name = "all"
prefixes = [""]
smscs = ["simulator"]
default_source = "8049"

[[payment_route]]
card_prefixes = ["970436"]
bank = "vietcom"
"#
    );
    let config = sampan::config::Config::parse(&text, folder.path(), &|_| None).unwrap();
    let router = sampan::app::App::start(config).await.unwrap();
    let deadline = Instant::now() + PATIENCE;
    let up = sampan::status::LinkState::Up;
    while router
        .links()
        .list(None)
        .unwrap()
        .iter()
        .any(|link| link.state != up)
    {
        assert!(Instant::now() < deadline, "the links do not come up");
        sleep(LOOK).await;
    }
    router
}

/// The shop alone may be called on this machine.
fn config(router: &sampan::app::App, shop_port: u16, folder: &TempDir) -> Config {
    std::fs::write(folder.path().join("key"), KEY).unwrap();
    let rpc = router.rpc_address().unwrap();
    let text = format!(
        r#"
store = {{ location = "commerce.db" }}
keys = {{ current = "file:key" }}
http = {{ listen = "127.0.0.1:0" }}
admin = {{ listen = "127.0.0.1:0" }}
router = {{ address = "http://{rpc}", call_timeout_ms = 2000 }}
push = {{ networks = ["127.0.0.0/8"], ports = [{shop_port}] }}
checkout = {{ requests_per_s = 1000, burst = 1000 }}
"#
    );
    Config::parse(&text, folder.path()).unwrap()
}
