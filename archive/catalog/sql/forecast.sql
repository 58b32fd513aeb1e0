-- What the provider deletes when, and how fast calls are settled.

-- name: waiting_by_hour(account, now_ms)
-- From calls_due alone. Calls of unknown date are deleted "now" as they became known, so none is here.
SELECT delete_by_ms / 3600000 AS hour, COUNT(*) AS calls FROM calls
WHERE account = :account AND state = 'expected' AND delete_by_ms > :now_ms
GROUP BY delete_by_ms / 3600000 ORDER BY hour;

-- name: waiting_past(account, now_ms)^
-- Those that should be deleted by now, without those of unknown date.
SELECT (
  SELECT COUNT(*) FROM calls
  WHERE account = :account AND state = 'expected' AND delete_by_ms <= :now_ms
) - (
  SELECT COUNT(*) FROM calls WHERE account = :account AND day = '' AND state = 'expected'
);

-- name: is_behind(account, due_ms)^
-- Whether a call waits whose time has come by then.
SELECT EXISTS (
  SELECT 1 FROM calls WHERE account = :account AND state = 'expected' AND due_ms <= :due_ms
);

-- name: settled_between(account, since_ms, until_ms)^
-- By work: what was settled as it became known (a rule, a status that is trusted) was none.
SELECT COUNT(*) FROM calls
WHERE account = :account AND settled_ms > :since_ms AND settled_ms <= :until_ms
  AND (state IN ('archived', 'lost', 'failed') OR (state = 'absent' AND looks > 0));

-- name: working_since(silent_since_ms)^
-- When the first of the processes that live began; NULL if none lives.
SELECT MIN(started_ms) FROM processes WHERE ended = 0 AND beat_ms >= :silent_since_ms;

-- name: retentions(account)
-- For how long waiting calls of known date are taken to be kept, by what decides that.
SELECT exophone, day, delete_by_ms - COALESCE(began_ms, created_ms) AS kept_ms, COUNT(*) AS calls
FROM calls
WHERE account = :account AND state = 'expected' AND COALESCE(began_ms, created_ms) IS NOT NULL
GROUP BY exophone, day, kept_ms;

-- name: correct_retention(account, exophone, day, was_ms, kept_ms)!
UPDATE calls SET delete_by_ms = COALESCE(began_ms, created_ms) + :kept_ms
WHERE account = :account AND day = :day AND state = 'expected' AND exophone = :exophone
  AND delete_by_ms - COALESCE(began_ms, created_ms) = :was_ms;
