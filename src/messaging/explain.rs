//! The dry run of a message: which way it would take now, and why. Sends nothing.

use super::Messaging;
use crate::{
    client::ClientName,
    message::Message,
    route::{Asked, Explanation, Health},
};

impl Messaging {
    /// Tells the route and the SMSCs of a message of that client, by the state of the links now.
    pub fn explain_route(&self, client: &ClientName, message: &Message) -> Explanation {
        let asked = Asked::new(client, message);
        let turn = self.turns.next();
        self.routes
            .load()
            .explain(&asked, turn, &|name| self.health(name))
    }

    fn health(&self, smsc: &str) -> Health {
        match self.smscs.get(smsc).map(|smsc| &smsc.pool) {
            Some(pool) if pool.is_paused() => Health::Paused,
            Some(pool) if pool.is_up() => Health::Up,
            Some(_) | None => Health::Down,
        }
    }
}
