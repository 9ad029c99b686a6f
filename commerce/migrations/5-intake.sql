-- A row is held by the change that deals with a message of its number.
CREATE TABLE mo_source (
    source TEXT NOT NULL PRIMARY KEY,
    last_at_ms {integer} NOT NULL
) {strict};

CREATE INDEX mo_source_age ON mo_source (last_at_ms);

-- text is sealed. delivery_id is the router's. outcome is a word for people, or why it has failed.
CREATE TABLE mo (
    number {identity},
    id TEXT NOT NULL UNIQUE,
    delivery_id {integer} NOT NULL,
    smsc TEXT NOT NULL,
    source TEXT NOT NULL,
    destination TEXT NOT NULL,
    text {bytes} NOT NULL,
    is_text {integer} NOT NULL CHECK (is_text IN (0, 1)),
    command TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('handled', 'repeated', 'unread', 'failed')),
    outcome TEXT NOT NULL,
    received_at_ms {integer} NOT NULL,
    at_ms {integer} NOT NULL
) {strict};

CREATE INDEX mo_recent ON mo (source, received_at_ms);
CREATE INDEX mo_age ON mo (at_ms);

-- What banks begin is kept for ever: it is about money, and rare.
CREATE TABLE bank_event (
    number {identity},
    delivery_id {integer} NOT NULL,
    bank TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('chargeback', 'reconciliation', 'other')),
    message_type TEXT NOT NULL,
    masked_pan TEXT NOT NULL,
    amount_minor {integer},
    currency TEXT NOT NULL,
    stan TEXT NOT NULL,
    retrieval_reference TEXT NOT NULL,
    reason_code TEXT NOT NULL,
    transmitted TEXT NOT NULL,
    settlement_date TEXT NOT NULL,
    original_stan TEXT NOT NULL,
    original_transmitted TEXT NOT NULL,
    payment_client TEXT NOT NULL,
    payment_id TEXT NOT NULL,
    balance TEXT NOT NULL,
    received_at_ms {integer} NOT NULL,
    at_ms {integer} NOT NULL,
    UNIQUE (delivery_id, received_at_ms, bank)
) {strict};

CREATE INDEX bank_event_payment ON bank_event (payment_id);
