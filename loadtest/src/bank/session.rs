//! One link of the bank: signing on and off, echo tests, and the faults between a request and its
//! answer. What a request does to the books is the ledger's affair.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use bytes::{Buf, BufMut, BytesMut};
use tokio::sync::Notify;

use super::Shared;
use super::asking::Asking;
use super::behaviour::{BeforeSignOn, Live, ResponseCode, StatementElement, Wire};
use super::elsewhere::{Line, Lines};
use super::ledger::{Decision, Ledger, Treatment};
use super::packed;
use super::security::{self, Keys};
use super::wire::{self, Malformed, Message, put_digits};
use crate::fault::When;
use crate::locked;
use crate::serve::{Flow, Outbox, Peer};
use crate::utc::Utc;

/// What an answer has of its request.
const ECHOED: [usize; 11] = [2, 3, 4, 7, 11, 12, 13, 37, 41, 42, 49];
/// What an 0810 has of its 0800.
const NETWORK_ECHOED: [usize; 3] = [7, 11, 70];
/// DE11 of the bank's own sign-on.
const SIGN_ON_STAN: &[u8] = b"999999";
/// A sound frame around octets that no dialect knows.
const GARBAGE: &[u8] = b"0024\xff\xfe\x00garbage from the bank";

/// One connection.
pub(super) struct Session {
    shared: Arc<Shared>,
    line: Arc<Line>,
    signed_on: bool,
    /// Our own sign-on, while it is still to be sent.
    sign_on_at: Option<Instant>,
    /// When something that the bank asks is due.
    ask_at: Option<Instant>,
}

impl Session {
    pub(super) fn new(shared: Arc<Shared>, wake: Arc<Notify>) -> Self {
        locked(&shared.ledger).totals.connections += 1;
        let signs_on = shared.live().behaviour.signs_on;
        Self {
            shared,
            line: Line::new(wake),
            signed_on: false,
            sign_on_at: signs_on.then(Instant::now),
            ask_at: None,
        }
    }

    fn on_message(&mut self, turn: &mut Turn<'_>, octets: &[u8]) -> Flow {
        let message = match Message::read(octets) {
            Ok(message) => message,
            Err(malformed) => {
                let mti = octets.first_chunk().copied().unwrap_or_default();
                turn.ledger.wrong_at(mti, malformed);
                return Flow::Open;
            }
        };
        if !turn.believes(&message, octets) {
            return Flow::Open;
        }
        match &message.mti() {
            b"0800" | b"0801" => self.on_network(turn, &message),
            b"0810" => self.on_network_answer(turn, &message),
            b"0200" | b"0201" | b"0100" | b"0101" => return self.on_financial(turn, &message),
            b"0420" | b"0421" | b"0400" | b"0401" => self.on_reversal(turn, &message, octets),
            [_, _, b'1' | b'3', _] => turn.on_answer(&message),
            _ => turn
                .ledger
                .wrong(message.mti(), 0, "an MTI that the bank does not serve"),
        }
        Flow::Open
    }

    fn on_network(&mut self, turn: &mut Turn<'_>, request: &Message<'_>) {
        let behaviour = &turn.live.behaviour;
        let purpose = request.get(70).and_then(|code| code.first_chunk());
        let is_echo = matches!(purpose, Some(b"301" | b"270"));
        turn.ledger.totals.echoes += u64::from(is_echo);
        if behaviour.ignore_network {
            return;
        }
        let code = match (behaviour.refuse_network, purpose) {
            (Some(refusal), _) => refusal,
            (None, Some(b"001" | b"061")) => {
                self.signed_on(turn);
                ResponseCode::APPROVED
            }
            (None, Some(b"002" | b"062")) => {
                self.signed_on = false;
                self.shared.lines.remove(&self.line);
                ResponseCode::APPROVED
            }
            (None, Some(b"301" | b"270" | b"161" | b"201")) => ResponseCode::APPROVED,
            (None, _) => {
                turn.ledger.wrong(
                    request.mti(),
                    70,
                    "a network code that the bank does not know",
                );
                ResponseCode::INVALID
            }
        };
        let key = match (&behaviour.security, purpose) {
            (Some(security), Some(b"161")) if code == ResponseCode::APPROVED => {
                turn.ledger.totals.keys_given += 1;
                turn.ledger.totals.keys_accepted += 1;
                Some(turn.keys.change(&security.kek))
            }
            _ => None,
        };
        let mut answer = Message::new(*b"0810");
        answer.echo(request, &NETWORK_ECHOED);
        answer.put(39, code.as_bytes());
        if let Some(key) = &key {
            answer.put(48, key.as_bytes());
        }
        let wire = behaviour.wire;
        turn.out.send(When::Now, |out| wire.write(&answer, out));
    }

