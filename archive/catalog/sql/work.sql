-- How calls are found due, claimed, settled and given back.

-- name: due_by_deletion(account, now_ms, most)
-- What the provider deletes first comes first.
SELECT sid, day, due_ms FROM calls
WHERE account = :account AND state = 'expected' AND due_ms <= :now_ms
ORDER BY delete_by_ms
LIMIT :most;

-- name: due_before(account, now_ms, deleted_before_ms, most)
-- Those of them that are deleted soon: outside of the hours of a backfill the others wait.
SELECT sid, day, due_ms FROM calls
WHERE account = :account AND state = 'expected' AND due_ms <= :now_ms
  AND delete_by_ms <= :deleted_before_ms
ORDER BY delete_by_ms
LIMIT :most;

-- name: held_by_hours(account, began_before_ms, deleted_after_ms)^
-- How many wait for the hours of a backfill; those of unknown date do not.
SELECT COUNT(*) FROM calls
WHERE account = :account AND state = 'expected' AND delete_by_ms > :deleted_after_ms
  AND COALESCE(began_ms, created_ms) < :began_before_ms;

-- name: due_lately(account, now_ms, since_ms, deleted_after_ms, deleted_before_ms, most)
-- The newest calls, which keep a part of the capacity so that a backfill never starves them. Between
-- the two moments, older ones of a longer retention are deleted as well.
SELECT sid, day, due_ms FROM calls
WHERE account = :account AND state = 'expected' AND due_ms <= :now_ms
  AND delete_by_ms >= :deleted_after_ms AND delete_by_ms <= :deleted_before_ms
  AND COALESCE(began_ms, created_ms) >= :since_ms
ORDER BY delete_by_ms DESC
LIMIT :most;

-- name: begin_batch(lease, process, job_id, begun_ms)!
INSERT INTO batches (lease, process, job_id, begun_ms)
VALUES (:lease, :process, :job_id, :begun_ms);

-- name: batch_has_claimed(lease)!
UPDATE batches SET claimed = 1 WHERE lease = :lease;

-- name: jobs(claimed)
-- arq's ids of the batches in work; with claimed = 1 only of those that have claimed their calls.
SELECT job_id FROM batches WHERE claimed >= :claimed;

-- name: claim(account, lease, sids)
-- Takes those that nobody holds and nobody settled; a doubled batch takes none. found is what
-- each look has found so far, in order.
UPDATE calls SET state = 'leased', lease = :lease
WHERE account = :account AND state = 'expected'
  AND sid IN (SELECT value FROM json_each(:sids))
RETURNING sid, created_ms, began_ms, ended_ms, duration_s, talk_s, status, leg2_status, direction,
  from_number, to_number, exophone, group_name, told_url, listed_url, delete_by_ms, wanted, tries, refreshes,
  late_looks, looks,
  (SELECT json_group_array(l.reason) FROM (
     SELECT o.reason FROM looks AS o
     WHERE o.account = calls.account AND o.sid = calls.sid ORDER BY o.rowid
   ) AS l) AS found;

-- name: learn(lease, account, sid, day, delete_by_ms, created_ms, began_ms, ended_ms, duration_s, talk_s, status, leg2_status, direction, from_number, to_number, exophone, group_name)*!
-- What the provider says of a call replaces what an export said of it.
UPDATE calls SET
  day = CASE WHEN :day = '' THEN day ELSE :day END,
  delete_by_ms = CASE
    WHEN :created_ms IS NULL AND :began_ms IS NULL THEN delete_by_ms ELSE :delete_by_ms END,
  created_ms = COALESCE(:created_ms, created_ms),
  began_ms = COALESCE(:began_ms, began_ms),
  ended_ms = COALESCE(:ended_ms, ended_ms),
  duration_s = COALESCE(:duration_s, duration_s),
  talk_s = COALESCE(:talk_s, talk_s),
  status = CASE WHEN :status = '' THEN status ELSE :status END,
  leg2_status = CASE WHEN :leg2_status = '' THEN leg2_status ELSE :leg2_status END,
  direction = CASE WHEN :direction = '' THEN direction ELSE :direction END,
  from_number = CASE WHEN :from_number = '' THEN from_number ELSE :from_number END,
  to_number = CASE WHEN :to_number = '' THEN to_number ELSE :to_number END,
  exophone = CASE WHEN :exophone = '' THEN exophone ELSE :exophone END,
  group_name = CASE WHEN :group_name = '' THEN group_name ELSE :group_name END
WHERE account = :account AND sid = :sid AND lease = :lease;

-- name: settle(lease, account, sid, state, reason, due_ms, settled_ms, tries, refreshes, looks, late_looks)*!
-- Holds only where the lease still does: a late finisher changes nothing. A look uses up what the
-- listing told of the recording: the next one asks the API.
UPDATE calls SET
  state = :state, listed_url = '', reason = :reason, lease = NULL, settled_ms = :settled_ms,
  due_ms = COALESCE(:due_ms, due_ms),
  tries = tries + :tries, refreshes = refreshes + :refreshes,
  looks = looks + :looks, late_looks = late_looks + :late_looks
WHERE account = :account AND sid = :sid AND lease = :lease;

-- name: add_recording(account, sid, object_name, path, sha256, bytes, format, channels, sample_rate, seconds, flag, archived_ms, root)!
-- Found again it is the same recording, archived when it first was; fetched again (its file was
-- lost or damaged) it is what came.
INSERT INTO recordings (
  account, sid, object_name, path, sha256, bytes, format, channels, sample_rate, seconds, flag,
  archived_ms, root
) VALUES (
  :account, :sid, :object_name, :path, :sha256, :bytes, :format, :channels, :sample_rate, :seconds,
  :flag, :archived_ms, :root
)
ON CONFLICT (account, sid, object_name) DO UPDATE SET
  archived_ms = CASE
    WHEN recordings.sha256 = excluded.sha256 THEN recordings.archived_ms
    ELSE excluded.archived_ms END,
  path = excluded.path, sha256 = excluded.sha256, bytes = excluded.bytes, format = excluded.format,
  channels = excluded.channels, sample_rate = excluded.sample_rate, seconds = excluded.seconds,
  flag = excluded.flag, root = excluded.root;

-- name: mark_day(folder)!
INSERT INTO changed_days (folder, changes) VALUES (:folder, 1)
ON CONFLICT (folder) DO UPDATE SET changes = changed_days.changes + 1;

-- name: give_back(lease)!
-- Everything a batch still holds, as it was before.
UPDATE calls SET state = 'expected', lease = NULL WHERE lease = :lease;

-- name: end_batch(lease)!
DELETE FROM batches WHERE lease = :lease;

-- name: put_off(lease, due_ms)!
-- Gives a whole batch back for later, for a trouble that is no call's own.
UPDATE calls SET state = 'expected', lease = NULL, due_ms = :due_ms WHERE lease = :lease;

-- name: live_leases()
SELECT lease FROM batches;

-- name: leases_of(process)
-- What a process still holds: it may have been taken for dead meanwhile.
SELECT lease FROM batches WHERE process = :process;

-- name: is_in_work(lease)^
SELECT EXISTS (SELECT 1 FROM batches WHERE lease = :lease);
