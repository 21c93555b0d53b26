-- Lists of ended jobs go by the time of their creation.
CREATE INDEX jobs_by_creation ON jobs (created_ms, job);
