-- What a live view reads every few seconds: short reads, each from an index.

-- name: workers_now()
-- The worker processes that have not ended, with what they hold.
SELECT p.process, p.host, p.pid, p.version, p.started_ms, p.beat_ms, p.recordings, p.bytes,
  p.ahead_ms,
  (SELECT COUNT(*) FROM batches AS b WHERE b.process = p.process) AS batches,
  (SELECT COUNT(*) FROM batches AS b JOIN calls AS c ON c.lease = b.lease
   WHERE b.process = p.process) AS calls
FROM processes AS p WHERE p.ended = 0 ORDER BY p.host, p.process;

-- name: backlog(account, now_ms)^
-- What waits to be looked at, from calls_due alone. Millions take a while.
SELECT COALESCE(SUM(CASE WHEN due_ms <= :now_ms THEN 1 ELSE 0 END), 0) AS due,
  MIN(CASE WHEN due_ms <= :now_ms THEN due_ms END) AS oldest_ms,
  MIN(CASE WHEN due_ms > :now_ms THEN due_ms END) AS next_ms,
  MIN(CASE WHEN delete_by_ms > :now_ms THEN delete_by_ms END) AS delete_ms
FROM calls WHERE account = :account AND state = 'expected';

-- name: archived_by_minute(account, since_ms)
-- From calls_settled alone.
SELECT settled_ms / 60000 AS minute, COUNT(*) AS calls FROM calls
WHERE account = :account AND settled_ms >= :since_ms AND state = 'archived'
GROUP BY settled_ms / 60000;

-- name: archived_since(account, since_ms)^
SELECT COUNT(*) AS recordings, COALESCE(SUM(r.bytes), 0) AS bytes
FROM calls AS c JOIN recordings AS r ON r.account = c.account AND r.sid = c.sid
WHERE c.account = :account AND c.settled_ms >= :since_ms AND c.state = 'archived';

-- name: last_in_vain(most)
-- The calls of all accounts that were lost or failed last. Of one account alone they would not be
-- read from calls_trouble, but from all of its calls.
SELECT settled_ms, account, sid, state, reason FROM calls
WHERE state IN ('lost', 'failed')
ORDER BY settled_ms DESC LIMIT :most;

-- name: last_looks(most)
-- The last looks of all, of which some found a trouble that may pass. In the order of their writing,
-- as there is no index by time: each look would have to keep it.
SELECT at_ms, account, sid, state, reason FROM looks ORDER BY rowid DESC LIMIT :most;
