-- Who asked for what: one row for each change and each refusal. Rows are added and, when they are old,
-- dropped; none is ever changed.
CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms INTEGER NOT NULL,
    principal TEXT NOT NULL,
    address TEXT NOT NULL,
    call TEXT NOT NULL,
    resource TEXT NOT NULL,
    outcome TEXT NOT NULL,
    message TEXT NOT NULL
);
CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the record of who asked for what is never changed');
END;
