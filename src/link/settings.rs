//! What a link has to know of its peer. The configuration builds these; a link never sees a file.

use std::{fmt, sync::Arc, time::Duration};

pub use super::reach::{Dial, Greeting, Listen, Network, Reach};
use crate::{
    iso8583::{MatchElements, Mti, MtiPattern, currency::Currency, dialect::Dialect},
    rate::Rate,
    receipts::SmscReceipts,
    smpp::{self, CommandStatus, compose::TextSettings},
};

/// Settings that every link has, of whatever protocol.
#[derive(Clone, Debug)]
pub struct LinkSettings {
    /// The peer's name, unique among SMSCs and banks together.
    pub peer: Arc<str>,
    /// How connections come about.
    pub reach: Reach,
    /// The number of connections, 1 to 500.
    pub links: u16,
    /// Requests in flight per connection, 1 to 65,536.
    pub window: u32,
    /// Requests that wait to be sent, per connection.
    pub queue_max: usize,
    /// From the request's bytes to its answer.
    pub response_timeout: Duration,
    /// For name resolution, the TCP handshake and that of TLS; and, of a connection that the peer
    /// opens, for TLS and its greeting, and then for a link to take it.
    pub connect_timeout: Duration,
    /// The pause after the first failed connection; doubled at each further one, with jitter.
    pub reconnect_min: Duration,
    /// The longest pause between tries.
    pub reconnect_max: Duration,
    /// The pause after the peer refused our credentials: no hammering with a wrong password.
    pub refused_pause: Duration,
    /// How long a stop waits for what is in flight.
    pub drain_timeout: Duration,
}

/// An SMSC and how to talk to it.
#[derive(Clone)]
pub struct SmscSettings {
    /// The connections.
    pub link: LinkSettings,
    /// Bind kind, credentials and timers.
    pub session: smpp::session::SessionSettings,
    /// Statuses after which the same request may succeed later.
    pub temporary_statuses: Arc<[CommandStatus]>,
    /// Requests, each part of a message being one, that a bind may send; `None` is no limit.
    pub bind_rate: Option<Rate>,
    /// The same for all binds of the SMSC together.
    pub account_rate: Option<Rate>,
    /// Statuses by which the SMSC says that it gets too much.
    pub throttle_statuses: Arc<[CommandStatus]>,
    /// The pause of a bind after the first of them; doubled at each further one.
    pub throttle_pause: Duration,
    /// The longest such pause.
    pub throttle_pause_max: Duration,
    /// How it takes texts.
    pub text: TextSettings,
    /// The pause after ESME_RALYBND: as long as the SMSC takes to notice that our old bind is gone.
    pub already_bound_pause: Duration,
    /// How its receipts find their requests.
    pub receipts: SmscReceipts,
}

impl fmt::Debug for SmscSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SmscSettings")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}

/// Which STAN a reversal carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReversalStan {
    /// A new one of its own.
    #[default]
    New,
    /// That of the payment it takes back.
    Original,
}

/// Over what a bank wants STANs to run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StanPer {
    /// One sequence over all its links.
    #[default]
    Bank,
    /// One sequence for each terminal, DE41.
    Terminal,
}

/// By which connection a bank answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum AnswersOn {
    /// The one that the request came by.
    #[default]
    SameLink,
    /// Whichever of its connections it likes.
    AnyLink,
}

/// How a bank wants reversals.
#[derive(Clone, Debug)]
pub struct ReversalSettings {
    /// 0420, an advice, or 0400, a request, where a bank wants that.
    pub mti: Mti,
    /// The element that says why: 39, or where a bank wants it elsewhere, such as 25 or 60.
    pub reason_element: u8,
    /// What it says after a timeout or a lost link, such as 68.
    pub timeout_code: String,
    /// What it says when the caller cancels, such as 17.
    pub cancel_code: String,
    /// What it says when the answer could not be understood, such as 06.
    pub error_code: String,
    /// Which STAN it carries.
    pub stan: ReversalStan,
    /// The pause before the first 0421; doubled at each further one, with jitter.
    pub repeat_min: Duration,
    /// The longest pause between repeats.
    pub repeat_max: Duration,
    /// Reversals on the wire at a time. A bank that comes back after an hour has more urgent things
    /// to do than to take all of that hour's at once.
    pub in_flight_max: usize,
    /// How long it is repeated before an operator has to look.
    pub budget: Duration,
    /// DE39 of a 0430 that ends it well.
    pub final_codes: Vec<String>,
    /// DE39 of a 0430 after which it is repeated; every other code needs an operator.
    pub retry_codes: Vec<String>,
}

/// What becomes of the messages that a bank begins of its own accord, network management apart.
#[derive(Clone, Debug)]
pub struct AskedSettings {
    /// Those that become events for upstream services, and are acknowledged once these are durable.
    pub hand_up: Vec<MtiPattern>,
    /// Elements that such an event carries although they may not be shown otherwise.
    pub elements: Vec<u8>,
    /// Whether its reconciliations (05xx) are compared with the payments and answered.
    pub reconcile: bool,
    /// DE39 of the answer to a reconciliation that does not agree.
    pub out_of_balance_code: String,
    /// DE39 of the answer to what cannot be taken now: the bank is to send it again.
    pub busy_code: String,
}

/// A bank and how to talk to it.
#[derive(Clone)]
pub struct BankSettings {
    /// The connections.
    pub link: LinkSettings,
    /// Sign-on, echo and their codes, and the dialect.
    pub session: crate::iso8583::session::SessionSettings,
    /// Elements and encodings.
    pub dialect: Arc<Dialect>,
    /// What its answers are found by.
    pub match_by: MatchElements,
    /// Over what STANs run.
    pub stan_per: StanPer,
    /// By which link it answers.
    pub answers_on: AnswersOn,
    /// DE39 of an approval.
    pub approved_codes: Vec<String>,
    /// DE49, where a request names none.
    pub currency: Currency,
    /// DE41, where a request names none.
    pub terminal_id: String,
    /// DE42, where a request names none.
    pub merchant_id: String,
    /// DE32, or empty.
    pub acquirer_id: String,
    /// DE33, or empty.
    pub forwarder_id: String,
    /// DE18, or empty.
    pub merchant_category: String,
    /// DE22, such as 012.
    pub pos_entry_mode: String,
    /// DE25, such as 00.
    pub pos_condition: String,
    /// The offset of DE12 and DE13, the time at the terminal.
    pub local_offset: time::UtcOffset,
    /// How it wants reversals.
    pub reversal: ReversalSettings,
    /// What it may begin.
    pub asked: AskedSettings,
    /// Payments kept for a look-up, final and open together.
    pub records_max: usize,
    /// How long a final payment is kept for a look-up.
    pub retention: Duration,
}

impl fmt::Debug for BankSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BankSettings")
            .field("link", &self.link)
            .finish_non_exhaustive()
    }
}
