-- insert_job --
-- A new job; an id that exists is an error.
INSERT INTO job (id, state, target, name, notebook, submit_key, created_at, revision, record)
VALUES (:id, :state, :target, :name, :notebook, :submit_key, :created_at, :revision, :record);

-- restore_job --
-- A job from its record file, unless the store knows it already.
INSERT OR IGNORE INTO job (id, state, target, name, notebook, submit_key, created_at, revision, record)
VALUES (:id, :state, :target, :name, :notebook, :submit_key, :created_at, :revision, :record);

-- save_job --
-- Compare-and-set: changes nothing where somebody else has saved the job meanwhile.
UPDATE job SET state = :state, target = :target, name = :name, notebook = :notebook,
               submit_key = :submit_key, revision = :revision + 1, record = :record
WHERE id = :id AND revision = :revision;

-- select_job --
SELECT record, revision FROM job WHERE id = :id;

-- submitted_job --
SELECT record, revision FROM job WHERE submit_key = :submit_key;

-- bad_record --
-- SQLite's own check does not read what is in a record.
SELECT 1 FROM job WHERE NOT json_valid(record) LIMIT 1;

-- find_jobs --
-- Jobs whose id begins with these characters; two are enough to know that it is ambiguous.
SELECT id FROM job WHERE id >= :prefix AND id < :prefix || '~' ORDER BY id LIMIT 2;

-- find_jobs_by_end --
-- Jobs whose id ends with these characters, as the names of results do.
SELECT id FROM job WHERE substr(id, -length(:ending)) = :ending ORDER BY id LIMIT 2;

-- last_job --
SELECT id FROM job ORDER BY id DESC LIMIT 1;

-- similar_jobs --
-- The newest ids, to name in the error about an unknown one.
SELECT id FROM job ORDER BY id DESC LIMIT 3;

-- list_jobs --
-- Newest first. NULL turns a filter off; states is a JSON list, text is folded already.
-- Only the page's own records are read.
SELECT record, revision FROM job
WHERE id IN (
  SELECT id FROM job INDEXED BY job_listing
  WHERE (:states IS NULL OR state IN (SELECT value FROM json_each(:states)))
    AND (:target IS NULL OR target = :target)
    AND (:text IS NULL OR instr(folded(name), :text) > 0)
    AND (:notebook IS NULL OR notebook = :notebook)
    AND (:before IS NULL OR id < :before)
  ORDER BY id DESC LIMIT :limit OFFSET :offset)
ORDER BY id DESC;

-- unfinished_jobs --
-- The same for states alone, by their own index.
SELECT record, revision FROM job INDEXED BY job_by_state
WHERE state IN (SELECT value FROM json_each(:states)) ORDER BY id DESC;

-- count_jobs --
-- How many by state, under list_jobs' filters but for the states and the page.
SELECT state, count(*) FROM job INDEXED BY job_listing
WHERE (:target IS NULL OR target = :target)
  AND (:text IS NULL OR instr(folded(name), :text) > 0)
  AND (:notebook IS NULL OR notebook = :notebook)
GROUP BY state;

-- all_revisions --
SELECT id, revision FROM job INDEXED BY job_listing;

-- delete_job --
DELETE FROM job WHERE id = :id;

-- note_deleted --
INSERT OR IGNORE INTO deleted (id) VALUES (:id);

-- was_deleted --
SELECT 1 FROM deleted WHERE id = :id;
