-- Several hosts may each have a root of their own: which one a recording's file lies in. A root is known
-- by its mark, the word in the file .root in it; the first one is numbered before it has any.
CREATE TABLE roots (
  number INTEGER NOT NULL PRIMARY KEY,
  mark   TEXT    NOT NULL                      -- empty: nobody has worked in it since there are marks
);

INSERT INTO roots (number, mark) VALUES (1, '');

-- Where roots are, or were when they were last used; one on shared storage is at several places.
CREATE TABLE root_places (
  host    TEXT    NOT NULL,
  path    TEXT    NOT NULL,
  root    INTEGER NOT NULL,
  seen_ms BIGINT  NOT NULL,
  PRIMARY KEY (host, path)
);

ALTER TABLE recordings ADD COLUMN root INTEGER NOT NULL DEFAULT 1;
ALTER TABLE purged ADD COLUMN root INTEGER NOT NULL DEFAULT 1;

-- Days whose files in one root are behind, beside changed_days, which is for whichever root's keeper
-- looks first: it leaves a row here for each other root.
CREATE TABLE days_of_roots (
  root    INTEGER NOT NULL,
  folder  TEXT    NOT NULL,
  changes BIGINT  NOT NULL,
  PRIMARY KEY (root, folder)
);

-- How far the clock of a process' host is ahead of the catalog's.
ALTER TABLE processes ADD COLUMN ahead_ms BIGINT NOT NULL DEFAULT 0;

-- A manifest is this catalog's own in each root apart.
CREATE TABLE owned_days_of_roots (
  root   INTEGER NOT NULL,
  folder TEXT NOT NULL,
  PRIMARY KEY (root, folder)
);

INSERT INTO owned_days_of_roots (root, folder) SELECT 1, folder FROM owned_days;

DROP TABLE owned_days;

ALTER TABLE owned_days_of_roots RENAME TO owned_days;
