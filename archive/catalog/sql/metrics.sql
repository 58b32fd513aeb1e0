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
