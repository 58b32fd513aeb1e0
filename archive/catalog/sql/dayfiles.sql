-- The files of a day folder.

-- name: changed_days()
SELECT folder, changes FROM changed_days ORDER BY folder;

-- name: day_is_written(folder, changes)!
-- Only if nothing changed while the files were being written.
DELETE FROM changed_days WHERE folder = :folder AND changes = :changes;

-- name: recordings_below(first, last)
-- Recordings whose path lies in a folder: first is 'folder/', last is 'folder0' ('0' follows '/').
SELECT path, sha256 FROM recordings WHERE path >= :first AND path < :last ORDER BY path;
