//! What the bank asks of its own accord: it asks until it has an answer that is not "later", over
//! whichever link is signed on, and repeats with the MTI of a repeat.

use std::time::{Duration, Instant};

use super::wire::Message;

/// Questions that are remembered; the bank begins no more.
const QUESTIONS_MAX: usize = 100_000;
/// The pause after an answer that says "later".
const PAUSE: Duration = Duration::from_millis(20);
/// The first STAN of the bank's own questions, far from those of its keys.
const STAN_FIRST: usize = 800_000;
/// DE39 of an answer after which the bank asks again.
const LATER: &str = "96";

/// Something that the bank asks.
#[derive(Clone, Debug)]
pub struct Question {
    /// Four digits, without those of a repeat.
    pub mti: [u8; 4],
    /// DE11.
    pub stan: String,
    /// How often it was sent.
    pub sent: u32,
    /// DE39 of the answers, in their order.
    pub codes: Vec<String>,
    elements: Vec<(usize, Vec<u8>)>,
    /// When it is sent next; `None` while its answer is awaited, and after its end.
    due: Option<Instant>,
    is_over: bool,
}

/// All that the bank asks.
#[derive(Default)]
pub(super) struct Asking(Vec<Question>);

impl Asking {
    /// Begins a question; its STAN is the bank's to give.
    pub(super) fn begin(&mut self, now: Instant, mti: [u8; 4], elements: Vec<(usize, Vec<u8>)>) {
        if self.0.len() >= QUESTIONS_MAX {
            return;
        }
        self.0.push(Question {
            mti,
            stan: format!("{:06}", STAN_FIRST + self.0.len()),
            sent: 0,
            codes: Vec::new(),
            elements,
            due: Some(now),
            is_over: false,
        });
    }

    /// The chargeback of a financial request.
    pub(super) fn charge_back(&mut self, now: Instant, request: &Message<'_>, transmitted: &str) {
        const OF_ORIGINAL: [usize; 9] = [2, 3, 4, 12, 13, 37, 41, 42, 49];
        let own = |element| Some((element, request.get(element)?.to_vec()));
        let mut elements: Vec<_> = OF_ORIGINAL.into_iter().filter_map(own).collect();
        elements.push((7, transmitted.as_bytes().to_vec()));
        elements.push((39, b"53".to_vec()));
        elements.push((90, original_data(request)));
        self.begin(now, *b"0422", elements);
    }

    /// Whatever was not answered is asked again: the link that had it is gone.
    pub(super) fn signed_on(&mut self, now: Instant) {
        let unanswered = |question: &&mut Question| !question.is_over && question.due.is_none();
        for question in self.0.iter_mut().filter(unanswered) {
            question.due = Some(now);
        }
    }

    /// Forgets that anything was answered.
    pub(super) fn forget_answers(&mut self) {
        self.0
            .iter_mut()
            .for_each(|question| question.is_over = false);
    }

    /// Writes what is due.
    pub(super) fn write_due(&mut self, now: Instant, mut write: impl FnMut(&Message<'_>)) {
        let is_due = |question: &&mut Question| question.due.is_some_and(|due| due <= now);
        for question in self.0.iter_mut().filter(is_due) {
            let mut mti = question.mti;
            if question.sent > 0 {
                mti[3] |= 1;
            }
            question.due = None;
            question.sent += 1;
            let mut message = Message::new(mti);
            for (element, value) in &question.elements {
                message.put(*element, value);
            }
            message.put(11, question.stan.as_bytes());
            write(&message);
        }
    }

    /// An answer; `is_lost` if the bank acts as if it had not come. False if nothing was asked.
    pub(super) fn answered(&mut self, now: Instant, answer: &Message<'_>, is_lost: bool) -> bool {
        let stan = answer.get(11).unwrap_or_default();
        let found = self.0.iter_mut().find(|own| own.stan.as_bytes() == stan);
        let Some(question) = found.filter(|own| is_answer(own.mti, answer.mti())) else {
            return false;
        };
        let code = String::from_utf8_lossy(answer.get(39).unwrap_or_default()).into_owned();
        match (is_lost, code == LATER) {
            (true, _) => question.due = Some(now),
            (false, true) => question.due = Some(now + PAUSE),
            (false, false) => question.is_over = true,
        }
        question.codes.push(code);
        true
    }

    pub(super) fn next_due(&self) -> Option<Instant> {
        self.0.iter().filter_map(|question| question.due).min()
    }

    pub(super) fn questions(&self) -> &[Question] {
        &self.0
    }
}

/// 0422 and 0423 are answered 0432.
fn is_answer(asked: [u8; 4], answer: [u8; 4]) -> bool {
    let [version, class, function, origin] = asked;
    answer == [version, class, function + 1, origin]
}

/// DE90: the MTI, STAN, time and institutions of a message.
fn original_data(request: &Message<'_>) -> Vec<u8> {
    let institution = |element| {
        let digits = request.get(element).unwrap_or_default();
        let zeros = 11_usize.saturating_sub(digits.len());
        [&[b'0'; 11][..zeros.min(11)], digits].concat()
    };
    [
        &request.mti()[..],
        request.get(11).unwrap_or(b"000000"),
        request.get(7).unwrap_or(b"0000000000"),
        &institution(32),
        &institution(33),
    ]
    .concat()
}
