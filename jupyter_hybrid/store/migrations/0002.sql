-- Lists, counts and the look for changes read this index alone: a record is a hundred times as long.
ALTER TABLE job ADD COLUMN notebook TEXT;
UPDATE job SET notebook = json_extract(record, '$.spec.notebook_path');
CREATE INDEX job_listing ON job (id, state, target, name, notebook, revision);
