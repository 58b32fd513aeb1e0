-- The story of a call.

-- name: add_look(lease, account, sid, at_ms, state, reason, detail)*!
-- Only by who holds the call: asked before the call is settled, which ends the lease.
INSERT INTO looks (account, sid, at_ms, state, reason, detail)
SELECT account, sid, :at_ms, :state, :reason, :detail FROM calls
WHERE account = :account AND sid = :sid AND lease = :lease;

-- name: looks_at(account, sid)
SELECT at_ms, state, reason, detail FROM looks
WHERE account = :account AND sid = :sid ORDER BY at_ms, rowid;

-- name: sightings_of(account, sid)
SELECT source, seen_ms FROM sightings
WHERE account = :account AND sid = :sid ORDER BY seen_ms, source;

-- name: call(account, sid)
SELECT * FROM calls WHERE account = :account AND sid = :sid;

-- name: accounts_of(sid)
SELECT account FROM calls WHERE sid = :sid ORDER BY account;

-- name: recordings_of(account, sid)
SELECT object_name, path, sha256, bytes, format, channels, seconds, archived_ms, flag
FROM recordings
WHERE account = :account AND sid = :sid ORDER BY path;

-- name: put_back(accounts, states, reason, day, sids, now_ms, why)!
-- Settled calls that are to be looked at once more, as if for the first time.
UPDATE calls SET state = 'expected', reason = :why, due_ms = :now_ms, settled_ms = NULL,
  tries = 0, refreshes = 0, late_looks = 0,
  -- Taken back from a rule, it is a person's word against it.
  wanted = CASE WHEN state = 'excluded' THEN 1 ELSE wanted END
WHERE account IN (SELECT value FROM json_each(:accounts))
  AND state IN (SELECT value FROM json_each(:states))
  AND (:reason IS NULL OR reason = :reason)
  AND (:day IS NULL OR day = :day)
  AND (:sids IS NULL OR sid IN (SELECT value FROM json_each(:sids)));

-- name: standings(accounts, sids)
-- Where the calls of these Sids stand, in all of these accounts that know them.
SELECT sid, state, reason, day FROM calls
WHERE account IN (SELECT value FROM json_each(:accounts))
  AND sid IN (SELECT value FROM json_each(:sids));

-- name: has_reason(reason)^
-- Whether any call has this reason, as one of a newer callvault may. Reads all calls if none has.
SELECT EXISTS (SELECT 1 FROM calls WHERE reason = :reason);
