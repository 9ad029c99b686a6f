CREATE TRIGGER card_sold_once BEFORE UPDATE OF
    card_type, serial, printed, expires_on, account_no,
    state, reservation, reserved_until_ms, sold_at_ms
ON card WHEN OLD.state = 'sold' BEGIN
    SELECT RAISE(ABORT, 'a sold card stays sold');
END;
CREATE TRIGGER card_kept BEFORE DELETE ON card BEGIN
    SELECT RAISE(ABORT, 'a card is never deleted');
END;
CREATE TRIGGER card_type_unchanged BEFORE UPDATE OF id, issuer, value ON card_type BEGIN
    SELECT RAISE(ABORT, 'a card type stays what it is');
END;
