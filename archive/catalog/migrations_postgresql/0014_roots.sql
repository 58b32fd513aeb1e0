-- As for SQLite.
CREATE TABLE roots (
  number INTEGER NOT NULL PRIMARY KEY,
  mark   TEXT COLLATE "C" NOT NULL
);

INSERT INTO roots (number, mark) VALUES (1, '');

CREATE TABLE root_places (
  host    TEXT COLLATE "C" NOT NULL,
  path    TEXT COLLATE "C" NOT NULL,
  root    INTEGER NOT NULL,
  seen_ms BIGINT NOT NULL,
  PRIMARY KEY (host, path)
);

ALTER TABLE recordings ADD COLUMN root INTEGER NOT NULL DEFAULT 1;
ALTER TABLE purged ADD COLUMN root INTEGER NOT NULL DEFAULT 1;

CREATE TABLE days_of_roots (
  root    INTEGER NOT NULL,
  folder  TEXT COLLATE "C" NOT NULL,
  changes BIGINT NOT NULL,
  PRIMARY KEY (root, folder)
);

ALTER TABLE processes ADD COLUMN ahead_ms BIGINT NOT NULL DEFAULT 0;

-- A manifest is this catalog's own in each root apart.
CREATE TABLE owned_days_of_roots (
  root   INTEGER NOT NULL,
  folder TEXT COLLATE "C" NOT NULL,
  PRIMARY KEY (root, folder)
);

INSERT INTO owned_days_of_roots (root, folder) SELECT 1, folder FROM owned_days;

DROP TABLE owned_days;

ALTER TABLE owned_days_of_roots RENAME TO owned_days;
