//! The name of every metric, once, and what it means. A name stands nowhere else in the code; labels
//! are chosen where the handles are fetched, and never hold a number, a card or a text.

/// Names and meanings of all counters.
pub const COUNTERS: &[(&str, &str)] = &[
    (LINK_SUBMITTED, "Requests written to the peer."),
    (LINK_ANSWERED, "Answers that found their request."),
    (LINK_TIMEOUTS, "Requests that were not answered in time."),
    (
        LINK_LOST,
        "Requests in flight when the connection was lost.",
    ),
    (
        LINK_RECONNECTS,
        "Connections made again after one was lost.",
    ),
    (LINK_THROTTLES, "Answers that told the link to send less."),
    (
        LINK_THROTTLED_SECONDS,
        "Seconds of pause that such answers have brought, counted as a pause begins.",
    ),
    (
        LINK_RATE_WAITS,
        "Turns of the link in which its rate let fewer requests go than the window had room for.",
    ),
    (
        LINK_UNMATCHED,
        "Answers without a request: late, repeated or unknown.",
    ),
    (
        LINK_BINDS_REFUSED,
        "Binds that the SMSC refused, by why: credentials, already_bound or other.",
    ),
    (
        DOOR_ADMITTED,
        "Connections that a peer opened to us and that were let in.",
    ),
    (
        DOOR_REFUSED,
        "Connections to a peer's port that were refused, by why: source, tls, silent, no_outbind, credentials, gone, crowd or no_free_link.",
    ),
    (
        LINK_PROTOCOL_ERRORS,
        "What the peer sent and the protocol forbids; contained.",
    ),
    (
        MESSAGE_OUTCOMES,
        "Requests for an SMSC by their outcome; each part of a long message is one.",
    ),
    (
        MESSAGE_FAILOVERS,
        "Messages that an SMSC did not take and that went on to the next one of their route.",
    ),
    (
        MESSAGE_LATE_ANSWERS,
        "Answers of an SMSC to requests that had timed out. The outcome stands; the receipts find it.",
    ),
    (
        PAYMENT_OUTCOMES,
        "Payments by the outcome told to the caller.",
    ),
    (REVERSAL_MESSAGES, "0420 and 0421 handed to a link."),
    (
        REVERSALS_ENDED,
        "Reversals by their end: reversed or failed.",
    ),
    (
        LATE_ANSWERS,
        "Answers of a bank after the outcome was told; they changed nothing.",
    ),
    (
        BANK_REQUESTS,
        "What the bank asked of its own accord and was answered, by request: network management, or the class of the message.",
    ),
    (
        BANK_ASKED,
        "What the bank began of its own accord, network management apart, by kind (chargeback, reconciliation or other) and by what became of it: durable, repeated, later (could not be stored, the bank sends it again) or declined (nobody takes it).",
    ),
    (
        BANK_RECONCILIATIONS,
        "Totals of a bank that were compared with ours, by outcome: in_balance, out_of_balance or incomparable (the bank told no day or no debits, or a payment of the day is forgotten).",
    ),
    (
        BANK_MAC_FAILURES,
        "Messages of a bank that were not believed because of their MAC, by why: missing, wrong or no_key.",
    ),
    (
        BANK_KEYS,
        "Session keys of a bank by outcome: accepted, refused (it cannot be used) or denied (the bank gave none).",
    ),
    (
        BANK_ANSWERS_HANDED_OVER,
        "Answers of a bank that came by another link than their request, by the link that they came by.",
    ),
    (
        INBOX_EVENTS,
        "Messages and receipts from SMSCs by what they were answered.",
    ),
    (
        INBOX_ACCEPTED,
        "Events that became durable for a subscription.",
    ),
    (
        INBOX_REFUSED,
        "Events that a subscription could not take, by why: full, bytes or store.",
    ),
    (
        INBOX_REDELIVERED,
        "Events given back because they were not acknowledged in time or their consumer went away.",
    ),
    (
        INBOX_LONG_MESSAGES,
        "Long messages put together from their parts, by their end: whole or incomplete.",
    ),
    (RECEIPTS, "Receipts by what they were found to be."),
    (
        RECEIPT_OTHER_NUMBER,
        "Receipts from another number than the one that their message went to.",
    ),
    (
        RECEIPTS_EVICTED,
        "Messages that were forgotten while their receipt was awaited.",
    ),
    (
        REQUEST_IDS,
        "Requests whose id was seen before, by what became of them.",
    ),
    (
        STORE_FAILURES,
        "Commits and openings of a file that failed. file: store is that of messages, journal that of payments.",
    ),
    (
        STORE_REFUSED,
        "Writes that the store did not take because too much waited, or it was closed.",
    ),
    (
        CLIENT_REQUESTS,
        "Requests read from a client, by service: messaging or payments.",
    ),
    (
        CLIENT_REFUSED,
        "Requests refused before anything was done, by why: invalid, limit (too many in flight) or rate (tps).",
    ),
    (
        CLIENT_ABANDONED,
        "Outcomes that nobody fetched because the client had gone away.",
    ),
];

