//! The bank simulator over real sockets, by a client written by hand from ISO 8583:1987.

// What cannot be unwrapped has failed.
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use loadtest::bank::{
    Account, Bank, BankBehaviour, BeforeSignOn, Decline, ResponseCode, Reversing, StatementElement,
};
use loadtest::fault::{DelayMs, Timing, Trigger};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PAN: &str = "9704000000000001";

/// Elements in their wire form, length prefix included.
type Elements = BTreeMap<usize, String>;

fn encode(mti: &str, elements: &Elements) -> Vec<u8> {
    let mut bits = elements
        .keys()
        .fold(0u128, |bits, element| bits | 1 << (128 - element));
    let mut bitmap = format!("{:016x}", (bits >> 64) as u64);
    if bits as u64 != 0 {
        bits |= 1 << 127;
        bitmap = format!("{bits:032X}");
    }
    let body: String = elements.values().map(String::as_str).collect();
    let message = format!("{mti}{bitmap}{body}");
    format!("{:04}{message}", message.len()).into_bytes()
}

fn request(stan: u32) -> Elements {
    [
        (2, format!("16{PAN}")),
        (3, "000000".into()),
        (4, "000000001000".into()),
        (7, "1122020304".into()),
        (11, format!("{stan:06}")),
        (12, "020304".into()),
        (13, "1122".into()),
        (37, format!("R{stan:011}")),
        (41, "TERM0001".into()),
        (42, "MERCHANT0000001".into()),
        (49, "704".into()),
    ]
    .into()
}

fn with(mut elements: Elements, changed: &[(usize, &str)]) -> Elements {
    elements.extend(
        changed
            .iter()
            .map(|(element, value)| (*element, (*value).to_owned())),
    );
    elements
}

/// The reversal of [`request`], under its own STAN.
fn reversal(stan: u32) -> Elements {
    let original = format!("0200{stan:06}1122020304{:022}", 0);
    with(
        request(stan),
        &[(7, "1122030405"), (11, "900000"), (90, &original)],
    )
}

struct Link(TcpStream);

impl Link {
    async fn connect(bank: &Bank) -> Self {
        Self(TcpStream::connect(bank.address()).await.unwrap())
    }

    async fn signed_on(bank: &Bank) -> Self {
        let mut link = Self::connect(bank).await;
        assert_eq!(link.network("001").await, "00");
        link
    }

    async fn send(&mut self, mti: &str, elements: &Elements) {
        self.0.write_all(&encode(mti, elements)).await.unwrap();
    }

    /// The next message without its header, or `None` at the end of the connection.
    async fn next(&mut self) -> Option<Vec<u8>> {
        tokio::time::timeout(Duration::from_secs(10), async {
            let mut header = [0; 4];
            self.0.read_exact(&mut header).await.ok()?;
            let length = std::str::from_utf8(&header).unwrap().parse().unwrap();
            let mut message = vec![0; length];
            self.0.read_exact(&mut message).await.ok()?;
            Some(message)
        })
        .await
        .expect("the simulator said nothing for ten seconds")
    }

    async fn read(&mut self) -> String {
        String::from_utf8(self.next().await.expect("the link has ended")).unwrap()
    }

    /// DE39 of a 0810.
    async fn network(&mut self, code: &str) -> String {
        let elements = [
            (7, "1122020304".to_owned()),
            (11, "000009".into()),
            (70, code.to_owned()),
        ]
        .into();
        self.send("0800", &elements).await;
        let answer = self.read().await;
        assert_eq!(
            answer[..52],
            *"0810822000000200000004000000000000001122020304000009"
        );
        assert_eq!(&answer[54..], code);
        answer[52..54].to_owned()
    }

    /// Sends and reads DE39 of the answer, which is found behind the RRN by position.
    async fn ask(&mut self, mti: &str, elements: &Elements) -> String {
        self.send(mti, elements).await;
        code_of(&self.read().await, elements)
    }

    /// Proves that what was asked before has no answer: an echo test overtakes nothing.
    async fn nothing_before_an_echo(&mut self) {
        assert_eq!(self.network("301").await, "00");
    }
}

