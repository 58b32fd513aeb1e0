-- What `doctor` looks at. Read from a connection that can write nothing.

-- name: newest_recordings(account, sid, largest, most)
-- The recordings that were archived last, or those of one call.
SELECT sid, object_name, sha256, bytes FROM recordings
WHERE account = :account AND (:sid IS NULL OR sid = :sid) AND bytes <= :largest
ORDER BY archived_ms DESC, sid LIMIT :most;

-- name: sha256_of(account, sid)
SELECT object_name, sha256 FROM recordings WHERE account = :account AND sid = :sid;

-- name: night(account, day)^
-- How the calls of a day stand.
SELECT COUNT(*) AS calls,
  COALESCE(SUM(CASE WHEN state IN ('expected', 'leased') THEN 1 ELSE 0 END), 0) AS unsettled,
  MAX(settled_ms) AS settled_ms
FROM calls WHERE account = :account AND day = :day;

-- name: days_with_calls(account, first_day, last_day)^
SELECT COUNT(DISTINCT day) FROM calls
WHERE account = :account AND day BETWEEN :first_day AND :last_day;

-- name: newest_archived(account)^
-- When a recording was put on disk last; NULL if never.
SELECT MAX(archived_ms) FROM recordings WHERE account = :account;

-- name: outcomes(account, first_day, last_day)
-- What became of the calls of some days.
SELECT state, reason, COUNT(*) AS calls FROM calls
WHERE account = :account AND day BETWEEN :first_day AND :last_day
GROUP BY state, reason;

-- name: seen_on_the_way(account, first_day, last_day)
-- How many calls of some days met each reason in one of their looks, whatever became of them.
SELECT l.reason, COUNT(DISTINCT l.sid) AS calls
FROM calls AS c JOIN looks AS l ON l.account = c.account AND l.sid = c.sid
WHERE c.account = :account AND c.day BETWEEN :first_day AND :last_day AND l.reason <> ''
GROUP BY l.reason;

-- name: migration()^
SELECT user_version FROM pragma_user_version;

-- name: quick_check()
SELECT quick_check FROM pragma_quick_check(5);
