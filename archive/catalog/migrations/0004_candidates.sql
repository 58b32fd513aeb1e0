-- Recordings that a source told of beside the one that the provider's API tells of: hints, fetched
-- where the account's own path on a listed host is meant. A call is archived when none is open.
CREATE TABLE candidates (
  account     TEXT   NOT NULL,
  sid         TEXT   NOT NULL,
  object_name TEXT   NOT NULL,            -- the provider's file name, which tells recordings apart
  url         TEXT   NOT NULL,            -- without its query: a signed URL is never stored
  source      TEXT   NOT NULL,
  seen_ms     BIGINT NOT NULL,
  same_as     TEXT   NOT NULL DEFAULT '', -- the recording whose bytes it has, which is kept once
  PRIMARY KEY (account, sid, object_name)
);
