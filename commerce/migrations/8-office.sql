CREATE TABLE audit (
    number {identity},
    at_ms {integer} NOT NULL,
    who TEXT NOT NULL,
    what TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL
) {strict};

CREATE INDEX audit_who ON audit (who, number);
CREATE INDEX audit_what ON audit (what, number);
CREATE INDEX audit_subject ON audit (subject, number);

-- salt and password are what PBKDF2-HMAC-SHA256 was given and made, in so many rounds. failed counts
-- tries since the last good one.
CREATE TABLE operator (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL CHECK (role IN ('viewer', 'clerk', 'admin')),
    active {integer} NOT NULL DEFAULT 1 CHECK (active IN (0, 1)),
    salt {bytes} NOT NULL,
    rounds {integer} NOT NULL CHECK (rounds > 0),
    password {bytes} NOT NULL,
    failed {integer} NOT NULL DEFAULT 0,
    locked_until_ms {integer} NOT NULL DEFAULT 0,
    made_at_ms {integer} NOT NULL
) {strict};

-- A session's token has 256 random bits, so that its plain SHA-256 gives nothing away.
CREATE TABLE operator_session (
    digest {bytes} NOT NULL PRIMARY KEY,
    operator TEXT NOT NULL REFERENCES operator (name),
    seen_at_ms {integer} NOT NULL,
    ends_at_ms {integer} NOT NULL
) {strict};

CREATE INDEX operator_session_of ON operator_session (operator);

-- Tries to log in from an address, until the time at which they are forgotten.
CREATE TABLE login_address (
    address TEXT NOT NULL PRIMARY KEY,
    tries {integer} NOT NULL,
    ends_at_ms {integer} NOT NULL
) {strict};

CREATE INDEX login_address_end ON login_address (ends_at_ms);

-- What the office looks for beside what the API asks.
CREATE INDEX sale_at ON sale (at_ms);
CREATE INDEX sale_card_type ON sale (card_type, number);
CREATE INDEX sale_agent ON sale (agent, number);
CREATE INDEX sale_dest_no ON sale (sell_dest_no, number) WHERE sell_dest_no IS NOT NULL;
CREATE INDEX card_serial ON card (serial);
CREATE INDEX account_kind ON account (kind, name);
