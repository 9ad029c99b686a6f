//! `[bank.mac]`, `[bank.key_exchange]` and `[bank.pin]`: how a bank secures its messages.
//!
//! Keys are read from variables and files, and never shown in a fault.

use std::sync::Arc;

use ring::rand::{SecureRandom as _, SystemRandom};

use super::{
    files::Surroundings,
    form,
    peer::MILLIS_MAX,
    reader::{Item, Place, Table},
};
use crate::iso8583::{
    Dialect,
    field::{Content, Length},
    mask::{Disclosure, disclosure},
    mti::Class,
    security::{
        ExchangeRules, KeyLayout, KeyWrap, Keyring, MacAlgorithm, MacKey, MacLength, MacRules,
        PinFormat, PinPolicy, Secret, Security, SoftwarePins, WrappingKey,
        key::CheckMethod,
        mac::{self, MacForm},
        pin::Zone,
    },
};

/// The classes of messages as a person writes them.
const CLASSES: [(&str, Class); 8] = [
    ("01xx", Class::Authorization),
    ("02xx", Class::Financial),
    ("03xx", Class::FileAction),
    ("04xx", Class::Reversal),
    ("05xx", Class::Reconciliation),
    ("06xx", Class::Administrative),
    ("07xx", Class::FeeCollection),
    ("08xx", Class::NetworkManagement),
];

/// Reads all three sections. `None` only with a fault recorded.
pub(super) fn read(
    table: &Table<'_>,
    dialect: Option<&Dialect>,
    surroundings: Surroundings<'_>,
) -> Option<Security> {
    let mac = table.table_if_present("mac", |table| mac(table, dialect, surroundings));
    let algorithm = mac.as_ref().and_then(Option::as_ref);
    let algorithm = algorithm.map(|mac| mac.algorithm);
    let exchange = table.table_if_present("key_exchange", |table| {
        // Without an algorithm it has no rules and no fault of its own: the match below has it.
        let rules = key_exchange(table, algorithm, dialect, surroundings);
        Some((table.place().clone(), rules))
    });
    let pin = table.table("pin", |table| pin(table, surroundings));
    let mac = match (mac?, exchange?) {
        (None, None) => None,
        (None, Some((place, _))) => {
            let what = "is of no use without [bank.mac] and its from_key_exchange = true";
            table.document().fault(&place, what, None);
            return None;
        }
        (Some(mac), exchange) => Some(Arc::new(mac.with_exchange(table, exchange)?)),
    };
    Some(Security { mac, pin: pin? })
}

/// `[bank.mac]` by itself.
struct Mac {
    algorithm: MacAlgorithm,
    length: MacLength,
    classes: Vec<Class>,
    required_on_answers: bool,
    /// `None` if the key comes by the exchange.
    key: Option<MacKey>,
}

impl Mac {
    fn with_exchange(
        self,
        table: &Table<'_>,
        exchange: Option<(Place, Option<ExchangeRules>)>,
    ) -> Option<MacRules> {
        let (keys, exchange) = match (self.key, exchange) {
            (Some(key), None) => (Keyring::fixed(key), None),
            (None, Some((_, rules))) => (Keyring::empty(), Some(rules?)),
            (None, None) => {
                let what = "mac.from_key_exchange needs [bank.key_exchange]";
                table.document().fault(table.place(), what, None);
                return None;
            }
            (Some(_), Some((place, _))) => {
                let what = "is of no use while [bank.mac] has a key of its own";
                let hint = "set from_key_exchange = true there, or remove the section";
                table.document().fault(&place, what, Some(hint.into()));
                return None;
            }
        };
        Some(MacRules {
            algorithm: self.algorithm,
            length: self.length,
            classes: self.classes,
            required_on_answers: self.required_on_answers,
            keys: Arc::new(keys),
            exchange,
        })
    }
}

