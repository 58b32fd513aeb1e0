-- What `find` looks for.

-- name: find_calls(account, first_day, last_day, from_ms, to_ms, sid, number, exophone, state, reason, direction, status, group_name, least_s, most_s, flag, source)
-- A row for each recording of each call that fits, and one for a call without any; those of a call
-- follow each other. A NULL fits everything. By day first, as calls_balance has them, so that only the
-- calls of one day have to be sorted, however many there are. Numbers are compared by their end: a prefix says nothing.
SELECT c.account, c.sid, c.state, c.reason, c.day, c.began_ms, c.created_ms, c.ended_ms, c.duration_s,
  c.talk_s, c.status, c.leg2_status, c.direction, c.from_number, c.to_number, c.exophone, c.group_name,
  r.path, r.bytes, r.format, r.seconds, r.flag, r.root
FROM calls c LEFT JOIN recordings r ON r.account = c.account AND r.sid = c.sid
WHERE c.account = :account AND c.day BETWEEN :first_day AND :last_day
  AND (:sid IS NULL OR c.sid = :sid)
  AND (:from_ms IS NULL OR COALESCE(c.began_ms, c.created_ms) >= :from_ms)
  AND (:to_ms IS NULL OR COALESCE(c.began_ms, c.created_ms) < :to_ms)
  AND (:number IS NULL
    OR replace(replace(c.from_number, ' ', ''), '-', '') LIKE '%' || :number
    OR replace(replace(c.to_number, ' ', ''), '-', '') LIKE '%' || :number)
  AND (:exophone IS NULL OR replace(replace(c.exophone, ' ', ''), '-', '') LIKE '%' || :exophone)
  AND (:state IS NULL OR c.state = :state)
  AND (:reason IS NULL OR c.reason = :reason)
  AND (:direction IS NULL OR c.direction = :direction)
  AND (:status IS NULL OR c.status = :status)
  AND (:group_name IS NULL OR c.group_name = :group_name)
  AND (:least_s IS NULL OR c.duration_s >= :least_s)
  AND (:most_s IS NULL OR c.duration_s <= :most_s)
  AND (:flag IS NULL OR EXISTS (SELECT 1 FROM recordings f
    WHERE f.account = c.account AND f.sid = c.sid AND f.flag = :flag))
  AND (:source IS NULL OR EXISTS (SELECT 1 FROM sightings s
    WHERE s.account = c.account AND s.sid = c.sid AND s.source = :source))
ORDER BY c.day, COALESCE(c.began_ms, c.created_ms), c.sid;

-- name: day_of(account, sid)
SELECT day FROM calls WHERE account = :account AND sid = :sid;
