-- As the queries of the same names in sql/. New rows are counted by the server itself, once a statement.

-- name: add_counts_up()!
-- Many changes become one row each; who counts meanwhile sees the ones or the other. Of two who do
-- this at once, each takes what the other has not.
WITH gone AS (
  DELETE FROM count_changes RETURNING account, what, state, reason, amount
)
INSERT INTO count_changes (account, what, state, reason, amount)
SELECT account, what, state, reason, SUM(amount) FROM gone
GROUP BY account, what, state, reason HAVING SUM(amount) <> 0;

-- name: drop_counts()!
-- Nothing: what is dropped and what is counted is of one moment, so one statement does both.
DELETE FROM count_changes WHERE false;

-- name: count_all()!
WITH gone AS (
  DELETE FROM count_changes
)
INSERT INTO count_changes (account, what, state, reason, amount)
SELECT account, 'calls', counted_as(state), reason, COUNT(*)
FROM calls GROUP BY account, counted_as(state), reason
UNION ALL
SELECT account, 'seen', '', '', COUNT(*)
FROM (SELECT DISTINCT account, sid FROM sightings) AS s GROUP BY account
UNION ALL
SELECT account, 'recorded', '', '', COUNT(*)
FROM (SELECT DISTINCT account, sid FROM recordings) AS r GROUP BY account
UNION ALL
SELECT account, 'recordings', '', '', COUNT(*) FROM recordings GROUP BY account
UNION ALL
SELECT account, 'bytes', '', '', SUM(bytes) FROM recordings GROUP BY account;