/// DE39 of an answer: the two characters before DE41, behind DE37 and, if it is there, DE38.
fn code_of(answer: &str, asked: &Elements) -> String {
    let at = answer.find(&asked[&41]).expect("the answer has no DE41");
    answer[at - 2..at].to_owned()
}

fn account(balance_minor: i64) -> BankBehaviour {
    BankBehaviour {
        accounts: vec![Account::new(PAN, balance_minor)],
        ..Default::default()
    }
}

async fn start(behaviour: BankBehaviour) -> Bank {
    Bank::start(behaviour).await.unwrap()
}

#[tokio::test]
async fn network_messages_are_answered() {
    let bank = start(account(0)).await;
    let mut link = Link::connect(&bank).await;
    for code in ["001", "301", "161", "002"] {
        assert_eq!(link.network(code).await, "00");
    }
    assert_eq!(link.network("999").await, "12");
    let totals = bank.totals();
    assert_eq!((totals.sign_ons, totals.echoes), (1, 1));
}

#[tokio::test]
async fn a_purchase_is_debited_and_answered_with_the_elements_of_its_request() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.send("0200", &request(1)).await;
    // Bits 2 3 4 7 11 12 13 37 38 39 41 42 49, in this order.
    assert_eq!(
        link.read().await,
        "0210723800000EC08000\
         169704000000000001000000000000001000112202030400000102030411\
         22R0000000000100000100TERM0001MERCHANT0000001704"
    );
    let books = bank.books();
    let entry = &books.entries[0];
    assert!(entry.debited && entry.answered && entry.stands());
    assert_eq!(
        (entry.pan.as_str(), entry.amount_minor),
        ("970400******0001", 1_000)
    );
    assert_eq!(books.accounts[0].balance_minor, 4_000);
    assert!(
        !format!("{books:?}{books}").contains(PAN),
        "cards are never shown in clear"
    );
}

#[tokio::test]
async fn unknown_cards_and_empty_accounts_are_declined() {
    let bank = start(account(999)).await;
    let mut link = Link::signed_on(&bank).await;
    assert_eq!(link.ask("0200", &request(1)).await, "51");
    let unknown = with(request(2), &[(2, "169704000000000002")]);
    assert_eq!(link.ask("0200", &unknown).await, "14");
    let nonsense = with(request(3), &[(3, "990000")]);
    assert_eq!(link.ask("0200", &nonsense).await, "12");
    assert_eq!(
        (bank.totals().declined, bank.books().accounts[0].net_minor()),
        (3, 0)
    );
}

#[tokio::test]
async fn requests_before_the_sign_on_are_ignored_or_refused() {
    let bank = start(account(5_000)).await;
    let mut link = Link::connect(&bank).await;
    link.send("0200", &request(1)).await;
    link.nothing_before_an_echo().await;
    let before_sign_on = BeforeSignOn::Refuse(ResponseCode::INOPERATIVE);
    bank.set_behaviour(BankBehaviour {
        before_sign_on,
        ..account(5_000)
    });
    assert_eq!(link.ask("0200", &request(1)).await, "91");
    let books = bank.books();
    assert_eq!((books.totals.before_sign_on, books.entries.len()), (2, 0));
}

#[tokio::test]
async fn a_balance_comes_in_de54() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.send("0100", &with(request(1), &[(3, "301000")])).await;
    let answer = link.read().await;
    assert_eq!(&answer[..20], "0110723800000EC08400");
    assert!(
        answer.ends_with("7040401001704C0000000050001002704C000000005000"),
        "{answer}"
    );
}

#[tokio::test]
async fn a_mini_statement_lists_the_newest_movement_first() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.ask("0200", &request(1)).await;
    link.ask(
        "0200",
        &with(request(2), &[(4, "000000000500"), (7, "1122020399")]),
    )
    .await;
    link.send("0200", &with(request(3), &[(3, "350000")])).await;
    let answer = link.read().await;
    let lines = "0461122020399D0000000005001122020304D000000001000";
    assert!(
        answer.contains(&format!("MERCHANT0000001{lines}704")),
        "DE48: {answer}"
    );
    let statement = StatementElement::De125;
    bank.set_behaviour(BankBehaviour {
        statement,
        ..BankBehaviour::default()
    });
    link.send("0200", &with(request(4), &[(3, "350000")])).await;
    let answer = link.read().await;
    assert!(answer.ends_with(&format!("704{lines}")), "DE125: {answer}");
}

