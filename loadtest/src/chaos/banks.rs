//! The two simulated banks, each behind its proxy, and the moods that a plan puts them in.

use std::{io, time::Duration};

use loadtest::{
    bank::{Bank, BankBehaviour, BankBooks, Decline, ResponseCode, Reversing},
    fault::{DelayMs, Timing, Trigger},
};
use tokio::time::sleep;

use super::{
    config::RESPONSE_TIMEOUT_MS,
    plan::BANKS,
    proxy::{Ending, Proxy, Strike, Weather},
};

/// No card runs out of money: what is declined is declined on purpose.
const OPENING_MINOR: i64 = 1_000_000_000_000;

/// How often a bank that was dead tries to listen again, and the pause between: a connection to its free
/// port may have been given that very port as its own, and holds it until the router gives up.
const RETURNS_MAX: u32 = 100;
const RETURN_PAUSE: Duration = Duration::from_millis(50);

/// How a bank behaves for a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mood {
    /// Mostly sound: now and then silent, late, declining, nonsensical, answering twice or by another link.
    Usual,
    /// Nothing is wrong at all: how a run ends.
    Sound,
    /// Debits and does not answer.
    SilentAfterDebit,
    /// Reads, and neither debits nor answers.
    SilentBeforeDebit,
    /// Reads and knows of nothing.
    Deaf,
    /// Answers shortly before the router gives up.
    Slow,
    /// Debits, and answers after the router has given up.
    Late,
    /// Declines.
    Declining,
    /// Debits and answers nonsense.
    Garbling,
    /// Answers everything twice.
    AnsweringTwice,
    /// Debits and drops the connection.
    DroppingAfterDebit,
    /// Drops the connection and debits nothing.
    DroppingBeforeDebit,
    /// Keeps silent on the first 0420 of each payment, and answers the next ones 96.
    Stubborn,
    /// Ends all connections and refuses every sign-on.
    RefusingSignOn,
    /// Ends all connections and ignores every sign-on.
    IgnoringSignOn,
    /// Dead: nobody listens.
    Dead,
}

impl Mood {
    /// All that a plan chooses from.
    pub(crate) const BAD: [Self; 14] = [
        Self::SilentAfterDebit,
        Self::SilentBeforeDebit,
        Self::Deaf,
        Self::Slow,
        Self::Late,
        Self::Declining,
        Self::Garbling,
        Self::AnsweringTwice,
        Self::DroppingAfterDebit,
        Self::DroppingBeforeDebit,
        Self::Stubborn,
        Self::RefusingSignOn,
        Self::IgnoringSignOn,
        Self::Dead,
    ];

    fn behaviour(self) -> BankBehaviour {
        let sound = BankBehaviour {
            open_unknown_minor: Some(OPENING_MINOR),
            timing: Timing {
                delay: DelayMs::between(0, 8),
                shuffle: true,
                ..Timing::default()
            },
            ..BankBehaviour::default()
        };
        match self {
            Self::Sound | Self::Dead => sound,
            Self::Usual => usual(sound),
            Self::SilentAfterDebit => BankBehaviour {
                silent: Trigger::Chance(0.5),
                silent_debits: true,
                ..sound
            },
            Self::SilentBeforeDebit => BankBehaviour {
                silent: Trigger::Chance(0.5),
                ..sound
            },
            Self::Deaf => BankBehaviour {
                black_hole: true,
                ..sound
            },
            Self::Slow => BankBehaviour {
                timing: Timing {
                    delay: DelayMs::between(RESPONSE_TIMEOUT_MS * 3 / 4, RESPONSE_TIMEOUT_MS),
                    shuffle: true,
                    ..Timing::default()
                },
                ..sound
            },
            Self::Late => BankBehaviour {
                timing: Timing {
                    late: Trigger::Chance(0.4),
                    late_ms: RESPONSE_TIMEOUT_MS + 100,
                    ..sound.timing
                },
                ..sound
            },
            Self::Declining => BankBehaviour {
                decline: declining(Trigger::Chance(0.8)),
                ..sound
            },
            Self::Garbling => BankBehaviour {
                garbage: Trigger::Chance(0.2),
                ..sound
            },
            Self::AnsweringTwice => BankBehaviour {
                answers_twice: Trigger::Always,
                ..sound
            },
            Self::DroppingAfterDebit => BankBehaviour {
                disconnect: Trigger::Every(25),
                disconnect_debits: true,
                ..sound
            },
            Self::DroppingBeforeDebit => BankBehaviour {
                disconnect: Trigger::Every(25),
                ..sound
            },
            Self::Stubborn => BankBehaviour {
                silent: Trigger::Chance(0.2),
                silent_debits: true,
                reversing: Reversing {
                    silent_first: 1,
                    malfunction_first: 2,
                    ..Reversing::default()
                },
                ..sound
            },
            Self::RefusingSignOn => BankBehaviour {
                refuse_network: Some(ResponseCode::INOPERATIVE),
                ..sound
            },
            Self::IgnoringSignOn => BankBehaviour {
                ignore_network: true,
                ..sound
            },
        }
    }
}

