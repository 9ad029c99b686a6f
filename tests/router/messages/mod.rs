//! Messages, their binds, and what comes back.

mod binds;
mod events;
mod failover;
mod outcomes;
mod rate;
mod receipts;
mod repeats;
mod stop;
mod texts;
