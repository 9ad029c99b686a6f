//! Card numbers in clear: nothing that a run leaves behind may hold one, the router's log, journal and
//! store included.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::config::PREFIXES;

/// Behind a bank's prefix every card of a run has these digits. Without its last four, which may be
/// shown, a number is the two together.
const MIDDLE: &str = "000000";

/// The files in a folder, and in those within it, that hold a card number beyond what may be shown.
pub(crate) fn in_clear(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let numbers = PREFIXES.map(|prefix| [prefix, MIDDLE].concat());
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let kind = entry.file_type()?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let octets = fs::read(entry.path())?;
                if numbers.iter().any(|number| holds(&octets, number)) {
                    found.push(entry.path());
                }
            }
        }
    }
    Ok(found)
}

fn holds(octets: &[u8], number: &str) -> bool {
    octets
        .windows(number.len())
        .any(|window| window == number.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::{super::caller::request, *};

    #[test]
    fn every_card_of_a_run_is_found_in_clear_and_not_masked() {
        let folder = std::env::temp_dir().join(format!("sampan-secrets-{}", std::process::id()));
        fs::create_dir_all(folder.join("router")).unwrap();
        for bank in 0..PREFIXES.len() {
            let pan = request::request(1, 7, bank).pan;
            let (shown, _) = pan.split_at(6);
            let masked = format!("card {shown}******{}", &pan[12..]);
            fs::write(folder.join("router/masked.log"), masked).unwrap();
            assert_eq!(in_clear(&folder).unwrap(), Vec::<PathBuf>::new());
            let clear = folder.join("router/clear.log");
            fs::write(&clear, format!("\0\0card {pan}")).unwrap();
            assert_eq!(in_clear(&folder).unwrap(), vec![clear.clone()]);
            fs::remove_file(clear).unwrap();
        }
        fs::remove_dir_all(folder).unwrap();
    }
}
