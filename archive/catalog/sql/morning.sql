-- One day of one account, for the morning report: each query reads that day's part of calls_balance
-- and what hangs on it, however large the catalog is. CROSS keeps the order of the joins: SQLite would
-- else begin with all recordings of the account. MATERIALIZED has each look made once.

-- name: next_account(after)^
-- The accounts one after another: each is found in the index, where DISTINCT would read all of it.
SELECT MIN(account) FROM calls WHERE account > :after;

-- name: day_states(account, day)
SELECT state, reason, COUNT(*) AS calls FROM calls
WHERE account = :account AND day = :day
GROUP BY state, reason ORDER BY calls DESC, state, reason;

-- name: day_known(account, day)^
-- Calls of the day that some source saw, counted by the sightings.
SELECT COUNT(*) FROM calls AS c
WHERE c.account = :account AND c.day = :day AND EXISTS (
  SELECT 1 FROM sightings AS s WHERE s.account = c.account AND s.sid = c.sid
);

-- name: day_proved(account, day)^
-- Calls of the day that should be archived, since they have a proved recording, as `recorded` has it.
SELECT COUNT(*) FROM calls AS c
WHERE c.account = :account AND c.day = :day AND c.state <> 'purged'
  AND EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid)
  AND (c.state = 'archived' OR NOT EXISTS (
    SELECT 1 FROM candidates AS d WHERE d.account = c.account AND d.sid = c.sid
  ));

-- name: day_recordings(account, day)
-- Recordings of the day's calls by flag, and when the first and the last of them came.
SELECT r.flag, COUNT(*) AS recordings, COALESCE(SUM(r.bytes), 0) AS bytes,
  MIN(r.archived_ms) AS first_ms, MAX(r.archived_ms) AS last_ms
FROM calls AS c CROSS JOIN recordings AS r
WHERE r.account = c.account AND r.sid = c.sid AND c.account = :account
  AND c.day = :day AND c.state <> 'purged'
GROUP BY r.flag ORDER BY recordings DESC, r.flag;

-- name: day_exophones(account, day, most)
-- The ExoPhones with most calls.
SELECT exophone, COUNT(*) AS calls,
  SUM(CASE WHEN state = 'archived' THEN 1 ELSE 0 END) AS archived,
  SUM(CASE WHEN state IN ('expected', 'leased') THEN 1 ELSE 0 END) AS waiting,
  SUM(CASE WHEN state = 'lost' THEN 1 ELSE 0 END) AS lost,
  SUM(CASE WHEN state = 'failed' THEN 1 ELSE 0 END) AS failed
FROM calls WHERE account = :account AND day = :day
GROUP BY exophone ORDER BY calls DESC, exophone LIMIT :most;

-- name: day_hours(account, day, from_ms)
-- Calls by the hour of the day in which they began; hours are counted from its beginning.
SELECT (COALESCE(began_ms, created_ms) - :from_ms) / 3600000 AS hour, state, COUNT(*) AS calls
FROM calls
WHERE account = :account AND day = :day AND COALESCE(began_ms, created_ms) >= :from_ms
GROUP BY (COALESCE(began_ms, created_ms) - :from_ms) / 3600000, state ORDER BY hour;

-- name: day_first(account, day, state, reason, most)
-- The first few calls that became known of those with a state and reason.
SELECT sid FROM calls
WHERE account = :account AND day = :day AND state = :state AND reason = :reason
LIMIT :most;

-- name: day_promptness(account, day, known_ms)
-- How long after its end each archived call had its recordings, in seconds and from an hour on in
-- whole minutes; NULL for calls that nobody told of within a time of their end. And how many hours
-- before its deletion by the provider that was: in one, so that recordings are looked up once.
WITH t AS MATERIALIZED (
  SELECT c.delete_by_ms, COALESCE(c.ended_ms, c.began_ms + c.duration_s * 1000) AS ended_ms,
    (SELECT MAX(r.archived_ms) FROM recordings AS r
     WHERE r.account = c.account AND r.sid = c.sid) AS done_ms,
    (SELECT MIN(s.seen_ms) FROM sightings AS s
     WHERE s.account = c.account AND s.sid = c.sid) AS seen_ms
  FROM calls AS c WHERE c.account = :account AND c.day = :day AND c.state = 'archived'
)
SELECT CASE WHEN t.seen_ms - t.ended_ms > :known_ms THEN NULL
    WHEN t.done_ms - t.ended_ms < 3600000 THEN (t.done_ms - t.ended_ms) / 1000
    ELSE (t.done_ms - t.ended_ms) / 60000 * 60 END AS seconds,
  (t.delete_by_ms - t.done_ms) / 3600000 AS hours, COUNT(*) AS calls
FROM t
GROUP BY 1, 2;

-- name: day_in_vain(account, day, known_ms)
-- How old those calls were at the last look that found no recording yet.
WITH t AS MATERIALIZED (
  SELECT COALESCE(c.ended_ms, c.began_ms + c.duration_s * 1000) AS ended_ms,
    (SELECT MAX(l.at_ms) FROM looks AS l WHERE l.account = c.account AND l.sid = c.sid
       AND l.reason IN ('not-ready', 'no-recording-yet')) AS look_ms,
    (SELECT MIN(s.seen_ms) FROM sightings AS s
     WHERE s.account = c.account AND s.sid = c.sid) AS seen_ms
  FROM calls AS c WHERE c.account = :account AND c.day = :day AND c.state = 'archived'
)
SELECT CASE WHEN t.look_ms - t.ended_ms < 3600000 THEN (t.look_ms - t.ended_ms) / 1000
    ELSE (t.look_ms - t.ended_ms) / 60000 * 60 END AS seconds,
  COUNT(*) AS calls
FROM t
WHERE t.look_ms IS NOT NULL AND t.seen_ms - t.ended_ms <= :known_ms
GROUP BY 1;

-- name: days_between(account, first_day, last_day)
-- The states of each of several days, from the index alone.
SELECT day, state, COUNT(*) AS calls FROM calls
WHERE account = :account AND day BETWEEN :first_day AND :last_day
GROUP BY day, state ORDER BY day;
