//! The pages, a file for each part of the office. A page asks the floors below and gives what they say
//! its shape; what changes something comes in as `Posted` or `Uploaded` and leaves an audit line.

pub(super) mod agents;
pub(super) mod audit;
pub(super) mod cards;
pub(super) mod deliveries;
pub(super) mod ledger;
pub(super) mod login;
pub(super) mod me;
pub(super) mod merchants;
pub(super) mod operators;
pub(super) mod overview;
pub(super) mod purchases;
pub(super) mod sales;
pub(super) mod stock;
