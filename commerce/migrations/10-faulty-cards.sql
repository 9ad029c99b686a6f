-- A card whose PIN code could not be opened, since when: it is set aside, neither for sale nor sold.
ALTER TABLE card ADD COLUMN faulty_at_ms {integer};

CREATE INDEX card_faulty ON card (card_type, serial) WHERE faulty_at_ms IS NOT NULL;
