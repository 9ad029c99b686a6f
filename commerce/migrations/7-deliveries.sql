-- A call that has to reach its target. payload is sealed under payload_key, and gone once it was wiped.
-- attempts are those of the present series, counted before each is made; until due_at_ms the last of
-- them, or nobody, works on it. why is the last failure, or the reason of whoever dropped it.
CREATE TABLE delivery (
    number {identity},
    kind TEXT NOT NULL CHECK (kind IN ('fibo', 'webhook', 'ipn')),
    target TEXT NOT NULL,
    guid TEXT NOT NULL,
    payload {bytes},
    payload_key TEXT,
    state TEXT NOT NULL CHECK (state IN ('waiting', 'done', 'dead', 'dropped')),
    series {integer} NOT NULL DEFAULT 1 CHECK (series >= 1),
    attempts {integer} NOT NULL DEFAULT 0 CHECK (attempts >= 0),
    due_at_ms {integer} NOT NULL,
    why TEXT NOT NULL DEFAULT '',
    made_at_ms {integer} NOT NULL,
    ended_at_ms {integer},
    UNIQUE (kind, target, guid),
    CHECK ((state = 'waiting') = (ended_at_ms IS NULL)),
    CHECK ((payload IS NULL) = (payload_key IS NULL)),
    CHECK (payload IS NOT NULL OR state IN ('done', 'dropped'))
) {strict};

CREATE INDEX delivery_due ON delivery (kind, target, due_at_ms) WHERE state = 'waiting';
CREATE INDEX delivery_dead ON delivery (number) WHERE state = 'dead';
CREATE INDEX delivery_ended ON delivery (ended_at_ms) WHERE state IN ('done', 'dropped');
CREATE INDEX delivery_kept ON delivery (ended_at_ms)
    WHERE state IN ('done', 'dropped') AND payload IS NOT NULL;
CREATE INDEX delivery_key ON delivery (payload_key) WHERE payload_key IS NOT NULL;

-- Who gets messages of subscribers. Of the three filters those that are not empty must fit. networks are
-- separated by blanks. A secret is sealed under secret_key; the previous one signs too until its time.
CREATE TABLE partner (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('fibo', 'json')),
    url TEXT NOT NULL,
    service TEXT NOT NULL,
    description TEXT NOT NULL,
    number TEXT NOT NULL,
    keyword TEXT NOT NULL,
    prefix TEXT NOT NULL,
    plain_http {integer} NOT NULL CHECK (plain_http IN (0, 1)),
    networks TEXT NOT NULL,
    active {integer} NOT NULL CHECK (active IN (0, 1)),
    why TEXT NOT NULL DEFAULT '',
    secret {bytes},
    previous_secret {bytes},
    previous_until_ms {integer},
    secret_key TEXT,
    made_at_ms {integer} NOT NULL,
    CHECK (kind = 'fibo' OR secret IS NOT NULL),
    CHECK ((secret IS NULL) = (secret_key IS NULL)),
    CHECK ((previous_secret IS NULL) = (previous_until_ms IS NULL)),
    CHECK (previous_secret IS NULL OR secret IS NOT NULL)
) {strict};
