-- What holds work up.

-- name: pauses()
SELECT scope, reason, detail, fatal, strikes, since_ms, probe_ms FROM pauses ORDER BY scope;

-- name: pause(scope, reason, detail, fatal, now_ms, probe_ms)!
-- The same trouble seen again by another batch moves the probe, and counts once it was probed.
INSERT INTO pauses (scope, reason, detail, fatal, strikes, since_ms, probe_ms)
VALUES (:scope, :reason, :detail, :fatal, 1, :now_ms, :probe_ms)
ON CONFLICT (scope) DO UPDATE SET
  reason = excluded.reason, detail = excluded.detail, fatal = excluded.fatal,
  strikes = pauses.strikes + CASE WHEN pauses.probe_ms <= :now_ms THEN 1 ELSE 0 END,
  probe_ms = excluded.probe_ms
-- What a person holds up stays so, whatever else is wrong; a person may say why anew.
WHERE pauses.reason <> 'operator' OR excluded.reason = 'operator';

-- name: probe_all(now_ms)!
-- A new run tries what a former one gave up, and gives up after as many probes of its own.
UPDATE pauses SET probe_ms = :now_ms, fatal = 0, strikes = 1 WHERE reason <> 'operator';

-- name: lift(scope)!
DELETE FROM pauses WHERE scope = :scope;

-- name: lift_probed(scope, since_ms)!
-- The pause that was probed, and not one that somebody has put in its place meanwhile.
DELETE FROM pauses
WHERE scope = :scope AND since_ms = :since_ms AND reason <> 'operator';
