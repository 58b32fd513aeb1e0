-- What keeps a host from going on, for `status`.

-- name: note_trouble(host, what, detail, now_ms)!
-- Met again it is the same one, and began when it began.
INSERT INTO troubles (host, what, detail, since_ms, seen_ms)
VALUES (:host, :what, :detail, :now_ms, :now_ms)
ON CONFLICT (host, what) DO UPDATE SET detail = excluded.detail, seen_ms = excluded.seen_ms;

-- name: clear_troubles(host)!
-- What polling met ('polling:NAME', 'listing:NAME') is for polling to find gone.
DELETE FROM troubles WHERE host = :host AND what NOT LIKE '%:%';

-- name: troubles(seen_since_ms, met_since_ms)
-- Who leads meets a trouble again every second, who polls only at the next round.
SELECT host, what, detail, since_ms FROM troubles
WHERE seen_ms >= CASE WHEN what LIKE '%:%' THEN :met_since_ms ELSE :seen_since_ms END
ORDER BY host, what;

-- name: note_odd(host, what, detail, now_ms, stale_ms)
-- As note_trouble; but one that was not met since stale_ms begins anew.
INSERT INTO troubles (host, what, detail, since_ms, seen_ms)
VALUES (:host, :what, :detail, :now_ms, :now_ms)
ON CONFLICT (host, what) DO UPDATE SET
  detail = excluded.detail, seen_ms = excluded.seen_ms,
  since_ms = CASE WHEN troubles.seen_ms < :stale_ms THEN excluded.since_ms ELSE troubles.since_ms END
RETURNING since_ms;

-- name: forget_odd(what)!
DELETE FROM troubles WHERE what = :what;
