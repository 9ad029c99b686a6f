CREATE TRIGGER card_view_unchanged BEFORE UPDATE ON card_view
    FOR EACH ROW EXECUTE FUNCTION refuse('what was seen stays seen');
CREATE TRIGGER card_view_kept BEFORE DELETE ON card_view
    FOR EACH ROW EXECUTE FUNCTION refuse('what was seen stays seen');
CREATE TRIGGER card_views_kept BEFORE TRUNCATE ON card_view
    EXECUTE FUNCTION refuse('what was seen stays seen');
