-- Requests by what they are priced as, and the id of the replication, which a new name does not
-- change. What was counted before is priced as it was: reads at the source, writes at the target.
ALTER TABLE usage RENAME COLUMN source_requests TO source_reads;
ALTER TABLE usage RENAME COLUMN target_requests TO target_writes;
ALTER TABLE usage ADD COLUMN source_lists INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN target_reads INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN target_lists INTEGER NOT NULL DEFAULT 0;
ALTER TABLE usage ADD COLUMN replication_id TEXT NOT NULL DEFAULT '';

CREATE TABLE usage_sums (
    month TEXT NOT NULL,
    zone_month TEXT NOT NULL,
    currency TEXT NOT NULL,
    replication TEXT NOT NULL,
    replication_id TEXT NOT NULL,
    owner TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    path TEXT NOT NULL,
    regions TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    source_reads INTEGER NOT NULL,
    source_lists INTEGER NOT NULL,
    target_reads INTEGER NOT NULL,
    target_lists INTEGER NOT NULL,
    target_writes INTEGER NOT NULL,
    micros INTEGER NOT NULL,
    PRIMARY KEY (month, zone_month, currency, replication, replication_id, owner, source, target,
                 path, regions)
) WITHOUT ROWID;
INSERT INTO usage_sums
SELECT month, zone_month, currency, replication, '', owner, source, target, path, regions, bytes,
       source_requests, 0, 0, 0, target_requests, micros
FROM usage_months;
DROP TABLE usage_months;
ALTER TABLE usage_sums RENAME TO usage_months;
