-- What is left of recordings that were deleted from the archive: which they were, and why they went.
CREATE TABLE purged (
  account     TEXT   NOT NULL,
  sid         TEXT   NOT NULL,
  object_name TEXT   NOT NULL,
  path        TEXT   NOT NULL,                 -- where it lay, relative to the archive's root
  sha256      TEXT   NOT NULL,
  bytes       BIGINT NOT NULL,
  purged_ms   BIGINT NOT NULL,                 -- when that was decided
  why         TEXT   NOT NULL,
  removed_ms  BIGINT,                          -- when its files were gone; NULL: they may be there still
  PRIMARY KEY (account, sid, object_name)
);

CREATE INDEX purged_to_remove ON purged (path) WHERE removed_ms IS NULL;
