-- The catalog: the durable truth of which calls are known and what became of each.
-- All times are whole milliseconds since 1970 in UTC, in columns ending in _ms.

-- One row per call of an account. The states are in docs/architecture.md.
CREATE TABLE calls (
  account      TEXT    NOT NULL,
  sid          TEXT    NOT NULL,
  state        TEXT    NOT NULL DEFAULT 'expected',
  reason       TEXT    NOT NULL DEFAULT '',     -- why it stands where it stands
  day          TEXT    NOT NULL DEFAULT '',     -- YYYY-MM-DD in the account's zone; '' unknown
  due_ms       BIGINT  NOT NULL,                -- when it is next looked at
  delete_by_ms BIGINT  NOT NULL,                -- when the provider deletes the recording
  lease        TEXT,                            -- token of the batch that works on it
  tries        INTEGER NOT NULL DEFAULT 0,      -- passing troubles so far
  refreshes    INTEGER NOT NULL DEFAULT 0,      -- URLs that had to be resolved afresh
  looks        INTEGER NOT NULL DEFAULT 0,      -- looks that found no recording
  late_looks   INTEGER NOT NULL DEFAULT 0,      -- those of them after the provider's window
  settled_ms   BIGINT,
  created_ms   BIGINT,                          -- the provider's DateCreated
  began_ms     BIGINT,
  ended_ms     BIGINT,
  duration_s   INTEGER,
  talk_s       INTEGER,
  status       TEXT    NOT NULL DEFAULT '',
  leg2_status  TEXT    NOT NULL DEFAULT '',
  direction    TEXT    NOT NULL DEFAULT '',
  from_number  TEXT    NOT NULL DEFAULT '',
  to_number    TEXT    NOT NULL DEFAULT '',
  exophone     TEXT    NOT NULL DEFAULT '',
  PRIMARY KEY (account, sid)
);

-- What the dispatcher reads: due calls, earliest deletion first.
CREATE INDEX calls_due ON calls (account, delete_by_ms, due_ms) WHERE state = 'expected';
-- What the balance counts.
CREATE INDEX calls_balance ON calls (account, day, state);
-- What a batch holds, for settling and rescue.
CREATE INDEX calls_lease ON calls (lease) WHERE lease IS NOT NULL;
-- What went wrong in this run.
CREATE INDEX calls_trouble ON calls (settled_ms) WHERE state IN ('lost', 'failed');

-- Which source saw which call. Written beside the calls, never derived from them: the balance
-- compares the two.
CREATE TABLE sightings (
  account TEXT   NOT NULL,
  sid     TEXT   NOT NULL,
  source  TEXT   NOT NULL,
  seen_ms BIGINT NOT NULL,
  PRIMARY KEY (account, sid, source)
) WITHOUT ROWID;

-- One row per recording that is proved and on disk. A call may have several.
CREATE TABLE recordings (
  account      TEXT    NOT NULL,
  sid          TEXT    NOT NULL,
  object_name  TEXT    NOT NULL,               -- the provider's file name, which need not be the Sid
  path         TEXT    NOT NULL UNIQUE,        -- relative to the archive's root; fixed once
  sha256       TEXT    NOT NULL,
  bytes        BIGINT  NOT NULL,
  format       TEXT    NOT NULL,
  channels     INTEGER NOT NULL,
  sample_rate  INTEGER NOT NULL,
  seconds      REAL,                           -- as the audio's head says
  archived_ms  BIGINT  NOT NULL,
  PRIMARY KEY (account, sid, object_name)
);

-- Batches in work. A batch belongs to a process, and a process lives while it beats.
CREATE TABLE batches (
  lease    TEXT    NOT NULL PRIMARY KEY,
  process  TEXT    NOT NULL,
  job_id   TEXT    NOT NULL,                   -- arq's id, so that a dead batch's keys can be removed
  begun_ms BIGINT  NOT NULL,
  claimed  INTEGER NOT NULL DEFAULT 0          -- 1: the states tell which calls it holds
);

CREATE TABLE processes (
  process    TEXT    NOT NULL PRIMARY KEY,
  host       TEXT    NOT NULL,
  pid        INTEGER NOT NULL,
  version    TEXT    NOT NULL,
  started_ms BIGINT  NOT NULL,
  beat_ms    BIGINT  NOT NULL,
  recordings BIGINT  NOT NULL DEFAULT 0,       -- archived since it started
  bytes      BIGINT  NOT NULL DEFAULT 0
);

-- What holds work up: scope is 'account:NAME', 'host:NAME' or 'all'.
CREATE TABLE pauses (
  scope    TEXT    NOT NULL PRIMARY KEY,
  reason   TEXT    NOT NULL,
  detail   TEXT    NOT NULL,
  fatal    INTEGER NOT NULL,                   -- 1: a drain ends, since only a person can help
  strikes  INTEGER NOT NULL,
  since_ms BIGINT  NOT NULL,
  probe_ms BIGINT  NOT NULL                    -- from then on one batch may try again
);

-- Day folders whose SHA256SUMS no longer tells what is in them.
CREATE TABLE changed_days (
  folder  TEXT    NOT NULL PRIMARY KEY,        -- {account}/{YYYY}/{MM}/{DD}
  changes INTEGER NOT NULL                     -- since its files were last written
);
