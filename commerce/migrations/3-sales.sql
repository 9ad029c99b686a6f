CREATE TABLE agent (
    id TEXT NOT NULL PRIMARY KEY
) {strict};

-- A key has 256 random bits, so that its plain SHA-256 gives nothing away.
CREATE TABLE api_key (
    digest {bytes} NOT NULL PRIMARY KEY,
    agent TEXT NOT NULL REFERENCES agent (id),
    prefix TEXT NOT NULL,
    made_at_ms {integer} NOT NULL,
    ends_at_ms {integer}
) {strict};

-- The row comes first in its change, so that its idempotency key is claimed before anything moves;
-- short says why fewer cards were sold than wanted.
CREATE TABLE sale (
    number {identity},
    agent TEXT NOT NULL REFERENCES agent (id),
    card_type TEXT NOT NULL REFERENCES card_type (id) DEFERRABLE INITIALLY DEFERRED,
    wanted {integer} NOT NULL CHECK (wanted > 0),
    sold {integer} NOT NULL DEFAULT 0 CHECK (sold BETWEEN 0 AND wanted),
    sell_value {integer} NOT NULL DEFAULT 0,
    short TEXT CHECK (short IN ('stock', 'deposit')),
    sell_dest_no TEXT,
    idempotency_key TEXT,
    at_ms {integer} NOT NULL,
    UNIQUE (agent, idempotency_key)
) {strict};

CREATE INDEX sale_dest ON sale (agent, sell_dest_no) WHERE sell_dest_no IS NOT NULL;
