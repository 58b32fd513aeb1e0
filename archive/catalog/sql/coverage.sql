-- Which times of the listing were read to their end.

-- name: coverage_of(account, from_ms, to_ms)
-- Those that touch a time, in order.
SELECT since_ms, until_ms FROM coverage
WHERE account = :account AND since_ms <= :to_ms AND until_ms >= :from_ms
ORDER BY since_ms;

-- name: uncover(account, from_ms, to_ms)
-- Takes those that touch a time away, to become one.
DELETE FROM coverage
WHERE account = :account AND since_ms <= :to_ms AND until_ms >= :from_ms
RETURNING since_ms, until_ms;

-- name: cover(account, since_ms, until_ms)!
-- Two hosts that read the same time may come to the same beginning.
INSERT INTO coverage (account, since_ms, until_ms) VALUES (:account, :since_ms, :until_ms)
ON CONFLICT (account, since_ms) DO UPDATE SET until_ms =
  CASE WHEN excluded.until_ms > coverage.until_ms THEN excluded.until_ms ELSE coverage.until_ms END;
