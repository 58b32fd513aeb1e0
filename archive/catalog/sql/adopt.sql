-- Taking in recordings that were downloaded by other means.

-- name: standing(account, sids)
-- Where calls stand that a file's name may mean, with the bytes that are archived of them.
SELECT c.sid, c.state, c.delete_by_ms, c.created_ms, c.began_ms, c.ended_ms, c.duration_s, c.talk_s,
  c.status, c.leg2_status, c.direction, c.from_number, c.to_number, c.exophone, c.group_name,
  c.told_url,
  (SELECT json_group_array(r.sha256) FROM recordings AS r
   WHERE r.account = c.account AND r.sid = c.sid) AS hashes
FROM json_each(:sids) AS j CROSS JOIN calls AS c
WHERE c.account = :account AND c.sid = j.value;

-- name: claim_for_adoption(account, lease, sids)
-- As a batch claims, and settled ones as well that have no recording.
UPDATE calls SET state = 'leased', lease = :lease, settled_ms = NULL
WHERE account = :account AND state IN ('expected', 'failed', 'absent', 'lost')
  AND sid IN (SELECT value FROM json_each(:sids))
RETURNING sid;
