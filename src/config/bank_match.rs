//! `match`, `stan_per` and `answers_on` of a `[[bank]]`: how its answers find their requests.
//!
//! It must let nothing pass under which every payment would be refused, or two be taken for one.

use super::reader::Table;
use crate::{
    iso8583::{MatchElement, MatchElements},
    link::settings::{AnswersOn, StanPer},
};

/// How answers find their requests.
pub(super) struct Matching {
    pub(super) match_by: MatchElements,
    pub(super) stan_per: StanPer,
    pub(super) answers_on: AnswersOn,
}

/// Reads them. `None` only with a fault recorded. `optional` are elements that requests have only if a
/// key of the bank gives them a value: the element, the key, the value.
pub(super) fn read(
    table: &Table<'_>,
    optional: &[(MatchElement, &str, &Option<String>)],
) -> Option<Matching> {
    let elements = table.list_not_empty("match", &["stan"], |word| {
        let element = element(word)?;
        let lacking = optional.iter().find(|(own, _, value)| {
            let is_empty = value.as_ref().is_some_and(String::is_empty);
            *own == element && is_empty
        });
        match lacking {
            Some((_, key, _)) => Err(format!("is in no request to this bank; set {key}")),
            None => Ok(element),
        }
    });
    let stan_per = table.choice(
        "stan_per",
        "bank",
        &[("bank", StanPer::Bank), ("terminal", StanPer::Terminal)],
    );
    let answers_on = table.choice(
        "answers_on",
        "same-link",
        &[
            ("same-link", AnswersOn::SameLink),
            ("any-link", AnswersOn::AnyLink),
        ],
    );
    let (elements, stan_per) = (elements?, stan_per?);
    let match_by = MatchElements::new(elements)?;
    let has = |element| match_by.contains(element);
    let fault = |key, what: &str, hint: &str| {
        let place = table.place_of(key);
        table.document().fault(&place, what, Some(hint.into()));
    };
    let tells_apart = has(MatchElement::Stan) || has(MatchElement::Rrn);
    if !tells_apart {
        fault(
            "match",
            "would find the answers of two payments at once under one key",
            "add \"stan\" or \"rrn\"",
        );
    }
    let tells_terminals_apart = stan_per == StanPer::Bank || has(MatchElement::Terminal);
    if !tells_terminals_apart {
        fault(
            "stan_per",
            "gives two terminals the same STAN, and match does not tell them apart",
            "add \"terminal\" to match",
        );
    }
    (tells_apart && tells_terminals_apart).then_some(Matching {
        match_by,
        stan_per,
        answers_on: answers_on?,
    })
}

fn element(word: &str) -> Result<MatchElement, String> {
    let known = MatchElement::ALL;
    let found = known.into_iter().find(|element| element.as_str() == word);
    found.ok_or_else(|| {
        let words = known.map(MatchElement::as_str);
        format!("is none of {}", words.join(", "))
    })
}
