-- When each command that has an end began and ended, for those who look in the morning.
CREATE TABLE runs (
  id       TEXT    NOT NULL PRIMARY KEY,
  host     TEXT    NOT NULL,
  command  TEXT    NOT NULL,                   -- as it is typed, without its options
  began_ms BIGINT  NOT NULL,
  ended_ms BIGINT,                             -- NULL: it goes on, or was killed
  code     INTEGER,                            -- the exit code
  note     TEXT    NOT NULL DEFAULT ''         -- its figures or its error, in some words
);

CREATE INDEX runs_in_order ON runs (began_ms);
