-- How many there are, so that nobody has to read millions of rows to tell. Each table keeps its own
-- count: what is known is counted by the sightings, what became of it by the calls, what is there by
-- the recordings; they are compared as before. `catalog check` and the end of a drain still count
-- every row, and hold these against it.
--
-- what: 'calls' by state and reason ('expected' with those that are leased, which calls_lease tells),
-- 'seen' (calls that a source saw), 'recorded' (calls with a recording), 'recordings', 'bytes'.
CREATE TABLE counts (
  account TEXT   NOT NULL,
  what    TEXT   NOT NULL,
  state   TEXT   NOT NULL DEFAULT '',
  reason  TEXT   NOT NULL DEFAULT '',
  amount  BIGINT NOT NULL,
  PRIMARY KEY (account, what, state, reason)
) WITHOUT ROWID;

-- +account: not in the order of an index, which would have each row looked for by itself.
INSERT INTO counts (account, what, state, reason, amount)
SELECT account, 'calls', CASE state WHEN 'leased' THEN 'expected' ELSE state END, reason, COUNT(*)
FROM calls GROUP BY +account, CASE state WHEN 'leased' THEN 'expected' ELSE state END, reason;

INSERT INTO counts (account, what, amount)
SELECT account, 'seen', COUNT(*) FROM (SELECT DISTINCT account, sid FROM sightings) AS s GROUP BY account;

INSERT INTO counts (account, what, amount)
SELECT account, 'recorded', COUNT(*) FROM (SELECT DISTINCT account, sid FROM recordings) AS r GROUP BY account;

INSERT INTO counts (account, what, amount)
SELECT account, 'recordings', COUNT(*) FROM recordings GROUP BY account
UNION ALL
SELECT account, 'bytes', SUM(bytes) FROM recordings GROUP BY +account;

-- Rows that are new are counted by who adds them, a chunk at a time (archive/catalog/counts.py): a
-- trigger for each row makes an import twice as slow. A claim counts nothing.
CREATE TRIGGER calls_counted AFTER UPDATE OF state, reason ON calls
WHEN (old.state <> new.state AND NOT (old.state IN ('expected', 'leased') AND new.state IN ('expected', 'leased')))
  OR old.reason <> new.reason
BEGIN
  INSERT INTO counts (account, what, state, reason, amount)
  VALUES (old.account, 'calls', CASE old.state WHEN 'leased' THEN 'expected' ELSE old.state END, old.reason, -1),
    (new.account, 'calls', CASE new.state WHEN 'leased' THEN 'expected' ELSE new.state END, new.reason, 1)
  ON CONFLICT (account, what, state, reason) DO UPDATE SET amount = counts.amount + excluded.amount;
END;

CREATE TRIGGER calls_gone_counted AFTER DELETE ON calls
BEGIN
  INSERT INTO counts (account, what, state, reason, amount)
  VALUES (old.account, 'calls', CASE old.state WHEN 'leased' THEN 'expected' ELSE old.state END, old.reason, -1)
  ON CONFLICT (account, what, state, reason) DO UPDATE SET amount = counts.amount + excluded.amount;
END;

CREATE TRIGGER sightings_gone_counted AFTER DELETE ON sightings
WHEN NOT EXISTS (SELECT 1 FROM sightings WHERE account = old.account AND sid = old.sid)
BEGIN
  INSERT INTO counts (account, what, amount) VALUES (old.account, 'seen', -1)
  ON CONFLICT (account, what, state, reason) DO UPDATE SET amount = counts.amount + excluded.amount;
END;

CREATE TRIGGER recordings_counted AFTER INSERT ON recordings
BEGIN
  INSERT INTO counts (account, what, amount)
  SELECT new.account, 'recordings', 1
  UNION ALL SELECT new.account, 'bytes', new.bytes
  UNION ALL SELECT new.account, 'recorded', 1 WHERE NOT EXISTS (
    SELECT 1 FROM recordings
    WHERE account = new.account AND sid = new.sid AND object_name <> new.object_name)
  ON CONFLICT (account, what, state, reason) DO UPDATE SET amount = counts.amount + excluded.amount;
END;

CREATE TRIGGER recordings_replaced_counted AFTER UPDATE OF bytes ON recordings WHEN old.bytes <> new.bytes
BEGIN
  UPDATE counts SET amount = amount + new.bytes - old.bytes WHERE account = new.account AND what = 'bytes';
END;

CREATE TRIGGER recordings_gone_counted AFTER DELETE ON recordings
BEGIN
  INSERT INTO counts (account, what, amount)
  SELECT old.account, 'recordings', -1
  UNION ALL SELECT old.account, 'bytes', -old.bytes
  UNION ALL SELECT old.account, 'recorded', -1 WHERE NOT EXISTS (
    SELECT 1 FROM recordings WHERE account = old.account AND sid = old.sid)
  ON CONFLICT (account, what, state, reason) DO UPDATE SET amount = counts.amount + excluded.amount;
END;
