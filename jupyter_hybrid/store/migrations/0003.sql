-- A process that still follows a job tells it to a store that was lost, but not to one that deleted it.
CREATE TABLE deleted (id TEXT PRIMARY KEY) WITHOUT ROWID;
