-- A new catalog from manifests and files. What manifests tell of recordings waits in a table of its
-- own until the file is found; the rows of recordings are those that were.

-- name: make_told()!
CREATE TEMP TABLE IF NOT EXISTS told (
  path        TEXT    NOT NULL PRIMARY KEY,
  account     TEXT    NOT NULL,
  sid         TEXT    NOT NULL,
  object_name TEXT    NOT NULL,
  sha256      TEXT    NOT NULL,
  bytes       BIGINT  NOT NULL,
  format      TEXT    NOT NULL,
  channels    INTEGER NOT NULL,
  sample_rate INTEGER NOT NULL,
  seconds     REAL,
  flag        TEXT    NOT NULL,
  archived_ms BIGINT  NOT NULL,
  found       TEXT    NOT NULL DEFAULT 'file-missing'   -- '' once proved, else what is wrong
);

-- name: index_told()!
CREATE INDEX IF NOT EXISTS told_of_call ON told (account, sid);

-- name: tell_call(account, sid, state, reason, day, due_ms, delete_by_ms, settled_ms, created_ms, began_ms, ended_ms, duration_s, talk_s, status, leg2_status, direction, from_number, to_number, exophone, group_name, told_url, wanted)*!
-- The first that tells of a call is believed: manifests are read in the order of their age.
INSERT INTO calls (
  account, sid, state, reason, day, due_ms, delete_by_ms, settled_ms, created_ms, began_ms, ended_ms,
  duration_s, talk_s, status, leg2_status, direction, from_number, to_number, exophone,
  group_name, told_url, wanted
) VALUES (
  :account, :sid, :state, :reason, :day, :due_ms, :delete_by_ms, :settled_ms, :created_ms, :began_ms,
  :ended_ms, :duration_s, :talk_s, :status, :leg2_status, :direction, :from_number, :to_number,
  :exophone, :group_name, :told_url, :wanted
)
ON CONFLICT (account, sid) DO NOTHING;

-- name: tell_sighting(account, sid, source, seen_ms)*!
INSERT INTO sightings (account, sid, source, seen_ms) VALUES (:account, :sid, :source, :seen_ms)
ON CONFLICT (account, sid, source) DO UPDATE SET
  seen_ms = CASE WHEN excluded.seen_ms < sightings.seen_ms THEN excluded.seen_ms ELSE sightings.seen_ms END;

-- name: tell_recording(path, account, sid, object_name, sha256, bytes, format, channels, sample_rate, seconds, flag, archived_ms)*!
INSERT INTO told (
  path, account, sid, object_name, sha256, bytes, format, channels, sample_rate, seconds, flag,
  archived_ms
) VALUES (
  :path, :account, :sid, :object_name, :sha256, :bytes, :format, :channels, :sample_rate, :seconds,
  :flag, :archived_ms
)
ON CONFLICT (path) DO NOTHING;

-- name: told_below(first, last)
-- What manifests tell of the files of a folder: first is 'folder/', last is 'folder0'.
SELECT * FROM told WHERE path >= :first AND path < :last;

-- name: told_state(account, sid)
SELECT state FROM calls WHERE account = :account AND sid = :sid;

-- name: has_told(account, sid)^
SELECT EXISTS (SELECT 1 FROM told WHERE account = :account AND sid = :sid);

-- name: tell_candidate(account, sid, object_name, url, source, seen_ms, same_as)*!
INSERT INTO candidates (account, sid, object_name, url, source, seen_ms, same_as)
VALUES (:account, :sid, :object_name, :url, :source, :seen_ms, :same_as)
ON CONFLICT (account, sid, object_name) DO NOTHING;

-- name: prove_call(account, sid, path, settled_ms)!
-- A file that is whole wins over a manifest that is behind. One that the manifest tells of says
-- nothing new of a call with further recordings, which may have been given up for those.
UPDATE calls SET state = 'archived', reason = '', settled_ms = :settled_ms
WHERE account = :account AND sid = :sid AND state NOT IN ('archived', 'purged') AND NOT (
  EXISTS (SELECT 1 FROM told WHERE path = :path)
  AND EXISTS (SELECT 1 FROM candidates AS d WHERE d.account = :account AND d.sid = :sid)
);

