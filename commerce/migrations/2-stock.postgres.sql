CREATE TRIGGER card_sold_once BEFORE UPDATE OF
    card_type, serial, printed, expires_on, account_no,
    state, reservation, reserved_until_ms, sold_at_ms
ON card FOR EACH ROW WHEN (OLD.state = 'sold') EXECUTE FUNCTION refuse('a sold card stays sold');
CREATE TRIGGER card_kept BEFORE DELETE ON card
    FOR EACH ROW EXECUTE FUNCTION refuse('a card is never deleted');
CREATE TRIGGER cards_kept BEFORE TRUNCATE ON card
    EXECUTE FUNCTION refuse('a card is never deleted');
CREATE TRIGGER card_type_unchanged BEFORE UPDATE OF id, issuer, value ON card_type
    FOR EACH ROW EXECUTE FUNCTION refuse('a card type stays what it is');