    /// The answer to the one thing that the bank asks: its sign-on.
    fn on_network_answer(&mut self, turn: &mut Turn<'_>, answer: &Message<'_>) {
        let is_ours = turn.live.behaviour.signs_on && answer.get(11) == Some(SIGN_ON_STAN);
        if !is_ours {
            turn.on_answer(answer);
        } else if answer.get(39) == Some(b"00") {
            self.signed_on(turn);
        }
    }

    fn signed_on(&mut self, turn: &mut Turn<'_>) {
        self.signed_on = true;
        self.shared.lines.add(&self.line);
        turn.ledger.totals.sign_ons += 1;
        turn.asking.signed_on(turn.now);
    }

    /// Asks what is due, where the link is signed on.
    fn ask(&mut self, turn: &mut Turn<'_>) {
        if self.signed_on {
            turn.ask_what_is_due();
        }
        self.ask_at = turn.asking.next_due().filter(|_| self.signed_on);
    }

    fn refused_before_sign_on(&self, turn: &mut Turn<'_>, request: &Message<'_>) -> bool {
        if self.signed_on {
            return false;
        }
        turn.ledger.totals.before_sign_on += 1;
        if let BeforeSignOn::Refuse(code) = turn.live.behaviour.before_sign_on {
            turn.answer(request, code, None);
        }
        true
    }

    fn on_financial(&mut self, turn: &mut Turn<'_>, request: &Message<'_>) -> Flow {
        turn.ledger.totals.requests += 1;
        if self.refused_before_sign_on(turn, request) {
            return Flow::Open;
        }
        let live = turn.live;
        let behaviour = &live.behaviour;
        turn.begin_to_ask(request);
        let silent = live.silent.strikes();
        let disconnect = !silent && live.disconnect.strikes();
        let treatment = || {
            let shelved =
                silent && !behaviour.silent_debits || disconnect && !behaviour.disconnect_debits;
            match behaviour.decline {
                _ if shelved => Treatment::Shelve,
                Some(decline) if live.decline.strikes() => Treatment::Decline(decline.code),
                _ => Treatment::Process,
            }
        };
        let decision = turn.ledger.enter(request, behaviour, treatment);
        if silent {
            turn.ledger.totals.unanswered += 1;
        } else if disconnect {
            turn.ledger.totals.disconnected += 1;
            return Flow::Close;
        } else if live.garbage.strikes() {
            turn.ledger.totals.garbage += 1;
            turn.out.send(When::Now, |out| out.put_slice(GARBAGE));
        } else {
            turn.answer_financial(request, decision);
        }
        Flow::Open
    }

    fn on_reversal(&mut self, turn: &mut Turn<'_>, request: &Message<'_>, octets: &[u8]) {
        if self.refused_before_sign_on(turn, request) {
            return;
        }
        // A repeat has a MAC of its own, and nothing else.
        let octets = match turn.live.behaviour.security {
            Some(_) => security::without_mac(octets),
            None => octets,
        };
        if let Some(code) = turn.ledger.reverse(request, octets, &turn.live.behaviour) {
            turn.answer(request, code, request.get(90));
        }
    }
}

