//! The pages where customers pay: who gets in, what is asked, what is told, and where a customer is sent.

use commerce::{
    customers::{self, CustomerState},
    merchants,
    phone::Phone,
    port::Charged,
    purchase::State,
    store::Store,
};

use crate::{
    books::assert_balanced,
    databases::on_both,
    partners::{Page, Reply},
    shop::{id, keys},
    till::{MERCHANT, PHONE, Till, approved},
};

const TAKEN: Reply = Reply::Says(200, Vec::new(), r#"{"RspCode":"00","Message":""}"#);
const RETURN: &str = "https://shop.example/return";

async fn till(store: &Store) -> Till {
    let page = Page::start([TAKEN]).await;
    Till::new(store, &page).await
}

on_both! {
    async fn a_customer_pays_by_phone_and_code(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        let asked = till.get(&page).await;
        for shown in ["150.000\u{a0}đ", "Chợ Nổi", "Áo thun &lt;b&gt;đỏ&lt;/b&gt; &amp; &quot;quần&quot;"] {
            assert!(asked.body.contains(shown), "{shown}: {}", asked.body);
        }
        till.pay(&page).await;
        let paid = till.get(&page).await;
        assert!(paid.body.contains("Thanh toán thành công"), "{}", paid.body);
        let status = till.get(&format!("{page}/status")).await;
        assert_eq!(status.body, r#"{"stage":"paid"}"#);
        assert_eq!(till.charges(), 1);
        assert_balanced(&store).await;
    }

    async fn every_page_is_careful(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        let no_page = format!("/pay/{}", "0".repeat(64));
        for path in [page.as_str(), &no_page, "/pay/x", "/pay?merchant=shop-1", &format!("{page}/status")] {
            let got = till.get(path).await;
            let header = |name: &str| got.headers[name].to_str().unwrap().to_owned();
            assert_eq!(header("cache-control"), "no-store", "{path}");
            assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
            let policy = header("content-security-policy");
            assert!(policy.starts_with("default-src 'none';"), "{policy}");
            assert!(!policy.contains("unsafe"), "{policy}");
            assert!(!got.headers.contains_key("set-cookie"), "{path}");
            assert!(!got.body.contains("<style") && !got.body.contains("onclick"), "{path}");
        }
    }

    async fn a_signature_over_other_octets_is_refused(store: Store) {
        let till = till(&store).await;
        let link = till.link("DH-1", "150000", RETURN);
        for (from, to) in [
            ("amount=150000", "amount=150001"),
            // The same to a parser of forms, and other octets.
            ("order=DH-1", "order=DH%2D1"),
            ("merchant=", "x=1&merchant="),
            ("&created=", "&&created="),
        ] {
            let got = till.get(&link.replace(from, to)).await;
            assert_eq!(got.status, 403, "{to}: {}", got.body);
            assert!(got.body.contains("L5"), "{to}: {}", got.body);
        }
        assert!(till.get(&link).await.status.is_redirection());
    }

    async fn a_link_is_good_for_fifteen_minutes_and_with_a_secret_that_holds(store: Store) {
        let till = till(&store).await;
        let link = till.link("DH-1", "150000", RETURN);
        let mut write = store.write().await.unwrap();
        let overlap = merchants::SECRET_OVERLAP;
        let made = merchants::change_secret(&mut write, &keys(), &id(MERCHANT), overlap, till.now()).await;
        write.commit().await.unwrap();
        let made = made.unwrap();
        assert!(till.get(&link).await.status.is_redirection(), "the overlap");
        till.pass(15 * 60_000 + 1_000);
        assert_eq!(till.get(&link).await.status, 410);
        till.pass(24 * 3_600_000);
        let late = till.link("DH-1", "150000", RETURN);
        assert_eq!(till.get(&late).await.status, 403, "the old secret is over");
        let created = (till.now().0 / 1_000).to_string();
        let fields = [
            ("merchant", MERCHANT), ("order", "DH-2"), ("amount", "150000"), ("description", "Áo"),
            ("return_url", RETURN), ("created", &created),
        ];
        assert!(till.get(&till.signed_by(&made, &fields)).await.status.is_redirection());
    }

    async fn a_merchant_that_is_off_or_asks_for_too_much_gets_no_customer(store: Store) {
        let till = till(&store).await;
        for amount in ["999", "2000001"] {
            let got = till.get(&till.link("DH-1", amount, RETURN)).await;
            assert_eq!(got.status, 403, "{amount}");
            assert!(got.body.contains("L8"), "{}", got.body);
        }
        let mut write = store.write().await.unwrap();
        merchants::set_active(&mut write, &id(MERCHANT), false, "nợ").await.unwrap();
        write.commit().await.unwrap();
        let got = till.get(&till.link("DH-1", "150000", RETURN)).await;
        assert!(got.body.contains("L7"), "{}", got.body);
    }

    async fn an_unproved_return_url_is_never_gone_to(store: Store) {
        let till = till(&store).await;
        for evil in ["https://evil.example/return", "https://shop.example/returned", "http://shop.example/return"] {
            let got = till.get(&till.link("DH-1", "150000", evil)).await;
            assert_eq!(got.status, 403, "{evil}");
            assert!(!got.body.contains("evil") && !got.headers.contains_key("location"));
        }
        // A forged link shows no way to anywhere either.
        let forged = till.link("DH-1", "150000", RETURN).replace("amount=1", "amount=2");
        let got = till.get(&forged).await;
        assert!(!got.body.contains("shop.example"), "{}", got.body);
        // What was registered when the customer came need not be when he goes.
        let page = till.open("DH-1").await;
        let mut write = store.write().await.unwrap();
        sqlx::query("UPDATE merchant SET return_prefixes = 'https://shop.example/other'")
            .execute(write.connection()).await.unwrap();
        write.commit().await.unwrap();
        let got = till.get(&format!("{page}/return")).await;
        assert_eq!(got.status, 403);
        assert!(!got.headers.contains_key("location"));
    }

    async fn the_return_is_signed_and_tells_what_is_known(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        let result = async |page: &str| {
            let got = till.get(&format!("{page}/return")).await;
            let location = got.location().to_owned();
            let (url, query) = location.split_once('?').unwrap();
            assert_eq!(url, RETURN);
            let (signed, signature) = query.rsplit_once("&signature=").unwrap();
            assert_eq!(till.secret.sign(&[signed.as_bytes()]), signature);
            let fields: Vec<_> = form_urlencoded::parse(signed.as_bytes()).into_owned().collect();
            let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["order", "purchase", "result", "created"]);
            fields[2].1.clone()
        };
        assert_eq!(result(&page).await, "PENDING");
        till.pay(&page).await;
        assert_eq!(result(&page).await, "PAID");
        let page = till.open("DH-2").await;
        till.bank_says([Some(Charged::Declined { response_code: "51".to_owned() })]);
        till.pay(&page).await;
        assert_eq!(result(&page).await, "FAILED");
    }

    async fn an_order_is_paid_once_however_often_its_page_is_opened(store: Store) {
        let till = till(&store).await;
        let first = till.open("DH-1").await;
        let second = till.open("DH-1").await;
        // The page before is void, so that nobody goes on in two.
        assert_eq!(till.get(&first).await.status, 404);
        till.pay(&second).await;
        let third = till.open("DH-1").await;
        assert!(till.get(&third).await.body.contains("Thanh toán thành công"));
        let other = till.get(&till.link("DH-1", "150001", RETURN)).await;
        assert_eq!(other.status, 409);
        assert_eq!((till.purchases().await.len(), till.charges()), (1, 1));
    }

    async fn an_order_whose_purchase_has_failed_is_not_begun_again(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        till.post(&page, "phone", &[("phone", PHONE)]).await;
        assert_eq!(till.post(&page, "cancel", &[]).await.location(), page);
        let page = till.open("DH-1").await;
        let got = till.get(&page).await;
        assert!(got.body.contains("Quý khách đã hủy"), "{}", got.body);
        assert!(!got.body.contains("<form"), "{}", got.body);
        assert_eq!(till.charges(), 0);
    }

    async fn two_phones_at_once_begin_one_purchase(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        let phone = [("phone", PHONE)];
        let asked = till.get(&page).await;
        let (_, rest) = asked.body.split_once("name=\"form\" value=\"").unwrap();
        let key = &rest[..64];
        let one = || till.post_with(key, &page, "phone", &phone);
        let all = tokio::join!(one(), one(), one(), one());
        let all = [all.0, all.1, all.2, all.3];
        assert!(all.iter().all(|got| got.status.is_redirection()), "{all:?}");
        assert_eq!(till.purchases().await.len(), 1);
    }

    async fn the_page_says_unknown_while_the_bank_is_asked(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        till.bank_says([None, None, approved()]);
        till.pay(&page).await;
        let got = till.get(&page).await;
        assert!(got.body.contains("Ngân hàng chưa trả lời"), "{}", got.body);
        assert!(got.body.contains("không bị trừ tiền hai lần"), "{}", got.body);
        assert!(!got.body.contains("thành công"), "{}", got.body);
        assert_eq!(till.get(&format!("{page}/status")).await.body, r#"{"stage":"unknown"}"#);
        assert!(till.get(&format!("{page}/return")).await.location().contains("result=PENDING"));
        for _ in 0..3 {
            till.pass(60_000);
            till.work().await;
        }
        assert_eq!(till.get(&format!("{page}/status")).await.body, r#"{"stage":"paid"}"#);
        assert_eq!(till.charges(), 1);
    }

    async fn the_page_says_that_a_charge_is_being_taken_back(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        till.bank_says([Some(Charged::Reversing)]);
        till.pay(&page).await;
        let got = till.get(&page).await;
        assert!(got.body.contains("giao dịch đang được hủy"), "{}", got.body);
        assert!(!got.body.contains("không thành công"), "{}", got.body);
        till.bank_says([Some(Charged::Reversed)]);
        till.pass(60_000);
        till.work().await;
        assert!(till.get(&page).await.body.contains("đã hủy giao dịch"));
    }

    async fn a_page_tells_nothing_about_a_phone(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        let unlinked = till.post(&page, "phone", &[("phone", "0987654321")]).await;
        let phone: Phone = PHONE.parse().unwrap();
        let mut write = store.write().await.unwrap();
        customers::set_state(&mut write, &phone, CustomerState::Blocked).await.unwrap();
        write.commit().await.unwrap();
        let blocked = till.post(&page, "phone", &[("phone", PHONE)]).await;
        assert_eq!(unlinked.status, 422);
        // Each has his own number again, to correct a digit of it, and nothing else.
        assert_eq!(unlinked.body.replace("0987654321", PHONE), blocked.body);
        assert!(till.purchases().await.is_empty());
    }

    async fn phones_can_be_tried_ten_times_for_an_order(store: Store) {
        let till = till(&store).await;
        let mut page = till.open("DH-1").await;
        for number in 0..10 {
            let phone = format!("09876543{number:02}");
            let got = till.post(&page, "phone", &[("phone", &phone)]).await;
            assert_eq!(got.status, 422, "{number}");
            // Another link does not help.
            page = till.open("DH-1").await;
        }
        let got = till.get(&page).await;
        assert!(got.body.contains("quá nhiều số điện thoại"), "{}", got.body);
        assert!(!got.body.contains("<form"));
    }

    async fn a_wrong_code_leaves_fewer_tries_and_then_locks(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        till.post(&page, "phone", &[("phone", PHONE)]).await;
        let right = till.code().await;
        let wrong = if right == "000000" { "000001" } else { "000000" };
        let form = till.post(&page, "code", &[("code", "12345")]).await;
        assert!(form.body.contains("6 chữ số."), "{}", form.body);
        for left in (1..5).rev() {
            let got = till.post(&page, "code", &[("code", wrong)]).await;
            assert!(got.body.contains(&format!("còn {left} lần thử")), "{}", got.body);
        }
        let locked = till.post(&page, "code", &[("code", wrong)]).await;
        assert!(locked.body.contains("quá nhiều lần"), "{}", locked.body);
        let late = till.post(&page, "code", &[("code", &right)]).await;
        assert_eq!(late.status, 422);
        assert_eq!(till.charges(), 0);
    }

    async fn another_code_is_sent_after_the_cooldown_which_is_shown(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        till.post(&page, "phone", &[("phone", PHONE)]).await;
        let first = till.code().await;
        assert!(till.get(&page).await.body.contains("data-wait=\"60\""));
        assert_eq!(till.post(&page, "resend", &[]).await.status, 422);
        till.pass(60_000);
        assert!(till.get(&page).await.body.contains("data-wait=\"0\""));
        assert_eq!(till.post(&page, "resend", &[]).await.location(), page);
        let second = till.code().await;
        if first != second {
            assert_eq!(till.post(&page, "code", &[("code", &first)]).await.status, 422);
        }
        assert_eq!(till.post(&page, "code", &[("code", &second)]).await.location(), page);
    }

    async fn a_form_of_another_page_changes_nothing(store: Store) {
        let till = till(&store).await;
        let (page, other) = (till.open("DH-1").await, till.open("DH-2").await);
        let of_other = till.get(&other).await.body;
        let (_, rest) = of_other.split_once("name=\"form\" value=\"").unwrap();
        for key in ["", "x", &rest[..64]] {
            let got = till.post_with(key, &page, "phone", &[("phone", PHONE)]).await;
            assert_eq!(got.status, 403, "{key}");
        }
        assert!(till.purchases().await.is_empty());
    }

    async fn nobody_begins_to_pay_after_half_an_hour(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        let before = till.get(&page).await.body;
        let (_, rest) = before.split_once("name=\"form\" value=\"").unwrap();
        till.pass(30 * 60_000);
        assert!(till.get(&page).await.body.contains("đã hết hạn"));
        let got = till.post_with(&rest[..64], &page, "phone", &[("phone", PHONE)]).await;
        assert_eq!(got.location(), page);
        assert!(till.purchases().await.is_empty());
        assert!(till.get(&format!("{page}/return")).await.location().contains("result=FAILED"));
    }

    async fn a_code_that_is_never_given_ends_the_order(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        till.post(&page, "phone", &[("phone", PHONE)]).await;
        till.pass(5 * 60_000);
        till.work().await;
        assert_eq!(till.purchases().await[0].state, State::Expired);
        assert!(till.get(&page).await.body.contains("hết thời gian xác nhận"));
    }

    async fn no_token_or_phone_is_kept_or_shown_in_clear(store: Store) {
        let till = till(&store).await;
        let page = till.open("DH-1").await;
        till.post(&page, "phone", &[("phone", PHONE)]).await;
        let body = till.get(&page).await.body;
        assert!(body.contains("8491…678") && !body.contains("912345"), "{body}");
        let mut read = store.read().await.unwrap();
        let row = sqlx::query("SELECT token_digest FROM checkout").fetch_one(&mut *read).await.unwrap();
        let kept: Vec<u8> = sqlx::Row::try_get(&row, 0).unwrap();
        let token = page.strip_prefix("/pay/").unwrap();
        let digest = ring::digest::digest(&ring::digest::SHA256, token.as_bytes());
        assert_eq!(kept, digest.as_ref());
    }
}
