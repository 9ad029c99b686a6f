//! Options of the command line, and the behaviours that they stand for. Nothing runs here.

use std::net::{Ipv4Addr, SocketAddr};

use clap::{Args, Parser, Subcommand, ValueEnum};
use loadtest::bank::{self, BankBehaviour, Decline, ResponseCode, Reversing};
use loadtest::fault::{DelayMs, Timing, Trigger};
use loadtest::smsc::{
    self, Accounts, BookKeeping, Delivering, IdFormat, Refusal, SmscBehaviour, status,
};

use crate::{bench, chaos};

/// Simulators of the networks that Sampan connects, and the proof that payments survive anything.
///
/// A TRIGGER says when a fault strikes: never, always, a probability (0.01), 1/N for every Nth, or
/// first:N. A DELAY is in milliseconds: 20, or 5..50.
#[derive(Parser)]
#[command(version)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Runs an SMPP 3.4 message centre. Standard input takes: mo SOURCE DEST TEXT, books, unbind,
    /// kill, restart.
    Smsc(SmscOptions),
    /// Runs an ISO 8583:1987 bank. Standard input takes: books, kill, restart.
    Bank(BankOptions),
    /// Runs a router under payments while everything around it fails, then holds the books of the
    /// callers, the router and the banks against each other. docs/CHAOS.md tells more.
    Chaos(chaos::Options),
    /// Measures throughput, latency, processor time and memory of a router, which it starts, and the same
    /// exchange without a router. docs/PERFORMANCE.md tells more.
    Bench(bench::Options),
}

#[derive(Args)]
struct Pace {
    /// Delay of every answer.
    #[arg(long, value_name = "DELAY", default_value = "0")]
    delay_ms: DelayMs,
    /// Let answers overtake each other as their delays fall.
    #[arg(long)]
    shuffle: bool,
    /// Which answers are late.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    late: Trigger,
    /// How late those are.
    #[arg(long, value_name = "MS", default_value_t = 60_000)]
    late_ms: u64,
}

impl Pace {
    fn timing(&self) -> Timing {
        let Self {
            delay_ms,
            shuffle,
            late,
            late_ms,
        } = *self;
        Timing {
            delay: delay_ms,
            shuffle,
            late,
            late_ms,
        }
    }
}

#[derive(Clone, Copy, ValueEnum)]
enum Ids {
    Decimal,
    Padded,
    Hex,
    UpperHex,
}

impl From<Ids> for IdFormat {
    fn from(ids: Ids) -> Self {
        match ids {
            Ids::Decimal => Self::Decimal,
            Ids::Padded => Self::Padded,
            Ids::Hex => Self::Hex,
            Ids::UpperHex => Self::UpperHex,
        }
    }
}

