-- A balance is kept in the account's own sense: an agent's deposit of 5 is 5, though a credit.
-- side is what a debit of 1 does to it. postings counts those that made the balance.
CREATE TABLE account (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    side {integer} NOT NULL CHECK (side IN (-1, 1)),
    balance {integer} NOT NULL DEFAULT 0
        CHECK (balance BETWEEN -1000000000000000000 AND 1000000000000000000),
    postings {integer} NOT NULL DEFAULT 0,
    floor {integer},
    ceiling {integer},
    CONSTRAINT account_limits CHECK (
        (floor IS NULL OR balance >= floor) AND (ceiling IS NULL OR balance <= ceiling)
    )
) {strict};

-- A debit is positive. number and balance are the account's after this posting.
CREATE TABLE posting (
    entry TEXT NOT NULL,
    line {integer} NOT NULL CHECK (line >= 1),
    account TEXT NOT NULL REFERENCES account (name),
    amount {integer} NOT NULL CHECK (amount <> 0),
    number {integer} NOT NULL,
    balance {integer} NOT NULL,
    PRIMARY KEY (entry, line),
    UNIQUE (entry, account),
    UNIQUE (account, number)
) {strict};

-- An entry says how many postings it has. It comes before them, so that its reference is claimed
-- first, and cannot be committed without the last, with which the trigger looks at all of them.
CREATE TABLE entry (
    reference TEXT NOT NULL PRIMARY KEY,
    postings {integer} NOT NULL CHECK (postings >= 2),
    at_ms {integer} NOT NULL,
    FOREIGN KEY (reference, postings) REFERENCES posting (entry, line)
        DEFERRABLE INITIALLY DEFERRED
) {strict};

CREATE TABLE hold (
    id TEXT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL,
    amount {integer} NOT NULL CHECK (amount > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'posted', 'voided', 'expired')),
    expires_at_ms {integer} NOT NULL,
    ended_at_ms {integer},
    CHECK ((state = 'pending') = (ended_at_ms IS NULL))
) {strict};

CREATE INDEX hold_due ON hold (expires_at_ms) WHERE state = 'pending';