/// What one turn of a session works with. The ledger is locked once for all messages of a read.
struct Turn<'a> {
    now: Instant,
    live: &'a Live,
    ledger: &'a mut Ledger,
    keys: &'a mut Keys,
    asking: &'a mut Asking,
    out: &'a mut Outbox,
    lines: &'a Lines,
    line: &'a Arc<Line>,
}

impl Turn<'_> {
    /// Answers a financial request as it was decided, with what its processing code asks for.
    fn answer_financial(&mut self, request: &Message<'_>, decision: Decision) {
        self.ledger.answered(decision);
        let approved = decision.code == ResponseCode::APPROVED;
        let place = decision.place.filter(|_| approved).unwrap_or_default();
        let mut authorization = BytesMut::new();
        let mut asked_for = BytesMut::new();
        let mut answer = answer_to(request, &decision.code);
        let local_time = LocalTime::unless_given(request);
        local_time.put(&mut answer);
        if approved {
            put_digits(&mut authorization, place as u64 + 1, 6);
            answer.put(38, &authorization);
            match request.get(3).and_then(|code| code.first_chunk()) {
                Some(b"30") => {
                    self.put_balance(place, request, &mut asked_for);
                    answer.put(54, &asked_for);
                }
                Some(b"35") => {
                    self.put_statement(place, &mut asked_for);
                    let element = match self.live.behaviour.statement {
                        StatementElement::De48 => 48,
                        StatementElement::De125 => 125,
                    };
                    answer.put(element, &asked_for);
                }
                _ => {}
            }
        }
        self.send(&answer);
        if self.live.answers_twice.strikes() {
            self.send(&answer);
        }
    }

    /// Answers with a code alone.
    fn answer(&mut self, request: &Message<'_>, code: ResponseCode, original: Option<&[u8]>) {
        let mut answer = answer_to(request, &code);
        if let Some(original) = original {
            answer.put(90, original);
        }
        self.send(&answer);
    }

    fn send(&mut self, answer: &Message<'_>) {
        if self.live.answers_elsewhere.strikes() && self.leave_elsewhere(answer) {
            self.ledger.totals.elsewhere += 1;
            return;
        }
        let (when, late) = self.live.pace.draw(self.now);
        self.ledger.totals.late += u64::from(late);
        if self.live.behaviour.security.is_some() {
            let wrong = self.live.wrong_mac.strikes();
            self.out
                .send(when, |out| self.keys.write(answer, out, wrong));
        } else {
            let wire = self.live.behaviour.wire;
            self.out.send(when, |out| wire.write(answer, out));
        }
    }

    /// Has another link write the answer; false if there is none.
    fn leave_elsewhere(&self, answer: &Message<'_>) -> bool {
        let behaviour = &self.live.behaviour;
        self.lines.leave_elsewhere(self.line, |out| {
            if behaviour.security.is_some() {
                self.keys.write(answer, out, false);
            } else {
                behaviour.wire.write(answer, out);
            }
        })
    }

    /// Whether the message's MAC is right, where it has to have one.
    fn believes(&mut self, message: &Message<'_>, octets: &[u8]) -> bool {
        let is_covered = matches!(message.mti(), [_, b'2' | b'4', ..]);
        if self.live.behaviour.security.is_none() || !is_covered {
            return true;
        }
        let believed = self.keys.believe(message, octets);
        if !believed {
            self.ledger.totals.macs_wrong += 1;
            self.ledger
                .wrong(message.mti(), 64, "no MAC, or a wrong one");
        }
        believed
    }

    /// An answer to what the bank has asked.
    fn on_answer(&mut self, answer: &Message<'_>) {
        let mti = answer.mti();
        match (&mti, answer.get(39)) {
            (b"0810", Some(b"00")) => self.ledger.totals.keys_accepted += 1,
            _ => {
                let is_lost = self.live.lose_answers.strikes();
                if !self.asking.answered(self.now, answer, is_lost) {
                    let what = "an answer that the bank did not expect";
                    self.ledger.wrong(mti, 39, what);
                }
            }
        }
    }

    /// A new key, or a chargeback of a request, when it is time for one.
    fn begin_to_ask(&mut self, request: &Message<'_>) {
        let now = Utc::now();
        let transmitted = format!("{}{}", now.date(), now.time());
        if let Some(security) = &self.live.behaviour.security
            && self.keys.are_given()
            && self.live.change_key.strikes()
        {
            self.ledger.totals.keys_given += 1;
            let (stan, key) = (self.own_stan(), self.keys.change(&security.kek));
            let mut change = Message::new(*b"0800");
            change.put(7, transmitted.as_bytes());
            change.put(11, stan.as_bytes());
            change.put(48, key.as_bytes());
            change.put(70, b"161");
            self.out.send(When::Now, |out| change.write(out));
        }
        if self.live.chargebacks.strikes() {
            self.ledger.totals.chargebacks += 1;
            self.asking.charge_back(self.now, request, &transmitted);
        }
    }

    fn ask_what_is_due(&mut self) {
        let (live, keys, out) = (self.live, &mut *self.keys, &mut *self.out);
        self.asking.write_due(self.now, |question| {
            if live.behaviour.security.is_some() {
                out.send(When::Now, |out| keys.write(question, out, false));
            } else {
                out.send(When::Now, |out| live.behaviour.wire.write(question, out));
            }
        });
    }

    /// The STAN of a key that the bank gives.
    fn own_stan(&self) -> String {
        format!("{:06}", self.ledger.totals.keys_given % 800_000)
    }

    /// DE54: the ledger balance (01) and the available balance (02), 20 characters each: account
    /// type, amount type, currency, `C` or `D`, twelve digits.
    fn put_balance(&self, place: usize, request: &Message<'_>, out: &mut BytesMut) {
        let account = self
            .ledger
            .records
            .get(place)
            .and_then(|record| record.account);
        let balance = account.map_or(0, |account| self.ledger.accounts.balance_minor(account));
        let account_type = request
            .get(3)
            .and_then(|code| code.get(2..4))
            .unwrap_or(b"00");
        for amount_type in [b"01", b"02"] {
            out.put_slice(account_type);
            out.put_slice(amount_type);
            out.put_slice(request.get(49).unwrap_or(b"704"));
            out.put_u8(if balance < 0 { b'D' } else { b'C' });
            put_digits(out, balance.unsigned_abs().min(wire::AMOUNT_MAX), 12);
        }
    }

    /// The lines of a mini statement, see [`StatementElement`].
    fn put_statement(&self, place: usize, out: &mut BytesMut) {
        let account = self
            .ledger
            .records
            .get(place)
            .and_then(|record| record.account);
        let Some(account) = account else { return };
        for movement in self.ledger.accounts.movements(account) {
            out.put_slice(&movement.at);
            out.put_u8(movement.sign);
            put_digits(out, movement.amount_minor, 12);
        }
    }
}

