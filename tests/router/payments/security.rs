//! MACs, session keys and requests of the bank's own, against a bank that has its own code for them.

use loadtest::{
    bank::{Bank, BankBehaviour, BankSecurity},
    fault::Trigger,
};
use sampan::{
    rpc::proto::{Element, PaymentOutcome, Reason, TransactRequest, element::Value},
    status::LinkState,
};

use super::{generous, router_for};
use crate::support::{
    Router, Setup, assert_payments_agree, charge, charge_all, eventually, lookup_settled, purchase,
};

const KEK: &str = "0123456789ABCDEFFEDCBA9876543210";

fn secured() -> BankSecurity {
    BankSecurity {
        kek: u128::from_str_radix(KEK, 16).unwrap().to_be_bytes(),
        change_key: Trigger::Never,
        wrong_mac: Trigger::Never,
    }
}

/// A file with a key, removed at the end.
struct KeyFile(std::path::PathBuf);

impl KeyFile {
    fn new(test: &str, key: &str) -> Self {
        let name = format!("sampan-router-{}-{test}.kek", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, key).unwrap();
        Self(path)
    }

    /// The keys of a bank that gives its MAC keys by itself or when it is asked.
    fn keys(&self, keys: &str, reversal: &str) -> String {
        format!(
            "{keys}\n[bank.mac]\nalgorithm = \"x9.19\"\nfrom_key_exchange = true\n\
             [bank.key_exchange]\nkek_file = {:?}\n[bank.reversal]\n{reversal}",
            self.0
        )
    }
}

impl Drop for KeyFile {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

async fn secured_router(bank: &Bank, file: &KeyFile, keys: &str, reversal: &str) -> Router {
    router_for(bank, &file.keys(keys, reversal)).await
}

/// The figure of one series.
fn figure(router: &Router, series: &str) -> u64 {
    let text = router.app.metrics().render();
    let found = text.lines().find_map(|line| {
        let value = line.strip_prefix(series)?.strip_prefix(' ')?;
        value.parse().ok()
    });
    found.unwrap_or_default()
}

#[tokio::test]
async fn payments_pass_with_macs_while_the_bank_changes_its_key_again_and_again() {
    let bank = Bank::start(BankBehaviour {
        security: Some(BankSecurity {
            change_key: Trigger::Every(50),
            ..secured()
        }),
        ..generous()
    })
    .await
    .unwrap();
    let file = KeyFile::new("change", KEK);
    let router = secured_router(&bank, &file, "links = 3\nwindow = 8", "").await;
    let told = charge_all(router.payments(), (0..1_000).map(purchase).collect()).await;
    for own in told.values() {
        assert_eq!(own.outcome(), PaymentOutcome::Approved, "{own:?}");
    }
    eventually("the last key is accepted", async || {
        bank.totals().keys_accepted == bank.totals().keys_given
    })
    .await;
    let totals = bank.totals();
    // One that was asked for, once for all links, and those of the bank's own.
    assert_eq!(totals.keys_given, 1 + 1_000 / 50);
    assert_eq!((totals.macs_wrong, totals.protocol_errors), (0, 0));
    assert_payments_agree(told.values(), &bank.books());
}

#[tokio::test]
async fn a_payment_whose_answer_has_a_wrong_mac_is_not_believed_and_reversed() {
    let bank = Bank::start(BankBehaviour {
        security: Some(BankSecurity {
            // The 0210, and the first 0430.
            wrong_mac: Trigger::First(2),
            ..secured()
        }),
        ..generous()
    })
    .await
    .unwrap();
    let file = KeyFile::new("wrong", KEK);
    let hasty = "repeat_min_ms = 30";
    let router = secured_router(&bank, &file, "response_timeout_ms = 100", hasty).await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::Reversing);
    assert_eq!(told.reason(), Reason::Timeout);
    let settled = lookup_settled(&router.payments(), &told.payment_id).await;
    let settled = settled.payment.unwrap();
    assert_eq!(settled.outcome(), PaymentOutcome::Reversed);
    assert_eq!(settled.reversal.as_ref().unwrap().attempts, 2);
    let totals = bank.totals();
    assert_eq!((totals.debits, totals.reversed), (1, 1));
    assert_eq!(totals.macs_wrong, 0, "also the 0421 has a MAC of its own");
    let series = r#"sampan_bank_mac_failures_total{bank="vietcom",link="vietcom/1",why="wrong"}"#;
    assert_eq!(figure(&router, series), 2);
    assert_payments_agree([&settled], &bank.books());
}

#[tokio::test]
async fn a_bank_whose_keys_cannot_be_opened_gets_no_payment_and_the_link_says_why() {
    let bank = Bank::start(BankBehaviour {
        security: Some(secured()),
        ..generous()
    })
    .await
    .unwrap();
    let file = KeyFile::new("other", "FEDCBA98765432100123456789ABCDEF");
    let router = Setup::new("")
        .bank("vietcom", &bank, &file.keys("", ""))
        .payment_route("vietcom")
        .start()
        .await;
    router
        .until("the link says why", |links| {
            links[0].state == LinkState::Down && links[0].last_error.contains("session key")
        })
        .await;
    let told = charge(&router.payments(), purchase(1)).await;
    assert_eq!(told.outcome(), PaymentOutcome::NotSent);
    assert_eq!(told.reason(), Reason::NoLink);
    assert_eq!(bank.totals().requests, 0);
    let series =
        r#"sampan_bank_session_keys_total{bank="vietcom",link="vietcom/1",outcome="refused"}"#;
    assert_eq!(figure(&router, series), 1);
}

#[tokio::test]
async fn a_chargeback_of_the_bank_is_acknowledged_with_and_without_macs() {
    for security in [None, Some(secured())] {
        let file = KeyFile::new(if security.is_some() { "asked" } else { "plain" }, KEK);
        let keys = match &security {
            Some(_) => file.keys("", ""),
            None => String::new(),
        };
        let bank = Bank::start(BankBehaviour {
            security,
            chargebacks: Trigger::Every(2),
            ..generous()
        })
        .await
        .unwrap();
        let router = router_for(&bank, &keys).await;
        let told = charge_all(router.payments(), (0..100).map(purchase).collect()).await;
        assert!(
            told.values()
                .all(|own| own.outcome() == PaymentOutcome::Approved)
        );
        eventually("every chargeback is acknowledged", async || {
            let asked = bank.asked();
            asked.len() == 50 && asked.iter().all(|own| own.codes == ["00"])
        })
        .await;
        assert_eq!(bank.totals().protocol_errors, 0);
        let series =
            r#"sampan_bank_requests_total{bank="vietcom",link="vietcom/1",request="reversal"}"#;
        assert_eq!(figure(&router, series), 50);
    }
}

#[tokio::test]
async fn a_pin_block_without_a_translation_is_refused_before_anything_is_sent() {
    let bank = Bank::start(generous()).await.unwrap();
    let router = router_for(&bank, "").await;
    let with_pin = TransactRequest {
        elements: vec![Element {
            number: 52,
            value: Some(Value::Binary(vec![1; 8].into())),
        }],
        ..purchase(1)
    };
    let told = charge(&router.payments(), with_pin).await;
    assert_eq!(told.outcome(), PaymentOutcome::NotSent);
    assert_eq!(told.reason(), Reason::Invalid);
    assert!(told.detail.contains("[bank.pin]"), "{}", told.detail);
    assert_eq!(bank.totals().requests, 0);
}
