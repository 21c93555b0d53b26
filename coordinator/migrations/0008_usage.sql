-- What live jobs sent, by month. The last row of a key counts. `month` is that of UTC, `zone_month`
-- that of the replication's zone; a currency that is empty means that the price was not known.
CREATE TABLE usage (
    job BLOB NOT NULL,
    month TEXT NOT NULL,
    zone_month TEXT NOT NULL,
    currency TEXT NOT NULL,
    replication TEXT NOT NULL,
    owner TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    path TEXT NOT NULL,
    regions TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    source_requests INTEGER NOT NULL,
    target_requests INTEGER NOT NULL,
    micros INTEGER NOT NULL,
    PRIMARY KEY (job, month, zone_month, currency)
) WITHOUT ROWID;

-- The sums of the jobs that ended.
CREATE TABLE usage_months (
    month TEXT NOT NULL,
    zone_month TEXT NOT NULL,
    currency TEXT NOT NULL,
    replication TEXT NOT NULL,
    owner TEXT NOT NULL,
    source TEXT NOT NULL,
    target TEXT NOT NULL,
    path TEXT NOT NULL,
    regions TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    source_requests INTEGER NOT NULL,
    target_requests INTEGER NOT NULL,
    micros INTEGER NOT NULL,
    PRIMARY KEY (month, zone_month, currency, replication, owner, source, target, path, regions)
) WITHOUT ROWID;