/// An answer with what it has of its request: 0200 and 0201 get 0210, 0420 and 0421 get 0430.
fn answer_to<'a>(request: &Message<'a>, code: &'a ResponseCode) -> Message<'a> {
    let [version, class, function, origin] = request.mti();
    // A repeat (odd) is answered as its first message is.
    let mut answer = Message::new([version, class, function + 1, origin & !1]);
    answer.echo(request, &ECHOED);
    answer.put(39, code.as_bytes());
    answer
}

/// DE12 and DE13, for a request that had none. Most have them, and pay nothing for this.
struct LocalTime {
    time: Option<String>,
    date: Option<String>,
}

impl LocalTime {
    fn unless_given(request: &Message<'_>) -> Self {
        let missing = |element| request.get(element).is_none();
        Self {
            time: missing(12).then(|| Utc::now().time()),
            date: missing(13).then(|| Utc::now().date()),
        }
    }

    fn put<'a>(&'a self, answer: &mut Message<'a>) {
        for (element, value) in [(12, &self.time), (13, &self.date)] {
            if let Some(value) = value {
                answer.put(element, value.as_bytes());
            }
        }
    }
}

/// How many octets a message has with its header, and the message in the form of `wire`.
type Whole<'a> = (usize, Cow<'a, [u8]>);

