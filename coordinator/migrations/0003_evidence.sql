-- Evidence with everything that proves it. What was kept before proved nothing: it is dropped, and
-- what it spoke of is compared again.

DROP TABLE objects;

-- Objects that receipts saw whole at a target, the newest evidence of each key.
CREATE TABLE objects (
    target BLOB NOT NULL,
    key TEXT NOT NULL,
    source BLOB NOT NULL,
    size INTEGER NOT NULL,
    crc64nvme INTEGER NOT NULL,
    source_etag TEXT NOT NULL,
    target_etag TEXT NOT NULL,
    existed INTEGER NOT NULL,
    worker TEXT NOT NULL,
    job BLOB NOT NULL,
    recorded_ms INTEGER NOT NULL,
    PRIMARY KEY (target, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX objects_by_age ON objects (recorded_ms);

-- Jobs whose commit may be in a target's log: their objects are never replaced.
CREATE TABLE publications (
    job BLOB NOT NULL PRIMARY KEY,
    recorded_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
