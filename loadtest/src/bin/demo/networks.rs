//! The simulated SMSCs and banks, and what is wrong with each of them.

use std::{io, net::SocketAddr};

use loadtest::{
    bank::{Account, Bank, BankBehaviour, Decline, ResponseCode, Reversing},
    fault::{DelayMs, Timing, Trigger},
    smsc::{Delivering, Smsc, SmscBehaviour},
};
use sampan::config::Config;

use crate::{DemoError, Options, purchases::Customer};

/// What every card holds at the beginning: a little less than some of them will spend.
const OPENING_MINOR: i64 = 2_000_000;

/// A simulator under the name that the configuration gives it.
pub(crate) struct Named<S> {
    pub(crate) name: String,
    /// What it is, for a reader.
    pub(crate) temper: &'static str,
    /// Whether it loses no connection by itself, so that any loss is somebody else's doing.
    pub(crate) is_steady: bool,
    pub(crate) simulator: S,
}

/// How many entries were on the banks' books, in the order of the banks.
pub(crate) type Marks = Vec<usize>;

/// All simulators. They end when this is dropped.
pub(crate) struct Networks {
    pub(crate) smscs: Vec<Named<Smsc>>,
    pub(crate) banks: Vec<Named<Bank>>,
}

impl Networks {
    /// Starts a simulator at the address of each peer in the configuration: the first SMSC drops a
    /// connection, the second throttles; the first bank is sound, the second flaky.
    pub(crate) async fn start(config: &Config, options: &Options) -> Result<Self, DemoError> {
        let mut networks = Self {
            smscs: Vec::new(),
            banks: Vec::new(),
        };
        let tempers = [drops_a_connection, throttles];
        for (settings, temper) in config.smscs.iter().zip(tempers.iter().cycle()) {
            let (temper, behaviour) = temper(options.messages.into());
            let (name, address) = peer(&settings.link.peer, &settings.link.reach.to_string())?;
            let is_steady = matches!(behaviour.disconnect, Trigger::Never);
            let started = Smsc::start_at(address, behaviour).await;
            networks.smscs.push(Named {
                simulator: started.map_err(|source| taken(&name, address, source))?,
                name,
                temper,
                is_steady,
            });
        }
        for (settings, temper) in config.banks.iter().zip([sound, flaky].iter().cycle()) {
            let (temper, behaviour) = temper(options.payments.into());
            let (name, address) = peer(&settings.link.peer, &settings.link.reach.to_string())?;
            let is_steady = matches!(behaviour.disconnect, Trigger::Never);
            let started = Bank::start_at(address, behaviour).await;
            networks.banks.push(Named {
                simulator: started.map_err(|source| taken(&name, address, source))?,
                name,
                temper,
                is_steady,
            });
        }
        Ok(networks)
    }

    /// Opens the customers' accounts, and lets the flaky bank fail as often as a hundred charges need. No
    /// SMSC loses a message from now on, because nobody sends a subscriber his code again by himself.
    /// Says how many entries each bank has on its books.
    pub(crate) fn turn_to_purchases(&self, customers: &[Customer]) -> Marks {
        for smsc in &self.smscs {
            let before = smsc.simulator.behaviour();
            smsc.simulator.set_behaviour(without_loss(before));
        }
        let turn = |bank: &Named<Bank>| {
            let before = bank.simulator.behaviour();
            let own = customers
                .iter()
                .filter(|customer| customer.bank == bank.name);
            let accounts = own.map(|own| Account::new(&own.account, own.opening_minor));
            let behaviour = BankBehaviour {
                accounts: accounts.collect(),
                ..match bank.is_steady {
                    true => before,
                    false => often_flaky(before),
                }
            };
            bank.simulator.set_behaviour(behaviour);
            bank.simulator.books().entries.len()
        };
        self.banks.iter().map(turn).collect()
    }

    /// Closes them all in good order.
    pub(crate) async fn stop(&self) {
        for smsc in &self.smscs {
            smsc.simulator.stop().await;
        }
        for bank in &self.banks {
            bank.simulator.stop().await;
        }
    }
}

fn peer(name: &str, address: &str) -> Result<(String, SocketAddr), DemoError> {
    let address = address.parse().map_err(|_| {
        DemoError::Unfit(format!(
            "{name}: the demo needs an IP address and port, not {address}"
        ))
    })?;
    Ok((name.to_owned(), address))
}

pub(crate) fn taken(name: &str, address: SocketAddr, source: io::Error) -> DemoError {
    DemoError::Taken {
        name: name.to_owned(),
        address: address.to_string(),
        source,
    }
}

fn delayed(min_ms: u64, max_ms: u64) -> Timing {
    Timing {
        delay: DelayMs::between(min_ms, max_ms),
        ..Timing::default()
    }
}

fn delivering() -> Delivering {
    Delivering {
        delay: DelayMs::between(50, 400),
        undeliverable: Trigger::Every(20),
        ..Delivering::default()
    }
}

fn drops_a_connection(messages: u64) -> (&'static str, SmscBehaviour) {
    let behaviour = SmscBehaviour {
        timing: delayed(3, 10),
        delivering: delivering(),
        // It gets about half of the messages.
        disconnect: Trigger::Every((messages / 3).max(2)),
        ..SmscBehaviour::default()
    };
    ("drops a connection", behaviour)
}

fn throttles(messages: u64) -> (&'static str, SmscBehaviour) {
    let behaviour = SmscBehaviour {
        timing: delayed(5, 20),
        delivering: delivering(),
        throttle: Trigger::Every((messages / 10).max(2)),
        ..SmscBehaviour::default()
    };
    ("throttles now and then", behaviour)
}

fn sound(_payments: u64) -> (&'static str, BankBehaviour) {
    let behaviour = BankBehaviour {
        open_unknown_minor: Some(OPENING_MINOR),
        timing: delayed(5, 20),
        ..BankBehaviour::default()
    };
    ("sound", behaviour)
}

fn flaky(payments: u64) -> (&'static str, BankBehaviour) {
    let behaviour = BankBehaviour {
        open_unknown_minor: Some(OPENING_MINOR),
        timing: Timing {
            late: Trigger::Every(67),
            late_ms: 2_000,
            ..delayed(5, 30)
        },
        decline: Some(Decline {
            trigger: Trigger::Every((payments / 100).clamp(2, 11)),
            code: ResponseCode::new(*b"05"),
        }),
        silent: Trigger::Every((payments / 60).clamp(3, 31)),
        silent_debits: true,
        // Seldom enough that some payments time out before their link is lost.
        disconnect: Trigger::Every((payments / 5).max(200)),
        disconnect_debits: true,
        reversing: Reversing {
            malfunction_first: 1,
            ..Reversing::default()
        },
        ..BankBehaviour::default()
    };
    (
        "flaky: silent, late, drops connections, all after debiting",
        behaviour,
    )
}

fn without_loss(before: SmscBehaviour) -> SmscBehaviour {
    let throttle = match before.throttle {
        Trigger::Never => Trigger::Never,
        _ => Trigger::Every(50),
    };
    SmscBehaviour {
        delivering: Delivering {
            undeliverable: Trigger::Never,
            ..before.delivering
        },
        disconnect: Trigger::Never,
        throttle,
        ..before
    }
}

fn often_flaky(before: BankBehaviour) -> BankBehaviour {
    BankBehaviour {
        timing: Timing {
            late: Trigger::Every(31),
            ..before.timing
        },
        decline: before.decline.map(|decline| Decline {
            trigger: Trigger::Every(16),
            ..decline
        }),
        silent: Trigger::Every(14),
        disconnect: Trigger::Every(60),
        ..before
    }
}
