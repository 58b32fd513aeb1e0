-- What is no longer kept. Each statement is small, so that nobody waits long for the lock.

-- name: old_looks(account, sid, before_ms, most)
-- The next calls behind one whose story is over, and of which there are looks from before a moment.
-- What was lost or failed, and what still waits, keeps its story.
SELECT l.account, l.sid, COUNT(*) AS looks FROM looks AS l
JOIN calls AS c ON c.account = l.account AND c.sid = l.sid
WHERE (l.account, l.sid) > (:account, :sid) AND l.at_ms < :before_ms
  AND c.state IN ('archived', 'absent', 'excluded', 'purged')
GROUP BY l.account, l.sid ORDER BY l.account, l.sid LIMIT :most;

-- name: drop_looks(account, sid, before_ms)*!
-- Unless the call is looked at again by now.
DELETE FROM looks WHERE account = :account AND sid = :sid AND at_ms < :before_ms AND EXISTS (
  SELECT 1 FROM calls AS c WHERE c.account = :account AND c.sid = :sid
    AND c.state IN ('archived', 'absent', 'excluded', 'purged')
);

-- name: count_old_hearings(before_ms)^
SELECT COUNT(*) FROM hearings AS h WHERE h.until_ms < :before_ms AND EXISTS (
  SELECT 1 FROM hearings AS n
  WHERE n.account = h.account AND n.source = h.source AND n.since_ms > h.since_ms
);

-- name: drop_hearings(before_ms)!
-- But for the last one of a source, by which it is known to have fallen silent.
DELETE FROM hearings WHERE until_ms < :before_ms AND EXISTS (
  SELECT 1 FROM hearings AS n
  WHERE n.account = hearings.account AND n.source = hearings.source AND n.since_ms > hearings.since_ms
);

-- name: count_old_runs(before_ms)^
SELECT COUNT(*) FROM runs WHERE began_ms < :before_ms;

-- name: drop_runs(before_ms)!
DELETE FROM runs WHERE began_ms < :before_ms;

-- name: count_old_troubles(before_ms)^
SELECT COUNT(*) FROM troubles WHERE seen_ms < :before_ms;

-- name: drop_troubles(before_ms)!
DELETE FROM troubles WHERE seen_ms < :before_ms;

-- name: tallied_hours(before_ms)
-- The hours of old tallies, by account: those of a day become one.
SELECT DISTINCT account, hour_ms FROM tallies WHERE hour_ms < :before_ms ORDER BY account, hour_ms;

-- name: tallies_of_hours(account, first_ms, end_ms)
SELECT hour_ms, host, name, label, amount FROM tallies
WHERE account = :account AND hour_ms >= :first_ms AND hour_ms < :end_ms;

-- name: take_tallies_of_hours(account, first_ms, end_ms)
-- Taken and told in one step, so that each is summed up once, whoever else tidies.
DELETE FROM tallies WHERE account = :account AND hour_ms >= :first_ms AND hour_ms < :end_ms
RETURNING hour_ms, host, name, label, amount;