/// Names and meanings of all gauges.
pub const GAUGES: &[(&str, &str)] = &[
    (
        LINK_UP,
        "1 while the link is bound or signed on and takes traffic.",
    ),
    (
        LINK_STATE,
        "1 for the state the link is in, 0 for the others: down, connecting, up, draining, stopped.",
    ),
    (LINK_IN_FLIGHT, "Requests whose answer is awaited."),
    (LINK_WINDOW, "The most that may be in flight."),
    (LINK_QUEUED, "Requests that wait to be sent."),
    (
        LINK_QUEUED_BY_CLASS,
        "Those of an SMSC's link by class: urgent, normal or bulk.",
    ),
    (
        LINK_PAUSED,
        "1 while the link sends nothing because the SMSC wanted less.",
    ),
    (
        REVERSALS_PENDING,
        "Reversals that the bank has not acknowledged yet.",
    ),
    (
        REVERSAL_OLDEST_AGE,
        "Age in seconds of the oldest reversal that is not acknowledged.",
    ),
    (REVERSALS_FAILED, "Reversals that wait for an operator."),
    (
        PAYMENT_RECORDS,
        "Payments kept for a look-up, final and open together.",
    ),
    (
        PEER_CERTIFICATE_EXPIRES,
        "Seconds until a certificate of a peer's tls section expires, by kind: ca or client; negative once it has.",
    ),
    (
        INBOX_BACKLOG,
        "Durable events of a subscription that nobody has acknowledged.",
    ),
    (
        INBOX_BACKLOG_BYTES,
        "Octets of these events: what backlog_max_bytes bounds.",
    ),
    (
        INBOX_PARTS_WAITING,
        "Parts of long messages that wait for the others.",
    ),
    (INBOX_PARTS_BYTES, "Octets of the parts that wait."),
    (
        INBOX_PARTS_OLDEST_AGE,
        "Seconds that the oldest long message has waited for its parts.",
    ),
    (
        INBOX_UNACKNOWLEDGED,
        "Events of a subscription handed over and not acknowledged.",
    ),
    (
        INBOX_CONSUMERS,
        "Open calls that receive from a subscription.",
    ),
    (
        INBOX_OLDEST_AGE,
        "Age in seconds of the oldest event of a subscription that is not acknowledged.",
    ),
    (
        RECEIPTS_HELD,
        "Receipts that wait for the answer that gives their id, and keep their SMSC waiting.",
    ),
    (
        RECEIPTS_PENDING,
        "Parts of messages whose receipts are awaited or remembered.",
    ),
    (
        REQUEST_IDS_KEPT,
        "Request ids that are kept, those in flight included.",
    ),
    (
        STORE_HEALTHY,
        "1 while the store takes writes, 0 while it is opened again after a failure.",
    ),
    (STORE_WAITING, "Changes that wait for their commit."),
    (STORE_BYTES, "Size of the store's file; 0 in memory."),
    (
        STORE_ROWS,
        "Rows in the store's file: payments in the journal's.",
    ),
    (CLIENT_IN_FLIGHT, "Requests of a client without an outcome."),
    (CLIENT_IN_FLIGHT_MAX, "The most of them that it may have."),
    (CLIENT_STREAMS, "Open streams of a client."),
    (BUILD_INFO, "1, with the version as a label."),
];

