-- What metrics are made of, beside what `watch.sql` and `tallies.sql` read.

-- name: last_settled(account)^
-- When a call was settled last, as it became known or by work; NULL if none ever was.
SELECT MAX(settled_ms) FROM calls WHERE account = :account AND settled_ms IS NOT NULL;

-- name: last_beats()
-- Of each host, also where nobody works any more, for as long as processes are remembered.
SELECT host, MAX(beat_ms) AS beat_ms FROM processes GROUP BY host ORDER BY host;

-- name: hosts_beating(since_ms)
SELECT host, COUNT(*) AS workers FROM processes
WHERE ended = 0 AND beat_ms >= :since_ms GROUP BY host ORDER BY host;

-- name: sources_last_heard()
SELECT account, source, MAX(until_ms) AS until_ms FROM hearings
GROUP BY account, source ORDER BY account, source;

-- name: last_runs()
-- Of each command the run that ended last, and when one last ended well.
SELECT command, ended_ms, code, good_ms FROM (
  SELECT command, ended_ms, code,
    MAX(CASE WHEN code = 0 THEN ended_ms END) OVER (PARTITION BY command) AS good_ms,
    ROW_NUMBER() OVER (PARTITION BY command ORDER BY ended_ms DESC, id DESC) AS place
  FROM runs WHERE ended_ms IS NOT NULL
) AS ended WHERE place = 1 ORDER BY command;
