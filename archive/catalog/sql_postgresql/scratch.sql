-- Temporary tables, as in sql/: text is compared byte by byte there, too.

-- name: make_previewed()!
CREATE TEMPORARY TABLE IF NOT EXISTS previewed (sid TEXT COLLATE "C" NOT NULL PRIMARY KEY);

-- name: make_told()!
CREATE TEMPORARY TABLE IF NOT EXISTS told (
  path        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  account     TEXT COLLATE "C" NOT NULL,
  sid         TEXT COLLATE "C" NOT NULL,
  object_name TEXT COLLATE "C" NOT NULL,
  sha256      TEXT NOT NULL,
  bytes       BIGINT NOT NULL,
  format      TEXT NOT NULL,
  channels    INTEGER NOT NULL,
  sample_rate BIGINT NOT NULL,
  seconds     DOUBLE PRECISION,
  flag        TEXT NOT NULL,
  archived_ms BIGINT NOT NULL,
  found       TEXT COLLATE "C" NOT NULL DEFAULT 'file-missing'
);

-- name: make_findings()!
CREATE TEMPORARY TABLE IF NOT EXISTS findings (
  id      BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind    TEXT COLLATE "C" NOT NULL,
  path    TEXT COLLATE "C" NOT NULL,
  account TEXT COLLATE "C" NOT NULL,
  sid     TEXT COLLATE "C" NOT NULL,
  sha256  TEXT COLLATE "C" NOT NULL,
  detail  TEXT NOT NULL,
  fault   INTEGER NOT NULL,
  outcome TEXT COLLATE "C" NOT NULL DEFAULT ''
);
