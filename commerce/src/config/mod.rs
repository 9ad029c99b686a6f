//! From TOML to settings that cannot be wrong.
//!
//! Each section is a file with a function that reads its table; `sections!` below names them all,
//! so a section is added by one file and one line. One run names every fault. What has no fault is a
//! [`Config`]: nothing checks a setting again. This module opens no socket and no database; of the world
//! it sees the files and environment variables that keys and locations are in.

mod fault;
mod reader;
mod sections;
#[cfg(test)]
mod tests;

use std::{fs::File, io::Read as _, path::Path};

pub(crate) use self::reader::{Document, Table};
pub use self::{
    fault::{Fault, Faults},
    sections::{
        admin::AdminSettings,
        checkout::CheckoutSettings,
        expiry::ExpirySettings,
        http::HttpSettings,
        log::{LogFormat, LogSettings},
        office::{CookieFault, OfficeSettings},
        process::ProcessSettings,
        push::PushSettings,
        sms::SmsSettings,
        stop::StopSettings,
    },
};
use crate::{purchase, router, s2sell, seal::Keys, store::Location};

/// No file of settings is longer; more is a wrong path, such as a device.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Declares the settings, a field for each section, and reads them all.
macro_rules! sections {
    ($($(#[$doc:meta])* $name:ident: $settings:ty = $read:path,)*) => {
        /// All settings of the program, sound each by itself and together.
        #[derive(Clone, Debug)]
        pub struct Config {
            $($(#[$doc])* pub $name: $settings,)*
        }

        /// Asks for every section before it gives up, so that all faults are found.
        fn read_each(root: &Table<'_>) -> Option<Config> {
            $(let $name = root.table(stringify!($name), $read);)*
            Some(Config { $($name: $name?,)* })
        }
    };
}

sections! {
    /// Where the books are.
    store: Location = sections::store::read,
    /// The keys of what is sealed.
    keys: Keys = sections::keys::read,
    /// Where customers and agents call, and how much of it is borne.
    http: HttpSettings = sections::http::read,
    /// The API for agents; nothing if it is not offered.
    s2sell: Option<s2sell::Settings> = sections::s2sell::read,
    /// The back office; nothing if there is none.
    office: Option<OfficeSettings> = sections::office::read,
    /// The way to the networks; nothing if there is none.
    router: Option<router::Settings> = sections::router::read,
    /// What subscribers write.
    sms: SmsSettings = sections::sms::read,
    /// What subscribers may buy.
    purchase: purchase::Rules = sections::purchase::read,
    /// Calls of partners.
    push: PushSettings = sections::push::read,
    /// The pages where customers pay merchants; nothing if they are not offered.
    checkout: Option<CheckoutSettings> = sections::checkout::read,
    /// The end of holds whose time is over.
    expiry: ExpirySettings = sections::expiry::read,
    /// Where operators look.
    admin: AdminSettings = sections::admin::read,
    /// What is logged, and how.
    log: LogSettings = sections::log::read,
    /// What the process may do beside its work.
    process: ProcessSettings = sections::process::read,
    /// The end of the program.
    stop: StopSettings = sections::stop::read,
}

/// Reads every section, and what two of them have to agree on.
fn read(root: &Table<'_>) -> Option<Config> {
    let mut config = read_each(root)?;
    config.purchase.words = config.sms.grammar.shown();
    let cookies = config.office.map(|it| it.cookies(config.http.listen.ip()));
    if let Some(Err(fault)) = cookies {
        root.table("office", |office| office.fault(fault.to_string()));
    }
    Some(config)
}

impl Config {
    /// Reads a file. Relative paths in it are taken from its directory.
    ///
    /// # Errors
    /// Every fault of the file, or that it cannot be read.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        read_file(path, read)
    }

    /// Reads a text. Relative paths in it are taken from `base_dir`.
    ///
    /// # Errors
    /// Every fault of the text.
    pub fn parse(text: &str, base_dir: &Path) -> Result<Self, Faults> {
        Document::read(text, base_dir, read)
    }
}

/// Reads only where the books are: who adds an agent need not have the keys of PIN codes.
///
/// # Errors
/// Every fault of that section, or that the file cannot be read.
pub fn load_store(path: &Path) -> Result<Location, Faults> {
    read_file(path, |root| {
        root.leave_others();
        root.table("store", sections::store::read)
    })
}

/// Reads a TOML file of any kind by that function.
///
/// # Errors
/// Every fault of the file, or that it cannot be read.
pub(crate) fn read_file<T>(
    path: &Path,
    by: impl FnOnce(&Table<'_>) -> Option<T>,
) -> Result<T, Faults> {
    let mut text = String::new();
    let file = File::open(path).map_err(|error| Faults::unreadable(path, error))?;
    let read = file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text);
    read.map_err(|error| Faults::unreadable(path, error))?;
    if text.len() as u64 > FILE_BYTES_MAX {
        let why = format!("it has more than {FILE_BYTES_MAX} bytes");
        return Err(Faults::unreadable(path, why));
    }
    let base_dir = path.parent().unwrap_or(Path::new(""));
    Document::read(&text, base_dir, by).map_err(|faults| faults.of_file(path))
}
