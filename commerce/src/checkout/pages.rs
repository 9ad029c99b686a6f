//! The pages as HTML. What they say is in `words`; nothing is decided here.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::{
    stage::{Failure, Stage},
    words::{self, Words, Wrong},
};
use crate::{
    merchants::{MerchantName, orders::Order},
    moment::UnixMs,
    otp::LastSent,
    purchase::Purchase,
};

/// Characters of a purchase's id that people are told, as in messages.
const SHORT_ID: usize = 8;

/// How often a page without its script is loaded again, in seconds.
const AGAIN_S: u32 = 5;

/// What is shown of one order.
pub(super) struct View {
    pub(super) merchant: MerchantName,
    pub(super) order: Order,
    pub(super) purchase: Option<Purchase>,
    /// Of the last code.
    pub(super) sent: Option<LastSent>,
    pub(super) stage: Stage,
    /// Where the page is.
    pub(super) path: String,
    /// The phone that was typed just now, so that its owner can correct a digit of it.
    pub(super) typed: String,
    /// What its forms send along.
    pub(super) form_key: String,
    /// In milliseconds; another code is sent so long after the last.
    pub(super) cooldown_ms: i64,
    pub(super) now: UnixMs,
}

/// The page of an order, perhaps with what was wrong just now.
pub(super) fn page(view: &View, wrong: Option<Wrong>) -> Markup {
    let (heading, _) = words::of_stage(view.stage);
    let again = view.stage.goes_on_by_itself().then_some(view.path.as_str());
    frame(
        heading,
        again,
        html! {
            (order(view))
            div.body { (steps(view.stage)) (body(view, wrong)) }
        },
    )
}

/// The page of a fault, by which nothing is known of an order.
pub(super) fn fault((heading, text): Words, code: &str) -> Markup {
    frame(
        heading,
        None,
        html! {
            div.body.centre {
                (sign(Sign::Wrong))
                h1 { (heading) }
                p.lead { (text) }
                p.small { "Mã lỗi: " span.mono { (code) } }
            }
        },
    )
}

fn frame(title: &str, again: Option<&str>, content: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="vi" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="robots" content="noindex";
                meta name="format-detection" content="telephone=no";
                title { (title) " – Thanh toán" }
                link rel="stylesheet" href="/pay/assets/checkout.css";
                script src="/pay/assets/checkout.js" defer {}
                @if let Some(path) = again {
                    noscript { meta http-equiv="refresh" content={ (AGAIN_S) ";url=" (path) }; }
                }
            }
            body {
                div.frame {
                    header.top {
                        (PreEscaped(LOCK))
                        strong { "Thanh toán" }
                    }
                    main.card { (content) }
                    p.foot { "Chúng tôi không bao giờ gọi điện hỏi mã xác nhận." }
                }
            }
        }
    }
}

fn order(view: &View) -> Markup {
    let asked = &view.order.asked;
    html! {
        section.order aria-label="Đơn hàng" {
            p.shop { "Thanh toán cho " strong { (view.merchant) } }
            p.amount { (words::amount(asked.amount)) }
            dl {
                dt { "Nội dung" } dd { (asked.description) }
                dt { "Đơn hàng" } dd.mono { (asked.reference) }
                @if let Some(purchase) = &view.purchase {
                    @let id = purchase.id.as_str();
                    dt { "Giao dịch" } dd.mono { (id.get(..SHORT_ID).unwrap_or(id)) }
                }
            }
        }
    }
}

fn steps(stage: Stage) -> Markup {
    let now = match stage {
        Stage::Phone | Stage::Over | Stage::Tries => 0,
        Stage::Code => 1,
        _ => 2,
    };
    let names = ["Số điện thoại", "Mã xác nhận", "Kết quả"];
    html! {
        ol.steps {
            @for (place, name) in names.iter().enumerate() {
                @let is_now = place == now;
                li.done[place < now].now[is_now] aria-current=[is_now.then_some("step")] { (name) }
            }
        }
    }
}

fn body(view: &View, wrong: Option<Wrong>) -> Markup {
    match view.stage {
        Stage::Phone => phone(view, wrong),
        Stage::Code => code(view, wrong),
        stage if stage.goes_on_by_itself() => waiting(view),
        _ => ended(view),
    }
}

fn phone(view: &View, wrong: Option<Wrong>) -> Markup {
    let (heading, _) = words::of_stage(view.stage);
    html! {
        h1 { (heading) }
        form method="post" action={ (view.path) "/phone" } {
            (form_key(view))
            label for="phone" { "Số điện thoại" }
            input #phone type="tel" name="phone" inputmode="tel" autocomplete="tel" maxlength="20"
                placeholder="0912 345 678" value=(view.typed) required autofocus
                aria-describedby=(described("phone", wrong)) aria-invalid=[wrong.map(|_| "true")];
            (complaint("phone", wrong))
            p.hint #phone-hint {
                "Số đã liên kết với tài khoản ngân hàng của quý khách. Mã xác nhận được gửi bằng tin nhắn."
            }
            button type="submit" { "Nhận mã xác nhận" }
        }
        p.small.centre { "Chưa có khoản tiền nào bị trừ ở bước này." }
        (leave(view, "Quay lại cửa hàng"))
    }
}

