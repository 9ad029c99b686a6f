//! How a bank's answers find their requests.

use super::*;
use crate::{
    iso8583::{MatchElement, MatchElements},
    link::settings::{AnswersOn, StanPer},
};

/// The sound text with lines more in its `[[bank]]`, at line 12.
fn bank_with(lines: &str) -> String {
    with_before("[[message_route]]", lines)
}

#[test]
fn without_a_word_the_stan_of_the_bank_finds_its_answer_on_its_own_link() {
    let bank = sound(SOUND).banks.remove(0);
    assert_eq!(bank.match_by, MatchElements::default());
    assert_eq!(bank.stan_per, StanPer::Bank);
    assert_eq!(bank.answers_on, AnswersOn::SameLink);
}

#[test]
fn answers_are_found_by_the_elements_that_are_named() {
    let config = sound(&bank_with(
        "match = [\"terminal\", \"stan\", \"acquirer\"]\nstan_per = \"terminal\"\n\
         answers_on = \"any-link\"\nacquirer_id = \"970499\"",
    ));
    let bank = &config.banks[0];
    let elements = [
        MatchElement::Stan,
        MatchElement::Acquirer,
        MatchElement::Terminal,
    ];
    assert_eq!(Some(&bank.match_by), MatchElements::new(elements).as_ref());
    assert_eq!(bank.stan_per, StanPer::Terminal);
    assert_eq!(bank.answers_on, AnswersOn::AnyLink);
}

#[test]
fn an_element_that_is_none_or_in_no_request_is_refused_with_its_line() {
    refused(
        &bank_with("match = [\"stan\",\n \"rrm\"]"),
        &[
            "configuration:13: bank[0].match[1]: \"rrm\" is none of transmission_time, stan, local_time, \
           local_date, acquirer, forwarder, rrn, terminal, merchant",
        ],
    );
    refused(
        &bank_with("match = [\"stan\", \"acquirer\"]"),
        &[
            "configuration:12: bank[0].match[1]: \"acquirer\" is in no request to this bank; set acquirer_id",
        ],
    );
    refused(
        &bank_with("match = []"),
        &["configuration:12: bank[0].match: is empty"],
    );
    refused(
        &bank_with("answers_on = \"anywhere\""),
        &["configuration:12: bank[0].answers_on: \"anywhere\" is none of same-link, any-link"],
    );
}

#[test]
fn a_key_that_tells_nothing_apart_is_refused() {
    refused(
        &bank_with("match = [\"terminal\", \"local_date\"]"),
        &[
            "configuration:12: bank[0].match: would find the answers of two payments at once under one key; \
           add \"stan\" or \"rrn\"",
        ],
    );
    refused(
        &bank_with("stan_per = \"terminal\""),
        &[
            "configuration:12: bank[0].stan_per: gives two terminals the same STAN, and match does not tell \
           them apart; add \"terminal\" to match",
        ],
    );
}