/// Names and meanings of all histograms.
pub const HISTOGRAMS: &[(&str, &str)] = &[
    (LINK_RESPONSE_SECONDS, LINK_RESPONSE_SECONDS_MEANING),
    (
        STORE_COMMIT_SECONDS,
        "Seconds that a commit of the store took, fsync included.",
    ),
    (STORE_COMMIT_CHANGES, "Changes in one commit of the store."),
];

pub(super) const LINK_SUBMITTED: &str = "sampan_link_submitted_total";
pub(super) const LINK_ANSWERED: &str = "sampan_link_answered_total";
pub(super) const LINK_TIMEOUTS: &str = "sampan_link_timeouts_total";
pub(super) const LINK_LOST: &str = "sampan_link_lost_requests_total";
pub(super) const LINK_RECONNECTS: &str = "sampan_link_reconnects_total";
pub(super) const LINK_THROTTLES: &str = "sampan_link_throttles_total";
pub(super) const LINK_THROTTLED_SECONDS: &str = "sampan_link_throttled_seconds_total";
pub(super) const LINK_RATE_WAITS: &str = "sampan_link_rate_waits_total";
pub(super) const LINK_UNMATCHED: &str = "sampan_link_unmatched_answers_total";
pub(super) const LINK_BINDS_REFUSED: &str = "sampan_link_binds_refused_total";
pub(super) const LINK_PROTOCOL_ERRORS: &str = "sampan_link_protocol_errors_total";
pub(super) const DOOR_ADMITTED: &str = "sampan_peer_connections_admitted_total";
pub(super) const DOOR_REFUSED: &str = "sampan_peer_connections_refused_total";
pub(super) const LINK_UP: &str = "sampan_link_up";
pub(super) const LINK_STATE: &str = "sampan_link_state";
pub(super) const LINK_IN_FLIGHT: &str = "sampan_link_in_flight";
pub(super) const LINK_WINDOW: &str = "sampan_link_window";
pub(super) const LINK_QUEUED: &str = "sampan_link_queued";
pub(super) const LINK_QUEUED_BY_CLASS: &str = "sampan_link_queued_by_class";
pub(super) const LINK_PAUSED: &str = "sampan_link_paused";
pub(super) const LINK_RESPONSE_SECONDS: &str = "sampan_link_response_seconds";
pub(super) const LINK_RESPONSE_SECONDS_MEANING: &str =
    "Seconds from a request's bytes to its answer.";
