//! What subscribers read in messages: Vietnamese without diacritics, as usual in messages here, because
//! every letter is then one of the GSM 7-bit alphabet and each text is one part of 160.
//!
//! No text says more than is known: a charge that nobody has answered for is neither paid nor failed.

use zeroize::Zeroizing;

use super::{Confirmed, Item, Purchase, Refusal, State, Why};
use crate::{
    intake::ShownWords,
    moment::{Day, UnixMs},
    money::Vnd,
    otp::{self, Code},
    stock::Card,
};

/// Characters of one message in the GSM 7-bit alphabet.
const PART: usize = 160;

/// Characters of a purchase's id that people are told.
const SHORT_ID: usize = 8;

/// Characters of a merchant's own words.
const WORDS_MAX: usize = 32;

/// The question for the code.
pub(super) fn ask_for_code(purchase: &Purchase, code: &Code, life_min: u32) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "Ma xac nhan {}: {} gia {}. Tra loi ma nay trong {life_min} phut de mua. \
         Khong dua ma cho bat ky ai.",
        code.reveal(),
        item(purchase),
        amount(purchase.amount),
    ))
}

/// The card.
pub(super) fn card(card: &Card) -> Zeroizing<String> {
    let account_no = card.account_no.as_ref();
    let account_no = account_no.map_or(String::new(), |no| format!(" TK {no}"));
    Zeroizing::new(format!(
        "The {}: ma {} seri {}{account_no} HSD {}. Cam on quy khach.",
        card.card_type,
        card.pin.reveal(),
        card.serial,
        date(card.expires_on),
    ))
}

/// How a purchase stands, to its subscriber.
pub fn status(purchase: &Purchase) -> Zeroizing<String> {
    let what = format!("GD {} ({})", short_id(purchase), item(purchase));
    let amount = amount(purchase.amount);
    Zeroizing::new(match purchase.state {
        State::Created | State::Authenticating => {
            format!("{what} {amount} dang cho ma xac nhan.")
        }
        State::Charging => format!("{what} dang duoc gui toi ngan hang."),
        State::FundsHeld | State::Fulfilling => {
            format!("{what} da thanh toan {amount}, hang dang duoc giao.")
        }
        State::Fulfilled | State::Completed => match purchase.item {
            Item::Card(_) => format!("{what} da thanh toan {amount}, ma the da gui."),
            Item::Order { .. } => format!("{what} da thanh toan {amount}."),
        },
        State::Cancelled => format!("{what} da huy. Tien khong bi tru."),
        State::Expired => format!("{what} het han xac nhan. Tien khong bi tru."),
        State::Failed => format!(
            "{what} khong thanh cong: {}. Tien khong bi tru.",
            why(purchase)
        ),
        State::Unknown => format!(
            "{what} {amount} chua ro ket qua, dang hoi ngan hang. Chung toi se bao lai, \
             xin dung mua lai."
        ),
        State::Reversing => format!(
            "{what} khong thanh cong. Neu tien da bi tru thi dang duoc hoan; \
             chung toi se bao lai."
        ),
        State::Compensating => format!(
            "{what}{} {amount} dang duoc hoan ve tai khoan.",
            gone(purchase)
        ),
        State::Refunded => format!("{what}{} {amount} da hoan ve tai khoan.", gone(purchase)),
        State::ManualReview => format!(
            "{what} {amount} chua ro ket qua, nhan vien dang kiem tra voi ngan hang. \
             Xin dung mua lai."
        ),
    })
}

/// Why a purchase is given back. A merchant has his own reasons.
fn gone(purchase: &Purchase) -> &'static str {
    match purchase.item {
        Item::Card(_) => " khong giao duoc hang.",
        Item::Order { .. } => ":",
    }
}

