-- As for SQLite.
CREATE TABLE coverage (
  account  TEXT COLLATE "C" NOT NULL,
  since_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  PRIMARY KEY (account, since_ms)
);
