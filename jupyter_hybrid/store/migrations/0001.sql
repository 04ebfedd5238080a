-- The whole record is one JSON document; the columns are what jobs are looked for by.
CREATE TABLE job (
    id TEXT PRIMARY KEY,
    state TEXT NOT NULL,
    target TEXT NOT NULL,
    name TEXT NOT NULL,
    created_at REAL NOT NULL,
    revision INTEGER NOT NULL,
    record TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX job_by_state ON job (state, id);
