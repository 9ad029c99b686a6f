CREATE TABLE category (
    code TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    place {integer} NOT NULL
) {strict};

-- sell_value is the price of an agent without one of its own.
CREATE TABLE card_type (
    id TEXT NOT NULL PRIMARY KEY,
    category TEXT NOT NULL REFERENCES category (code),
    name TEXT NOT NULL,
    issuer TEXT NOT NULL,
    value {integer} NOT NULL CHECK (value > 0),
    sell_value {integer} NOT NULL CHECK (sell_value > 0),
    on_sale {integer} NOT NULL CHECK (on_sale IN (0, 1)),
    low_stock {integer} NOT NULL CHECK (low_stock >= 0)
) {strict};

CREATE INDEX card_type_category ON card_type (category);

CREATE TABLE agent_price (
    agent TEXT NOT NULL,
    card_type TEXT NOT NULL REFERENCES card_type (id),
    sell_value {integer} NOT NULL CHECK (sell_value > 0),
    PRIMARY KEY (agent, card_type)
) {strict};

-- serial is in capitals, printed as it stands on the card. pin is sealed under pin_key, and
-- pin_index is the keyed digest by which the same PIN code is known again.
CREATE TABLE card (
    card_type TEXT NOT NULL REFERENCES card_type (id),
    serial TEXT NOT NULL,
    printed TEXT NOT NULL,
    pin {bytes} NOT NULL,
    pin_key TEXT NOT NULL,
    pin_index {bytes} NOT NULL UNIQUE,
    expires_on TEXT NOT NULL,
    account_no TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'free' CHECK (state IN ('free', 'reserved', 'sold')),
    reservation TEXT,
    reserved_until_ms {integer},
    sold_at_ms {integer},
    PRIMARY KEY (card_type, serial),
    CHECK ((state = 'free') = (reservation IS NULL)),
    CHECK ((state = 'reserved') = (reserved_until_ms IS NOT NULL)),
    CHECK ((state = 'sold') = (sold_at_ms IS NOT NULL))
) {strict};

CREATE INDEX card_next ON card (card_type, state, expires_on, serial);
CREATE INDEX card_reservation ON card (reservation) WHERE reservation IS NOT NULL;
CREATE INDEX card_key ON card (pin_key);
