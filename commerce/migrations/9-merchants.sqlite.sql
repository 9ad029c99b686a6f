DROP TRIGGER purchase_ended;
CREATE TRIGGER purchase_ended BEFORE UPDATE OF state ON purchase
WHEN OLD.state IN ('CANCELLED', 'EXPIRED', 'FAILED', 'REFUNDED') OR (OLD.state = 'COMPLETED'
    AND NOT (NEW.state = 'COMPENSATING' AND OLD.merchant IS NOT NULL)) BEGIN
    SELECT RAISE(ABORT, 'a purchase ends once');
END;
CREATE TRIGGER checkout_unchanged BEFORE UPDATE OF merchant, order_reference, amount ON checkout BEGIN
    SELECT RAISE(ABORT, 'an order stays what it is');
END;
CREATE TRIGGER checkout_paid_once BEFORE UPDATE OF purchase ON checkout
WHEN OLD.purchase IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'an order has one purchase');
END;
CREATE TRIGGER checkout_kept BEFORE DELETE ON checkout WHEN OLD.purchase IS NOT NULL BEGIN
    SELECT RAISE(ABORT, 'an order with a purchase is never deleted');
END;
