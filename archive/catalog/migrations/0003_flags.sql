-- What is odd about a recording that is kept all the same; empty where nothing is.
ALTER TABLE recordings ADD COLUMN flag TEXT NOT NULL DEFAULT '';
CREATE INDEX recordings_flagged ON recordings (flag) WHERE flag <> '';
