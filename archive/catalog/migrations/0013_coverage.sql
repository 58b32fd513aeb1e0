-- The times whose calls are all known, as far as the provider's listing told when it was read: what
-- was read to its last page, by anybody. Times that touch are one row.
CREATE TABLE coverage (
  account  TEXT   NOT NULL,
  since_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  PRIMARY KEY (account, since_ms)
);