#[derive(Args)]
pub(crate) struct SmscOptions {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 2775)))]
    pub(crate) listen: SocketAddr,
    /// Play this scenario in place of the other options: a name of --scenarios, or a file.
    #[arg(long, value_name = "NAME|FILE")]
    pub(crate) scenario: Option<String>,
    /// List the scenarios and end.
    #[arg(long)]
    pub(crate) scenarios: bool,
    /// Who may bind; may be given several times. Without it, anyone may.
    #[arg(long = "account", value_name = "SYSTEM_ID:PASSWORD", value_parser = account)]
    accounts: Vec<smsc::Account>,
    /// Binds that one system_id may hold.
    #[arg(long)]
    binds_max: Option<usize>,
    #[command(flatten)]
    pace: Pace,
    /// Submissions answered ESME_RTHROTTLED.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    throttle: Trigger,
    /// Submissions answered with --refuse-status.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    refuse: Trigger,
    /// The command_status of refused submissions.
    #[arg(long, value_name = "STATUS", default_value_t = status::RSYSERR)]
    refuse_status: u32,
    /// Submissions that are dropped: not accepted, not answered.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    drop: Trigger,
    /// Accept the dropped submissions nevertheless.
    #[arg(long)]
    drop_accepts: bool,
    /// Submissions after which the connection drops.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    disconnect: Trigger,
    /// Delay from acceptance to the receipt.
    #[arg(long, value_name = "DELAY", default_value = "100")]
    receipts_ms: DelayMs,
    /// Messages that end undeliverable.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    undeliverable: Trigger,
    /// How ids are written in responses.
    #[arg(long, value_enum, default_value = "decimal")]
    ids: Ids,
    /// How ids are written in receipts.
    #[arg(long, value_enum, default_value = "decimal")]
    receipt_ids: Ids,
    /// Send receipts without TLVs.
    #[arg(long)]
    no_receipt_tlvs: bool,
    /// Enquire after links that are silent for so long.
    #[arg(long, value_name = "MS")]
    enquire_link_ms: Option<u64>,
    /// Leave enquire_link unanswered.
    #[arg(long)]
    ignore_enquire_link: bool,
    /// Refuse every bind with this status.
    #[arg(long, value_name = "STATUS")]
    refuse_binds: Option<u32>,
    /// Accept connections and say nothing.
    #[arg(long)]
    black_hole: bool,
    /// Keep counts, not messages.
    #[arg(long)]
    counts_only: bool,
}

impl SmscOptions {
    pub(crate) fn behaviour(self) -> SmscBehaviour {
        SmscBehaviour {
            accounts: match self.accounts {
                accounts if accounts.is_empty() => Accounts::Anyone,
                accounts => Accounts::Listed(accounts),
            },
            binds_max: self.binds_max,
            books: if self.counts_only {
                BookKeeping::CountsOnly
            } else {
                BookKeeping::Full
            },
            message_ids: self.ids.into(),
            timing: self.pace.timing(),
            delivering: Delivering {
                delay: self.receipts_ms,
                undeliverable: self.undeliverable,
                receipt_tlvs: !self.no_receipt_tlvs,
                receipt_ids: self.receipt_ids.into(),
                ..Delivering::default()
            },
            enquire_link_ms: self.enquire_link_ms,
            throttle: self.throttle,
            refuse: Some(Refusal {
                trigger: self.refuse,
                status: self.refuse_status,
            }),
            error_bodies: false,
            silent: self.drop,
            silent_accepts: self.drop_accepts,
            disconnect: self.disconnect,
            ignore_enquire_link: self.ignore_enquire_link,
            refuse_binds: self.refuse_binds,
            black_hole: self.black_hole,
        }
    }
}

#[derive(Args)]
pub(crate) struct BankOptions {
    /// Where to listen; port 0 takes a free one.
    #[arg(long, default_value_t = SocketAddr::from((Ipv4Addr::LOCALHOST, 8583)))]
    pub(crate) listen: SocketAddr,
    /// An account with its balance in minor units; may be given several times.
    #[arg(long = "account", value_name = "PAN:BALANCE", value_parser = bank_account)]
    accounts: Vec<bank::Account>,
    /// Open an account with this balance for every unknown card.
    #[arg(long, value_name = "BALANCE")]
    open_unknown: Option<i64>,
    #[command(flatten)]
    pace: Pace,
    /// Requests declined with --decline-code.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    decline: Trigger,
    /// DE39 of declined requests.
    #[arg(long, value_name = "CODE", default_value = "05")]
    decline_code: ResponseCode,
    /// Requests left unanswered.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    silent: Trigger,
    /// Debit the unanswered requests nevertheless.
    #[arg(long)]
    silent_debits: bool,
    /// Requests after which the link drops.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    disconnect: Trigger,
    /// Debit those requests before.
    #[arg(long)]
    disconnect_debits: bool,
    /// Requests answered with garbage.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    garbage: Trigger,
    /// Requests answered twice.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    answers_twice: Trigger,
    /// Requests and reversals answered by another link.
    #[arg(long, value_name = "TRIGGER", default_value = "never")]
    answers_elsewhere: Trigger,
    /// Messages of each reversal that stay unanswered.
    #[arg(long, value_name = "N", default_value_t = 0)]
    reversal_silent_first: u32,
    /// Messages of each reversal that are then answered 96.
    #[arg(long, value_name = "N", default_value_t = 0)]
    reversal_malfunction_first: u32,
    /// DE39 for a reversal whose original is unknown.
    #[arg(long, value_name = "CODE", default_value = "25")]
    unknown_original: ResponseCode,
    /// Leave every 0800 unanswered.
    #[arg(long)]
    ignore_network: bool,
    /// Accept connections and say nothing.
    #[arg(long)]
    black_hole: bool,
}

