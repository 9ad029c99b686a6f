-- account is sealed under account_key. orders counts what the phone ordered, and its change is what two
-- orders of one phone wait for.
CREATE TABLE customer (
    phone TEXT NOT NULL PRIMARY KEY,
    bank TEXT NOT NULL,
    account {bytes} NOT NULL,
    account_key TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'blocked')),
    registered_at_ms {integer} NOT NULL,
    registered_on TEXT NOT NULL,
    orders {integer} NOT NULL DEFAULT 0
) {strict};

CREATE INDEX customer_day ON customer (registered_on);
CREATE INDEX customer_key ON customer (account_key);

-- What counts for a phone, whichever purchase a code is for.
CREATE TABLE otp_phone (
    phone TEXT NOT NULL PRIMARY KEY,
    wrong {integer} NOT NULL DEFAULT 0,
    locked_until_ms {integer} NOT NULL DEFAULT 0,
    sent_on TEXT NOT NULL DEFAULT '',
    sent {integer} NOT NULL DEFAULT 0
) {strict};

-- The last code of a purchase; number counts those that it had.
CREATE TABLE otp (
    purchase TEXT NOT NULL PRIMARY KEY,
    number {integer} NOT NULL CHECK (number >= 1),
    phone TEXT NOT NULL,
    digest {bytes} NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('live', 'used', 'revoked')),
    sent_at_ms {integer} NOT NULL,
    expires_at_ms {integer} NOT NULL
) {strict};

CREATE INDEX otp_live ON otp (phone) WHERE state = 'live';
