-- As for SQLite. Here each change is a row of its own, as those of days are: several hosts settle calls
-- of one account side by side, and would wait for each other at a common counter. The leader adds the
-- rows up now and then.
CREATE TABLE count_changes (
  account TEXT COLLATE "C" NOT NULL,
  what    TEXT COLLATE "C" NOT NULL,
  state   TEXT COLLATE "C" NOT NULL DEFAULT '',
  reason  TEXT COLLATE "C" NOT NULL DEFAULT '',
  amount  BIGINT NOT NULL
);

CREATE VIEW counts AS
SELECT account, what, state, reason, SUM(amount) AS amount FROM count_changes
GROUP BY account, what, state, reason;

-- A claim counts nothing.
CREATE FUNCTION counted_as(state TEXT) RETURNS TEXT LANGUAGE sql IMMUTABLE
AS $$ SELECT CASE state WHEN 'leased' THEN 'expected' ELSE state END $$;

INSERT INTO count_changes (account, what, state, reason, amount)
SELECT account, 'calls', counted_as(state), reason, COUNT(*)
FROM calls GROUP BY account, counted_as(state), reason;

INSERT INTO count_changes (account, what, amount)
SELECT account, 'seen', COUNT(*) FROM (SELECT DISTINCT account, sid FROM sightings) AS s GROUP BY account;

INSERT INTO count_changes (account, what, amount)
SELECT account, 'recorded', COUNT(*) FROM (SELECT DISTINCT account, sid FROM recordings) AS r GROUP BY account;

INSERT INTO count_changes (account, what, amount)
SELECT account, 'recordings', COUNT(*) FROM recordings GROUP BY account
UNION ALL
SELECT account, 'bytes', SUM(bytes) FROM recordings GROUP BY account;

-- What comes in bulk is counted once a statement.
CREATE FUNCTION count_new_calls() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO count_changes (account, what, state, reason, amount)
  SELECT account, 'calls', counted_as(state), reason, COUNT(*)
  FROM added GROUP BY account, counted_as(state), reason;
  RETURN NULL;
END $$;

CREATE TRIGGER new_calls_counted AFTER INSERT ON calls REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION count_new_calls();

-- Whoever sees a call first has added the call itself before, in the same transaction, and so has
-- waited for any other who did.
CREATE FUNCTION count_new_sightings() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO count_changes (account, what, amount)
  SELECT n.account, 'seen', COUNT(*)
  FROM (SELECT account, sid, COUNT(*) AS fresh FROM added GROUP BY account, sid) AS n
  -- All that there are of the call came just now.
  WHERE n.fresh = (SELECT COUNT(*) FROM sightings AS s WHERE s.account = n.account AND s.sid = n.sid)
  GROUP BY n.account;
  RETURN NULL;
END $$;

CREATE TRIGGER new_sightings_counted AFTER INSERT ON sightings REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION count_new_sightings();

-- Of what goes in one statement, too: its rows are all gone when a trigger looks.
CREATE FUNCTION count_gone_sightings() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO count_changes (account, what, amount)
  SELECT g.account, 'seen', -COUNT(DISTINCT g.sid) FROM gone AS g
  WHERE NOT EXISTS (SELECT 1 FROM sightings AS s WHERE s.account = g.account AND s.sid = g.sid)
  GROUP BY g.account;
  RETURN NULL;
END $$;

CREATE TRIGGER sightings_gone_counted AFTER DELETE ON sightings REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION count_gone_sightings();

CREATE FUNCTION count_changed_call() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO count_changes (account, what, state, reason, amount)
  VALUES (old.account, 'calls', counted_as(old.state), old.reason, -1);
  IF TG_OP = 'UPDATE' THEN
    INSERT INTO count_changes (account, what, state, reason, amount)
    VALUES (new.account, 'calls', counted_as(new.state), new.reason, 1);
  END IF;
  RETURN NULL;
END $$;

CREATE TRIGGER calls_counted AFTER UPDATE ON calls FOR EACH ROW
WHEN ((old.state <> new.state AND NOT (old.state IN ('expected', 'leased') AND new.state IN ('expected', 'leased')))
  OR old.reason <> new.reason)
EXECUTE FUNCTION count_changed_call();

CREATE TRIGGER calls_gone_counted AFTER DELETE ON calls
FOR EACH ROW EXECUTE FUNCTION count_changed_call();

CREATE FUNCTION count_new_recordings() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO count_changes (account, what, amount)
  SELECT account, 'recordings', COUNT(*) FROM added GROUP BY account
  UNION ALL SELECT account, 'bytes', SUM(bytes) FROM added GROUP BY account
  UNION ALL SELECT n.account, 'recorded', COUNT(*)
  FROM (SELECT account, sid, COUNT(*) AS fresh FROM added GROUP BY account, sid) AS n
  WHERE n.fresh = (SELECT COUNT(*) FROM recordings AS r WHERE r.account = n.account AND r.sid = n.sid)
  GROUP BY n.account;
  RETURN NULL;
END $$;

CREATE TRIGGER new_recordings_counted AFTER INSERT ON recordings REFERENCING NEW TABLE AS added
FOR EACH STATEMENT EXECUTE FUNCTION count_new_recordings();

CREATE FUNCTION count_gone_recordings() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO count_changes (account, what, amount)
  SELECT account, 'recordings', -COUNT(*) FROM gone GROUP BY account
  UNION ALL SELECT account, 'bytes', -SUM(bytes) FROM gone GROUP BY account
  UNION ALL SELECT g.account, 'recorded', -COUNT(DISTINCT g.sid) FROM gone AS g
  WHERE NOT EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = g.account AND r.sid = g.sid)
  GROUP BY g.account;
  RETURN NULL;
END $$;

CREATE TRIGGER recordings_gone_counted AFTER DELETE ON recordings REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION count_gone_recordings();

CREATE FUNCTION count_other_bytes() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO count_changes (account, what, amount) VALUES (new.account, 'bytes', new.bytes - old.bytes);
  RETURN NULL;
END $$;

CREATE TRIGGER recordings_replaced_counted AFTER UPDATE ON recordings FOR EACH ROW
WHEN (old.bytes <> new.bytes) EXECUTE FUNCTION count_other_bytes();
