-- As the queries of the same names in sql/, in PostgreSQL's words.

-- name: standing(account, sids)
SELECT c.sid, c.state, c.delete_by_ms, c.created_ms, c.began_ms, c.ended_ms, c.duration_s, c.talk_s,
  c.status, c.leg2_status, c.direction, c.from_number, c.to_number, c.exophone, c.group_name,
  c.told_url,
  (SELECT CAST(COALESCE(json_agg(r.sha256), '[]') AS TEXT) FROM recordings AS r
   WHERE r.account = c.account AND r.sid = c.sid) AS hashes
FROM json_each(:sids) AS j CROSS JOIN calls AS c
WHERE c.account = :account AND c.sid = j.value;

-- name: claim_for_adoption(account, lease, sids)
-- Those that somebody else has in hand just now are passed over, and in one order.
WITH free AS MATERIALIZED (
  SELECT account, sid FROM calls
  WHERE account = :account AND state IN ('expected', 'failed', 'absent', 'lost')
    AND sid IN (SELECT value FROM json_each(:sids))
  ORDER BY sid FOR UPDATE SKIP LOCKED
)
UPDATE calls SET state = 'leased', lease = :lease, settled_ms = NULL FROM free
WHERE calls.account = free.account AND calls.sid = free.sid
RETURNING calls.sid;
