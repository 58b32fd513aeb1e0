-- Recordings that other sources than the API told of.

-- name: add_candidate(account, sid, object_name, url, source, seen_ms)
-- Answers a row where it is new: neither told of before nor archived already.
INSERT INTO candidates (account, sid, object_name, url, source, seen_ms)
SELECT :account, :sid, :object_name, :url, :source, :seen_ms
WHERE NOT EXISTS (
  SELECT 1 FROM recordings
  WHERE account = :account AND sid = :sid AND object_name = :object_name
)
ON CONFLICT (account, sid, object_name) DO NOTHING
RETURNING sid;

-- name: candidates_of(account, sids)
-- In the order in which they became known, which numbers them.
SELECT sid, object_name, url, source, seen_ms, same_as FROM candidates
WHERE account = :account AND sid IN (SELECT value FROM json_each(:sids))
  -- One that is named after another call is that call's.
  AND NOT EXISTS (
    SELECT 1 FROM calls AS o
    WHERE o.account = candidates.account AND o.sid <> candidates.sid
      AND o.sid = substr(object_name, 1, instr(object_name, '.') - 1)
  )
ORDER BY seen_ms, rowid;

-- name: kept_of(account, sids)
-- Recordings that calls have already.
SELECT sid, object_name, path, sha256, bytes, format, channels, sample_rate, seconds, flag,
  root
FROM recordings
WHERE account = :account AND sid IN (SELECT value FROM json_each(:sids))
ORDER BY path;

-- name: has_open_candidate(account, sid)^
-- Whether a source told of a recording that is neither archived nor known to be another one's bytes.
SELECT EXISTS (
  SELECT 1 FROM candidates AS d
  WHERE d.account = :account AND d.sid = :sid AND d.same_as = '' AND NOT EXISTS (
    SELECT 1 FROM recordings AS r
    WHERE r.account = d.account AND r.sid = d.sid AND r.object_name = d.object_name
  )
);

-- name: note_same(account, sid, object_name, url, source, seen_ms, same_as)!
INSERT INTO candidates (account, sid, object_name, url, source, seen_ms, same_as)
VALUES (:account, :sid, :object_name, :url, :source, :seen_ms, :same_as)
ON CONFLICT (account, sid, object_name) DO UPDATE SET same_as = excluded.same_as;
