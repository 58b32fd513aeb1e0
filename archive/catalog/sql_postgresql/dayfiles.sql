-- As the queries of the same names in sql/. Changes of days are rows of their own here: see day_changes.

-- name: mark_day(folder)!
INSERT INTO day_changes (folder) VALUES (:folder);

-- name: mark_all_days()!
INSERT INTO day_changes (folder) SELECT DISTINCT folder_of(account, day) FROM calls;

-- name: day_is_written(folder, changes)!
-- Only those that were there before the files were written, and only if there are no more by now.
DELETE FROM day_changes WHERE folder = :folder
  AND (SELECT COUNT(*) FROM day_changes WHERE folder = :folder) = :changes;

-- name: manifest(account, day, root)
SELECT c.account, c.sid, c.state, c.reason, c.delete_by_ms, c.settled_ms, c.created_ms, c.began_ms,
  c.ended_ms, c.duration_s, c.talk_s, c.status, c.leg2_status, c.direction, c.from_number,
  c.to_number, c.exophone, c.group_name, c.told_url, c.wanted,
  (SELECT CAST(COALESCE(json_agg(json_build_array(s.source, s.seen_ms) ORDER BY s.source), '[]') AS TEXT)
   FROM sightings AS s WHERE s.account = c.account AND s.sid = c.sid) AS sightings,
  (SELECT CAST(COALESCE(json_agg(json_build_array(r.object_name, r.path, r.sha256, r.bytes, r.format,
     r.channels, r.sample_rate, r.seconds, r.flag, r.archived_ms) ORDER BY r.object_name), '[]') AS TEXT)
   FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid AND r.root = :root) AS recordings,
  (SELECT CAST(COALESCE(json_agg(json_build_array(d.object_name, d.url, d.source, d.seen_ms, d.same_as)
     ORDER BY d.object_name), '[]') AS TEXT)
   FROM candidates AS d WHERE d.account = c.account AND d.sid = c.sid) AS candidates,
  (SELECT CAST(COALESCE(json_agg(json_build_array(p.object_name, p.path, p.sha256, p.bytes, p.purged_ms,
     p.why) ORDER BY p.object_name), '[]') AS TEXT)
   FROM purged AS p WHERE p.account = c.account AND p.sid = c.sid AND p.root = :root) AS purged
FROM calls AS c WHERE c.account = :account AND c.day = :day AND (
  EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid AND r.root = :root)
  OR EXISTS (SELECT 1 FROM purged AS p WHERE p.account = c.account AND p.sid = c.sid AND p.root = :root)
  OR (NOT EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid)
    AND NOT EXISTS (SELECT 1 FROM purged AS p WHERE p.account = c.account AND p.sid = c.sid))
);
