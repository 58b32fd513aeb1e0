-- The team that a dashboard report names, by which calls can be left out.
ALTER TABLE calls ADD COLUMN group_name TEXT NOT NULL DEFAULT '';
-- Where the provider's listing says that the recording is: unsigned, so that the call need not be
-- asked for once more; '' where it told none, or where that turned out to be of no use.
ALTER TABLE calls ADD COLUMN listed_url TEXT NOT NULL DEFAULT '';
-- 1: a person asked for it, so no rule leaves it out.
ALTER TABLE calls ADD COLUMN wanted INTEGER NOT NULL DEFAULT 0;

-- Up to when the provider's listing has been read completely, by account and kind of walk.
CREATE TABLE watermarks (
  account  TEXT   NOT NULL,
  walk     TEXT   NOT NULL,
  until_ms BIGINT NOT NULL,                    -- all calls created before it are known
  moved_ms BIGINT NOT NULL,                    -- when that was found
  PRIMARY KEY (account, walk)
);

-- The times in which a source was heard. What is shorter apart than a source is quiet by habit is one.
CREATE TABLE hearings (
  account  TEXT   NOT NULL,
  source   TEXT   NOT NULL,
  since_ms BIGINT NOT NULL,
  until_ms BIGINT NOT NULL,
  PRIMARY KEY (account, source, since_ms)
);

-- As before, and with the group.
DROP TRIGGER calls_change_their_day;
CREATE TRIGGER calls_change_their_day AFTER UPDATE ON calls
WHEN (old.state <> new.state AND NOT (old.state IN ('expected', 'leased') AND new.state IN ('expected', 'leased')))
  OR old.day <> new.day OR old.reason <> new.reason OR old.delete_by_ms <> new.delete_by_ms
  OR old.settled_ms IS NOT new.settled_ms OR old.created_ms IS NOT new.created_ms
  OR old.began_ms IS NOT new.began_ms OR old.ended_ms IS NOT new.ended_ms
  OR old.duration_s IS NOT new.duration_s OR old.talk_s IS NOT new.talk_s
  OR old.status <> new.status OR old.leg2_status <> new.leg2_status
  OR old.direction <> new.direction OR old.from_number <> new.from_number
  OR old.to_number <> new.to_number OR old.exophone <> new.exophone
  OR old.group_name <> new.group_name OR old.wanted <> new.wanted
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