#[tokio::test]
async fn a_transfer_moves_money_and_its_reversal_moves_it_back() {
    let named = |pan: &str, number: &str| Account {
        number: Some(number.to_owned()),
        ..Account::new(pan, 5_000)
    };
    let accounts = vec![named(PAN, "A1"), named("9704000000000002", "A2")];
    let bank = start(BankBehaviour {
        accounts,
        ..Default::default()
    })
    .await;
    let mut link = Link::signed_on(&bank).await;
    let transfer = [(3, "400000"), (102, "02A1"), (103, "02A2")];
    assert_eq!(link.ask("0200", &with(request(1), &transfer)).await, "00");
    let balances = |bank: &Bank| {
        bank.books()
            .accounts
            .iter()
            .map(|account| account.balance_minor)
            .collect::<Vec<_>>()
    };
    assert_eq!(balances(&bank), [4_000, 6_000]);
    assert_eq!(
        link.ask("0420", &with(reversal(1), &[(3, "400000")])).await,
        "00"
    );
    assert_eq!(balances(&bank), [5_000, 5_000]);
    let nowhere = [(3, "400000"), (103, "02A3")];
    assert_eq!(link.ask("0200", &with(request(2), &nowhere)).await, "42");
}

#[tokio::test]
async fn a_request_that_comes_again_is_answered_the_same_and_debited_once() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.send("0200", &request(1)).await;
    let first = link.read().await;
    link.send("0201", &request(1)).await;
    assert_eq!(link.read().await, first);
    let other_terminal = with(request(1), &[(41, "TERM0002"), (37, "R00000000099")]);
    assert_eq!(link.ask("0200", &other_terminal).await, "00");
    let books = bank.books();
    assert_eq!((books.totals.duplicates, books.totals.debits), (1, 2));
    assert_eq!(books.accounts[0].balance_minor, 3_000);
}

#[tokio::test]
async fn a_reversal_takes_effect_once_however_often_it_comes() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.ask("0200", &request(1)).await;
    link.send("0420", &reversal(1)).await;
    let answer = link.read().await;
    let original = format!(
        "TERM0001MERCHANT00000017040200000001{}{:022}",
        "1122020304", 0
    );
    // 0430 with bits 2 3 4 7 11 12 13 37 39 41 42 49 and 90.
    assert_eq!(&answer[..36], "0430F23800000AC080000000004000000000");
    assert!(answer.ends_with(&original), "{answer}");
    assert_eq!(link.ask("0421", &reversal(1)).await, "00");
    assert_eq!(link.ask("0400", &reversal(1)).await, "00");
    let books = bank.books();
    assert_eq!(
        (books.totals.reversed, books.entries[0].reversal_messages),
        (1, 3)
    );
    assert_eq!(books.accounts[0].net_minor(), 0);
    assert_eq!(books.standing().count(), 0);
    assert_eq!(books.totals.protocol_errors, 0);
}

#[tokio::test]
async fn a_request_that_comes_after_its_reversal_is_not_debited() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    assert_eq!(link.ask("0420", &reversal(1)).await, "25");
    assert_eq!(link.ask("0200", &request(1)).await, "06");
    assert_eq!(link.ask("0421", &reversal(1)).await, "00");
    let books = bank.books();
    assert_eq!(
        (
            books.totals.arrived_after_reversal,
            books.totals.reversals_of_unknown
        ),
        (1, 1)
    );
    assert_eq!((books.accounts[0].net_minor(), books.entries.len()), (0, 1));
}

#[tokio::test]
async fn a_repeat_that_changed_is_counted() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.ask("0200", &request(1)).await;
    link.ask("0420", &reversal(1)).await;
    link.ask("0421", &with(reversal(1), &[(7, "1122030406")]))
        .await;
    assert_eq!(bank.totals().repeats_changed, 1);
}

