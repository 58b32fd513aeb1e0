-- The files of a day folder.

-- name: changed_days()
SELECT folder, changes FROM changed_days ORDER BY folder;

-- name: day_is_written(folder, changes)!
-- Only if nothing changed while the files were being written.
DELETE FROM changed_days WHERE folder = :folder AND changes = :changes;

-- name: own_day(folder)!
INSERT INTO owned_days (folder) VALUES (:folder) ON CONFLICT (folder) DO NOTHING;

-- name: is_owned(folder)^
SELECT EXISTS (SELECT 1 FROM owned_days WHERE folder = :folder);

-- name: changes_of(folder)^
-- How often a day has changed since its files were written; 0 if they tell what is in the catalog.
SELECT COALESCE(MAX(changes), 0) FROM changed_days WHERE folder = :folder;

-- name: recordings_below(first, last)
-- Recordings whose path lies in a folder: first is 'folder/', last is 'folder0' ('0' follows '/').
SELECT path, sha256 FROM recordings WHERE path >= :first AND path < :last ORDER BY path;

-- name: days_of_known(account, sids)
-- The days on which these calls stand. CROSS keeps the order of the join, so that each call is found
-- by its key; else SQLite reads all days of the account.
SELECT DISTINCT c.day FROM json_each(:sids) AS j
CROSS JOIN calls AS c WHERE c.account = :account AND c.sid = j.value;

-- name: manifest(account, day)
-- Every call of a day, each with its sightings and recordings as JSON.
SELECT c.account, c.sid, c.state, c.reason, c.delete_by_ms, c.settled_ms, c.created_ms, c.began_ms,
  c.ended_ms, c.duration_s, c.talk_s, c.status, c.leg2_status, c.direction, c.from_number,
  c.to_number, c.exophone, c.group_name, c.told_url, c.wanted,
  (SELECT json_group_array(json_array(s.source, s.seen_ms)) FROM sightings AS s
   WHERE s.account = c.account AND s.sid = c.sid) AS sightings,
  (SELECT json_group_array(json_array(r.object_name, r.path, r.sha256, r.bytes, r.format, r.channels,
     r.sample_rate, r.seconds, r.flag, r.archived_ms)) FROM recordings AS r
   WHERE r.account = c.account AND r.sid = c.sid) AS recordings,
  (SELECT json_group_array(json_array(d.object_name, d.url, d.source, d.seen_ms, d.same_as))
   FROM candidates AS d WHERE d.account = c.account AND d.sid = c.sid) AS candidates,
  (SELECT json_group_array(json_array(p.object_name, p.path, p.sha256, p.bytes, p.purged_ms, p.why))
   FROM purged AS p WHERE p.account = c.account AND p.sid = c.sid) AS purged
FROM calls AS c WHERE c.account = :account AND c.day = :day;
