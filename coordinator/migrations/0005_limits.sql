-- The last limits of an ended job, as they are shown; none: it never had any.
ALTER TABLE jobs ADD COLUMN limited_sequence INTEGER;
ALTER TABLE jobs ADD COLUMN limited_ms INTEGER;
ALTER TABLE jobs ADD COLUMN limited BLOB;

-- They are found without reading the facts of its tasks.
CREATE INDEX facts_limited ON facts (job, sequence) WHERE kind = 'limited';
