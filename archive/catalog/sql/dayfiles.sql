-- The files of a day folder.

-- name: changed_days()
SELECT folder, changes FROM changed_days ORDER BY folder;

-- name: changed_days_of(root)
-- Days whose files in a root are behind: how often they changed for all roots, and for this one since.
SELECT folder, MAX(changes) AS changes, MAX(own) AS own FROM (
  SELECT folder, changes, 0 AS own FROM changed_days
  UNION ALL
  SELECT folder, 0 AS changes, changes AS own FROM days_of_roots WHERE root = :root
) AS d GROUP BY folder ORDER BY folder;

-- name: day_is_written(folder, changes)!
-- Only if nothing changed while the files were being written.
DELETE FROM changed_days WHERE folder = :folder AND changes = :changes;

-- name: leave_to_other_roots(root, folder)!
-- Who takes a change that was for all roots leaves a row for each other one.
INSERT INTO days_of_roots (root, folder, changes)
SELECT r.number, :folder, 1 FROM roots AS r WHERE r.number <> :root
ON CONFLICT (root, folder) DO UPDATE SET changes = days_of_roots.changes + 1;

-- name: mark_day_of_root(root, folder)!
INSERT INTO days_of_roots (root, folder, changes) VALUES (:root, :folder, 1)
ON CONFLICT (root, folder) DO UPDATE SET changes = days_of_roots.changes + 1;

-- name: day_of_root_is_written(root, folder, own)!
DELETE FROM days_of_roots WHERE root = :root AND folder = :folder AND changes = :own;

-- name: own_day(root, folder)!
INSERT INTO owned_days (root, folder) VALUES (:root, :folder) ON CONFLICT (root, folder) DO NOTHING;

-- name: is_owned(root, folder)^
SELECT EXISTS (SELECT 1 FROM owned_days WHERE root = :root AND folder = :folder);

-- name: changes_of(root, folder)^
-- How often a day has changed since its files in a root were written, for all roots and for this one; 0
-- and 0 if they tell what is in the catalog.
SELECT
  (SELECT COALESCE(MAX(changes), 0) FROM changed_days WHERE folder = :folder) AS changes,
  (SELECT COALESCE(MAX(changes), 0) FROM days_of_roots WHERE root = :root AND folder = :folder) AS own;

-- name: recordings_below(first, last, root)
-- A root's recordings whose path lies in a folder: first is 'folder/', last is 'folder0' ('0' follows '/').
SELECT path, sha256 FROM recordings WHERE path >= :first AND path < :last AND root = :root ORDER BY path;

-- name: days_of_known(account, sids)
-- The days on which these calls stand. CROSS keeps the order of the join, so that each call is found
-- by its key; else SQLite reads all days of the account.
SELECT DISTINCT c.day FROM json_each(:sids) AS j
CROSS JOIN calls AS c WHERE c.account = :account AND c.sid = j.value;

-- name: manifest(account, day, root)
-- Every call of a day, each with its sightings and its recordings in one root as JSON; but for calls all
-- of whose recordings are, or were, in other roots.
SELECT c.account, c.sid, c.state, c.reason, c.delete_by_ms, c.settled_ms, c.created_ms, c.began_ms,
  c.ended_ms, c.duration_s, c.talk_s, c.status, c.leg2_status, c.direction, c.from_number,
  c.to_number, c.exophone, c.group_name, c.told_url, c.wanted,
  (SELECT json_group_array(json_array(s.source, s.seen_ms)) FROM sightings AS s
   WHERE s.account = c.account AND s.sid = c.sid) AS sightings,
  (SELECT json_group_array(json_array(r.object_name, r.path, r.sha256, r.bytes, r.format, r.channels,
     r.sample_rate, r.seconds, r.flag, r.archived_ms)) FROM recordings AS r
   WHERE r.account = c.account AND r.sid = c.sid AND r.root = :root) AS recordings,
  (SELECT json_group_array(json_array(d.object_name, d.url, d.source, d.seen_ms, d.same_as))
   FROM candidates AS d WHERE d.account = c.account AND d.sid = c.sid) AS candidates,
  (SELECT json_group_array(json_array(p.object_name, p.path, p.sha256, p.bytes, p.purged_ms, p.why))
   FROM purged AS p WHERE p.account = c.account AND p.sid = c.sid AND p.root = :root) AS purged
FROM calls AS c WHERE c.account = :account AND c.day = :day AND (
  EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid AND r.root = :root)
  OR EXISTS (SELECT 1 FROM purged AS p WHERE p.account = c.account AND p.sid = c.sid AND p.root = :root)
  OR (NOT EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid)
    AND NOT EXISTS (SELECT 1 FROM purged AS p WHERE p.account = c.account AND p.sid = c.sid))
);
