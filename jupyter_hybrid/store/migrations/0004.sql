-- A submit that is repeated, in whichever process, finds the job that it has made.
ALTER TABLE job ADD COLUMN submit_key TEXT;
CREATE UNIQUE INDEX job_by_submit ON job (submit_key) WHERE submit_key IS NOT NULL;
