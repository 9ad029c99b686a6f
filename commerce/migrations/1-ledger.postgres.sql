CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '%', TG_ARGV[0] USING ERRCODE = 'check_violation';
END $$;

CREATE FUNCTION posting_fits() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (
        SELECT 1 FROM entry WHERE reference = NEW.entry AND postings >= NEW.line
    ) THEN
        RAISE EXCEPTION 'a posting belongs to an entry and is one of those that it announced'
            USING ERRCODE = 'check_violation';
    END IF;
    IF EXISTS (SELECT 1 FROM entry WHERE reference = NEW.entry AND postings = NEW.line)
        AND (SELECT count(*) <> NEW.line OR sum(amount) <> 0 FROM posting WHERE entry = NEW.entry)
    THEN
        RAISE EXCEPTION 'an entry has all its postings and sums to zero'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NOT EXISTS (
        SELECT 1 FROM account
        WHERE name = NEW.account AND balance = NEW.balance AND postings = NEW.number
            AND balance = side * NEW.amount + CASE NEW.number WHEN 1 THEN 0 ELSE (
                SELECT earlier.balance FROM posting earlier
                WHERE earlier.account = NEW.account AND earlier.number = NEW.number - 1
            ) END
    ) THEN
        RAISE EXCEPTION 'a posting carries on the balance of its account'
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;

CREATE TRIGGER posting_fits AFTER INSERT ON posting
    FOR EACH ROW EXECUTE FUNCTION posting_fits();
CREATE TRIGGER posting_unchanged BEFORE UPDATE ON posting
    FOR EACH ROW EXECUTE FUNCTION refuse('a posting is never changed');
CREATE TRIGGER posting_kept BEFORE DELETE ON posting
    FOR EACH ROW EXECUTE FUNCTION refuse('a posting is never deleted');
CREATE TRIGGER postings_kept BEFORE TRUNCATE ON posting
    EXECUTE FUNCTION refuse('a posting is never deleted');
CREATE TRIGGER entry_unchanged BEFORE UPDATE ON entry
    FOR EACH ROW EXECUTE FUNCTION refuse('an entry is never changed');
CREATE TRIGGER entry_kept BEFORE DELETE ON entry
    FOR EACH ROW EXECUTE FUNCTION refuse('an entry is never deleted');
CREATE TRIGGER entries_kept BEFORE TRUNCATE ON entry
    EXECUTE FUNCTION refuse('an entry is never deleted');
CREATE TRIGGER account_unchanged BEFORE UPDATE OF name, kind, side ON account
    FOR EACH ROW EXECUTE FUNCTION refuse('an account stays what it is');
CREATE TRIGGER hold_ended BEFORE UPDATE ON hold
    FOR EACH ROW WHEN (OLD.state <> 'pending') EXECUTE FUNCTION refuse('a hold ends once');
