-- Bulk loads: rows come by COPY into a table of this connection, and from there into the catalog, in
-- the order of their keys, so that two who load the same calls do not wait for each other in a circle.

-- name: make_new_calls#
CREATE TEMPORARY TABLE IF NOT EXISTS new_calls ON COMMIT DELETE ROWS AS SELECT * FROM calls WITH NO DATA;
-- In which order they came: of two rows of one call, the first is believed.
ALTER TABLE new_calls ADD COLUMN IF NOT EXISTS place BIGINT GENERATED ALWAYS AS IDENTITY;
TRUNCATE new_calls;

-- name: add_call()!
INSERT INTO calls (
  account, sid, day, delete_by_ms, created_ms, began_ms, ended_ms, duration_s, talk_s, status,
  leg2_status, direction, from_number, to_number, exophone, group_name, told_url, state, reason,
  settled_ms, due_ms
)
SELECT account, sid, day, delete_by_ms, created_ms, began_ms, ended_ms, duration_s, talk_s, status,
  leg2_status, direction, from_number, to_number, exophone, group_name, told_url, state, reason,
  settled_ms, due_ms
FROM new_calls ORDER BY account, sid, place
ON CONFLICT (account, sid) DO NOTHING;

-- name: fill_blanks_at_once()!
-- fill_blanks as one statement, of what is in new_calls, where each call is once. The calls that gain by it are held first, in the order of
-- their keys.
WITH held AS MATERIALIZED (
  SELECT c.account, c.sid FROM calls AS c
  JOIN new_calls AS n ON n.account = c.account AND n.sid = c.sid
  WHERE (c.created_ms IS NULL AND n.created_ms IS NOT NULL)
    OR (c.began_ms IS NULL AND n.began_ms IS NOT NULL)
    OR (c.ended_ms IS NULL AND n.ended_ms IS NOT NULL)
    OR (c.duration_s IS NULL AND n.duration_s IS NOT NULL)
    OR (c.talk_s IS NULL AND n.talk_s IS NOT NULL)
    OR (c.status = '' AND n.status <> '')
    OR (c.leg2_status = '' AND n.leg2_status <> '')
    OR (c.direction = '' AND n.direction <> '')
    OR (c.from_number = '' AND n.from_number <> '')
    OR (c.to_number = '' AND n.to_number <> '')
    OR (c.exophone = '' AND n.exophone <> '')
    OR (c.group_name = '' AND n.group_name <> '')
    OR (c.told_url = '' AND n.told_url <> '')
  ORDER BY c.account, c.sid FOR UPDATE OF c
)
UPDATE calls AS c SET
  day = CASE WHEN c.day = '' THEN n.day ELSE c.day END,
  delete_by_ms = CASE WHEN c.began_ms IS NULL AND c.created_ms IS NULL THEN n.delete_by_ms ELSE c.delete_by_ms END,
  created_ms = COALESCE(c.created_ms, n.created_ms),
  began_ms = COALESCE(c.began_ms, n.began_ms),
  ended_ms = COALESCE(c.ended_ms, n.ended_ms),
  duration_s = COALESCE(c.duration_s, n.duration_s),
  talk_s = COALESCE(c.talk_s, n.talk_s),
  status = CASE WHEN c.status = '' THEN n.status ELSE c.status END,
  leg2_status = CASE WHEN c.leg2_status = '' THEN n.leg2_status ELSE c.leg2_status END,
  direction = CASE WHEN c.direction = '' THEN n.direction ELSE c.direction END,
  from_number = CASE WHEN c.from_number = '' THEN n.from_number ELSE c.from_number END,
  to_number = CASE WHEN c.to_number = '' THEN n.to_number ELSE c.to_number END,
  exophone = CASE WHEN c.exophone = '' THEN n.exophone ELSE c.exophone END,
  group_name = CASE WHEN c.group_name = '' THEN n.group_name ELSE c.group_name END,
  told_url = CASE WHEN c.told_url = '' THEN n.told_url ELSE c.told_url END
FROM held JOIN new_calls AS n ON n.account = held.account AND n.sid = held.sid
WHERE c.account = held.account AND c.sid = held.sid;

-- name: make_new_sightings#
CREATE TEMPORARY TABLE IF NOT EXISTS new_sightings (LIKE sightings) ON COMMIT DELETE ROWS;
TRUNCATE new_sightings;

-- name: add_sighting()!
INSERT INTO sightings (account, sid, source, seen_ms)
SELECT account, sid, source, seen_ms FROM new_sightings ORDER BY account, sid
ON CONFLICT (account, sid, source) DO NOTHING;
