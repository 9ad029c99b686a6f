//! `[[smsc]]`: an SMSC, its binds and its manners.

use std::sync::Arc;

use super::{
    files::Surroundings,
    form,
    peer::{self, Kind, LinkDefaults, MILLIS_MAX, Peers},
    reach::{self, ListenKeys},
    reader::Table,
};
use crate::{
    link::settings::{Greeting, SmscSettings},
    receipts::{IdFormat, IdRules, SmscReceipts},
    smpp::{
        Address, CommandStatus, Npi, Ton,
        compose::TextSettings,
        language::NationalLanguage,
        pdu::{Bind, BindKind},
        receipt::Unmarked,
        segment::Splitting,
        session::{SessionLimits, SessionSettings},
        text::Coding,
    },
};

/// SMPP 3.4 5.2.4: 0x34 is version 3.4, what is below is 3.3 or earlier.
const INTERFACE_VERSION_MAX: u8 = 0x34;
/// Room for a header, a message_payload and every other TLV.
const PDU_BYTES: std::ops::RangeInclusive<usize> = 256..=1 << 20;
/// ESME_RSYSERR, RMSGQFUL, RTHROTTLED and RX_T_APPN.
const TEMPORARY_STATUSES: [u32; 4] = [0x08, 0x14, 0x58, 0x64];
/// ESME_RTHROTTLED and RMSGQFUL.
const THROTTLE_STATUSES: [u32; 2] = [0x58, 0x14];

const OUTBIND: ListenKeys = ListenKeys {
    listen: "outbind_listen",
    from: "outbind_from",
};

const LINK: LinkDefaults = LinkDefaults {
    links_key: "binds",
    window: 10,
    response_timeout_ms: 10_000,
};

/// Reads one SMSC. `None` only with a fault recorded.
pub(super) fn read(
    table: &Table<'_>,
    peers: &mut Peers,
    surroundings: Surroundings<'_>,
) -> Option<SmscSettings> {
    let kind = bind_kind(table);
    let takes_messages = kind.is_none_or(BindKind::transmits);
    let peer_kind = match takes_messages {
        true => Kind::Smsc,
        false => Kind::ReceivingSmsc,
    };
    let name = peers.name(table, peer_kind);
    let outbind = outbind(table, surroundings);
    let reach = reach::read(table, &OUTBIND, peers, outbind, surroundings);
    let link = peer::link(table, name, reach, &LINK);
    let session = session(table, kind, surroundings);
    let temporary_statuses = statuses(table, "temporary_statuses", &TEMPORARY_STATUSES);
    // An SMSC that grants 100 a second throttles 100 at once, so the burst is short.
    let burst = peer::burst(table, 20);
    let bind_rate = peer::rate(table, "tps_per_bind", burst);
    let account_rate = peer::rate(table, "tps", burst);
    let throttle_statuses = statuses(table, "throttle_statuses", &THROTTLE_STATUSES);
    let temporary_statuses = with_all_of(temporary_statuses, &throttle_statuses);
    // Without any pause a throttled message would go back and forth as fast as the SMSC answers.
    let throttle_pause = table.millis("throttle_pause_ms", 1_000, 1..=MILLIS_MAX);
    let throttle_pause_max = table.millis("throttle_pause_max_ms", 30_000, 1..=MILLIS_MAX);
    peer::in_order(
        table,
        "throttle_pause_ms",
        "throttle_pause_max_ms",
        throttle_pause <= throttle_pause_max,
    );
    let already_bound_pause = table.millis("already_bound_pause_ms", 35_000, 1..=MILLIS_MAX);
    let text = text(table);
    let receipts = receipts(table);
    Some(SmscSettings {
        link: link?,
        session: session?,
        temporary_statuses,
        bind_rate,
        account_rate,
        throttle_statuses,
        throttle_pause,
        throttle_pause_max,
        already_bound_pause,
        text: text?,
        receipts: receipts?,
    })
}

/// What the SMSC says when it has connected, and whether no stranger knows it. `None` only with a
/// fault recorded.
fn outbind(table: &Table<'_>, surroundings: Surroundings<'_>) -> Option<(Greeting, bool)> {
    let keys = [
        "outbind_password",
        "outbind_password_env",
        "outbind_password_file",
    ];
    let id_item = table.get("outbind_system_id");
    let given = [id_item.as_ref().map(|_| "outbind_system_id")]
        .into_iter()
        .chain(keys.map(|key| table.get(key).map(|_| key)))
        .flatten()
        .collect::<Vec<_>>();
    if table.get(OUTBIND.listen).is_none()
        && let Some(first) = given.first()
    {
        let what = format!("needs {}", OUTBIND.listen);
        table.document().fault(&table.place_of(first), what, None);
        return None;
    }
    let system_id = match id_item {
        Some(item) => Some(item.text(form::c_octets(1))?),
        None => None,
    };
    let password = match given.iter().any(|key| keys.contains(key)) {
        true => Some(surroundings.secret(table, keys, form::password)?),
        false => None,
    };
    let is_secret = password.is_some_and(|password| password.octets() > 0);
    let greeting = Greeting::Outbind {
        system_id,
        password,
    };
    Some((greeting, is_secret))
}

