-- What no row should say in view of others.

-- name: contradictions()
SELECT 'recordings of calls that are not known' AS fault, COUNT(*) AS found FROM recordings AS r
WHERE NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.account = r.account AND c.sid = r.sid)
UNION ALL
SELECT 'archived calls without a recording', COUNT(*) FROM calls AS c
WHERE c.state = 'archived' AND NOT EXISTS (
  SELECT 1 FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid)
UNION ALL
SELECT 'purged calls with a recording', COUNT(*) FROM calls AS c
WHERE c.state = 'purged' AND EXISTS (
  SELECT 1 FROM recordings AS r WHERE r.account = c.account AND r.sid = c.sid)
UNION ALL
SELECT 'calls that no source has seen', COUNT(*) FROM calls AS c
WHERE NOT EXISTS (SELECT 1 FROM sightings AS s WHERE s.account = c.account AND s.sid = c.sid)
UNION ALL
SELECT 'sightings of calls that are not known', COUNT(*) FROM sightings AS s
WHERE NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.account = s.account AND c.sid = s.sid)
UNION ALL
SELECT 'leased calls of no batch', COUNT(*) FROM calls AS c
WHERE c.state = 'leased' AND NOT EXISTS (SELECT 1 FROM batches AS b WHERE b.lease = c.lease)
UNION ALL
SELECT 'settled calls that do not say since when', COUNT(*) FROM calls
WHERE state NOT IN ('expected', 'leased') AND settled_ms IS NULL
UNION ALL
SELECT 'looks at calls that are not known', COUNT(*) FROM looks AS l
WHERE NOT EXISTS (SELECT 1 FROM calls AS c WHERE c.account = l.account AND c.sid = l.sid);
