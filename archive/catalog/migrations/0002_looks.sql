-- What each look at a call found, for the story that `explain` tells.
CREATE TABLE looks (
  account TEXT   NOT NULL,
  sid     TEXT   NOT NULL,
  at_ms   BIGINT NOT NULL,
  state   TEXT   NOT NULL,                -- where the call stood after the look
  reason  TEXT   NOT NULL,
  detail  TEXT   NOT NULL DEFAULT ''      -- the provider's words or the system's; never a secret
);

CREATE INDEX looks_of_call ON looks (account, sid, at_ms);
