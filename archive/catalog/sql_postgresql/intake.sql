-- Bulk loads: rows come by COPY into a table of this connection, and from there into the catalog, in
-- the order of their keys, so that two who load the same calls do not wait for each other in a circle.

-- name: make_new_calls#
CREATE TEMPORARY TABLE IF NOT EXISTS new_calls (LIKE calls INCLUDING DEFAULTS) ON COMMIT DELETE ROWS;
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
FROM new_calls ORDER BY account, sid
ON CONFLICT (account, sid) DO NOTHING;

-- name: make_new_sightings#
CREATE TEMPORARY TABLE IF NOT EXISTS new_sightings (LIKE sightings) ON COMMIT DELETE ROWS;
TRUNCATE new_sightings;

-- name: add_sighting()!
INSERT INTO sightings (account, sid, source, seen_ms)
SELECT account, sid, source, seen_ms FROM new_sightings ORDER BY account, sid
ON CONFLICT (account, sid, source) DO NOTHING;
