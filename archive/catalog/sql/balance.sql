-- Counting: what is known against what became of it.

-- name: states(account, day)
-- A NULL account or day counts all of them.
SELECT state, reason, COUNT(*) AS calls FROM calls
WHERE (:account IS NULL OR account = :account) AND (:day IS NULL OR day = :day)
GROUP BY state, reason ORDER BY state, calls DESC, reason;

-- name: tally(accounts)
-- From the counts, in which leased calls are expected ones.
SELECT state, SUM(amount) AS calls FROM counts
WHERE what = 'calls' AND account IN (SELECT value FROM json_each(:accounts))
GROUP BY state;

-- name: leased_by_account()
-- From calls_lease alone, and not in the order of another index: as many as are in work.
SELECT account || '' AS account, COUNT(*) AS calls FROM calls
WHERE lease IS NOT NULL AND state = 'leased' GROUP BY account || '';

-- name: known(account)^
-- Counted from the sightings, so that a call lost from the catalog shows.
SELECT COUNT(*) FROM (
  SELECT DISTINCT account, sid FROM sightings WHERE (:account IS NULL OR account = :account)
) AS seen;

-- name: known_on(account, day)^
-- Sightings of calls that the catalog has on that day; a day of '' also counts the sightings of
-- calls that it has not.
SELECT COUNT(*) FROM (
  SELECT DISTINCT s.account, s.sid
  FROM sightings AS s LEFT JOIN calls AS c ON c.account = s.account AND c.sid = s.sid
  WHERE (:account IS NULL OR s.account = :account) AND COALESCE(c.day, '') = :day
) AS seen;

-- name: recorded(account, day)^
-- Calls that should be archived, since they have a proved recording, counted from the recordings:
-- but for those of which a source told of a further one. And all recordings.
SELECT COUNT(DISTINCT CASE
    WHEN c.state = 'archived' OR NOT EXISTS (
      SELECT 1 FROM candidates AS d WHERE d.account = r.account AND d.sid = r.sid
    ) THEN r.account || '/' || r.sid END) AS calls,
  COUNT(*) AS recordings, COALESCE(SUM(r.bytes), 0) AS bytes
FROM recordings AS r JOIN calls AS c ON c.account = r.account AND c.sid = r.sid
WHERE (:account IS NULL OR r.account = :account) AND (:day IS NULL OR c.day = :day)
  AND c.state <> 'purged';

-- name: waiting(accounts, now_ms)
-- Calls that are due later, by the reason of the last look, and when the next one is due.
SELECT reason, COUNT(*) AS calls, MIN(due_ms) AS next_ms FROM calls
WHERE account IN (SELECT value FROM json_each(:accounts))
  AND state = 'expected' AND due_ms > :now_ms
GROUP BY reason ORDER BY reason;

-- name: knows_calls()^
-- Whether any call is known, or was: rows of calls are never deleted.
SELECT EXISTS (SELECT 1 FROM calls);

-- name: has_recordings()^
SELECT EXISTS (SELECT 1 FROM recordings);

-- name: troubled_since(since_ms)^
SELECT COUNT(*) FROM calls WHERE state IN ('lost', 'failed') AND settled_ms >= :since_ms;

-- name: first_expected(account)^
-- Found in calls_due, however many wait and however many do not; NULL if none does.
SELECT MIN(delete_by_ms) FROM calls WHERE account = :account AND state = 'expected';

-- name: count_expected(account)^
-- From calls_due, which is as large as what waits: COUNT(*) would read all of calls_balance.
SELECT COUNT(delete_by_ms) FROM calls WHERE account = :account AND state = 'expected';

-- name: flagged(account, day)
-- Recordings that are kept though something is odd about them.
SELECT r.flag, COUNT(*) AS recordings
FROM recordings AS r JOIN calls AS c ON c.account = r.account AND c.sid = r.sid
WHERE r.flag <> '' AND (:account IS NULL OR r.account = :account) AND (:day IS NULL OR c.day = :day)
GROUP BY r.flag ORDER BY recordings DESC, r.flag;
