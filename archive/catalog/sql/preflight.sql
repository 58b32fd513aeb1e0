-- What an intake would bring: what is measured in this catalog, and which calls are not known yet.

-- name: make_previewed()!
-- Sids that a dry run has counted as new, on disk where they are many.
CREATE TEMP TABLE IF NOT EXISTS previewed (sid TEXT NOT NULL PRIMARY KEY);

-- name: preview(account, sids)
-- Of these Sids, those that neither the catalog has nor this dry run has met before.
INSERT INTO previewed (sid)
SELECT j.value FROM json_each(:sids) AS j
WHERE NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.account = :account AND c.sid = j.value)
ON CONFLICT (sid) DO NOTHING
RETURNING sid;

-- name: settled_by_word(least)
-- Of settled calls, how many were said to be talked, and how many of them had a recording.
SELECT (COALESCE(talk_s, CASE WHEN status = 'completed' THEN duration_s ELSE 0 END, 0) > :least)
    AS talked,
  COUNT(*) AS calls, SUM(CASE WHEN state = 'archived' THEN 1 ELSE 0 END) AS recorded
FROM calls WHERE state IN ('archived', 'absent', 'lost') GROUP BY talked;

-- name: formats()
-- What recordings of each format take.
SELECT format, channels, COUNT(*) AS recordings, SUM(bytes) AS bytes, SUM(seconds) AS seconds
FROM recordings WHERE seconds > 0 GROUP BY format, channels ORDER BY recordings DESC;

-- name: last_hour()^
-- What was archived in the last hour in which anything was.
SELECT COUNT(*) AS recordings, COALESCE(SUM(bytes), 0) AS bytes,
  COALESCE(MAX(archived_ms) - MIN(archived_ms), 0) AS span_ms
FROM recordings
WHERE archived_ms >= (SELECT MAX(archived_ms) FROM recordings) - 3600000;

-- name: deletions_by_hour(account)
-- Waiting calls by the hour in which their recording is deleted.
SELECT delete_by_ms / 3600000 AS hour, COUNT(*) AS calls FROM calls
WHERE account = :account AND state IN ('expected', 'leased')
GROUP BY delete_by_ms / 3600000 ORDER BY hour;