impl Wire {
    /// The first whole message of `input`. `None` when more must come.
    fn read(self, input: &[u8]) -> Result<Option<Whole<'_>>, Malformed> {
        Ok(match self {
            Self::Ascii => wire::frame(input)?
                .map(|octets| (wire::HEADER_BYTES + octets.len(), Cow::Borrowed(octets))),
            Self::Packed => match packed::frame(input) {
                None => None,
                Some([]) => Some((packed::HEADER_BYTES, Cow::Borrowed(&[]))),
                Some(octets) => {
                    let whole = packed::HEADER_BYTES + octets.len();
                    Some((whole, Cow::Owned(packed::unpack(octets)?)))
                }
            },
        })
    }

    fn write(self, message: &Message<'_>, out: &mut BytesMut) {
        match self {
            Self::Ascii => message.write(out),
            Self::Packed => packed::write(message, out),
        }
    }
}

/// Nobody leaves anything at a link that is gone.
impl Drop for Session {
    fn drop(&mut self) {
        self.shared.lines.remove(&self.line);
    }
}

impl Peer for Session {
    fn on_bytes(&mut self, input: &mut BytesMut, now: Instant, out: &mut Outbox) -> Flow {
        let (shared, line) = (Arc::clone(&self.shared), Arc::clone(&self.line));
        let live = shared.live();
        if live.behaviour.black_hole {
            input.clear();
            return Flow::Open;
        }
        let mut ledger = locked(&shared.ledger);
        let mut keys = locked(&shared.keys);
        let mut asking = locked(&shared.asking);
        let mut turn = Turn {
            now,
            live: &live,
            ledger: &mut ledger,
            keys: &mut keys,
            asking: &mut asking,
            out,
            lines: &shared.lines,
            line: &line,
        };
        let mut used = 0;
        let mut flow = Flow::Open;
        while flow == Flow::Open {
            match live
                .behaviour
                .wire
                .read(input.get(used..).unwrap_or_default())
            {
                Ok(None) => break,
                Ok(Some((whole, octets))) => {
                    used += whole;
                    // A header of 0000 is a keepalive for some.
                    if !octets.is_empty() {
                        flow = self.on_message(&mut turn, &octets);
                    }
                }
                Err(malformed) => {
                    turn.ledger.wrong_at(*b"    ", malformed);
                    flow = Flow::Close;
                }
            }
        }
        self.ask(&mut turn);
        input.advance(used);
        flow
    }

    fn on_wake(&mut self, now: Instant, out: &mut Outbox) -> Flow {
        self.line.take(out.ready());
        if self.sign_on_at.take().is_some() {
            let utc = Utc::now();
            let utc = format!("{}{}", utc.date(), utc.time());
            let mut request = Message::new(*b"0800");
            request.put(7, utc.as_bytes());
            request.put(11, SIGN_ON_STAN);
            request.put(70, b"001");
            out.send(When::Now, |out| request.write(out));
        }
        let (shared, line) = (Arc::clone(&self.shared), Arc::clone(&self.line));
        let live = shared.live();
        let mut ledger = locked(&shared.ledger);
        let mut keys = locked(&shared.keys);
        let mut asking = locked(&shared.asking);
        self.ask(&mut Turn {
            now,
            live: &live,
            ledger: &mut ledger,
            keys: &mut keys,
            asking: &mut asking,
            out,
            lines: &shared.lines,
            line: &line,
        });
        Flow::Open
    }

    fn next_wake(&self) -> Option<Instant> {
        [self.sign_on_at, self.ask_at].into_iter().flatten().min()
    }
}