-- name: prove_recording(account, sid, object_name, path, sha256, bytes, format, channels, sample_rate, seconds, flag, archived_ms, root)!
-- A second file of the same object or of the same bytes is none of its own.
INSERT INTO recordings (
  account, sid, object_name, path, sha256, bytes, format, channels, sample_rate, seconds, flag,
  archived_ms, root
)
SELECT :account, :sid, :object_name, :path, :sha256, :bytes, :format, :channels, :sample_rate,
  :seconds, :flag, :archived_ms, :root
WHERE NOT EXISTS (
  SELECT 1 FROM recordings WHERE account = :account AND sid = :sid AND sha256 = :sha256
)
ON CONFLICT DO NOTHING;

-- name: judge_told(path, found)!
UPDATE told SET found = :found WHERE path = :path;

-- name: unproved()
-- Files that manifests tell of and that were not found whole, unless another file is that recording.
SELECT t.path, t.found FROM told AS t JOIN calls AS c ON c.account = t.account AND c.sid = t.sid
WHERE t.found <> '' AND c.state = 'archived' AND NOT EXISTS (
  SELECT 1 FROM recordings AS r
  WHERE r.account = t.account AND r.sid = t.sid AND r.object_name = t.object_name
) ORDER BY t.path;

-- name: expect_unproved(now_ms)!
-- A call whose recordings are not all there is looked at again, at once, whatever rules there are.
UPDATE calls SET state = 'expected', settled_ms = NULL, due_ms = :now_ms, wanted = 1, reason = COALESCE(
    (SELECT MIN(t.found) FROM told AS t
     WHERE t.account = calls.account AND t.sid = calls.sid AND t.found <> ''), 'file-missing')
WHERE state = 'archived' AND (
  NOT EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = calls.account AND r.sid = calls.sid)
  OR EXISTS (
    SELECT 1 FROM told AS t
    WHERE t.account = calls.account AND t.sid = calls.sid AND t.found <> '' AND NOT EXISTS (
      SELECT 1 FROM recordings AS r
      WHERE r.account = t.account AND r.sid = t.sid AND r.object_name = t.object_name
    )
  )
);

-- name: expect_open(now_ms)!
-- A call of which a source told of a recording that is not there is looked at for that one.
UPDATE calls SET state = 'expected', settled_ms = NULL, due_ms = :now_ms, reason = 'another-recording'
WHERE state = 'archived' AND EXISTS (
  SELECT 1 FROM candidates AS d
  WHERE d.account = calls.account AND d.sid = calls.sid AND d.same_as = '' AND NOT EXISTS (
    SELECT 1 FROM recordings AS r
    WHERE r.account = d.account AND r.sid = d.sid AND r.object_name = d.object_name
  )
);

-- name: forget_recordings_of_expected()!
-- Those of its recordings that are whole stay on disk, and are adopted when it is looked at. They
-- stay in the catalog where further ones are known, by which the books are then kept.
DELETE FROM recordings WHERE EXISTS (
  SELECT 1 FROM calls AS c
  WHERE c.account = recordings.account AND c.sid = recordings.sid AND c.state = 'expected'
) AND NOT EXISTS (
  SELECT 1 FROM candidates AS d WHERE d.account = recordings.account AND d.sid = recordings.sid
);

-- name: add_missing_sightings(source, seen_ms)!
-- Each known call was seen by somebody, or the books would not balance.
INSERT INTO sightings (account, sid, source, seen_ms)
SELECT c.account, c.sid, :source, :seen_ms FROM calls AS c WHERE NOT EXISTS (
  SELECT 1 FROM sightings AS s WHERE s.account = c.account AND s.sid = c.sid
);

-- name: mark_all_days()!
INSERT INTO changed_days (folder, changes)
SELECT DISTINCT account || CASE day WHEN '' THEN '' ELSE '/' || replace(day, '-', '/') END, 1
FROM calls WHERE true
ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;
