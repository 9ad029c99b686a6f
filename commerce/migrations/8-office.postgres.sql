CREATE TRIGGER audit_unchanged BEFORE UPDATE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse('an audit line is never changed');
CREATE TRIGGER audit_kept BEFORE DELETE ON audit
    FOR EACH ROW EXECUTE FUNCTION refuse('an audit line is never deleted');
CREATE TRIGGER audit_lines_kept BEFORE TRUNCATE ON audit
    EXECUTE FUNCTION refuse('an audit line is never deleted');
