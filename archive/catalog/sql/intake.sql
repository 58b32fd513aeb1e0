-- How calls enter the catalog.

-- name: add_call()*!
-- Known calls are left alone; the number of rows says how many were new. By place and not by name,
-- since a million rows come here: in the order of archive.catalog.rows.NEW_COLUMNS.
INSERT INTO calls (
  account, sid, day, delete_by_ms, created_ms, began_ms, ended_ms, duration_s, talk_s, status,
  leg2_status, direction, from_number, to_number, exophone, group_name, told_url, state, reason,
  settled_ms, due_ms
) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (account, sid) DO NOTHING;

-- name: add_sighting()*!
-- Account, Sid, source and time, by place as above.
INSERT INTO sightings (account, sid, source, seen_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (account, sid, source) DO NOTHING;

-- name: fill_blanks(account, sid, day, delete_by_ms, created_ms, began_ms, ended_ms, duration_s, talk_s, status, leg2_status, direction, from_number, to_number, exophone, group_name, told_url)*!
-- A second sighting adds what was unknown and changes nothing that was known.
UPDATE calls SET
  day = CASE WHEN day = '' THEN :day ELSE day END,
  delete_by_ms = CASE WHEN began_ms IS NULL AND created_ms IS NULL THEN :delete_by_ms ELSE delete_by_ms END,
  created_ms = COALESCE(created_ms, :created_ms),
  began_ms = COALESCE(began_ms, :began_ms),
  ended_ms = COALESCE(ended_ms, :ended_ms),
  duration_s = COALESCE(duration_s, :duration_s),
  talk_s = COALESCE(talk_s, :talk_s),
  status = CASE WHEN status = '' THEN :status ELSE status END,
  leg2_status = CASE WHEN leg2_status = '' THEN :leg2_status ELSE leg2_status END,
  direction = CASE WHEN direction = '' THEN :direction ELSE direction END,
  from_number = CASE WHEN from_number = '' THEN :from_number ELSE from_number END,
  to_number = CASE WHEN to_number = '' THEN :to_number ELSE to_number END,
  exophone = CASE WHEN exophone = '' THEN :exophone ELSE exophone END,
  group_name = CASE WHEN group_name = '' THEN :group_name ELSE group_name END,
  told_url = CASE WHEN told_url = '' THEN :told_url ELSE told_url END
WHERE account = :account AND sid = :sid
  AND ((created_ms IS NULL AND :created_ms IS NOT NULL)
    OR (began_ms IS NULL AND :began_ms IS NOT NULL)
    OR (ended_ms IS NULL AND :ended_ms IS NOT NULL)
    OR (duration_s IS NULL AND :duration_s IS NOT NULL)
    OR (talk_s IS NULL AND :talk_s IS NOT NULL)
    OR (status = '' AND :status <> '')
    OR (leg2_status = '' AND :leg2_status <> '')
    OR (direction = '' AND :direction <> '')
    OR (from_number = '' AND :from_number <> '')
    OR (to_number = '' AND :to_number <> '')
    OR (exophone = '' AND :exophone <> '')
    OR (group_name = '' AND :group_name <> '')
    OR (told_url = '' AND :told_url <> ''));

-- name: given_up_untold(account, sids)
-- Calls that were given up when no source had told where a recording is.
SELECT sid FROM calls
WHERE account = :account AND sid IN (SELECT value FROM json_each(:sids))
  AND state IN ('absent', 'lost') AND told_url = '';

-- name: known_sids(account, sids)
-- Which of these Sids the catalog has already, for a dry run.
SELECT sid FROM calls
WHERE account = :account AND sid IN (SELECT value FROM json_each(:sids));