fn usual(sound: BankBehaviour) -> BankBehaviour {
    BankBehaviour {
        timing: Timing {
            late: Trigger::Chance(0.01),
            late_ms: RESPONSE_TIMEOUT_MS + 200,
            ..sound.timing
        },
        decline: declining(Trigger::Chance(0.08)),
        silent: Trigger::Chance(0.01),
        silent_debits: true,
        garbage: Trigger::Chance(0.002),
        answers_twice: Trigger::Chance(0.02),
        answers_elsewhere: Trigger::Chance(0.05),
        disconnect: Trigger::Chance(0.001),
        disconnect_debits: true,
        reversing: Reversing {
            malfunction_first: 1,
            ..Reversing::default()
        },
        ..sound
    }
}

fn declining(trigger: Trigger) -> Option<Decline> {
    Some(Decline {
        trigger,
        code: ResponseCode::new(*b"05"),
    })
}

/// A bank and the network in front of it.
pub(crate) struct Banks([(Bank, Proxy); BANKS]);

impl Banks {
    pub(crate) async fn start() -> io::Result<Self> {
        Ok(Self([start_one().await?, start_one().await?]))
    }

    /// Where the router finds them.
    pub(crate) fn addresses(&self) -> [std::net::SocketAddr; BANKS] {
        self.0.each_ref().map(|(_, proxy)| proxy.address())
    }

    /// Connections that were cut so far.
    pub(crate) fn cuts(&self) -> u64 {
        self.0.iter().map(|(_, proxy)| proxy.cuts()).sum()
    }

    /// What the banks saw.
    pub(crate) fn books(&self) -> [BankBooks; BANKS] {
        self.0.each_ref().map(|(bank, _)| bank.books())
    }

    pub(crate) fn strike(&self, bank: usize, pick: u32, strike: Strike) {
        if let Some((_, proxy)) = self.0.get(bank) {
            proxy.strike(pick, strike);
        }
    }

    pub(crate) fn set_weather(&self, bank: usize, weather: Weather) {
        if let Some((_, proxy)) = self.0.get(bank) {
            proxy.set_weather(weather);
        }
    }

    /// # Errors
    /// When a bank that was dead finds its port taken.
    pub(crate) async fn set_mood(&self, bank: usize, mood: Mood) -> io::Result<()> {
        let Some((bank, proxy)) = self.0.get(bank) else {
            return Ok(());
        };
        bank.set_behaviour(mood.behaviour());
        match mood {
            Mood::Dead => bank.kill().await,
            _ => come_back(bank).await?,
        }
        if matches!(mood, Mood::RefusingSignOn | Mood::IgnoringSignOn) {
            proxy.cut_all(Ending::Closed);
        }
        Ok(())
    }

    /// Nothing is wrong with either any more.
    pub(crate) async fn heal(&self) -> io::Result<()> {
        for bank in 0..BANKS {
            self.set_weather(bank, Weather::default());
            self.set_mood(bank, Mood::Sound).await?;
        }
        Ok(())
    }
}

async fn come_back(bank: &Bank) -> io::Result<()> {
    for _ in 0..RETURNS_MAX {
        match bank.restart().await {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => sleep(RETURN_PAUSE).await,
            ended => return ended,
        }
    }
    bank.restart().await
}

async fn start_one() -> io::Result<(Bank, Proxy)> {
    let bank = Bank::start(Mood::Usual.behaviour()).await?;
    let proxy = Proxy::start(bank.address()).await?;
    Ok((bank, proxy))
}
