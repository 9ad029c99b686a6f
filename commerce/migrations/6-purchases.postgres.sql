CREATE TRIGGER purchase_ended BEFORE UPDATE OF state ON purchase FOR EACH ROW
    WHEN (OLD.state IN ('COMPLETED', 'CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED'))
    EXECUTE FUNCTION refuse('a purchase ends once');
CREATE TRIGGER purchase_unchanged BEFORE UPDATE OF
    id, phone, bank, channel, card_type, merchant, order_reference, amount
ON purchase FOR EACH ROW EXECUTE FUNCTION refuse('a purchase stays what it is');
CREATE TRIGGER purchase_kept BEFORE DELETE ON purchase
    FOR EACH ROW EXECUTE FUNCTION refuse('a purchase is never deleted');
CREATE TRIGGER purchases_kept BEFORE TRUNCATE ON purchase
    EXECUTE FUNCTION refuse('a purchase is never deleted');
CREATE TRIGGER purchase_event_unchanged BEFORE UPDATE ON purchase_event
    FOR EACH ROW EXECUTE FUNCTION refuse('an event is never changed');
CREATE TRIGGER purchase_event_kept BEFORE DELETE ON purchase_event
    FOR EACH ROW EXECUTE FUNCTION refuse('an event is never deleted');
CREATE TRIGGER purchase_events_kept BEFORE TRUNCATE ON purchase_event
    EXECUTE FUNCTION refuse('an event is never deleted');