#[tokio::test]
async fn a_reversal_that_does_not_name_what_was_received_is_counted() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.ask("0200", &request(1)).await;
    let wrong_amount = with(reversal(1), &[(4, "000000000999")]);
    assert_eq!(link.ask("0420", &wrong_amount).await, "12");
    let wrong_institution = "020000000111220203040000009704900000000000";
    assert_eq!(
        link.ask("0420", &with(reversal(1), &[(90, wrong_institution)]))
            .await,
        "25"
    );
    let books = bank.books();
    assert_eq!(
        (books.totals.reversals_mismatched, books.standing().count()),
        (2, 1)
    );
}

#[tokio::test]
async fn de90_names_the_institutions_zero_filled() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.ask("0200", &with(request(1), &[(32, "06970490")]))
        .await;
    let original = "020000000111220203040000097049000000000000";
    assert_eq!(original.len(), 42);
    assert_eq!(
        link.ask("0420", &with(reversal(1), &[(90, original)]))
            .await,
        "00"
    );
}

#[tokio::test]
async fn a_decline_on_demand_leaves_the_account_alone() {
    let decline = Some(Decline {
        trigger: Trigger::Every(2),
        code: ResponseCode::new(*b"05"),
    });
    let bank = start(BankBehaviour {
        decline,
        ..account(5_000)
    })
    .await;
    let mut link = Link::signed_on(&bank).await;
    assert_eq!(link.ask("0200", &request(1)).await, "00");
    assert_eq!(link.ask("0200", &request(2)).await, "05");
    assert_eq!(bank.books().accounts[0].net_minor(), -1_000);
}

#[tokio::test]
async fn a_silent_bank_debits_only_where_that_is_asked() {
    for silent_debits in [false, true] {
        let silent = Trigger::Always;
        let bank = start(BankBehaviour {
            silent,
            silent_debits,
            ..account(5_000)
        })
        .await;
        let mut link = Link::signed_on(&bank).await;
        link.send("0200", &request(1)).await;
        link.nothing_before_an_echo().await;
        let books = bank.books();
        assert_eq!(
            books.unanswered_debits().count(),
            usize::from(silent_debits)
        );
        assert_eq!(link.ask("0420", &reversal(1)).await, "00");
        let books = bank.books();
        assert_eq!(
            (
                books.unanswered_debits().count(),
                books.accounts[0].net_minor()
            ),
            (0, 0)
        );
    }
}

#[tokio::test]
async fn a_late_answer_comes_after_those_that_were_made_later() {
    let timing = Timing {
        late: Trigger::First(1),
        late_ms: 50,
        ..Timing::default()
    };
    let bank = start(BankBehaviour {
        timing,
        ..account(5_000)
    })
    .await;
    let mut link = Link::signed_on(&bank).await;
    link.send("0200", &request(1)).await;
    link.send("0200", &request(2)).await;
    let (first, second) = (link.read().await, link.read().await);
    assert!(first.contains("R00000000002") && second.contains("R00000000001"));
    assert_eq!(bank.totals().late, 1);
}

#[tokio::test]
async fn answers_are_shuffled_on_demand() {
    let timing = Timing {
        delay: DelayMs::between(1, 60),
        shuffle: true,
        ..Timing::default()
    };
    let bank = start(BankBehaviour {
        timing,
        ..account(50_000)
    })
    .await;
    let mut link = Link::signed_on(&bank).await;
    for stan in 1..=40 {
        link.send("0200", &request(stan)).await;
    }
    let mut answers = Vec::new();
    for _ in 1..=40 {
        let answer = link.read().await;
        let at = answer.find('R').unwrap();
        answers.push(answer[at..at + 12].to_owned());
    }
    assert!(!answers.is_sorted(), "{answers:?}");
}

#[tokio::test]
async fn reversals_stay_unanswered_then_get_96_then_are_acknowledged() {
    let reversing = Reversing {
        silent_first: 1,
        malfunction_first: 1,
        ..Reversing::default()
    };
    let bank = start(BankBehaviour {
        reversing,
        ..account(5_000)
    })
    .await;
    let mut link = Link::signed_on(&bank).await;
    link.ask("0200", &request(1)).await;
    link.send("0420", &reversal(1)).await;
    link.nothing_before_an_echo().await;
    assert_eq!(link.ask("0421", &reversal(1)).await, "96");
    assert_eq!(link.ask("0421", &reversal(1)).await, "00");
    assert_eq!(bank.totals().reversed, 1);
}

