-- A merchant whose customers pay by us. A secret is sealed under secret_key; the previous one is taken, and
-- never signed with, until its time. return_prefixes are URLs separated by blanks.
CREATE TABLE merchant (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    ipn_url TEXT NOT NULL,
    plain_http {integer} NOT NULL CHECK (plain_http IN (0, 1)),
    return_prefixes TEXT NOT NULL,
    amount_min {integer} NOT NULL CHECK (amount_min > 0),
    amount_max {integer} NOT NULL,
    active {integer} NOT NULL CHECK (active IN (0, 1)),
    why TEXT NOT NULL DEFAULT '',
    secret {bytes} NOT NULL,
    previous_secret {bytes},
    previous_until_ms {integer},
    secret_key TEXT NOT NULL,
    made_at_ms {integer} NOT NULL,
    CHECK (amount_max >= amount_min),
    CHECK ((previous_secret IS NULL) = (previous_until_ms IS NULL))
) {strict};

-- An order that a merchant has sent a customer to pay. token_digest is the SHA-256 of what addresses its page.
-- Until open_until_ms a purchase can be begun; there is one at most, for ever.
CREATE TABLE checkout (
    merchant TEXT NOT NULL REFERENCES merchant (id),
    order_reference TEXT NOT NULL,
    amount {integer} NOT NULL CHECK (amount > 0),
    description TEXT NOT NULL,
    return_url TEXT NOT NULL,
    token_digest {bytes} NOT NULL UNIQUE,
    phone_tries {integer} NOT NULL DEFAULT 0,
    purchase TEXT UNIQUE REFERENCES purchase (id),
    opened_at_ms {integer} NOT NULL,
    open_until_ms {integer} NOT NULL,
    PRIMARY KEY (merchant, order_reference)
) {strict};

CREATE INDEX checkout_over ON checkout (open_until_ms) WHERE purchase IS NULL;

-- From now on a merchant's order that was paid may be given back.
