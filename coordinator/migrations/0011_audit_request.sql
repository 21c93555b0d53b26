-- The id of the request, which leads to the lines of the log; empty where a request has none.
ALTER TABLE audit ADD COLUMN request_id TEXT NOT NULL DEFAULT '';
