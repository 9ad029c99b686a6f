//! Each event is dealt with once, whatever comes twice and whoever ends in between.
//!
//! A message that cannot be dealt with is set aside after a few attempts, so that it does not keep back
//! those behind it. What only the state of the database prevents is given back to the router.

use metrics::counter;
use ring::{error::Unspecified, rand::SecureRandom as _, rand::SystemRandom};

use super::{
    Intake,
    bank_event::BankEvent,
    command::Command,
    event::{Arrival, Arrived},
    handle::{HandleError, Mo, Receipt},
    record::{self, Kept, Seen},
};
use crate::{
    metrics::{BANK_EVENTS, EVENTS_IGNORED, MO, RECEIPTS},
    phone::Phone,
    router::proto::Event,
    word::Id,
};

/// How often something is tried at once that fails by itself: twice may be a race, thrice is not.
const ATTEMPTS_MAX: u32 = 3;

impl Intake {
    /// Deals with an event. An error leaves it as if it had not come.
    pub(super) async fn deal_with(&self, event: Event) -> Result<(), HandleError> {
        match Arrival::of(event) {
            Arrival::Message(arrived) => self.message(&arrived).await,
            Arrival::Receipt(receipt) => self.receipt(&receipt).await,
            Arrival::Bank(event) => self.bank(&event).await,
            Arrival::Nothing(what) => {
                tracing::warn!("{what} is left alone");
                counter!(EVENTS_IGNORED).increment(1);
                Ok(())
            }
        }
    }

    async fn message(&self, arrived: &Arrived) -> Result<(), HandleError> {
        let command = self.command(arrived);
        let mut attempts = 1;
        let result = loop {
            match self.try_message(arrived, &command).await {
                Ok(result) => break result,
                Err(error) if error.will_pass() => return Err(error),
                Err(_) if attempts < ATTEMPTS_MAX => attempts += 1,
                Err(error) => break self.set_aside(arrived, &command, &error).await?,
            }
        };
        let labels = [("command", command.word()), ("result", result)];
        counter!(MO, &labels).increment(1);
        Ok(())
    }

    /// What a message asks for. One with missing parts asks for nothing, because what is left may
    /// mean something else.
    fn command(&self, arrived: &Arrived) -> Command {
        match &arrived.text {
            Some(text) if arrived.is_whole => self.grammar.read(text),
            Some(_) | None => Command::Unknown,
        }
    }

    /// Deals with a message in one change, and says what became of it.
    async fn try_message(
        &self,
        arrived: &Arrived,
        command: &Command,
    ) -> Result<&'static str, HandleError> {
        let (id, now) = (new_id()?, self.now());
        let mut write = self.store.write().await?;
        record::take_turn(&mut write, &arrived.source, now).await?;
        let window = (!command.only_asks()).then_some(self.settings.repeat_window);
        let seen = record::seen(&mut write, &self.keys, arrived, window).await?;
        let kept = match (seen, mo(&id, arrived, command)) {
            // It was dealt with, and the acknowledgement was lost.
            (Seen::Delivered, _) => return Ok("redelivered"),
            (Seen::Repeated, _) => Kept::Repeated,
            (Seen::New, None) => Kept::Unread,
            (Seen::New, Some(mo)) => {
                Kept::Handled(self.handler.message(&mut write, &mo, now).await?)
            }
        };
        record::keep(&mut write, &self.keys, &id, arrived, command, &kept, now).await?;
        write.commit().await?;
        tracing::debug!(message = %id, command = command.word(), "message {}", kept.word());
        Ok(kept.word())
    }

    /// Keeps a message for a person.
    async fn set_aside(
        &self,
        arrived: &Arrived,
        command: &Command,
        why: &HandleError,
    ) -> Result<&'static str, HandleError> {
        let (id, now) = (new_id()?, self.now());
        let kept = Kept::Failed(why.to_string());
        let mut write = self.store.write().await?;
        record::keep(&mut write, &self.keys, &id, arrived, command, &kept, now).await?;
        write.commit().await?;
        tracing::error!(
            message = %id,
            command = command.word(),
            "a message is set aside, and its sender has no answer: {why}"
        );
        Ok(kept.word())
    }

    async fn receipt(&self, receipt: &Receipt) -> Result<(), HandleError> {
        let mut attempts = 1;
        loop {
            match self.try_receipt(receipt).await {
                Ok(()) => break,
                Err(error) if error.will_pass() => return Err(error),
                Err(_) if attempts < ATTEMPTS_MAX => attempts += 1,
                Err(error) => {
                    tracing::error!(message = %receipt.message, "a receipt is left alone: {error}");
                    break;
                }
            }
        }
        let delivery = receipt.delivery.word();
        counter!(RECEIPTS, "delivery" => delivery).increment(1);
        Ok(())
    }

    async fn try_receipt(&self, receipt: &Receipt) -> Result<(), HandleError> {
        let mut write = self.store.write().await?;
        let handling = self.handler.receipt(&mut write, receipt, self.now());
        handling.await?;
        Ok(write.commit().await?)
    }

    /// Money that a bank takes back is never set aside: it comes again until it is kept.
    async fn bank(&self, event: &BankEvent) -> Result<(), HandleError> {
        let mut write = self.store.write().await?;
        let is_new = event.keep(&mut write, self.now()).await?;
        write.commit().await?;
        if is_new {
            tracing::warn!("{event:?}");
            let labels = [
                ("bank", event.bank.clone()),
                ("kind", event.kind.to_owned()),
            ];
            counter!(BANK_EVENTS, &labels).increment(1);
        }
        Ok(())
    }
}

/// A message that can be dealt with: a text by somebody who can be answered.
fn mo(id: &Id, arrived: &Arrived, command: &Command) -> Option<Mo> {
    let from: Phone = arrived.source.parse().ok()?;
    Some(Mo {
        id: id.clone(),
        from,
        to: arrived.destination.clone(),
        text: arrived.text.clone()?,
        command: command.clone(),
        received_at: arrived.received_at,
    })
}

fn new_id() -> Result<Id, HandleError> {
    let mut bytes = [0_u8; 16];
    let none = || HandleError::Fault("the system gives no randomness".to_owned());
    let filled = SystemRandom::new().fill(&mut bytes);
    filled.map_err(|Unspecified| none())?;
    let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    digits.parse().map_err(|_| none())
}