fn text(table: &Table<'_>) -> Option<TextSettings> {
    let default_coding = table.choice(
        "default_coding",
        "automatic",
        &[
            ("automatic", Coding::Automatic),
            ("gsm7", Coding::Gsm7),
            ("latin1", Coding::Latin1),
            ("ucs2", Coding::Ucs2),
        ],
    );
    let latin1 = table.boolean("latin1", false);
    let national_language = table.choice(
        "national_language",
        "none",
        &[
            ("none", None),
            ("turkish", Some(NationalLanguage::Turkish)),
            ("spanish", Some(NationalLanguage::Spanish)),
            ("portuguese", Some(NationalLanguage::Portuguese)),
        ],
    );
    let splitting = table.choice(
        "splitting",
        "udh8",
        &[
            ("udh8", Splitting::Udh8),
            ("udh16", Splitting::Udh16),
            ("sar", Splitting::Sar),
            ("payload", Splitting::Payload),
        ],
    );
    let transliterate = table.boolean("transliterate", false);
    Some(TextSettings {
        default_coding: default_coding?,
        latin1,
        national_language: national_language?,
        splitting: splitting?,
        transliterate,
    })
}

fn receipts(table: &Table<'_>) -> Option<SmscReceipts> {
    let account = match table.get("receipt_account") {
        Some(item) => Some(item.text(form::name)?),
        None => None,
    };
    let format = |key| {
        let formats = [
            ("as_is", IdFormat::AsIs),
            ("decimal", IdFormat::Decimal),
            ("hex", IdFormat::Hex),
        ];
        table.choice(key, "as_is", &formats)
    };
    let (submit, receipt) = (format("submit_id_format"), format("receipt_id_format"));
    let ids = IdRules {
        submit: submit?,
        receipt: receipt?,
        ignore_case: table.boolean("receipt_id_ignore_case", false),
        ignore_zeros: table.boolean("receipt_id_ignore_zeros", false),
    };
    if ids.submit.is_number() != ids.receipt.is_number() {
        table.document().fault(
            &table.place_of("receipt_id_format"),
            "one of submit_id_format and receipt_id_format is a number and the other is not",
            Some("no receipt would find its message; give both as decimal or hex".into()),
        );
    }
    Some(SmscReceipts {
        account,
        ids,
        numbers_must_match: table.boolean("receipt_numbers_must_match", false),
        unmarked: match table.boolean("unmarked_receipts", false) {
            true => Unmarked::MayBeReceipt,
            false => Unmarked::IsMessage,
        },
    })
}

fn bind_kind(table: &Table<'_>) -> Option<BindKind> {
    table.choice(
        "bind",
        "transceiver",
        &[
            ("transceiver", BindKind::Transceiver),
            ("transmitter", BindKind::Transmitter),
            ("receiver", BindKind::Receiver),
        ],
    )
}

fn session(
    table: &Table<'_>,
    kind: Option<BindKind>,
    surroundings: Surroundings<'_>,
) -> Option<SessionSettings> {
    let bind = bind(table, kind, surroundings);
    let limits = SessionLimits {
        bind_timeout: table.millis("bind_timeout_ms", 10_000, 1..=MILLIS_MAX),
        enquire_link_period: table.millis("enquire_link_ms", 30_000, 1..=MILLIS_MAX),
        unbind_grace: table.millis("unbind_timeout_ms", 5_000, 1..=MILLIS_MAX),
        frame_octets_max: table.number("pdu_max_bytes", 65_536, PDU_BYTES),
    };
    Some(SessionSettings {
        bind: bind?,
        limits,
    })
}

fn bind(table: &Table<'_>, kind: Option<BindKind>, surroundings: Surroundings<'_>) -> Option<Bind> {
    let system_id = table.required_text("system_id", form::c_octets(1));
    let password = surroundings.secret(
        table,
        ["password", "password_env", "password_file"],
        form::password,
    );
    let system_type = table.text("system_type", "", form::c_octets(0));
    let interface_version = table.number("interface_version", 0x34, 0..=INTERFACE_VERSION_MAX);
    let ton = Ton(table.number("address_ton", 0, 0..=u8::MAX));
    let npi = Npi(table.number("address_npi", 0, 0..=u8::MAX));
    let addr = table.text("address_range", "", form::c_octets(0));
    Some(Bind {
        kind: kind?,
        system_id: system_id?,
        password: password?,
        system_type: system_type?,
        interface_version,
        address_range: Address {
            ton,
            npi,
            addr: addr?,
        },
    })
}

fn statuses(table: &Table<'_>, key: &'static str, default: &[u32]) -> Arc<[CommandStatus]> {
    // ESME_ROK, 0, is no error that could pass.
    table
        .numbers(key, default, 1..=u32::MAX)
        .into_iter()
        .map(CommandStatus)
        .collect()
}

/// Who is to send less for a while is to send the rest later: a status that pauses the bind is never a
/// message's last word, whether the file names it as temporary or not.
fn with_all_of(
    temporary: Arc<[CommandStatus]>,
    throttles: &[CommandStatus],
) -> Arc<[CommandStatus]> {
    let missing = throttles.iter().filter(|own| !temporary.contains(own));
    temporary.iter().chain(missing).copied().collect()
}
