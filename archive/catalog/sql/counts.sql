-- How many there are: kept as rows change, and counted anew to hold the one against the other.

-- name: counted(account)
-- A NULL account stands for all of them.
SELECT what, state, reason, SUM(amount) AS amount FROM counts
WHERE :account IS NULL OR account = :account
GROUP BY what, state, reason HAVING SUM(amount) <> 0
ORDER BY what, state, amount DESC, reason;

-- name: leased_now(account)
-- From calls_lease alone: as many as are in work.
SELECT reason, COUNT(*) AS calls FROM calls
WHERE lease IS NOT NULL AND state = 'leased' AND (:account IS NULL OR account = :account)
GROUP BY reason ORDER BY calls DESC, reason;

-- name: recorded_in_part(account)^
-- Calls with a recording of which a source told of a further one, and that are not archived yet.
SELECT COUNT(*) FROM (
  SELECT DISTINCT account, sid FROM candidates WHERE :account IS NULL OR account = :account
) AS d CROSS JOIN calls AS c
WHERE c.account = d.account AND c.sid = d.sid AND c.state NOT IN ('archived', 'purged')
  AND EXISTS (SELECT 1 FROM recordings AS r WHERE r.account = d.account AND r.sid = d.sid);

-- name: flagged_now(account)
-- From recordings_flagged alone.
SELECT flag, COUNT(*) AS recordings FROM recordings
WHERE flag <> '' AND (:account IS NULL OR account = :account)
GROUP BY flag ORDER BY recordings DESC, flag;

-- name: in_file_last_call()^
-- Those that are added next have higher ones. What begins with in_file_ is asked of no server.
SELECT COALESCE(MAX(rowid), 0) FROM calls;

-- name: in_file_count_calls(after)!
-- NOT INDEXED: by their row numbers. Else all of calls_balance is read, for the order of its accounts.
INSERT INTO counts (account, what, state, reason, amount)
SELECT account, 'calls', CASE state WHEN 'leased' THEN 'expected' ELSE state END, reason, COUNT(*)
FROM calls NOT INDEXED WHERE rowid > :after GROUP BY 1, 3, 4
ON CONFLICT (account, what, state, reason) DO UPDATE SET amount = counts.amount + excluded.amount;

-- name: seen_of(account, sids)^
-- How many of these calls a source has seen.
SELECT COUNT(*) FROM json_each(:sids) AS j
WHERE EXISTS (SELECT 1 FROM sightings WHERE account = :account AND sid = j.value);

-- name: in_file_count_seen(account, calls)!
INSERT INTO counts (account, what, amount) VALUES (:account, 'seen', :calls)
ON CONFLICT (account, what, state, reason) DO UPDATE SET amount = counts.amount + excluded.amount;

-- name: drop_counts()!
DELETE FROM counts;

-- name: count_all()!
-- +account: not in the order of an index, which would have each row looked for by itself.
INSERT INTO counts (account, what, state, reason, amount)
SELECT account, 'calls', CASE state WHEN 'leased' THEN 'expected' ELSE state END, reason, COUNT(*)
FROM calls GROUP BY +account, 3, 4
UNION ALL
SELECT account, 'seen', '', '', COUNT(*)
FROM (SELECT DISTINCT account, sid FROM sightings) AS s GROUP BY account
UNION ALL
SELECT account, 'recorded', '', '', COUNT(*)
FROM (SELECT DISTINCT account, sid FROM recordings) AS r GROUP BY account
UNION ALL
SELECT account, 'recordings', '', '', COUNT(*) FROM recordings GROUP BY account
UNION ALL
SELECT account, 'bytes', '', '', SUM(bytes) FROM recordings GROUP BY +account;