fn code(view: &View, wrong: Option<Wrong>) -> Markup {
    let (heading, _) = words::of_stage(view.stage);
    let phone = view
        .purchase
        .as_ref()
        .map(|purchase| purchase.phone.masked());
    // That no code is sent says nothing about the field.
    let of_field = wrong.filter(|wrong| *wrong != Wrong::NotSent);
    html! {
        h1 { (heading) }
        form method="post" action={ (view.path) "/code" } {
            (form_key(view))
            p.hint #code-hint {
                "6 chữ số trong tin nhắn vừa gửi đến số "
                strong.number { (phone.unwrap_or_default()) }
                @if let Some(sent) = view.sent {
                    ", dùng được đến " strong { (words::clock_time(sent.expires_at)) }
                }
                "."
            }
            label for="code" { "Mã xác nhận" }
            input.code #code type="text" name="code" inputmode="numeric" autocomplete="one-time-code"
                pattern="[0-9 ]{6,7}" maxlength="7" required autofocus
                aria-describedby=(described("code", of_field)) aria-invalid=[of_field.map(|_| "true")];
            (complaint("code", of_field))
            button type="submit" { "Thanh toán " (words::amount(view.order.asked.amount)) }
        }
        (choices(view, wrong))
    }
}

/// What else there is to do with a code: another one, or none.
fn choices(view: &View, wrong: Option<Wrong>) -> Markup {
    let wait_ms = view
        .sent
        .map(|sent| sent.sent_at.0 + view.cooldown_ms - view.now.0);
    let wait_s = wait_ms.map_or(0, |wait_ms| (wait_ms.max(0) + 999) / 1_000);
    html! {
        div.choices {
            form method="post" action={ (view.path) "/resend" } {
                (form_key(view))
                button type="submit" data-wait=(wait_s) data-ready="Gửi lại mã" {
                    "Gửi lại mã"
                    @if wait_s > 0 { " (sau " (wait_s) " giây)" }
                }
            }
            form method="post" action={ (view.path) "/cancel" } {
                (form_key(view))
                button.leave type="submit" { "Hủy" }
            }
        }
        (complaint("resend", wrong.filter(|wrong| *wrong == Wrong::NotSent)))
    }
}

fn waiting(view: &View) -> Markup {
    let (heading, text) = words::of_stage(view.stage);
    html! {
        div.centre data-status={ (view.path) "/status" } data-stage=(view.stage.word()) {
            (sign(Sign::Waiting))
            h1 { (heading) }
            p.lead { (text) }
        }
        @if view.stage != Stage::Waiting { (leave(view, "Về cửa hàng")) }
    }
}

fn ended(view: &View) -> Markup {
    let (heading, text) = words::of_stage(view.stage);
    let of_stage = match view.stage {
        Stage::Paid | Stage::Refunded => Sign::Right,
        Stage::Failed(Failure::Cancelled | Failure::Expired) | Stage::Over => Sign::Over,
        _ => Sign::Wrong,
    };
    html! {
        div.centre {
            (sign(of_stage))
            h1 { (heading) }
            p.lead { (text) }
        }
        a.button href={ (view.path) "/return" } { "Về cửa hàng" }
    }
}

fn leave(view: &View, text: &str) -> Markup {
    html! { a.leave href={ (view.path) "/return" } { (text) } }
}

/// What is wrong with a field, right below it.
fn complaint(field: &str, wrong: Option<Wrong>) -> Markup {
    html! {
        @if let Some(wrong) = wrong {
            p.wrong id={ (field) "-wrong" } role="alert" { (wrong.words()) }
        }
    }
}

/// What a screen reader reads of a field: first what is wrong with it.
fn described(field: &str, wrong: Option<Wrong>) -> String {
    match wrong {
        Some(_) => format!("{field}-wrong {field}-hint"),
        None => format!("{field}-hint"),
    }
}

fn form_key(view: &View) -> Markup {
    html! { input type="hidden" name="form" value=(view.form_key); }
}

enum Sign {
    Waiting,
    Right,
    Wrong,
    Over,
}

fn sign(sign: Sign) -> Markup {
    PreEscaped(
        match sign {
            Sign::Waiting => WAITING,
            Sign::Right => RIGHT,
            Sign::Wrong => WRONG,
            Sign::Over => OVER,
        }
        .to_owned(),
    )
}

const LOCK: &str = r##"<svg viewBox="0 0 24 24" fill="none" stroke="#fff" stroke-width="1.8" aria-hidden="true"><path d="M12 3l7 3v5c0 4.6-2.9 8.3-7 10-4.1-1.7-7-5.4-7-10V6z"/><path d="M9 12l2.2 2.2L15.2 10" stroke-linecap="round" stroke-linejoin="round"/></svg>"##;
const WAITING: &str = r##"<svg class="sign" viewBox="0 0 64 64" fill="none" aria-hidden="true"><circle cx="32" cy="32" r="26" stroke="#e3f3f0" stroke-width="6"/><path class="wheel" d="M32 6a26 26 0 0 1 26 26" stroke="#0b6e63" stroke-width="6" stroke-linecap="round"/></svg>"##;
const RIGHT: &str = r##"<svg class="sign" viewBox="0 0 64 64" fill="none" aria-hidden="true"><circle cx="32" cy="32" r="30" fill="#e3f3f0"/><path d="M20 33l8.5 8.5L45 25" stroke="#0b6e63" stroke-width="5" stroke-linecap="round" stroke-linejoin="round"/></svg>"##;
const WRONG: &str = r##"<svg class="sign" viewBox="0 0 64 64" fill="none" aria-hidden="true"><circle cx="32" cy="32" r="30" fill="#fdecea"/><path d="M32 19v16" stroke="#b3261e" stroke-width="5" stroke-linecap="round"/><circle cx="32" cy="44.5" r="3.2" fill="#b3261e"/></svg>"##;
const OVER: &str = r##"<svg class="sign" viewBox="0 0 64 64" fill="none" aria-hidden="true"><circle cx="32" cy="32" r="30" fill="#edf1f3"/><path d="M23 23l18 18M41 23L23 41" stroke="#5b6b77" stroke-width="5" stroke-linecap="round"/></svg>"##;
