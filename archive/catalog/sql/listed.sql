-- What the provider's listing tells of calls that wait to be looked at.

-- name: learn_listed(account, sid, day, delete_by_ms, created_ms, began_ms, ended_ms, duration_s, talk_s, status, leg2_status, direction, from_number, to_number, exophone)*!
-- What the listing says replaces what an export said; its blanks replace nothing. Leased calls are
-- the batch's, settled ones stay as they were settled. The same call is listed again and again:
-- where nothing differs nothing is written.
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
  exophone = CASE WHEN :exophone = '' THEN exophone ELSE :exophone END
WHERE account = :account AND sid = :sid AND state = 'expected'
  AND ((:created_ms IS NOT NULL AND COALESCE(created_ms, -1) <> :created_ms)
    OR (:began_ms IS NOT NULL AND COALESCE(began_ms, -1) <> :began_ms)
    OR (:ended_ms IS NOT NULL AND COALESCE(ended_ms, -1) <> :ended_ms)
    OR (:duration_s IS NOT NULL AND COALESCE(duration_s, -1) <> :duration_s)
    OR (:talk_s IS NOT NULL AND COALESCE(talk_s, -1) <> :talk_s)
    OR (:status <> '' AND status <> :status)
    OR (:leg2_status <> '' AND leg2_status <> :leg2_status)
    OR (:direction <> '' AND direction <> :direction)
    OR (:from_number <> '' AND from_number <> :from_number)
    OR (:to_number <> '' AND to_number <> :to_number)
    OR (:exophone <> '' AND exophone <> :exophone));

-- name: tell_listed_url(account, sid, url)*!
-- Where a recording is, of calls that wait and were not looked at in vain by then.
UPDATE calls SET listed_url = :url
WHERE account = :account AND sid = :sid AND state = 'expected'
  AND tries = 0 AND refreshes = 0 AND listed_url <> :url;

-- name: drop_waiting_urls(account)!
UPDATE calls SET listed_url = ''
WHERE account = :account AND state = 'expected' AND listed_url <> '';

-- name: drop_leased_urls(account)!
UPDATE calls SET listed_url = '' WHERE account = :account AND lease IS NOT NULL AND listed_url <> '';
