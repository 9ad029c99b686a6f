//! `sampan check`: names every fault of a configuration file. It binds no port and connects to
//! nobody, so it may run beside a router that uses the same file.

use std::{
    io::{self, Write},
    path::Path,
};

use super::Exit;
use crate::config::Config;

/// Checks a file: faults and warnings go to standard error, a sound file's summary to standard
/// output. [`Exit::Usage`] if there are faults; warnings alone are no failure.
pub fn check(path: &Path) -> Exit {
    report(path, &mut io::stdout().lock(), &mut io::stderr().lock()).unwrap_or(Exit::Failure)
}

fn report(path: &Path, out: &mut dyn Write, err: &mut dyn Write) -> io::Result<Exit> {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(faults) => {
            writeln!(err, "{faults}")?;
            return Ok(Exit::Usage);
        }
    };
    write!(err, "{}", config.display_warnings(path))?;
    writeln!(
        out,
        "config OK: {}, {}, {}",
        counted(config.smscs.len(), "SMSC"),
        counted(config.banks.len(), "bank"),
        counted(
            config.message_routes.len() + config.payment_routes.len(),
            "route"
        ),
    )?;
    Ok(Exit::Success)
}

fn counted(count: usize, noun: &str) -> String {
    match count {
        1 => format!("1 {noun}"),
        count => format!("{count} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the command on a text: how it ended, standard output, standard error.
    fn check_text(test: &str, text: &str) -> (Exit, String, String) {
        let name = format!("sampan-check-{}-{test}.toml", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::write(&path, text).unwrap();
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = report(&path, &mut out, &mut err).unwrap();
        std::fs::remove_file(&path).unwrap();
        let shown = |bytes: Vec<u8>| {
            let text = String::from_utf8(bytes).unwrap();
            text.replace(&path.display().to_string(), "FILE")
        };
        (exit, shown(out), shown(err))
    }

    #[test]
    fn a_sound_file_is_summed_up_on_standard_output() {
        let (exit, out, err) = check_text("sound", include_str!("../../config/demo.toml"));
        assert_eq!(exit, Exit::Success);
        assert_eq!(out, "config OK: 2 SMSCs, 2 banks, 5 routes\n");
        assert_eq!(err, "");
    }

    #[test]
    fn faults_go_to_standard_error_and_end_in_64() {
        let (exit, out, err) = check_text("faulty", "[stop]\ntimeout_ms = -1\n[lug]\n");
        assert_eq!(exit, Exit::Usage);
        assert_eq!(exit as u8, 64);
        assert_eq!(out, "");
        assert_eq!(
            err,
            "FILE:2: stop.timeout_ms: -1 is not between 0 and 3600000\n\
             FILE:3: lug: is no known key; did you mean log?\n"
        );
    }

    #[test]
    fn warnings_alone_are_no_failure() {
        let (exit, out, err) = check_text("warned", "");
        assert_eq!(exit, Exit::Success);
        assert_eq!(out, "config OK: 0 SMSCs, 0 banks, 0 routes\n");
        assert_eq!(
            err,
            "FILE:1: warning: there is no [[smsc]] and no [[bank]]; nothing can be sent\n"
        );
    }

    #[test]
    fn a_file_that_is_not_there_ends_in_64() {
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let exit = report(Path::new("/nowhere/x.toml"), &mut out, &mut err).unwrap();
        assert_eq!(exit, Exit::Usage);
        assert!(err.starts_with(b"/nowhere/x.toml: cannot be read: "));
    }

    #[test]
    fn one_of_a_kind_is_counted_in_the_singular() {
        assert_eq!(counted(1, "route"), "1 route");
        assert_eq!(counted(0, "route"), "0 routes");
    }
}
