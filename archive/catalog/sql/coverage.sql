-- Which times of the listing were read to their end.

-- name: coverage_of(account, from_ms, to_ms)
-- Those that touch a time, in order.
SELECT since_ms, until_ms FROM coverage
WHERE account = :account AND since_ms <= :to_ms AND until_ms >= :from_ms
ORDER BY since_ms;

-- name: uncover(account, from_ms, to_ms)!
DELETE FROM coverage
WHERE account = :account AND since_ms <= :to_ms AND until_ms >= :from_ms;

-- name: cover(account, since_ms, until_ms)!
INSERT INTO coverage (account, since_ms, until_ms) VALUES (:account, :since_ms, :until_ms);