impl BankOptions {
    pub(crate) fn behaviour(self) -> BankBehaviour {
        BankBehaviour {
            accounts: self.accounts,
            open_unknown_minor: self.open_unknown,
            timing: self.pace.timing(),
            reversing: Reversing {
                silent_first: self.reversal_silent_first,
                malfunction_first: self.reversal_malfunction_first,
                unknown_original: self.unknown_original,
            },
            decline: Some(Decline {
                trigger: self.decline,
                code: self.decline_code,
            }),
            silent: self.silent,
            silent_debits: self.silent_debits,
            disconnect: self.disconnect,
            disconnect_debits: self.disconnect_debits,
            garbage: self.garbage,
            answers_twice: self.answers_twice,
            answers_elsewhere: self.answers_elsewhere,
            ignore_network: self.ignore_network,
            black_hole: self.black_hole,
            ..BankBehaviour::default()
        }
    }
}

fn account(given: &str) -> Result<smsc::Account, String> {
    let (system_id, password) = given
        .split_once(':')
        .ok_or("SYSTEM_ID:PASSWORD is wanted")?;
    if system_id.len() > 15 || password.len() > 8 {
        return Err("a system_id has at most 15 octets, a password at most 8".to_owned());
    }
    Ok(smsc::Account::new(system_id, password))
}

fn bank_account(given: &str) -> Result<bank::Account, String> {
    let (pan, balance) = given.split_once(':').ok_or("PAN:BALANCE is wanted")?;
    if !(12..=19).contains(&pan.len()) || !pan.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err("a PAN has 12 to 19 digits".to_owned());
    }
    let balance = balance
        .parse()
        .map_err(|_| "the balance is no number of minor units")?;
    Ok(bank::Account::new(pan, balance))
}

/// The data_coding and octets of a text: as it is where ASCII suffices, UCS-2 otherwise.
pub(crate) fn encode(text: &str) -> (u8, Vec<u8>) {
    if text.is_ascii() {
        (0, text.as_bytes().to_vec())
    } else {
        (8, text.encode_utf16().flat_map(u16::to_be_bytes).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn faults_of_the_command_line_become_a_behaviour() {
        let line = "loadtest smsc --throttle 0.01 --drop 1/100 --delay-ms 5..50 --account a:b";
        let Command::Smsc(options) = Cli::parse_from(line.split(' ')).command else {
            panic!("an SMSC was asked for");
        };
        let behaviour = options.behaviour();
        assert_eq!(behaviour.throttle, Trigger::Chance(0.01));
        assert_eq!(behaviour.silent, Trigger::Every(100));
        assert_eq!(behaviour.timing.delay, DelayMs::between(5, 50));
        assert_eq!(
            behaviour.accounts,
            Accounts::Listed(vec![smsc::Account::new("a", "b")])
        );
    }

    #[test]
    fn a_vietnamese_text_travels_as_ucs_2() {
        assert_eq!(encode("NAP 50"), (0, b"NAP 50".to_vec()));
        assert_eq!(encode("Nạp"), (8, b"\x00N\x1e\xa1\x00p".to_vec()));
    }
}
