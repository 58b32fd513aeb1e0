-- What keeps a host from going on, for `status`.

-- name: note_trouble(host, what, detail, now_ms)!
-- Met again it is the same one, and began when it began.
INSERT INTO troubles (host, what, detail, since_ms, seen_ms)
VALUES (:host, :what, :detail, :now_ms, :now_ms)
ON CONFLICT (host, what) DO UPDATE SET detail = excluded.detail, seen_ms = excluded.seen_ms;

-- name: clear_troubles(host)!
DELETE FROM troubles WHERE host = :host;

-- name: troubles(seen_since_ms)
SELECT host, what, detail, since_ms FROM troubles
WHERE seen_ms >= :seen_since_ms ORDER BY host, what;
