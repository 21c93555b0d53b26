-- What is kept of replications, row by row: the owner is a replication or a budget, and the last
-- row of a key counts.
CREATE TABLE replications (
    owner TEXT NOT NULL,
    kind TEXT NOT NULL,
    part TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (owner, kind, part)
) WITHOUT ROWID;
