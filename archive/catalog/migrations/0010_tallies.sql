-- What the processes did, added up by the hour: requests, downloads, failures. Never the books, which
-- are counted from the calls: a process that is killed takes the last seconds of its counts along.
CREATE TABLE tallies (
  hour_ms BIGINT NOT NULL,                     -- the hour's beginning, in UTC
  host    TEXT   NOT NULL,
  account TEXT   NOT NULL,
  name    TEXT   NOT NULL,
  label   TEXT   NOT NULL,                     -- what the name divides by: an outcome, a symptom
  amount  BIGINT NOT NULL,
  PRIMARY KEY (hour_ms, host, account, name, label)
);