fn mac(
    table: &Table<'_>,
    dialect: Option<&Dialect>,
    surroundings: Surroundings<'_>,
) -> Option<Mac> {
    let algorithm = table.required_text("algorithm", |word| match word {
        "x9.9" => Ok(MacAlgorithm::X99),
        "x9.19" => Ok(MacAlgorithm::X919),
        "aes-cmac" => Ok(MacAlgorithm::AesCmac),
        _ => Err("is none of x9.9, x9.19, aes-cmac".into()),
    });
    let length = match table.number("length_bytes", 8, 4..=8) {
        8 => Some(MacLength::Eight),
        4 => Some(MacLength::Four),
        _ => {
            let place = table.place_of("length_bytes");
            table.document().fault(&place, "is neither 8 nor 4", None);
            None
        }
    };
    let classes = table.list_not_empty("messages", &["02xx", "04xx"], class);
    let required_on_answers = table.boolean("required_on_answers", true);
    let key = mac_key(table, algorithm, surroundings);
    if let Some(dialect) = dialect {
        check_elements(table, dialect)?;
    }
    Some(Mac {
        algorithm: algorithm?,
        length: length?,
        classes: classes?,
        required_on_answers,
        key: key?,
    })
}

fn class(word: &str) -> Result<Class, String> {
    let found = CLASSES.iter().find(|(own, _)| *own == word);
    found
        .map(|(_, class)| *class)
        .ok_or_else(|| "is none of 01xx, 02xx, 03xx, 04xx, 05xx, 06xx, 07xx, 08xx".into())
}

/// The key of the section, which is `None` where the exchange brings it.
fn mac_key(
    table: &Table<'_>,
    algorithm: Option<MacAlgorithm>,
    surroundings: Surroundings<'_>,
) -> Option<Option<MacKey>> {
    let keys = ["key_env", "key_file"];
    let given = keys.map(|key| table.get(key));
    if table.boolean("from_key_exchange", false) {
        return match given.iter().flatten().next() {
            None => Some(None),
            Some(item) => {
                item.fault("is of no use with from_key_exchange = true", None);
                None
            }
        };
    }
    if given.iter().flatten().next().is_none() {
        let what = "needs exactly one of key_env, key_file and from_key_exchange = true";
        table.document().fault(table.place(), what, None);
        return None;
    }
    let secret = surroundings.key(table, keys, secret)?;
    let place = given.iter().flatten().next().map(Item::place)?;
    let algorithm = algorithm?;
    secret
        .refuse_degenerate()
        .and_then(|()| MacKey::new(algorithm, secret))
        .inspect_err(|error| {
            table
                .document()
                .fault(place, format!("the key {error}"), None)
        })
        .ok()
        .map(Some)
}

fn secret(text: &str) -> Result<Secret, String> {
    Secret::from_hex(text).map_err(|error| error.to_string())
}

/// A MAC is written over the end of an encoded message, so its two elements have one known form.
fn check_elements(table: &Table<'_>, dialect: &Dialect) -> Option<()> {
    let forms = [mac::PRIMARY, mac::SECONDARY].map(|number| {
        MacForm::of(dialect, number)
            .inspect_err(|what| {
                let what = format!("the dialect's element {number} {what}");
                table.document().fault(table.place(), what, None);
            })
            .ok()
    });
    let [primary, secondary] = forms;
    if primary? != secondary? {
        let what = "the dialect's elements 64 and 128 have different encodings";
        table.document().fault(table.place(), what, None);
        return None;
    }
    Some(())
}

fn key_exchange(
    table: &Table<'_>,
    algorithm: Option<MacAlgorithm>,
    dialect: Option<&Dialect>,
    surroundings: Surroundings<'_>,
) -> Option<ExchangeRules> {
    let code = table.text("code", "161", form::network_code);
    let wrap = table.choice(
        "key_wrap",
        "3des-ecb",
        &[
            ("3des-ecb", KeyWrap::TdesEcb),
            ("aes-ecb", KeyWrap::AesEcb),
            ("aes-kw", KeyWrap::AesKeyWrap),
        ],
    );
    let wrapping_key = surroundings.key(table, ["kek_env", "kek_file"], |text| {
        let key = wrap.map(|wrap| WrappingKey::new(wrap, secret(text)?).map_err(|e| e.to_string()));
        key.transpose()
    });
    let layout = layout(table, algorithm, wrap, dialect);
    let refusal_code = table.text("refusal_code", "63", form::response_code);
    let request_at_sign_on = table.boolean("request_at_sign_on", true);
    let key_timeout = table.millis("key_timeout_ms", 30_000, 1..=MILLIS_MAX);
    let previous_key = table.millis("previous_key_ms", 60_000, 0..=MILLIS_MAX);
    Some(ExchangeRules {
        code: code?,
        wrapping_key: wrapping_key??,
        layout: layout?,
        refusal_code: refusal_code?,
        request_at_sign_on,
        key_timeout,
        previous_key,
    })
}