#[tokio::test]
async fn a_dropped_link_debits_before_only_where_that_is_asked() {
    for disconnect_debits in [false, true] {
        let disconnect = Trigger::Always;
        let bank = start(BankBehaviour {
            disconnect,
            disconnect_debits,
            ..account(5_000)
        })
        .await;
        let mut link = Link::signed_on(&bank).await;
        link.send("0200", &request(1)).await;
        assert_eq!(link.next().await, None);
        let books = bank.books();
        assert_eq!(
            books.unanswered_debits().count(),
            usize::from(disconnect_debits)
        );
        assert_eq!(books.totals.disconnected, 1);
    }
}

#[tokio::test]
async fn a_garbage_answer_is_a_sound_frame_of_nonsense() {
    let bank = start(BankBehaviour {
        garbage: Trigger::First(1),
        ..account(5_000)
    })
    .await;
    let mut link = Link::signed_on(&bank).await;
    link.send("0200", &request(1)).await;
    assert!(!link.next().await.unwrap().starts_with(b"0"));
    assert_eq!(
        link.ask("0200", &request(2)).await,
        "00",
        "the framing is sound"
    );
    assert_eq!(bank.books().unanswered_debits().count(), 1);
}

#[tokio::test]
async fn an_answer_that_comes_twice_is_of_one_debit() {
    let bank = start(BankBehaviour {
        answers_twice: Trigger::Always,
        ..account(1_000_000)
    })
    .await;
    let mut link = Link::signed_on(&bank).await;
    link.send("0200", &request(1)).await;
    let first = link.read().await;
    assert_eq!(link.read().await, first);
    assert_eq!(bank.totals().debits, 1);
}

#[tokio::test]
async fn sign_ons_are_refused_or_ignored_on_demand() {
    let refuse_network = Some(ResponseCode::INOPERATIVE);
    let bank = start(BankBehaviour {
        refuse_network,
        ..account(0)
    })
    .await;
    let mut link = Link::connect(&bank).await;
    assert_eq!(link.network("001").await, "91");
    for silence in [
        BankBehaviour {
            ignore_network: true,
            ..account(0)
        },
        BankBehaviour {
            black_hole: true,
            ..account(0)
        },
    ] {
        bank.set_behaviour(silence);
        let elements = [(70, "001".to_owned())].into();
        link.send("0800", &elements).await;
        let mut octet = [0];
        let said = tokio::time::timeout(Duration::from_millis(30), link.0.read(&mut octet)).await;
        assert!(said.is_err(), "{said:?}");
    }
}

#[tokio::test]
async fn a_message_that_cannot_be_read_is_named_and_disturbs_nothing() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.send("0200", &with(request(1), &[(4, "00000000100x")]))
        .await;
    assert_eq!(link.ask("0200", &request(2)).await, "00");
    let books = bank.books();
    assert_eq!(
        (
            books.protocol_errors[0].element,
            books.totals.protocol_errors
        ),
        (4, 1)
    );
    link.0.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    assert_eq!(link.next().await, None);
    assert_eq!(bank.totals().protocol_errors, 2);
}

#[tokio::test]
async fn messages_are_read_however_they_are_cut() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    for octet in encode("0200", &request(1)) {
        link.0.write_all(&[octet]).await.unwrap();
        tokio::task::yield_now().await;
    }
    assert_eq!(code_of(&link.read().await, &request(1)), "00");
}

#[tokio::test]
async fn a_killed_bank_comes_back_with_its_books_and_wants_a_new_sign_on() {
    let bank = start(account(5_000)).await;
    let mut link = Link::signed_on(&bank).await;
    link.ask("0200", &request(1)).await;
    bank.kill().await;
    assert_eq!(link.next().await, None);
    assert!(TcpStream::connect(bank.address()).await.is_err());
    bank.restart().await.unwrap();
    let mut link = Link::connect(&bank).await;
    link.send("0420", &reversal(1)).await;
    link.nothing_before_an_echo().await;
    assert_eq!(link.network("001").await, "00");
    assert_eq!(link.ask("0421", &reversal(1)).await, "00");
    assert_eq!(bank.books().standing().count(), 0);
    bank.stop().await;
}
