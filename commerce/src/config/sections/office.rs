//! `[office]`: the back office, and how browsers keep what shows who is logged in.

use std::net::IpAddr;

use super::super::Table;
use crate::office::Cookies;

/// The office.
#[derive(Clone, Copy, Debug)]
pub struct OfficeSettings {
    secure_cookies: bool,
}

/// Cookies would go over the network as anybody can read them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("secure_cookies may be false only where http.listen is a loopback address")]
pub struct CookieFault;

impl OfficeSettings {
    /// How browsers keep their tokens, if the office is where the program listens.
    ///
    /// # Errors
    /// Cookies that are not secure would leave this machine.
    pub fn cookies(self, listening_on: IpAddr) -> Result<Cookies, CookieFault> {
        match self.secure_cookies {
            true => Ok(Cookies::SECURE),
            false => Cookies::plain(listening_on).ok_or(CookieFault),
        }
    }
}

pub(in super::super) fn read(table: &Table<'_>) -> Option<Option<OfficeSettings>> {
    let is_enabled = table.boolean("enabled", false);
    let settings = OfficeSettings {
        secure_cookies: table.boolean("secure_cookies", true),
    };
    Some(is_enabled.then_some(settings))
}
