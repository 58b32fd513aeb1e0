-- As the queries of the same names in sql/, for many who write at once.

-- name: claim(account, lease, sids)
-- Calls that somebody else has in hand just now are passed over: they are found due again.
WITH free AS MATERIALIZED (
  SELECT account, sid FROM calls
  WHERE account = :account AND state = 'expected' AND sid IN (SELECT value FROM json_each(:sids))
  ORDER BY sid FOR UPDATE SKIP LOCKED
)
UPDATE calls SET state = 'leased', lease = :lease FROM free
WHERE calls.account = free.account AND calls.sid = free.sid
RETURNING calls.sid, created_ms, began_ms, ended_ms, duration_s, talk_s, status, leg2_status, direction,
  from_number, to_number, exophone, group_name, told_url, listed_url, delete_by_ms, wanted, tries, refreshes,
  late_looks, looks,
  (SELECT CAST(COALESCE(json_agg(o.reason ORDER BY o.rowid), '[]') AS TEXT) FROM looks AS o
   WHERE o.account = calls.account AND o.sid = calls.sid) AS found;

-- name: add_look(lease, account, sid, at_ms, state, reason, detail)*!
-- Holds the call from here on: a lease that is given to somebody else at this moment is not ours.
INSERT INTO looks (account, sid, at_ms, state, reason, detail)
SELECT account, sid, :at_ms, :state, :reason, :detail FROM calls
WHERE account = :account AND sid = :sid AND lease = :lease FOR UPDATE;

-- name: hold_call(account, sid)
SELECT sid FROM calls WHERE account = :account AND sid = :sid FOR UPDATE;
