-- 1: it said goodbye, or what it held was given back; else a silent one shows in `status`.
ALTER TABLE processes ADD COLUMN ended INTEGER NOT NULL DEFAULT 0;

-- What a host meets that keeps everything from going on and is no pause: a queue that is away.
CREATE TABLE troubles (
  host     TEXT   NOT NULL,
  what     TEXT   NOT NULL,
  detail   TEXT   NOT NULL,
  since_ms BIGINT NOT NULL,
  seen_ms  BIGINT NOT NULL,                    -- when it was last met: an old one is over
  PRIMARY KEY (host, what)
);
