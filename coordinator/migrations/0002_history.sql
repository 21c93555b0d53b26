-- Ended jobs in short: the three facts that tell what was asked for, planned and done. Once this row
-- is there, the job's own facts are dropped, some at a time.
CREATE TABLE jobs (
    job BLOB PRIMARY KEY NOT NULL,
    created_sequence INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    created BLOB NOT NULL,
    -- The last plan; none: it ended before it was planned.
    planned_sequence INTEGER,
    planned_ms INTEGER,
    planned BLOB,
    ended_sequence INTEGER NOT NULL,
    ended_ms INTEGER NOT NULL,
    ended BLOB NOT NULL,
    -- 1 while facts of the job are left.
    has_facts INTEGER NOT NULL DEFAULT 1
) STRICT;
CREATE INDEX jobs_by_sequence ON jobs (ended_sequence);
CREATE INDEX jobs_by_age ON jobs (ended_ms);
CREATE INDEX jobs_with_facts ON jobs (job) WHERE has_facts = 1;

-- The last plan and the end of a job are found without reading the facts of its tasks.
CREATE INDEX facts_planned ON facts (job, sequence) WHERE kind = 'planned';
CREATE INDEX facts_ended ON facts (job, sequence) WHERE kind = 'ended';
