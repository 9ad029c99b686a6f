-- From where an agent may call; from anywhere without a row.
CREATE TABLE agent_network (
    agent TEXT NOT NULL REFERENCES agent (id),
    network TEXT NOT NULL,
    PRIMARY KEY (agent, network)
) {strict};

-- Who was given which PIN code, when, by which call and with which key. It is never changed.
CREATE TABLE card_view (
    number {identity},
    at_ms {integer} NOT NULL,
    agent TEXT NOT NULL REFERENCES agent (id),
    key_prefix TEXT NOT NULL,
    address TEXT,
    call TEXT NOT NULL CHECK (call IN ('buy', 'repeat', 'card', 'txn')),
    card_type TEXT NOT NULL,
    serial TEXT NOT NULL,
    FOREIGN KEY (card_type, serial) REFERENCES card (card_type, serial)
) {strict};

CREATE INDEX card_view_card ON card_view (card_type, serial);
CREATE INDEX card_view_agent ON card_view (agent, number);