/// Why a purchase came to nothing.
fn why(purchase: &Purchase) -> &'static str {
    match purchase.why {
        Some(Why::Declined) => "ngan hang tu choi",
        Some(Why::OutOfStock) => "het the",
        Some(Why::TooLate | Why::NotSent) => "chua gui duoc toi ngan hang",
        Some(Why::Reversed) => "ngan hang da hoan lai",
        _ => "giao dich da dong",
    }
}

/// Why an order is not taken.
pub fn refused(refusal: &Refusal, words: &ShownWords) -> Zeroizing<String> {
    let text = match refusal {
        Refusal::NotLinked => {
            "So nay chua lien ket tai khoan ngan hang. Xin dang ky tai ngan hang.".to_owned()
        }
        Refusal::Blocked => "Dich vu cua so nay dang bi khoa. Xin goi tong dai.".to_owned(),
        Refusal::NotOnSale(card_type) => format!("Khong co loai the {card_type}."),
        Refusal::OutOfStock(card_type) => {
            format!("The {card_type} tam het. Tien khong bi tru.")
        }
        Refusal::Awaiting(_) => {
            let awaits = "Quy khach con mot giao dich cho ma xac nhan. Xin tra loi ma";
            match words.cancel {
                Some(cancel) => format!("{awaits} hoac soan {cancel}."),
                None => format!("{awaits}."),
            }
        }
        Refusal::TooManyOpen => {
            "Quy khach con giao dich chua ket thuc. Xin cho ket qua roi mua tiep.".to_owned()
        }
        Refusal::DayFull => "Quy khach da mua den han muc trong ngay.".to_owned(),
        Refusal::NothingAwaits => "Khong co giao dich nao cho ma xac nhan.".to_owned(),
        Refusal::Otp(otp::Refusal::Locked { until }) => locked(*until),
        Refusal::Otp(otp::Refusal::TooSoon { .. }) => {
            "Ma vua duoc gui. Xin cho mot phut roi yeu cau lai.".to_owned()
        }
        Refusal::Otp(otp::Refusal::DayFull) => {
            "So nay da nhan qua nhieu ma xac nhan hom nay.".to_owned()
        }
        Refusal::NoAmount | Refusal::OrderTaken | Refusal::KeyUsed | Refusal::NoRefund(_) => {
            "Yeu cau khong hop le.".to_owned()
        }
    };
    Zeroizing::new(text)
}

/// What came of a code, where no other message tells of it.
pub fn confirmed(confirmed: &Confirmed) -> Option<Zeroizing<String>> {
    let text = match confirmed {
        // Its end is told as soon as it is known.
        Confirmed::Charging(_) | Confirmed::OutOfStock(_) => return None,
        Confirmed::Wrong { tries_left } => {
            format!("Ma xac nhan sai. Con {tries_left} lan thu.")
        }
        Confirmed::Locked { until } => locked(*until),
        Confirmed::Gone => "Ma xac nhan het han hoac da dung. Xin dat mua lai.".to_owned(),
    };
    Some(Zeroizing::new(text))
}

/// How to buy, in the words of this shop's grammar. The example goes where it leaves no room for the rest.
pub fn help(words: &ShownWords) -> Zeroizing<String> {
    let with_example = help_with(words, true);
    Zeroizing::new(match with_example.len() <= PART {
        true => with_example,
        false => help_with(words, false),
    })
}

fn help_with(words: &ShownWords, has_example: bool) -> String {
    let mut text = match words.buy {
        Some(buy) if has_example => format!("Soan {buy} MA_THE (vd {buy} MOBI100) de mua the, "),
        Some(buy) => format!("Soan {buy} MA_THE de mua the, "),
        None => "Xin ".to_owned(),
    };
    text += "tra loi ma xac nhan de thanh toan";
    if let Some(cancel) = words.cancel {
        text += &format!(", {cancel} de huy");
    }
    if let Some(status) = words.status {
        text += &format!(", {status} de tra cuu giao dich cuoi");
    }
    text + "."
}

