//! One-time passwords: what is guessed, sent twice or too late opens nothing.

use commerce::{
    customers::{self, CustomerState},
    moment::UnixMs,
    otp::{self, Bound, Code, Verdict},
    purchase::{self, Confirmed, PurchaseError, Refusal, State, Who},
    store::Store,
};
use tokio::task::JoinSet;

use crate::{
    books::{NOW, vnd},
    databases::on_both,
    shop::{id, keys},
    town::{ANNA, BINH, Town, phone},
};

fn code(digits: u32) -> Code {
    Code::parse(&format!("{digits:06}")).unwrap()
}

/// A code that is not this one.
fn wrong(right: &Code) -> Code {
    code((right.reveal().parse::<u32>().unwrap() + 1) % 1_000_000)
}

async fn resend(town: &Town, purchase: &purchase::Purchase) -> Result<UnixMs, PurchaseError> {
    let who = Who::Purchase(purchase.id.clone());
    let resent = purchase::resend(&town.store, &keys(), &town.rules, &who, town.now()).await?;
    town.deliver().await;
    Ok(resent.expires_at)
}

on_both! {
    async fn a_thousand_wrong_one_time_passwords_open_nothing(store: Store) {
        let town = Town::found(store, 3).await;
        let (purchase, right) = town.order_card(ANNA).await;
        let first: u32 = right.reveal().parse().unwrap();
        let mut tasks = JoinSet::new();
        for task in 0..8 {
            let (town, purchase) = (town.clone(), purchase.clone());
            tasks.spawn(async move {
                let mut tries = 0;
                for guess in (1..=1_000).skip(task).step_by(8) {
                    let guess = code((first + guess) % 1_000_000);
                    match town.confirm_with(&purchase, &guess).await.unwrap() {
                        Confirmed::Wrong { .. } => tries += 1,
                        Confirmed::Locked { .. } | Confirmed::Gone => {}
                        other => panic!("{other:?}"),
                    }
                }
                tries
            });
        }
        let tries: usize = tasks.join_all().await.into_iter().sum();
        // The fifth is answered with the lock.
        assert_eq!(tries, 4);
        let late = town.confirm_with(&purchase, &right).await.unwrap();
        assert_eq!(late, Confirmed::Gone);
        town.work().await;
        assert_eq!(town.state(&purchase.id).await, State::Authenticating);
        assert_eq!(town.bank.calls(), [""; 0]);
    }

    async fn wrong_tries_count_for_the_phone_and_not_for_the_code(store: Store) {
        let town = Town::found(store, 3).await;
        let (first, right) = town.order_card(ANNA).await;
        for left in [4, 3] {
            let tried = town.confirm_with(&first, &wrong(&right)).await;
            assert_eq!(tried, Ok(Confirmed::Wrong { tries_left: left }));
        }
        let who = Who::Purchase(first.id.clone());
        purchase::cancel(&town.store, &keys(), &who, town.now()).await.unwrap();
        let (second, right) = town.order_card(ANNA).await;
        for left in [2, 1] {
            let tried = town.confirm_with(&second, &wrong(&right)).await;
            assert_eq!(tried, Ok(Confirmed::Wrong { tries_left: left }));
        }
        let until = town.now().plus_ms(30 * 60_000);
        let tried = town.confirm_with(&second, &wrong(&right)).await;
        assert_eq!(tried, Ok(Confirmed::Locked { until }));
        // Another phone is not locked; this one gets no other code before its lock is over.
        let (other, code) = town.order_card(BINH).await;
        let confirmed = town.confirm_with(&other, &code).await.unwrap();
        assert!(matches!(confirmed, Confirmed::Charging(_)), "{confirmed:?}");
        town.pass(60_000);
        let refused = resend(&town, &second).await;
        let locked = Refusal::Otp(otp::Refusal::Locked { until });
        assert_eq!(refused, Err(locked.into()));
        town.pass(29 * 60_000);
        town.until_quiet().await;
        let (third, code) = town.order_card(ANNA).await;
        let confirmed = town.confirm_with(&third, &code).await.unwrap();
        assert!(matches!(confirmed, Confirmed::Charging(_)), "{confirmed:?}");
    }

    async fn the_right_code_forgets_the_wrong_ones_before_it(store: Store) {
        let town = Town::found(store, 3).await;
        for _ in 0..3 {
            let (purchase, right) = town.order_card(ANNA).await;
            for left in [4, 3] {
                let tried = town.confirm_with(&purchase, &wrong(&right)).await;
                assert_eq!(tried, Ok(Confirmed::Wrong { tries_left: left }));
            }
            let confirmed = town.confirm_with(&purchase, &right).await.unwrap();
            assert!(matches!(confirmed, Confirmed::Charging(_)), "{confirmed:?}");
            town.until_quiet().await;
        }
    }

    async fn a_new_code_makes_the_one_before_void_and_comes_not_too_soon(store: Store) {
        let town = Town::found(store, 3).await;
        let (purchase, first) = town.order_card(ANNA).await;
        let until = town.now().plus_ms(60_000);
        town.pass(59_999);
        let refused = resend(&town, &purchase).await;
        let too_soon = Refusal::Otp(otp::Refusal::TooSoon { until });
        assert_eq!(refused, Err(too_soon.into()));
        town.pass(1);
        let expires_at = resend(&town, &purchase).await.unwrap();
        assert_eq!(expires_at, town.now().plus_ms(4 * 60_000));
        let second = town.handsets.code(ANNA).unwrap();
        if first != second {
            let tried = town.confirm_with(&purchase, &first).await.unwrap();
            assert_eq!(tried, Confirmed::Wrong { tries_left: 4 });
        }
        let confirmed = town.confirm_with(&purchase, &second).await.unwrap();
        assert!(matches!(confirmed, Confirmed::Charging(_)), "{confirmed:?}");
    }

    async fn a_code_is_taken_until_its_time_is_over_and_not_later(store: Store) {
        let town = Town::found(store, 3).await;
        let (purchase, code) = town.order_card(ANNA).await;
        town.pass(4 * 60_000);
        assert_eq!(town.confirm_with(&purchase, &code).await, Ok(Confirmed::Gone));
        town.until_quiet().await;
        assert_eq!(town.state(&purchase.id).await, State::Expired);
        assert_eq!(town.cards("free").await, 3);
        let refused = town.confirm_with(&purchase, &code).await;
        assert_eq!(refused, Err(Refusal::NothingAwaits.into()));
        let (purchase, code) = town.order_card(ANNA).await;
        town.pass(4 * 60_000 - 1);
        let confirmed = town.confirm_with(&purchase, &code).await.unwrap();
        assert!(matches!(confirmed, Confirmed::Charging(_)), "{confirmed:?}");
    }

    async fn a_phone_gets_so_many_codes_in_a_day(store: Store) {
        let town = Town::found(store, 3).await;
        let (purchase, _) = town.order_card(ANNA).await;
        for _ in 1..town.rules.otp.day_max {
            town.pass(60_000);
            resend(&town, &purchase).await.unwrap();
        }
        town.pass(60_000);
        let refused = resend(&town, &purchase).await;
        assert_eq!(refused, Err(Refusal::Otp(otp::Refusal::DayFull).into()));
        town.until_quiet().await;
        assert_eq!(town.state(&purchase.id).await, State::Expired);
        town.pass(24 * 3_600_000);
        town.order_card(ANNA).await;
    }

    async fn a_blocked_customer_confirms_nothing(store: Store) {
        let town = Town::found(store, 3).await;
        let (purchase, code) = town.order_card(ANNA).await;
        let mut write = town.store.write().await.unwrap();
        customers::set_state(&mut write, &phone(ANNA), CustomerState::Blocked).await.unwrap();
        write.commit().await.unwrap();
        let refused = town.confirm_with(&purchase, &code).await;
        assert_eq!(refused, Err(Refusal::Blocked.into()));
    }

    async fn a_code_is_used_once(store: Store) {
        let purchase = id("p1");
        let anna = phone(ANNA);
        let bound = Bound { purchase: &purchase, phone: &anna, amount: vnd(1), item: "MOBI10" };
        let (keys, rules) = (keys(), otp::Rules::default());
        let mut write = store.write().await.unwrap();
        let issued = otp::issue(&mut write, &keys, &rules, &bound, NOW).await.unwrap();
        for verdict in [Verdict::Right, Verdict::Gone] {
            let checked = otp::check(&mut write, &keys, &rules, &bound, &issued.code, NOW).await;
            assert_eq!(checked, Ok(verdict));
        }
        let later = NOW.plus_ms(rules.cooldown_ms);
        let issued = otp::issue(&mut write, &keys, &rules, &bound, later).await.unwrap();
        assert_eq!(issued.number, 2);
        otp::revoke(&mut write, &purchase).await.unwrap();
        let checked = otp::check(&mut write, &keys, &rules, &bound, &issued.code, later).await;
        assert_eq!(checked, Ok(Verdict::Gone));
    }
}