pub(super) const MESSAGE_OUTCOMES: &str = "sampan_message_outcomes_total";
pub(super) const MESSAGE_FAILOVERS: &str = "sampan_message_failovers_total";
pub(super) const MESSAGE_LATE_ANSWERS: &str = "sampan_message_late_answers_total";
pub(super) const PAYMENT_OUTCOMES: &str = "sampan_payment_outcomes_total";
pub(super) const REVERSAL_MESSAGES: &str = "sampan_reversal_messages_total";
pub(super) const REVERSALS_ENDED: &str = "sampan_reversals_ended_total";
pub(super) const REVERSALS_PENDING: &str = "sampan_reversals_pending";
pub(super) const REVERSAL_OLDEST_AGE: &str = "sampan_reversal_oldest_age_seconds";
pub(super) const REVERSALS_FAILED: &str = "sampan_reversals_failed";
pub(super) const PAYMENT_RECORDS: &str = "sampan_payment_records";
pub(super) const LATE_ANSWERS: &str = "sampan_late_answers_total";
pub(super) const PEER_CERTIFICATE_EXPIRES: &str = "sampan_peer_certificate_expires_seconds";
pub(super) const BANK_REQUESTS: &str = "sampan_bank_requests_total";
pub(super) const BANK_ASKED: &str = "sampan_bank_asked_total";
pub(super) const BANK_RECONCILIATIONS: &str = "sampan_bank_reconciliations_total";
pub(super) const BANK_MAC_FAILURES: &str = "sampan_bank_mac_failures_total";
pub(super) const BANK_KEYS: &str = "sampan_bank_session_keys_total";
pub(super) const BANK_ANSWERS_HANDED_OVER: &str = "sampan_bank_answers_handed_over_total";
pub(super) const INBOX_EVENTS: &str = "sampan_inbox_events_total";
pub(super) const INBOX_ACCEPTED: &str = "sampan_inbox_accepted_total";
pub(super) const INBOX_REFUSED: &str = "sampan_inbox_refused_total";
pub(super) const INBOX_REDELIVERED: &str = "sampan_inbox_redelivered_total";
pub(super) const INBOX_LONG_MESSAGES: &str = "sampan_inbox_long_messages_total";
pub(super) const INBOX_BACKLOG: &str = "sampan_inbox_backlog";
pub(super) const INBOX_BACKLOG_BYTES: &str = "sampan_inbox_backlog_bytes";
pub(super) const INBOX_PARTS_WAITING: &str = "sampan_inbox_parts_waiting";
pub(super) const INBOX_PARTS_BYTES: &str = "sampan_inbox_parts_bytes";
pub(super) const INBOX_PARTS_OLDEST_AGE: &str = "sampan_inbox_parts_oldest_age_seconds";
pub(super) const INBOX_UNACKNOWLEDGED: &str = "sampan_inbox_unacknowledged";
pub(super) const RECEIPTS: &str = "sampan_receipts_total";
pub(super) const RECEIPT_OTHER_NUMBER: &str = "sampan_receipts_other_number_total";
pub(super) const RECEIPTS_EVICTED: &str = "sampan_receipts_evicted_total";
pub(super) const RECEIPTS_HELD: &str = "sampan_receipts_held";
pub(super) const RECEIPTS_PENDING: &str = "sampan_receipts_pending";
pub(super) const REQUEST_IDS: &str = "sampan_request_ids_total";
pub(super) const REQUEST_IDS_KEPT: &str = "sampan_request_ids_kept";
pub(super) const INBOX_CONSUMERS: &str = "sampan_inbox_consumers";
pub(super) const INBOX_OLDEST_AGE: &str = "sampan_inbox_oldest_age_seconds";
pub(super) const STORE_FAILURES: &str = "sampan_store_failures_total";
pub(super) const STORE_REFUSED: &str = "sampan_store_refused_total";
pub(super) const STORE_HEALTHY: &str = "sampan_store_healthy";
pub(super) const STORE_WAITING: &str = "sampan_store_waiting_changes";
pub(super) const STORE_BYTES: &str = "sampan_store_bytes";
pub(super) const STORE_ROWS: &str = "sampan_store_rows";
pub(super) const STORE_COMMIT_SECONDS: &str = "sampan_store_commit_seconds";
pub(super) const STORE_COMMIT_CHANGES: &str = "sampan_store_commit_changes";
pub(super) const CLIENT_REQUESTS: &str = "sampan_client_requests_total";
pub(super) const CLIENT_REFUSED: &str = "sampan_client_refused_total";
pub(super) const CLIENT_ABANDONED: &str = "sampan_client_abandoned_outcomes_total";
pub(super) const CLIENT_IN_FLIGHT: &str = "sampan_client_in_flight";
pub(super) const CLIENT_IN_FLIGHT_MAX: &str = "sampan_client_in_flight_max";
pub(super) const CLIENT_STREAMS: &str = "sampan_client_streams";
pub(super) const BUILD_INFO: &str = "sampan_build_info";