/// To who asks for the status of nothing.
pub fn no_purchase() -> Zeroizing<String> {
    Zeroizing::new("Quy khach chua co giao dich nao.".to_owned())
}

fn locked(until: UnixMs) -> String {
    format!(
        "Nhap sai qua nhieu lan. Xac nhan bi khoa den {}.",
        time_of_day(until)
    )
}

/// Hours and minutes in Vietnam, which is seven hours ahead.
fn time_of_day(at: UnixMs) -> String {
    let minutes = (at.0.div_euclid(60_000) + 7 * 60).rem_euclid(24 * 60);
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

/// As it is written here, `30/12/2026`.
fn date(day: Day) -> String {
    let text = day.to_string();
    let parts: Vec<&str> = text.rsplit('-').collect();
    parts.join("/")
}

/// As it is written here, `100.000d`.
fn amount(amount: Vnd) -> String {
    let digits = amount.dong().to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push('.');
        }
        text.push(digit);
    }
    text.push('d');
    text
}

fn item(purchase: &Purchase) -> String {
    let text = match &purchase.item {
        Item::Card(card_type) => format!("the {card_type}"),
        Item::Order { merchant, .. } => format!("don hang {merchant}"),
    };
    text.chars().take(WORDS_MAX).collect()
}

fn short_id(purchase: &Purchase) -> &str {
    purchase.id.as_str().get(..SHORT_ID).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{intake::ShownWord, purchase::Channel, seal::PinCode};

    /// The longest of each field.
    fn purchase(state: State, why: Option<Why>, item: Item) -> Purchase {
        Purchase {
            id: "0123456789abcdef0123456789abcdef".parse().unwrap(),
            phone: "84912345678".parse().unwrap(),
            bank: "vcb".parse().unwrap(),
            channel: Channel::Sms,
            item,
            amount: Vnd::new(99_999_999).unwrap(),
            state,
            version: 1,
            attempts: 0,
            created_at: UnixMs(0),
            updated_at: UnixMs(0),
            confirmed_at: None,
            charge_asked_at: None,
            response_code: Some("51".to_owned()),
            why,
            card_resends: 0,
        }
    }

    fn items() -> [Item; 2] {
        let merchant = "m".repeat(64).parse().unwrap();
        let reference = "r".repeat(128).parse().unwrap();
        [
            Item::Card("M".repeat(20).parse().unwrap()),
            Item::Order {
                merchant,
                reference,
            },
        ]
    }

    #[track_caller]
    fn assert_one_part(text: &str) {
        let is_basic = |char: char| char.is_ascii() && !"[]{}\\^~|`".contains(char) && char >= ' ';
        assert!(text.chars().all(is_basic), "{text}");
        assert!(text.len() <= PART, "{}: {text}", text.len());
    }

    /// The usual ones, none, and the longest.
    fn shown_words() -> [ShownWords; 3] {
        let all = |word: &str| {
            let word = ShownWord::of(word);
            ShownWords {
                buy: word,
                cancel: word,
                status: word,
            }
        };
        let longest = "M".repeat(crate::intake::SHOWN_LENGTH_MAX);
        [ShownWords::default(), all(""), all(&longest)]
    }

    #[test]
    fn help_tells_the_words_of_the_shops_own_grammar() {
        let [usual, none, longest] = shown_words();
        assert_eq!(
            help(&usual).as_str(),
            "Soan MUA MA_THE (vd MUA MOBI100) de mua the, tra loi ma xac nhan de thanh toan, \
             HUY de huy, TC de tra cuu giao dich cuoi."
        );
        let words = ShownWords {
            buy: ShownWord::of("NAP THE"),
            cancel: ShownWord::of("THOI"),
            status: None,
        };
        assert_eq!(
            help(&words).as_str(),
            "Soan NAP THE MA_THE (vd NAP THE MOBI100) de mua the, tra loi ma xac nhan de thanh \
             toan, THOI de huy."
        );
        let awaiting = Refusal::Awaiting("p".parse().unwrap());
        assert!(refused(&awaiting, &words).ends_with("Xin tra loi ma hoac soan THOI."));
        assert!(refused(&awaiting, &none).ends_with("Xin tra loi ma."));
        assert_eq!(
            help(&none).as_str(),
            "Xin tra loi ma xac nhan de thanh toan."
        );
        assert!(!help(&longest).contains("(vd"));
    }

    #[test]
    fn every_text_is_one_part_in_the_gsm_alphabet() {
        for item in items() {
            for state in State::ALL {
                for why in Why::ALL.iter().copied().map(Some).chain([None]) {
                    assert_one_part(&status(&purchase(*state, why, item.clone())));
                }
            }
            let code = Code::parse("123456").unwrap();
            let purchase = purchase(State::Authenticating, None, item);
            assert_one_part(&ask_for_code(&purchase, &code, 30));
        }
        let card_type: crate::word::CardTypeId = "M".repeat(20).parse().unwrap();
        let until = UnixMs(1_800_000_000_000);
        for refusal in [
            Refusal::NotLinked,
            Refusal::Blocked,
            Refusal::NotOnSale(card_type.clone()),
            Refusal::OutOfStock(card_type),
            Refusal::Awaiting("p".parse().unwrap()),
            Refusal::TooManyOpen,
            Refusal::DayFull,
            Refusal::NoAmount,
            Refusal::OrderTaken,
            Refusal::KeyUsed,
            Refusal::NothingAwaits,
            Refusal::Otp(otp::Refusal::Locked { until }),
            Refusal::Otp(otp::Refusal::TooSoon { until }),
            Refusal::Otp(otp::Refusal::DayFull),
        ] {
            for words in shown_words() {
                assert_one_part(&refused(&refusal, &words));
            }
        }
        assert_one_part(&confirmed(&Confirmed::Wrong { tries_left: 4 }).unwrap());
        assert_one_part(&confirmed(&Confirmed::Gone).unwrap());
        for words in shown_words() {
            assert_one_part(&help(&words));
        }
        assert_one_part(&no_purchase());
    }

    #[test]
    fn a_card_of_usual_length_is_one_part() {
        let card = Card {
            card_type: "MOBI100".parse().unwrap(),
            serial: "0123456789ABCDE".parse().unwrap(),
            pin: PinCode::parse("123456789012345").unwrap(),
            expires_on: "2026-12-30".parse().unwrap(),
            account_no: None,
        };
        let text = super::card(&card);
        assert_one_part(&text);
        assert_eq!(
            text.as_str(),
            "The MOBI100: ma 123456789012345 seri 0123456789ABCDE HSD 30/12/2026. \
             Cam on quy khach."
        );
    }

    #[test]
    fn what_is_not_known_is_told_as_not_known() {
        for state in [State::Unknown, State::ManualReview, State::Reversing] {
            for item in items() {
                let text = status(&purchase(state, Some(Why::Contradiction), item));
                let claims = ["khong bi tru", "da thanh toan", "da hoan ve"];
                assert!(
                    !claims.iter().any(|claim| text.contains(claim)),
                    "{}",
                    *text
                );
            }
        }
    }

    #[test]
    fn amounts_days_and_times_are_written_as_they_are_here() {
        let amount = |dong| super::amount(Vnd::new(dong).unwrap());
        assert_eq!(amount(0), "0d");
        assert_eq!(amount(500), "500d");
        assert_eq!(amount(10_000), "10.000d");
        assert_eq!(amount(1_234_567), "1.234.567d");
        // 2026-11-22T16:59:59.999Z.
        assert_eq!(time_of_day(UnixMs(1_795_366_799_999)), "23:59");
        assert_eq!(time_of_day(UnixMs(1_795_366_800_000)), "00:00");
    }
}
