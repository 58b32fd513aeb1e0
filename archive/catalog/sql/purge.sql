-- Deleting recordings from the archive: first here, then their files.

-- name: purge_days(account, last_day)
-- Days up to one on which there are calls that may have recordings.
SELECT DISTINCT day FROM calls
WHERE account = :account AND day > '' AND day <= :last_day AND state IN ('archived', 'lost')
ORDER BY day;

-- name: purge_exophones(account, day)
SELECT DISTINCT exophone FROM calls
WHERE account = :account AND day = :day AND state IN ('archived', 'lost') ORDER BY exophone;

-- name: purge_due(account, day, exophone, began_before_ms, deleted_before_ms, most)
-- Calls of a day whose recordings need not be kept. One of unknown time is never among them.
SELECT c.account, c.sid, c.day, c.state, COALESCE(c.began_ms, c.created_ms) AS began_ms, c.delete_by_ms,
  (SELECT COUNT(*) FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid) AS recordings,
  (SELECT SUM(r.bytes) FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid) AS bytes
FROM calls AS c
WHERE c.account = :account AND c.day = :day AND c.exophone = :exophone
  AND c.state IN ('archived', 'lost')
  AND COALESCE(c.began_ms, c.created_ms) < :began_before_ms AND c.delete_by_ms < :deleted_before_ms
  AND EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid)
LIMIT :most;

-- name: purge_amount(account, day, exophone, began_before_ms, deleted_before_ms)^
-- How many those are. CROSS keeps the order of the join: from the calls of the day to their recordings.
SELECT COUNT(DISTINCT c.sid) AS calls, COUNT(*) AS recordings, COALESCE(SUM(r.bytes), 0) AS bytes
FROM calls AS c CROSS JOIN recordings AS r
WHERE c.account = :account AND c.day = :day AND c.exophone = :exophone
  AND c.state IN ('archived', 'lost')
  AND COALESCE(c.began_ms, c.created_ms) < :began_before_ms AND c.delete_by_ms < :deleted_before_ms
  AND r.account = c.account AND r.sid = c.sid;

-- name: purge_named(account, sid)
-- A call that is meant by its Sid, with what there is of recordings.
SELECT c.account, c.sid, c.day, c.state, COALESCE(c.began_ms, c.created_ms) AS began_ms, c.delete_by_ms,
  COUNT(r.path) AS recordings,
  COALESCE(SUM(r.bytes), 0) AS bytes
FROM calls AS c LEFT JOIN recordings AS r ON r.account = c.account AND r.sid = c.sid
WHERE c.account = :account AND c.sid = :sid
GROUP BY c.account, c.sid, c.day, c.state, COALESCE(c.began_ms, c.created_ms), c.delete_by_ms;

-- name: bury(account, sid, purged_ms, why)!
INSERT INTO purged (account, sid, object_name, path, sha256, bytes, purged_ms, why, root)
SELECT r.account, r.sid, r.object_name, r.path, r.sha256, r.bytes, :purged_ms, :why, r.root
FROM recordings AS r JOIN calls AS c ON c.account = r.account AND c.sid = r.sid
WHERE r.account = :account AND r.sid = :sid AND c.state NOT IN ('expected', 'leased')
-- One that was purged before and came back by a restored catalog.
ON CONFLICT (account, sid, object_name) DO UPDATE SET
  path = excluded.path, sha256 = excluded.sha256, bytes = excluded.bytes,
  purged_ms = excluded.purged_ms, why = excluded.why, removed_ms = NULL, root = excluded.root;

-- name: hold_call(account, sid)
-- So that nobody else changes it meanwhile; where one writes at a time, nobody can anyway.
SELECT sid FROM calls WHERE account = :account AND sid = :sid;

-- name: paths_of(account, sid)
SELECT path FROM recordings WHERE account = :account AND sid = :sid;

-- name: unlist(account, sid)!
DELETE FROM recordings WHERE account = :account AND sid = :sid AND EXISTS (
  SELECT 1 FROM calls AS c
  WHERE c.account = :account AND c.sid = :sid AND c.state NOT IN ('expected', 'leased')
);

-- name: mark_purged(account, sid, reason, settled_ms)!
UPDATE calls SET state = 'purged', reason = :reason, settled_ms = :settled_ms
WHERE account = :account AND sid = :sid AND state NOT IN ('expected', 'leased');

-- name: to_remove(after, most, root)
-- Files that may lie there still in one root, behind a path; never one that is a recording's again.
SELECT p.account, p.sid, p.object_name, p.path, p.sha256, p.bytes, p.purged_ms, p.why,
  COALESCE((SELECT c.day FROM calls AS c WHERE c.account = p.account AND c.sid = p.sid), '') AS day
FROM purged AS p WHERE p.removed_ms IS NULL AND p.path > :after AND p.root = :root
  AND NOT EXISTS (SELECT 1 FROM recordings AS r WHERE r.path = p.path)
ORDER BY p.path LIMIT :most;

-- name: note_removed(account, sid, object_name, path, removed_ms)*!
UPDATE purged SET removed_ms = :removed_ms
WHERE account = :account AND sid = :sid AND object_name = :object_name AND path = :path;

-- name: buried_of(account, sid)
SELECT path, sha256, bytes, purged_ms, why FROM purged
WHERE account = :account AND sid = :sid ORDER BY path;

-- name: is_to_be_removed(path, root)^
SELECT EXISTS (SELECT 1 FROM purged WHERE removed_ms IS NULL AND path = :path AND root = :root);

-- name: tell_purged(account, sid, object_name, path, sha256, bytes, purged_ms, why, root)*!
-- Of a manifest: whether the files are gone is looked at again.
INSERT INTO purged (account, sid, object_name, path, sha256, bytes, purged_ms, why, root)
VALUES (:account, :sid, :object_name, :path, :sha256, :bytes, :purged_ms, :why, :root)
ON CONFLICT (account, sid, object_name) DO NOTHING;

-- name: purge_by_manifest(account, sid, reason, settled_ms)!
-- A call that was purged by another catalog, or before this one was put back from a backup.
UPDATE calls SET state = 'purged', reason = :reason, settled_ms = :settled_ms
WHERE account = :account AND sid = :sid AND state NOT IN ('leased', 'purged');

-- name: left_to_remove(root)^
-- In this root, and in others, whose hosts remove them.
SELECT COALESCE(SUM(CASE WHEN root = :root THEN 1 ELSE 0 END), 0) AS here,
  COALESCE(SUM(CASE WHEN root = :root THEN 0 ELSE 1 END), 0) AS elsewhere
FROM purged WHERE removed_ms IS NULL;

-- name: remove_again(account, sid, path)!
UPDATE purged SET removed_ms = NULL
WHERE account = :account AND sid = :sid AND path = :path AND removed_ms IS NOT NULL;

-- name: was_removed(account, sid, path)^
SELECT EXISTS (
  SELECT 1 FROM purged
  WHERE account = :account AND sid = :sid AND path = :path AND removed_ms IS NOT NULL
);

-- name: recordings_in_all()^
SELECT COUNT(*) FROM recordings;

-- name: newest_settled(account)
-- From calls_settled alone, from its end.
SELECT settled_ms AS at_ms FROM calls
WHERE account = :account AND settled_ms IS NOT NULL AND state <> 'purged'
ORDER BY settled_ms DESC LIMIT 1;

-- name: newest_tally()
SELECT hour_ms AS at_ms FROM tallies ORDER BY hour_ms DESC LIMIT 1;