fn layout(
    table: &Table<'_>,
    algorithm: Option<MacAlgorithm>,
    wrap: Option<KeyWrap>,
    dialect: Option<&Dialect>,
) -> Option<KeyLayout> {
    let element = table.number("key_element", 48, 2..=127);
    let offset = table.number("key_offset", 0, 0..=900);
    let digits: usize = table.number("check_value_digits", 6, 4..=16);
    let method = table.choice("check_value", "zeros", &[("zeros", false), ("cmac", true)]);
    let fault = |key, what: String| {
        table.document().fault(&table.place_of(key), what, None);
        None
    };
    if !digits.is_multiple_of(2) {
        return fault(
            "check_value_digits",
            "is odd; an octet has two digits".into(),
        );
    }
    let (algorithm, wrap) = (algorithm?, wrap?);
    let check_method = match (algorithm, method?) {
        (MacAlgorithm::AesCmac, true) => CheckMethod::AesCmac,
        (_, false) => algorithm.check_method(),
        (_, true) => return fault("check_value", "cmac is for AES keys".into()),
    };
    let Some(spec) = dialect?.element(element) else {
        return fault(
            "key_element",
            format!("the dialect has no element {element}"),
        );
    };
    if disclosure(element) != Disclosure::Hidden {
        let what = format!("element {element} is shown by traces and `sampan decode`");
        return fault("key_element", what);
    }
    let layout = KeyLayout {
        element,
        offset,
        is_binary: spec.content() == Content::Bytes,
        check_bytes: digits / 2,
        check_method,
    };
    let mut lengths = algorithm.key_lengths().iter();
    let fits = lengths.any(|key_bytes| {
        let length = layout.length_with(wrap, *key_bytes);
        length.is_some_and(|length| match spec.length() {
            Length::Fixed(_) if layout.is_binary => length == spec.length().maximum(),
            _ => length <= spec.length().maximum(),
        })
    });
    if fits {
        return Some(layout);
    }
    fault(
        "key_element",
        format!("element {element} of the dialect cannot hold such a key and its check value"),
    )
}

fn pin(table: &Table<'_>, surroundings: Surroundings<'_>) -> Option<PinPolicy> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mode {
        Refuse,
        Pass,
        Translate,
    }
    let mode = table.choice(
        "mode",
        "refuse",
        &[
            ("refuse", Mode::Refuse),
            ("pass", Mode::Pass),
            ("translate", Mode::Translate),
        ],
    );
    let format = |key| {
        let formats = [("iso-0", PinFormat::Iso0), ("iso-3", PinFormat::Iso3)];
        table.choice(key, "iso-0", &formats)
    };
    let (from, to) = (format("from_format"), format("to_format"));
    let keys = [
        ["from_key_env", "from_key_file"],
        ["to_key_env", "to_key_file"],
    ];
    if mode? != Mode::Translate {
        for item in keys.iter().flatten().filter_map(|key| table.get(key)) {
            item.warn("is not looked at without mode = \"translate\"", None);
        }
        return Some(match mode? {
            Mode::Pass => PinPolicy::Pass,
            Mode::Refuse | Mode::Translate => PinPolicy::Refuse,
        });
    }
    let zone = |keys, format: Option<PinFormat>| {
        let zone = surroundings.key(table, keys, |text| {
            let zone =
                format.map(|format| Zone::new(&secret(text)?, format).map_err(|e| e.to_string()));
            zone.transpose()
        });
        zone.flatten()
    };
    let [from_keys, to_keys] = keys;
    let (from, to) = (zone(from_keys, from), zone(to_keys, to));
    let translator = SoftwarePins::new(from?, to?, random);
    Some(PinPolicy::Translate(Arc::new(translator)))
}

/// From the system's generator.
fn random() -> Option<[u8; 8]> {
    let mut octets = [0; 8];
    SystemRandom::new().fill(&mut octets).ok()?;
    Some(octets)
}
