-- Who is alive, and what the dead left behind.

-- name: beat(process, host, pid, version, started_ms, beat_ms, recordings, bytes, ahead_ms)!
INSERT INTO processes (process, host, pid, version, started_ms, beat_ms, recordings, bytes, ahead_ms)
VALUES (:process, :host, :pid, :version, :started_ms, :beat_ms, :recordings, :bytes, :ahead_ms)
ON CONFLICT (process) DO UPDATE SET
  beat_ms = excluded.beat_ms, recordings = excluded.recordings, bytes = excluded.bytes,
  ahead_ms = excluded.ahead_ms, ended = 0;

-- name: retire(process, silent_ms)!
-- A process that is known to have ended need not wait for its lease to lapse.
UPDATE processes SET beat_ms = CASE WHEN beat_ms < :silent_ms THEN beat_ms ELSE :silent_ms END, ended = 1 WHERE process = :process;

-- name: dead_batches(silent_since_ms)
-- Batches of processes that have not beaten since then, or never did.
SELECT b.lease, b.job_id, b.process
FROM batches AS b LEFT JOIN processes AS p ON p.process = b.process
WHERE COALESCE(p.beat_ms, b.begun_ms) < :silent_since_ms;

-- name: end_silent(silent_since_ms)!
-- What they held is given back, so nobody needs to look for them.
UPDATE processes SET ended = 1 WHERE beat_ms < :silent_since_ms AND ended = 0;

-- name: roll()
-- The processes that have not ended.
SELECT process, host, pid, beat_ms FROM processes WHERE ended = 0 ORDER BY process;

-- name: live_hosts(silent_since_ms)
SELECT DISTINCT host FROM processes WHERE beat_ms >= :silent_since_ms;

-- name: forget_processes(silent_since_ms)!
DELETE FROM processes
WHERE beat_ms < :silent_since_ms AND process NOT IN (SELECT process FROM batches);

-- name: work_since(since_ms)^
-- What the processes that started since then have archived.
SELECT COALESCE(SUM(recordings), 0) AS recordings, COALESCE(SUM(bytes), 0) AS bytes
FROM processes WHERE started_ms >= :since_ms;
