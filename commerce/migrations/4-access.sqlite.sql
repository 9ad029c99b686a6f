CREATE TRIGGER card_view_unchanged BEFORE UPDATE ON card_view BEGIN
    SELECT RAISE(ABORT, 'what was seen stays seen');
END;
CREATE TRIGGER card_view_kept BEFORE DELETE ON card_view BEGIN
    SELECT RAISE(ABORT, 'what was seen stays seen');
END;
