-- Runs of commands that have an end.

-- name: begin_run(id, host, command, began_ms)!
INSERT INTO runs (id, host, command, began_ms) VALUES (:id, :host, :command, :began_ms);

-- name: end_run(id, host, command, began_ms, ended_ms, code, note)!
-- One whose beginning could not be written is written whole.
INSERT INTO runs (id, host, command, began_ms, ended_ms, code, note)
VALUES (:id, :host, :command, :began_ms, :ended_ms, :code, :note)
ON CONFLICT (id) DO UPDATE SET
  ended_ms = excluded.ended_ms, code = excluded.code, note = excluded.note;

-- name: forget_run(id)!
DELETE FROM runs WHERE id = :id;

-- name: runs_between(begin_ms, end_ms)
SELECT id, host, command, began_ms, ended_ms, code, note FROM runs
WHERE began_ms >= :begin_ms AND began_ms < :end_ms ORDER BY began_ms, id;

-- name: runs_latest_first()
-- For who reads no further than what is looked for.
SELECT id, host, command, began_ms, ended_ms, code, note FROM runs ORDER BY began_ms DESC, id DESC;
