DROP TRIGGER purchase_ended ON purchase;
CREATE TRIGGER purchase_ended BEFORE UPDATE OF state ON purchase FOR EACH ROW
    WHEN (OLD.state IN ('CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED') OR (OLD.state = 'COMPLETED'
        AND NOT (NEW.state = 'COMPENSATING' AND OLD.merchant IS NOT NULL)))
    EXECUTE FUNCTION refuse('a purchase ends once');
CREATE TRIGGER checkout_unchanged BEFORE UPDATE OF merchant, order_reference, amount
ON checkout FOR EACH ROW EXECUTE FUNCTION refuse('an order stays what it is');
CREATE TRIGGER checkout_paid_once BEFORE UPDATE OF purchase ON checkout FOR EACH ROW
    WHEN (OLD.purchase IS NOT NULL) EXECUTE FUNCTION refuse('an order has one purchase');
CREATE TRIGGER checkout_kept BEFORE DELETE ON checkout FOR EACH ROW
    WHEN (OLD.purchase IS NOT NULL)
    EXECUTE FUNCTION refuse('an order with a purchase is never deleted');
