CREATE TRIGGER posting_fits AFTER INSERT ON posting BEGIN
    SELECT RAISE(ABORT, 'a posting belongs to an entry and is one of those that it announced')
    WHERE NOT EXISTS (
        SELECT 1 FROM entry WHERE reference = NEW.entry AND postings >= NEW.line
    );
    SELECT RAISE(ABORT, 'an entry has all its postings and sums to zero')
    WHERE EXISTS (SELECT 1 FROM entry WHERE reference = NEW.entry AND postings = NEW.line)
        AND (SELECT count(*) <> NEW.line OR sum(amount) <> 0 FROM posting WHERE entry = NEW.entry);
    SELECT RAISE(ABORT, 'a posting carries on the balance of its account')
    WHERE NOT EXISTS (
        SELECT 1 FROM account
        WHERE name = NEW.account AND balance = NEW.balance AND postings = NEW.number
            AND balance = side * NEW.amount + CASE NEW.number WHEN 1 THEN 0 ELSE (
                SELECT earlier.balance FROM posting earlier
                WHERE earlier.account = NEW.account AND earlier.number = NEW.number - 1
            ) END
    );
END;

CREATE TRIGGER posting_unchanged BEFORE UPDATE ON posting BEGIN
    SELECT RAISE(ABORT, 'a posting is never changed');
END;
CREATE TRIGGER posting_kept BEFORE DELETE ON posting BEGIN
    SELECT RAISE(ABORT, 'a posting is never deleted');
END;
CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry BEGIN
    SELECT RAISE(ABORT, 'an entry is never changed');
END;
CREATE TRIGGER entry_kept BEFORE DELETE ON entry BEGIN
    SELECT RAISE(ABORT, 'an entry is never deleted');
END;
CREATE TRIGGER account_unchanged BEFORE UPDATE OF name, kind, side ON account BEGIN
    SELECT RAISE(ABORT, 'an account stays what it is');
END;
CREATE TRIGGER hold_ended BEFORE UPDATE ON hold WHEN OLD.state <> 'pending' BEGIN
    SELECT RAISE(ABORT, 'a hold ends once');
END;
