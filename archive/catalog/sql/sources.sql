-- What sources brought, and when they were heard.

-- name: last_heard(account, source)
-- The latest time in which a source was heard.
SELECT since_ms, until_ms FROM hearings
WHERE account = :account AND source = :source
ORDER BY since_ms DESC LIMIT 1;

-- name: begin_hearing(account, source, since_ms, until_ms)!
INSERT INTO hearings (account, source, since_ms, until_ms)
VALUES (:account, :source, :since_ms, :until_ms)
ON CONFLICT (account, source, since_ms) DO NOTHING;

-- name: go_on_hearing(account, source, since_ms, until_ms)!
UPDATE hearings SET until_ms = :until_ms
WHERE account = :account AND source = :source AND since_ms = :since_ms AND until_ms < :until_ms;

-- name: hearings_of(account, from_ms, to_ms)
-- When sources were heard in a time.
SELECT source, since_ms, until_ms FROM hearings
WHERE account = :account AND until_ms >= :from_ms AND since_ms <= :to_ms
ORDER BY source, since_ms;

-- name: watermark(account, walk)
SELECT until_ms, moved_ms FROM watermarks WHERE account = :account AND walk = :walk;

-- name: move_watermark(account, walk, until_ms, moved_ms)!
-- Forwards only: who read a part that another one had read already takes nothing back.
INSERT INTO watermarks (account, walk, until_ms, moved_ms)
VALUES (:account, :walk, :until_ms, :moved_ms)
ON CONFLICT (account, walk) DO UPDATE SET until_ms = excluded.until_ms, moved_ms = excluded.moved_ms
WHERE excluded.until_ms > watermarks.until_ms;

-- name: first_day(account)^
-- The first day of which calls are known; NULL if none is.
SELECT MIN(day) FROM calls WHERE account = :account AND day <> '';

-- name: calls_between(account, first_day, last_day, from_ms, to_ms, most)^
-- How many calls of a time are known, counted up to a number.
SELECT COUNT(*) FROM (
  SELECT sid FROM calls
  WHERE account = :account AND day BETWEEN :first_day AND :last_day
    AND COALESCE(created_ms, began_ms) BETWEEN :from_ms AND :to_ms
  LIMIT :most
) AS some;
