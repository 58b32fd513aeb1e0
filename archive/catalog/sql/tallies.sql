-- What the processes did, by the hour.

-- name: add_tally*!
INSERT INTO tallies (hour_ms, host, account, name, label, amount)
VALUES (:hour_ms, :host, :account, :name, :label, :amount)
ON CONFLICT (hour_ms, host, account, name, label)
DO UPDATE SET amount = tallies.amount + excluded.amount;

-- name: tally_totals(host)
-- Since ever, of one host, or of all where none is named.
SELECT account, name, label, SUM(amount) AS amount
FROM tallies WHERE :host IS NULL OR host = :host
GROUP BY account, name, label ORDER BY account, name, label;

-- name: tallies_between(from_ms, to_ms)
-- Of the hours that begin from one moment on and before another.
SELECT hour_ms, account, name, label, SUM(amount) AS amount
FROM tallies WHERE hour_ms >= :from_ms AND hour_ms < :to_ms
GROUP BY hour_ms, account, name, label ORDER BY hour_ms, account, name, label;
