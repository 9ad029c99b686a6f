//! Messages, their binds, and what comes back.

mod binds;
mod events;
mod failover;
mod outcomes;
mod rate;
mod stop;
mod texts;
