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
) AS counted;

-- name: first_heard(account)
-- When each source was heard for the first time.
SELECT source, MIN(since_ms) AS since_ms FROM hearings WHERE account = :account GROUP BY source;

-- name: calls_by_minute(account, first_day, last_day, from_ms, to_ms, late_ms)
-- Calls that began in a time, by the minute of their end and by who knows them. A set of sources is
-- a sum of one number each, as each writes one sighting of a call. The sum counts once who knows
-- the call at all, and a hundred times who told of it soon after its end.
SELECT c.ended / 60000 AS minute, c.known_by % 100 AS known, c.known_by / 100 AS timely,
  COUNT(*) AS calls
FROM (
  SELECT COALESCE(k.ended_ms, k.began_ms, k.created_ms) AS ended,
    (SELECT SUM(
        CASE s.source WHEN 'cdr' THEN 1 WHEN 'sids' THEN 2 WHEN 'listing' THEN 4
          WHEN 'webhook' THEN 8 WHEN 'rebuild' THEN 16 ELSE 0 END
        * CASE WHEN s.seen_ms <= COALESCE(k.ended_ms, k.began_ms, k.created_ms) + :late_ms
          THEN 101 ELSE 1 END)
      FROM sightings AS s WHERE s.account = k.account AND s.sid = k.sid) AS known_by
  FROM calls AS k
  WHERE k.account = :account AND k.day BETWEEN :first_day AND :last_day
    AND COALESCE(k.began_ms, k.created_ms) BETWEEN :from_ms AND :to_ms
) AS c
GROUP BY c.ended / 60000, c.known_by
ORDER BY minute;

-- name: unlisted_count(account, first_day, last_day, from_ms, to_ms)^
-- Calls that began in a time and that the provider's listing never told of.
SELECT COUNT(*) FROM calls AS c
WHERE c.account = :account AND c.day BETWEEN :first_day AND :last_day
  AND COALESCE(c.began_ms, c.created_ms) BETWEEN :from_ms AND :to_ms
  AND NOT EXISTS (
    SELECT 1 FROM sightings AS s
    WHERE s.account = c.account AND s.sid = c.sid AND s.source = 'listing'
  );

-- name: unlisted_first(account, first_day, last_day, from_ms, to_ms, most)
SELECT c.sid FROM calls AS c
WHERE c.account = :account AND c.day BETWEEN :first_day AND :last_day
  AND COALESCE(c.began_ms, c.created_ms) BETWEEN :from_ms AND :to_ms
  AND NOT EXISTS (
    SELECT 1 FROM sightings AS s
    WHERE s.account = c.account AND s.sid = c.sid AND s.source = 'listing'
  )
ORDER BY c.sid LIMIT :most;
