-- text is sealed, and gone once the message needs it no more. may_have says that the subscriber may
-- have it: it was handed to the router and nothing was heard.
CREATE TABLE outgoing (
    id TEXT NOT NULL PRIMARY KEY,
    phone TEXT NOT NULL,
    text {bytes},
    urgent {integer} NOT NULL CHECK (urgent IN (0, 1)),
    validity_s {integer} NOT NULL CHECK (validity_s > 0),
    valid_until_ms {integer} NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'accepted', 'refused', 'unknown', 'late')),
    may_have {integer} NOT NULL DEFAULT 0 CHECK (may_have IN (0, 1)),
    attempts {integer} NOT NULL DEFAULT 0,
    due_at_ms {integer},
    receipt TEXT CHECK (receipt IN ('delivered', 'failed')),
    why TEXT,
    created_at_ms {integer} NOT NULL,
    updated_at_ms {integer} NOT NULL,
    CHECK ((state = 'waiting') = (text IS NOT NULL)),
    CHECK ((state = 'waiting') = (due_at_ms IS NOT NULL))
) {strict};

CREATE INDEX outgoing_due ON outgoing (urgent, due_at_ms) WHERE state = 'waiting';
CREATE INDEX outgoing_phone ON outgoing (phone, created_at_ms);
CREATE INDEX outgoing_old ON outgoing (updated_at_ms) WHERE state <> 'waiting';
