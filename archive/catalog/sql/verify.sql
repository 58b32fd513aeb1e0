-- Holding the catalog against the disk. Findings wait in a temporary table, however many there are.

-- name: make_findings()!
CREATE TEMP TABLE IF NOT EXISTS findings (
  id      INTEGER PRIMARY KEY,
  kind    TEXT    NOT NULL,
  path    TEXT    NOT NULL,
  account TEXT    NOT NULL,
  sid     TEXT    NOT NULL,
  sha256  TEXT    NOT NULL,                 -- of what should be there; of an extra file its own
  detail  TEXT    NOT NULL,
  fault   INTEGER NOT NULL,                 -- 0: told, and no failure
  outcome TEXT    NOT NULL DEFAULT ''       -- what a repair came to
);

-- name: index_findings()!
CREATE INDEX IF NOT EXISTS findings_of_bytes ON findings (sha256);

-- name: index_findings_of_call()!
CREATE INDEX IF NOT EXISTS findings_of_call ON findings (sid);

-- name: is_found(kind, account, sid)^
SELECT EXISTS (SELECT 1 FROM findings WHERE sid = :sid AND account = :account AND kind = :kind);

-- name: add_finding(kind, path, account, sid, sha256, detail, fault)!
INSERT INTO findings (kind, path, account, sid, sha256, detail, fault)
VALUES (:kind, :path, :account, :sid, :sha256, :detail, :fault);

-- name: findings_after(id, most)
SELECT * FROM findings WHERE id > :id ORDER BY id LIMIT :most;

-- name: drop_finding(id)!
DELETE FROM findings WHERE id = :id;

-- name: change_finding(id, kind, sid, sha256, detail, fault)!
UPDATE findings SET kind = :kind, sid = :sid, sha256 = :sha256, detail = :detail, fault = :fault
WHERE id = :id;

-- name: conclude_finding(id, outcome)!
UPDATE findings SET outcome = :outcome WHERE id = :id;

-- name: misplaced(sha256)
-- Rightful bytes that something found lies elsewhere.
SELECT * FROM findings WHERE sha256 = :sha256 AND kind = 'misnamed' AND outcome = '' ORDER BY id;

-- name: wanted(sha256)
-- Places that these bytes are missing from.
SELECT * FROM findings WHERE sha256 = :sha256
  AND kind IN ('missing', 'changed', 'truncated', 'longer') ORDER BY id;

-- name: count_findings()
SELECT kind, fault, outcome, COUNT(*) AS findings FROM findings
GROUP BY kind, fault, outcome ORDER BY kind, fault DESC, outcome;

-- name: kept_in(first, last, root)
-- A root's recordings in a folder: first is 'folder/', last is 'folder0'.
SELECT r.account, r.sid, r.object_name, r.path, r.sha256, r.bytes, r.flag, r.archived_ms
FROM recordings AS r WHERE r.path >= :first AND r.path < :last AND r.root = :root ORDER BY r.path;

-- name: kept_at(path, root)
SELECT r.account, r.sid, r.object_name, r.path, r.sha256, r.bytes, r.flag, r.archived_ms
FROM recordings AS r WHERE r.path = :path AND r.root = :root;

-- name: next_path(after, last)
-- The first recording behind a path: from folder to folder without reading what is in them.
SELECT path FROM recordings WHERE path > :after AND path < :last ORDER BY path LIMIT 1;

-- name: amount(first, last, root)^
SELECT COUNT(*) AS recordings, COALESCE(SUM(bytes), 0) AS bytes FROM recordings
WHERE path >= :first AND path < :last AND root = :root;

-- name: elsewhere(first, last, root)^
-- Those in other roots.
SELECT COUNT(*) AS recordings, COALESCE(SUM(bytes), 0) AS bytes FROM recordings
WHERE path >= :first AND path < :last AND root <> :root;

-- name: days_of_calls(account)
SELECT DISTINCT day FROM calls WHERE account = :account ORDER BY day;

-- name: state_of(account, sid)
SELECT state FROM calls WHERE account = :account AND sid = :sid;

-- name: twin(account, sid, sha256, root)
SELECT path FROM recordings
WHERE account = :account AND sid = :sid AND sha256 = :sha256 AND root = :root;

-- name: lies_elsewhere(account, sid, sha256, root)^
SELECT EXISTS (
  SELECT 1 FROM recordings
  WHERE account = :account AND sid = :sid AND sha256 = :sha256 AND root <> :root
);

-- name: may_be_fetched(account, sid, now_ms)
-- Whether the provider may still have it; of a call of unknown date nobody knows. One that is in line
-- already has another recording that is wrong.
SELECT (began_ms IS NULL AND created_ms IS NULL) OR delete_by_ms > :now_ms AS may FROM calls
WHERE account = :account AND sid = :sid AND state IN ('archived', 'expected');

-- name: put_in_line(account, sid, path, sha256, reason, now_ms)!
-- A call whose file is wrong is looked at again, if its recording is still the one that was checked;
-- whatever rules there are by now, since it is of the archive.
UPDATE calls SET state = 'expected', reason = :reason, due_ms = :now_ms, settled_ms = NULL, tries = 0,
  refreshes = 0, late_looks = 0, wanted = 1
WHERE account = :account AND sid = :sid AND state IN ('archived', 'expected') AND EXISTS (
  SELECT 1 FROM recordings AS r
  WHERE r.account = :account AND r.sid = :sid AND r.path = :path AND r.sha256 = :sha256
);

-- name: forget_recordings(account, sid, path, root)!
-- The wrong one; and where no source told of several, all of the call in this root: those that are
-- whole stay on disk, and are adopted when it is looked at.
DELETE FROM recordings WHERE account = :account AND sid = :sid AND root = :root AND (path = :path OR NOT EXISTS (
  SELECT 1 FROM candidates AS d WHERE d.account = :account AND d.sid = :sid
));

-- name: flag_recording(path, sha256, flag)!
UPDATE recordings SET flag = :flag WHERE path = :path AND sha256 = :sha256;

-- name: note_look(account, sid, at_ms, reason, detail)!
INSERT INTO looks (account, sid, at_ms, state, reason, detail)
VALUES (:account, :sid, :at_ms, 'expected', :reason, :detail);
