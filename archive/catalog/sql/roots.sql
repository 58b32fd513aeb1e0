-- Which root a recording's file lies in, and where roots are.

-- name: all_roots()
SELECT number, mark FROM roots ORDER BY number;

-- name: add_root(mark)
INSERT INTO roots (number, mark) SELECT MAX(number) + 1, :mark FROM roots RETURNING number;

-- name: mark_all_days_of_root(root)!
-- The lists of a new root are behind on all days.
INSERT INTO days_of_roots (root, folder, changes)
SELECT DISTINCT CAST(:root AS INTEGER),
  account || CASE day WHEN '' THEN '' ELSE '/' || replace(day, '-', '/') END, 1
FROM calls WHERE true
ON CONFLICT (root, folder) DO UPDATE SET changes = days_of_roots.changes + 1;

-- name: hold_roots()!
-- Who changes roots is alone with them until the end of the transaction.
UPDATE roots SET mark = mark WHERE number = 1;

-- name: mark_root(number, mark)!
UPDATE roots SET mark = :mark WHERE number = :number;

-- name: note_place(host, path, root, seen_ms)!
INSERT INTO root_places (host, path, root, seen_ms) VALUES (:host, :path, :root, :seen_ms)
ON CONFLICT (host, path) DO UPDATE SET root = excluded.root, seen_ms = excluded.seen_ms;

-- name: places_of_roots()
SELECT root, host, path, seen_ms FROM root_places ORDER BY root, host, path;

-- name: amounts_of_roots()
SELECT root, COUNT(*) AS recordings, COALESCE(SUM(bytes), 0) AS bytes FROM recordings
GROUP BY root ORDER BY root;

-- name: newest_of_root(root, most)
SELECT path FROM recordings WHERE root = :root ORDER BY archived_ms DESC LIMIT :most;

-- name: some_of_root(root)^
SELECT EXISTS (SELECT 1 FROM recordings WHERE root = :root);

-- name: located(sid)
SELECT r.account, r.sid, r.object_name, r.path, r.sha256, r.bytes, r.root
FROM recordings AS r WHERE r.sid = :sid ORDER BY r.account, r.path;

-- name: recordings_of_root(root, after, most)
SELECT path, bytes FROM recordings WHERE root = :root AND path > :after ORDER BY path LIMIT :most;

-- name: move_to_root(path, old, new)*!
UPDATE recordings SET root = :new WHERE path = :path AND root = :old;

-- name: move_purged_to_root(old, new)!
UPDATE purged SET root = :new WHERE root = :old AND removed_ms IS NULL;
