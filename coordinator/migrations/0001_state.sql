-- What survives a crash of the coordinator. Times are milliseconds since 1970 (UTC).

-- The term of the leading coordinator: one row. Every write first checks its own term against it.
CREATE TABLE leader (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    epoch INTEGER NOT NULL
) STRICT;
INSERT INTO leader (id, epoch) VALUES (0, 0);

-- Facts in the order in which they were recorded; body is a message of deepclone.state.v1.
CREATE TABLE facts (
    sequence INTEGER PRIMARY KEY AUTOINCREMENT,
    job BLOB NOT NULL,
    kind TEXT NOT NULL,
    body BLOB NOT NULL,
    recorded_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX facts_by_job ON facts (job, sequence);
-- A job is created once: ids derive from request ids, so this also holds those.
CREATE UNIQUE INDEX facts_created_once ON facts (job) WHERE kind = 'created';

-- Objects that receipts saw whole at a target, the newest evidence of each key.
CREATE TABLE objects (
    target BLOB NOT NULL,
    key TEXT NOT NULL,
    size INTEGER NOT NULL,
    job BLOB NOT NULL,
    recorded_ms INTEGER NOT NULL,
    PRIMARY KEY (target, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX objects_by_age ON objects (recorded_ms);
