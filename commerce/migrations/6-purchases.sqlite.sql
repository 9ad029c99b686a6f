CREATE TRIGGER purchase_ended BEFORE UPDATE OF state ON purchase
WHEN OLD.state IN ('COMPLETED', 'CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED') BEGIN
    SELECT RAISE(ABORT, 'a purchase ends once');
END;
CREATE TRIGGER purchase_unchanged BEFORE UPDATE OF
    id, phone, bank, channel, card_type, merchant, order_reference, amount
ON purchase BEGIN
    SELECT RAISE(ABORT, 'a purchase stays what it is');
END;
CREATE TRIGGER purchase_kept BEFORE DELETE ON purchase BEGIN
    SELECT RAISE(ABORT, 'a purchase is never deleted');
END;
CREATE TRIGGER purchase_event_unchanged BEFORE UPDATE ON purchase_event BEGIN
    SELECT RAISE(ABORT, 'an event is never changed');
END;
CREATE TRIGGER purchase_event_kept BEFORE DELETE ON purchase_event BEGIN
    SELECT RAISE(ABORT, 'an event is never deleted');
END;
