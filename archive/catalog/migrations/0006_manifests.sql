-- The manifest of a day tells of all its calls, so each change of what it tells marks the day. These
-- triggers do that for whoever changes a row; calls that are new are marked by the intake, a chunk at
-- a time. A leased call stands in the manifest as expected, so a claim marks nothing.

CREATE TRIGGER calls_change_their_day AFTER UPDATE ON calls
WHEN (old.state <> new.state AND NOT (old.state IN ('expected', 'leased') AND new.state IN ('expected', 'leased')))
  OR old.day <> new.day OR old.reason <> new.reason OR old.delete_by_ms <> new.delete_by_ms
  OR old.settled_ms IS NOT new.settled_ms OR old.created_ms IS NOT new.created_ms
  OR old.began_ms IS NOT new.began_ms OR old.ended_ms IS NOT new.ended_ms
  OR old.duration_s IS NOT new.duration_s OR old.talk_s IS NOT new.talk_s
  OR old.status <> new.status OR old.leg2_status <> new.leg2_status
  OR old.direction <> new.direction OR old.from_number <> new.from_number
  OR old.to_number <> new.to_number OR old.exophone <> new.exophone
BEGIN
  INSERT INTO changed_days (folder, changes)
  VALUES (new.account || CASE new.day WHEN '' THEN '' ELSE '/' || replace(new.day, '-', '/') END, 1)
  ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
  -- A call that moved is in the wrong manifest until the old day's is written anew.
  INSERT INTO changed_days (folder, changes)
  SELECT new.account || CASE old.day WHEN '' THEN '' ELSE '/' || replace(old.day, '-', '/') END, 1
  WHERE old.day <> new.day
  ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
END;

CREATE TRIGGER recordings_change_their_day AFTER INSERT ON recordings
BEGIN
  INSERT INTO changed_days (folder, changes)
  SELECT account || CASE day WHEN '' THEN '' ELSE '/' || replace(day, '-', '/') END, 1 FROM calls
  WHERE account = new.account AND sid = new.sid
  ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
END;

CREATE TRIGGER recordings_replaced_change_their_day AFTER UPDATE ON recordings
BEGIN
  INSERT INTO changed_days (folder, changes)
  SELECT account || CASE day WHEN '' THEN '' ELSE '/' || replace(day, '-', '/') END, 1 FROM calls
  WHERE account = new.account AND sid = new.sid
  ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
END;

CREATE TRIGGER recordings_gone_change_their_day AFTER DELETE ON recordings
BEGIN
  INSERT INTO changed_days (folder, changes)
  SELECT account || CASE day WHEN '' THEN '' ELSE '/' || replace(day, '-', '/') END, 1 FROM calls
  WHERE account = old.account AND sid = old.sid
  ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
END;

CREATE TRIGGER candidates_change_their_day AFTER INSERT ON candidates
BEGIN
  INSERT INTO changed_days (folder, changes)
  SELECT account || CASE day WHEN '' THEN '' ELSE '/' || replace(day, '-', '/') END, 1 FROM calls
  WHERE account = new.account AND sid = new.sid
  ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
END;

CREATE TRIGGER candidates_settled_change_their_day AFTER UPDATE ON candidates
BEGIN
  INSERT INTO changed_days (folder, changes)
  SELECT account || CASE day WHEN '' THEN '' ELSE '/' || replace(day, '-', '/') END, 1 FROM calls
  WHERE account = new.account AND sid = new.sid
  ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
END;

-- Folders whose manifest is this catalog's. One in another folder is a former catalog's, and is set
-- aside rather than overwritten.
CREATE TABLE owned_days (
  folder TEXT NOT NULL PRIMARY KEY
);

-- What a catalog of an earlier version knows has no manifest yet.
INSERT INTO changed_days (folder, changes)
SELECT DISTINCT account || CASE day WHEN '' THEN '' ELSE '/' || replace(day, '-', '/') END, 1
FROM calls WHERE true
ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
