-- Evidence goes by job, the one that ended first before the others, so that a live job keeps its own.

-- What no job is left for could not be found by one.
DELETE FROM objects
WHERE job NOT IN (SELECT job FROM jobs) AND job NOT IN (SELECT job FROM facts);
DELETE FROM publications
WHERE job NOT IN (SELECT job FROM jobs) AND job NOT IN (SELECT job FROM facts);

DROP INDEX objects_by_age;
CREATE INDEX objects_by_job ON objects (job);

-- 1 while evidence of the job, or the note of its commit, may be left. The row stays that long.
ALTER TABLE jobs ADD COLUMN has_evidence INTEGER NOT NULL DEFAULT 1;
CREATE INDEX jobs_with_evidence ON jobs (ended_ms) WHERE has_evidence = 1;

-- How many objects there are: one row. Counting them would take as long as they are many.
CREATE TABLE objects_total (
    id INTEGER PRIMARY KEY CHECK (id = 0),
    objects INTEGER NOT NULL
) STRICT;
INSERT INTO objects_total (id, objects) SELECT 0, count(*) FROM objects;
CREATE TRIGGER objects_added AFTER INSERT ON objects BEGIN
    UPDATE objects_total SET objects = objects + 1;
END;
CREATE TRIGGER objects_dropped AFTER DELETE ON objects BEGIN
    UPDATE objects_total SET objects = objects - 1;
END;
