-- version counts the changes and claims of the row, and each of them names the one that it saw.
-- due_at_ms is when a worker takes it next; a worker that takes it puts it off by its lease.
-- charge_asked_at_ms is set before the bank is asked for the first time, and never taken back.
CREATE TABLE purchase (
    id TEXT NOT NULL PRIMARY KEY,
    phone TEXT NOT NULL REFERENCES customer (phone),
    bank TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('sms', 'web')),
    card_type TEXT REFERENCES card_type (id),
    merchant TEXT,
    order_reference TEXT,
    amount {integer} NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN (
        'CREATED', 'AUTHENTICATING', 'CHARGING', 'FUNDS_HELD', 'FULFILLING', 'FULFILLED',
        'COMPLETED', 'CANCELLED', 'EXPIRED', 'FAILED', 'UNKNOWN', 'REVERSING', 'COMPENSATING',
        'REFUNDED', 'MANUAL_REVIEW'
    )),
    version {integer} NOT NULL,
    attempts {integer} NOT NULL DEFAULT 0,
    due_at_ms {integer},
    created_at_ms {integer} NOT NULL,
    created_on TEXT NOT NULL,
    updated_at_ms {integer} NOT NULL,
    confirmed_at_ms {integer},
    charge_asked_at_ms {integer},
    response_code TEXT,
    why TEXT,
    card_resends {integer} NOT NULL DEFAULT 0,
    idempotency_key TEXT,
    UNIQUE (phone, idempotency_key),
    CHECK ((card_type IS NULL) = (merchant IS NOT NULL)),
    CHECK ((merchant IS NULL) = (order_reference IS NULL)),
    CHECK (charge_asked_at_ms IS NULL OR confirmed_at_ms IS NOT NULL)
) {strict};

CREATE UNIQUE INDEX purchase_awaiting ON purchase (phone, channel)
    WHERE state = 'AUTHENTICATING';
-- An order is paid by one purchase, or by none that may still have paid it.
CREATE UNIQUE INDEX purchase_order ON purchase (merchant, order_reference)
    WHERE merchant IS NOT NULL
        AND state NOT IN ('CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED');
CREATE INDEX purchase_due ON purchase (due_at_ms) WHERE due_at_ms IS NOT NULL;
CREATE INDEX purchase_phone ON purchase (phone, created_at_ms);
CREATE INDEX purchase_state ON purchase (state, created_at_ms);
CREATE INDEX purchase_time ON purchase (created_at_ms, id);
CREATE INDEX purchase_day ON purchase (created_on);

-- number is the purchase's version that the event made.
CREATE TABLE purchase_event (
    purchase TEXT NOT NULL REFERENCES purchase (id),
    number {integer} NOT NULL,
    at_ms {integer} NOT NULL,
    from_state TEXT,
    to_state TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (purchase, number)
) {strict};
